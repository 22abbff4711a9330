"""Tables: selected by value, refused in one line, and the same after Parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from llm_validation.common.tables import from_rows, length, matches, need, read_table, select, take, write_table
from tests.assertions import refuses

NAN = float("nan")
TABLE = {
    "arm": np.array(["a", "b", "a", "c"]),
    "eps": np.array([NAN, 1e-8, 1e-2, NAN]),
    "updates": np.array([1, 16, 1, 1]),
    "clipped": np.array([True, False, False, True]),
}


def test_rows_with_these_values() -> None:
    assert matches(TABLE, arm="a").tolist() == [True, False, True, False]
    assert matches(TABLE, arm=("a", "c"), updates=1, clipped=True).tolist() == [True, False, False, True]
    assert matches(TABLE, arm={"d"}).tolist() == [False] * 4
    assert matches(TABLE).tolist() == [True] * 4


def test_nan_is_a_value_like_others() -> None:
    assert matches(TABLE, eps=NAN).tolist() == [True, False, False, True]
    assert matches(TABLE, eps=(NAN, 1e-2)).tolist() == [True, False, True, True]
    assert matches(TABLE, eps=1e-8).tolist() == [False, True, False, False]


def test_selects_all_columns() -> None:
    found = select(TABLE, updates=16)
    assert {name: column.tolist() for name, column in found.items()} == {
        "arm": ["b"],
        "eps": [1e-8],
        "updates": [16],
        "clipped": [False],
    }
    assert take(TABLE, np.array([3, 0]))["arm"].tolist() == ["c", "a"]
    assert length(select(TABLE, arm="nobody")) == 0


def test_from_rows() -> None:
    found = from_rows([{"a": 1, "b": "x"}, {"b": "y", "a": 2}])
    assert {name: column.tolist() for name, column in found.items()} == {"a": [1, 2], "b": ["x", "y"]}
    refuses(lambda: from_rows([]), "rows", [])
    refuses(lambda: from_rows([{"a": 1}, {"b": 1}]), "rows", ["b"])


def test_bad_tables_are_refused_in_one_line() -> None:
    refuses(lambda: length({}), "table", {})
    for wrong in ({"a": np.zeros(2), "b": np.zeros(3)}, {"a": np.zeros((2, 2))}):
        with pytest.raises(ValueError, match=r"^column '[ab]' must be as long as") as caught:
            length(wrong)
        assert "\n" not in str(caught.value)
    assert "'change'" in refuses(lambda: need(TABLE, ["arm", "change"]), "table", sorted(TABLE))
    assert "'no'" in refuses(lambda: select(TABLE, no=1), "table", sorted(TABLE))


@pytest.mark.train
def test_the_same_after_parquet(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_table(TABLE, path)
    found = read_table(path)
    assert list(found) == list(TABLE)
    for name, column in TABLE.items():
        assert found[name].dtype.kind == column.dtype.kind
        assert np.array_equal(found[name], column, equal_nan=column.dtype.kind == "f")


@pytest.mark.train
def test_no_rows_stay_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_table(select(TABLE, arm="nobody"), path)
    found = read_table(path)
    assert length(found) == 0
    assert [column.dtype.kind for column in found.values()] == ["U", "f", "i", "b"]


@pytest.mark.train
def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no table")
    for name in ("text", "nowhere"):
        with pytest.raises(ValueError, match=f"^table '.*{name}' cannot be read: ") as caught:
            read_table(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.train
def test_missing_text_is_refused_and_missing_numbers_are_nan(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"x": [1.0, None]}), tmp_path / "numbers")
    assert np.isnan(read_table(tmp_path / "numbers")["x"]).tolist() == [False, True]
    pq.write_table(pa.table({"arm": ["a", None]}), tmp_path / "text")
    with pytest.raises(ValueError, match=r"^column '.*arm' must be without missing text"):
        read_table(tmp_path / "text")


@pytest.mark.train
def test_uneven_columns_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="as long as"):
        write_table({"a": np.zeros(2), "b": np.zeros(1)}, tmp_path / "t")
    assert not (tmp_path / "t").exists()
