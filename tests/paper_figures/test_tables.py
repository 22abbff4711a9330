"""Tables 1 and 2: the paper's numbers where it has them, ours beside, in the picture, in Markdown and in CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from llm_validation.cluster.collect.paper_rows import TABLE_1, TABLE_2
from paper_figures import drawing, table_1, table_2
from paper_figures.catalogue import figure
from paper_figures.runs import Results
from qae_theory.paper import paper_facts
from tests.paper_figures.cluster_runs import evaluation, store_cluster
from tests.paper_figures.stored import Drawn, drawn, texts

FACTS = paper_facts()
BENCHMARKS = ("AIME25", "AIME24", "AMC23")


def written(found: Drawn) -> list[list[str]]:
    """Texts of the table's cells, line by line from the top, each from the left."""
    by_height: dict[float, list[tuple[float, str]]] = {}
    for text in found.axes().texts:
        if text.get_gid() is None:
            x, y = text.get_position()
            by_height.setdefault(round(y, 6), []).append((x, text.get_text()))
    return [[text for _, text in sorted(row)] for _, row in sorted(by_height.items(), reverse=True)]


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def store_row(root: Path, name: str, run: str, share: float, benchmarks: Sequence[str] = BENCHMARKS) -> None:
    first = [evaluation(0, {1: 0.9, 16: 0.95}, benchmark) for benchmark in benchmarks]
    last = [evaluation(20, {1: share, 16: share + 0.1}, benchmark) for benchmark in benchmarks]
    store_cluster(root, name, run=run * 12, lines=[{"step": 20}], evaluations=[*first, *last])


def test_the_rows_are_those_that_collect_knows(tmp_path: Path) -> None:
    nothing = Results(tmp_path)
    assert [(row.labels[0], row.experiment) for row in table_1.table_rows(nothing)] == list(TABLE_1.items())
    assert [(row.labels, row.experiment) for row in table_2.table_rows(nothing)] == list(TABLE_2.items())


def test_without_ours_a_cell_holds_the_paper_s_number_alone(tmp_path: Path) -> None:
    found = written(drawn("table_2", tmp_path))
    stated = FACTS["table_2"]
    assert found[0] == ["model", "method", *stated["columns"]]
    for number, row in enumerate(stated["rows"]):
        assert found[1 + number] == [*row[:2], *(f"{value:.2f}" for value in row[2:])]


def test_table_1_has_a_row_for_each_level(tmp_path: Path) -> None:
    found = written(drawn("table_1", tmp_path))
    assert found[0] == ["epsilon_high", "AIME24 pass@1"]
    assert found[1:] == [
        ["0.20", "32.29"],
        ["0.22", "34.90"],
        ["0.24", "34.17"],
        ["0.26", "40.63"],
        ["0.28", "39.69"],
    ]


def test_ours_with_its_interval(tmp_path: Path) -> None:
    store_row(tmp_path, "qwen3-8b-clip-higher-qae", "a", 0.5)
    found = drawn("table_2", tmp_path)
    (row,) = [row for row in written(found) if "ours 50.00 [40.0, 60.0]" in row]
    assert row == ["ours 50.00 [40.0, 60.0]", "ours 60.00 [50.0, 70.0]"] * 3
    assert written(found).index(row) == 6  # the second of the paper's rows
    assert found.missing == [None]
    assert "1 of 8 rows run." in found.caption
    assert "Qwen3-8B-Base, Clip-Higher + QAE, AMC23 pass@16: 60.00 [50.0, 70.0]" in found.caption
    before = found.caption
    store_row(tmp_path, "qwen3-8b-clip-higher-qae", "a", 0.55)
    after = drawn("table_2", tmp_path)
    assert after.caption != before
    assert "ours 55.00 [45.0, 65.0]" in texts(after.axes())


def test_the_plain_row_is_in_both_tables(tmp_path: Path) -> None:
    store_row(tmp_path, "qwen3-8b-clip-higher", "a", 0.25)
    assert written(drawn("table_1", tmp_path))[-1] == ["ours 25.00 [15.0, 35.0]"]
    assert "ours 25.00 [15.0, 35.0]" in texts(drawn("table_2", tmp_path).axes())


def test_a_benchmark_that_was_not_evaluated_is_not_run(tmp_path: Path) -> None:
    store_row(tmp_path, "qwen3-8b-kl-cov", "a", 0.5, benchmarks=("AIME25",))
    (row,) = [row for row in written(drawn("table_2", tmp_path)) if "ours 50.00 [40.0, 60.0]" in row]
    assert row[2:] == ["ours –"] * 4


@pytest.mark.parametrize(("name", "first"), [("table_1", "qwen3-8b-eps020"), ("table_2", "qwen3-8b-clip-higher")])
def test_without_runs_the_command_is_named(tmp_path: Path, name: str, first: str) -> None:
    found = drawn(name, tmp_path)
    (missing,) = found.missing
    assert missing is not None
    assert missing.startswith(f"not run: qae cluster launch ROW, for each of {first}, ")
    assert texts(found.axes(), "source") == [f"the paper's numbers only; ours {missing}"]


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are empty files."""

    def save(drawn: Any, folder: Path, name: str, **said: Any) -> None:
        for suffix in ("pdf", "png"):
            (folder / f"{name}.{suffix}").touch()

    monkeypatch.setattr(drawing, "save", save)


@pytest.mark.usefixtures("quickly")
def test_the_written_tables(tmp_path: Path) -> None:
    store_row(tmp_path / "results", "qwen3-8b-clip-higher-qae", "a", 0.5)
    out = tmp_path / "figures"

    def again() -> bool:
        ((_, _, fresh),) = drawing.draw([figure("table_2")], Results(tmp_path / "results"), out)
        return fresh

    assert again()
    markdown = (out / "table_2.md").read_text(encoding="utf-8")
    assert "| Qwen3-8B-Base | Clip-Higher + QAE | 34.90 / 50.00 [40.0, 60.0] |" in markdown
    assert "| Qwen3-8B-Base | Clip-Higher | 32.71 / – |" in markdown
    assert not again()
    (out / "table_2.md").unlink()
    assert again()
    assert (out / "table_2.md").read_text(encoding="utf-8") == markdown
    store_row(tmp_path / "results", "qwen3-8b-clip-higher-qae", "a", 0.55)
    assert again()
    assert "34.90 / 55.00 [45.0, 65.0]" in (out / "table_2.md").read_text(encoding="utf-8")


def test_every_number_in_the_csv(tmp_path: Path) -> None:
    store_row(tmp_path, "qwen3-8b-clip-higher-qae", "a", 0.5)
    records = read_csv(table_2.TEXTS["csv"](Results(tmp_path)))
    assert len(records) == 8 * 6
    stated: dict[tuple[Any, ...], float] = {
        (*row[:2], column): value
        for row in FACTS["table_2"]["rows"]
        for column, value in zip(FACTS["table_2"]["columns"], row[2:], strict=True)
    }
    for record in records:
        key = record["model"], record["method"], record["column"]
        assert float(record["paper"]) == stated[key]
        if record["experiment"] == "qwen3-8b-clip-higher-qae":
            ours = 50.0 if record["column"].endswith("pass@1") else 60.0
            numbers = [float(record[name]) for name in ("ours", "low", "high", "last step")]
            assert numbers == pytest.approx([ours, ours - 10, ours + 10, 20])
        else:
            assert (record["ours"], record["low"], record["last step"]) == ("not run", "", "")
