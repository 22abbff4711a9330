"""The figure counts each record of the ledger file once, and shows each claim about one update in its column."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.colors import to_hex

from paper_figures.colours import VERDICTS
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
FAMILY = "shape-entropy-rises-with-k"
CONDITIONS = (("bandit/sgd", "absent"), ("bandit/adam", "supported"), ("tiny/adam", "absent"))


def write(root: Path, lines: Sequence[tuple[str, str, str]] = LINES, conditions: bool = True) -> None:
    records = [{"id": name, "update": update, "verdict": verdict} for name, update, verdict in lines]
    if conditions:
        for condition, verdict in CONDITIONS:
            name = f"{FAMILY}@{condition}"
            of_line = {"family": FAMILY, "condition": condition, "update": "not specific", "verdict": verdict}
            records.append({"id": name, **of_line})
    root.mkdir(exist_ok=True)
    (root / "ledger.json").write_text(json.dumps(records))


def cells(found: Drawn) -> dict[tuple[str, str], str]:
    """Verdict by row and column."""
    shown = {}
    for box in found.axes(2).patches:
        label, _, verdict = box.get_label().rpartition(": ")
        column = UPDATES[int(box.get_x())]
        assert (label, column) not in shown
        shown[label, column] = verdict
    return shown


def bars(axes: Any) -> dict[tuple[str, str], int]:
    """Number by row and verdict."""
    rows = [label.get_text().replace("\n", " ") for label in axes.get_yticklabels()]
    shown = {}
    for bar in axes.patches:
        verdict = next(name for name, colour in VERDICTS.items() if to_hex(bar.get_facecolor()) == colour.lower())
        shown[rows[round(bar.get_y() + bar.get_height() / 2)], verdict] = round(bar.get_width())
    return shown


def test_every_claim_is_counted_in_its_topic(tmp_path: Path) -> None:
    write(tmp_path)
    axes = drawn("ledger_matrix", tmp_path).axes(0)
    assert bars(axes) == {
        ("Quantile and gate", "proved"): 1,
        ("One-step entropy change", "proved"): 1,
        ("One-step entropy change", "holds under an assumption"): 1,
        ("One-step entropy change", "refuted"): 1,
        ("What the baseline can and cannot do", "proved"): 1,
        ("Empirical claims", "not run"): 1,
        ("Other", "undecided"): 1,
    }
    assert axes.get_title(loc="left") == "7 claims by topic"
    assert texts(axes, "source") == ["ledger.json"]


def test_lines_by_condition_are_counted_apart(tmp_path: Path) -> None:
    write(tmp_path)
    found = drawn("ledger_matrix", tmp_path)
    assert bars(found.axes(1)) == {("Entropy rises with K", "absent"): 2, ("Entropy rises with K", "supported"): 1}
    assert "3 lines by condition: 1 supported, 2 absent." in found.caption


def test_every_claim_about_one_update_has_its_cell(tmp_path: Path) -> None:
    write(tmp_path)
    found = drawn("ledger_matrix", tmp_path)
    assert cells(found) == {
        ("prop42-*", "uncentred"): "proved",
        ("prop42-*-strict", "natural_gradient"): "refuted",
        ("prop42-finite-step-if", "uncentred"): "holds under an assumption",
        ("neutrality", "sampled_group"): "proved",
        ("a-claim-of-another-package", "sampled_group"): "undecided",
    }
    axes = found.axes(2)
    assert [t for t in texts(axes) if t[:1] in "✓✗?"] == [
        "✓ proved",
        "✗ refuted",
        "✓ holds if …",
        "✓ proved",
        "? undecided",
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == [label for label, _ in cells(found)]


def test_a_changed_verdict_changes_cell_and_caption(tmp_path: Path) -> None:
    write(tmp_path)
    before = drawn("ledger_matrix", tmp_path)
    write(tmp_path, [*LINES[:-1], (LINES[-1][0], "sampled_group", "supported")])
    after = drawn("ledger_matrix", tmp_path)
    changed = {key for key, verdict in cells(after).items() if cells(before)[key] != verdict}
    assert changed == {("a-claim-of-another-package", "sampled_group")}
    assert bars(after.axes(0)) != bars(before.axes(0))
    assert "of sampled group 1 proved, 1 undecided" in before.caption
    assert "of sampled group 1 proved, 1 supported" in after.caption
    assert before.entry["determined_by"] != after.entry["determined_by"]


def test_without_a_ledger_the_command_is_named(tmp_path: Path) -> None:
    assert drawn("ledger_matrix", tmp_path).missing == ["not run: qae verify --json results/ledger.json"] * 3


def test_a_ledger_without_lines_by_condition_says_so(tmp_path: Path) -> None:
    write(tmp_path, conditions=False)
    assert drawn("ledger_matrix", tmp_path).missing == [
        None,
        "ledger.json has no lines by condition; make it again: qae verify --json results/ledger.json",
        None,
    ]


def test_a_broken_ledger_says_so(tmp_path: Path) -> None:
    for content in ("{", '[{"id": "a"}]', '[{"id": "a", "update": "b", "verdict": "true"}]', "[1]"):
        (tmp_path / "ledger.json").write_text(content)
        said = drawn("ledger_matrix", tmp_path).missing[0]
        assert said is not None
        assert "is no ledger" in said
        assert "qae verify --json" in said
