"""The matrix shows each record of the ledger file once, in its update's column, with its verdict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paper_figures.ledger_matrix import UPDATES
from tests.paper_figures.stored import Drawn, drawn, texts

LINES = (
    ("eq4-threshold", "not specific", "proved"),
    ("prop42-uncentred", "uncentred", "proved"),
    ("prop42-natural-gradient-strict", "natural_gradient", "refuted"),
    ("prop42-finite-step-if", "uncentred", "holds under an assumption"),
    ("neutrality", "sampled_group", "proved"),
    ("table-1", "not specific", "not run"),
    ("a-claim-of-another-package", "sampled_group", "undecided"),
)


def write(root: Path, lines: Sequence[tuple[str, str, str]] = LINES) -> None:
    records = [{"id": name, "update": update, "verdict": verdict} for name, update, verdict in lines]
    root.mkdir(exist_ok=True)
    (root / "ledger.json").write_text(json.dumps(records))


def cells(found: Drawn) -> dict[tuple[str, str], str]:
    """Verdict by row and column; the column of a bar across all is ``all``."""
    shown = {}
    for panel in (0, 1):
        for box in found.axes(panel).patches:
            label, _, verdict = box.get_label().rpartition(": ")
            column = "all" if box.get_width() > 1 else UPDATES[int(box.get_x())]
            assert (label, column) not in shown
            shown[label, column] = verdict
    return shown


def test_every_record_has_its_cell(tmp_path: Path) -> None:
    write(tmp_path)
    assert cells(drawn("ledger_matrix", tmp_path)) == {
        ("eq4-threshold", "all"): "proved",
        ("prop42-*", "uncentred"): "proved",
        ("prop42-*-strict", "natural_gradient"): "refuted",
        ("prop42-finite-step-if", "uncentred"): "holds under an assumption",
        ("neutrality", "sampled_group"): "proved",
        ("table-1", "all"): "not run",
        ("a-claim-of-another-package", "sampled_group"): "undecided",
    }


def test_a_word_stands_in_every_cell_and_names_stand_beside_them(tmp_path: Path) -> None:
    write(tmp_path)
    found = drawn("ledger_matrix", tmp_path)
    left, right = found.axes(0), found.axes(1)
    assert [t for t in texts(left) if t[:1] in "✓✗"] == ["✓ proved", "✓ proved", "✗ refuted", "✓ holds if …"]
    assert names(left) == ["eq4-threshold", "prop42-*", "prop42-*-strict", "prop42-finite-step-if"]
    assert names(right) == ["neutrality", "table-1", "a-claim-of-another-package"]
    assert texts(left, "source") == ["ledger.json"]


def test_a_changed_verdict_changes_cell_and_caption(tmp_path: Path) -> None:
    write(tmp_path)
    before = drawn("ledger_matrix", tmp_path)
    write(tmp_path, [*LINES[:-1], (LINES[-1][0], "sampled_group", "supported")])
    after = drawn("ledger_matrix", tmp_path)
    changed = {key for key, verdict in cells(after).items() if cells(before)[key] != verdict}
    assert changed == {("a-claim-of-another-package", "sampled_group")}
    assert "1 proved, 1 undecided, 1 not run" in before.caption
    assert "1 proved, 1 supported, 1 not run" in after.caption
    assert before.entry["determined_by"] != after.entry["determined_by"]


def test_without_a_ledger_the_command_is_named(tmp_path: Path) -> None:
    assert drawn("ledger_matrix", tmp_path).missing == ["not run: qae verify --json results/ledger.json"] * 2


def test_a_broken_ledger_says_so(tmp_path: Path) -> None:
    for content in ("{", '[{"id": "a"}]', '[{"id": "a", "update": "b", "verdict": "true"}]', "[1]"):
        (tmp_path / "ledger.json").write_text(content)
        said = drawn("ledger_matrix", tmp_path).missing[0]
        assert said is not None
        assert "is no ledger" in said
        assert "qae verify --json" in said


def names(axes: Any) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]
