"""What is read of the paper's facts, and that every mark of the paper says that it is one."""

from __future__ import annotations

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from paper_figures import paper
from paper_figures.render import style
from qae_theory.runs.stored import MissingError


def test_numbers_that_stand_in_sentences() -> None:
    assert paper.spike() == (10, 80)
    assert paper.zero_share() == 0.8
    assert paper.default_k() == "0.4"


def test_a_sentence_without_its_number_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper, "paper_facts", lambda: {"figures": {"1": "entropy", "5": "shares"}})
    for read in (paper.spike, paper.zero_share):
        with pytest.raises(MissingError, match="does not say"):
            read()


def test_tables_by_name() -> None:
    assert paper.table_1() == {"0.20": 32.29, "0.22": 34.90, "0.24": 34.17, "0.26": 40.63, "0.28": 39.69}
    row = paper.table_2()["Qwen3-8B-Base", "KL-Cov + QAE"]
    assert (row["AIME25 pass@1"], row["AMC23 pass@16"]) == (33.44, 96.25)
    assert len(paper.table_2()) == 8


def test_marks_are_labelled() -> None:
    axes = Figure().subplots()
    axes.plot([0, 1], [2, 3], label="ours")
    marks = [paper.level(2.5, "two and a half"), paper.steps(0.2, 0.4, "here"), paper.remark("elsewhere")]
    paper.draw_marks(axes, marks)
    assert set(axes.get_legend_handles_labels()[1]) == {
        "ours",
        *(mark.text for mark in marks[:2]),
    }  # the last has no handle, and so no entry
    assert all(mark.text.startswith("paper: ") for mark in marks)
    level = next(line for line in axes.lines if line.get_label() == "paper: two and a half")
    assert list(level.get_ydata()) == [2.5, 2.5]
    assert [text.get_text() for text in axes.texts] == ["2.5"]
    (span,) = axes.collections
    assert (span.get_paths()[0].vertices[:, 0].min(), span.get_paths()[0].vertices[:, 0].max()) == (0.2, 0.4)
    assert paper.marks_text(marks) == (" Reference marks: paper: two and a half; paper: here; paper: elsewhere.")
    assert paper.marks_text(()) == ""


def test_words_take_no_colour_of_the_cycle() -> None:
    with style():
        axes = Figure().subplots()
        axes.plot([0, 1], [0, 1])
        paper.draw_marks(axes, [paper.remark("elsewhere"), paper.level(1, "one")])
        (second,) = axes.plot([0, 1], [1, 2])
    assert (to_hex(second.get_color()), second.get_marker()) == ("#d55e00", "s")  # the style's second


def test_a_level_that_is_not_shown_has_no_entry_in_the_legend() -> None:
    axes = Figure().subplots()
    paper.level(1.0, "one", shown=False, left=True).draw(axes)
    assert axes.get_legend_handles_labels()[1] == []
    assert axes.texts[0].xy == (0, 1.0)
