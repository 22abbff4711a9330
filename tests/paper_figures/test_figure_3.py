"""Figures 3 and 8: that no run keeps the entropy of single tokens, and which steps the paper shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_validation.cluster.update_probe import REQUIRED
from paper_figures.tokens import paper_steps
from tests.paper_figures.stored import drawn, texts


@pytest.mark.parametrize("name", ["figure_3", "figure_8"])
def test_each_snapshot_says_what_is_not_kept(tmp_path: Path, name: str) -> None:
    found = drawn(name, tmp_path)
    assert paper_steps(name[-1]) == [20, 80, 200]
    for panel, step in enumerate((20, 80, 200)):
        (said,) = texts(found.axes(panel), "missing")
        assert said == found.missing[panel]
        assert said.startswith(f"step {step} of the paper's run: no command makes this: qae train, ")


def test_a_record_of_a_response_has_sums_only() -> None:
    assert {name for name in REQUIRED if "entropy" in name} == {
        "entropy_before",
        "entropy_after",
        "entropy_change_predicted",
    }
