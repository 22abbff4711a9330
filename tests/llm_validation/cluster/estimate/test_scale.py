"""docs/scale.md has the tables that the formulas give, and its settings are the experiments' own."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_validation.cluster.estimate import scale
from llm_validation.cluster.estimate.from_configuration import planned_run
from llm_validation.cluster.estimate.model_sizes import SHAPES
from llm_validation.cluster.recipes.compose import experiments
from llm_validation.verl_engine.configuration.record import read
from tests import ROOT
from tests.llm_validation.cluster.composed import composed

PAGE = ROOT / "docs" / "scale.md"


def test_the_page_is_what_the_formulas_give(capsys: pytest.CaptureFixture[str]) -> None:
    assert scale.main(["--check", "--page", str(PAGE)]) == 0, capsys.readouterr().err


def test_a_stale_page_is_found_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The negative control: one digit of one table, and nothing outside the tables, is put right."""
    text = PAGE.read_text(encoding="utf-8")
    page = tmp_path / "scale.md"
    stale = text.replace("| Qwen3-8B | 8.19e9", "| Qwen3-8B | 8.18e9") + "A line of the reader's own.\n"
    page.write_text(stale, encoding="utf-8")
    assert scale.main(["--check", "--page", str(page)]) == 1
    assert "write it with this command" in capsys.readouterr().err
    assert page.read_text(encoding="utf-8") == stale
    assert scale.main(["--page", str(page)]) == 0
    assert page.read_text(encoding="utf-8") == text + "A line of the reader's own.\n"


@pytest.mark.parametrize(
    "text", ["", "<!-- scale:models:begin -->\n", "<!-- scale:models:end --><!-- scale:models:begin -->"]
)
def test_a_page_without_its_markers(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    page = tmp_path / "scale.md"
    page.write_text(text, encoding="utf-8")
    assert scale.main(["--page", str(page)]) == 2
    assert "scale:models:begin" in capsys.readouterr().err
    assert page.read_text(encoding="utf-8") == text


def test_no_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scale.main(["--page", str(tmp_path / "none.md")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_markers_given_twice() -> None:
    twice = "<!-- scale:a:begin --><!-- scale:a:end -->" * 2
    with pytest.raises(ValueError, match="once each"):
        scale.with_tables(twice, {"a": "x"})


def test_rows_are_experiments_and_models() -> None:
    assert set(scale.EXPERIMENTS) == set(scale.ROWS) <= set(SHAPES)
    assert set(scale.EXPERIMENTS.values()) <= set(experiments())


@pytest.mark.verl
@pytest.mark.parametrize("model", scale.ROWS)
def test_the_settings_are_the_experiments(model: str) -> None:
    theirs = planned_run(read(composed(scale.EXPERIMENTS[model])))
    assert scale.row_settings(model) == theirs
    assert scale.row_settings(model, nodes=1) != theirs
