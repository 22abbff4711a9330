"""The map of collapse and explosion against the study's places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.colors import to_hex

from paper_figures.colours import OUTCOMES
from tests.paper_figures.small_runs import study_settings
from tests.paper_figures.stored import drawn, store, texts


def place(name: str, *, rule: str = "grpo", rate: float = 1e-3, updates: int = 4, **more: Any) -> dict[str, Any]:
    clip = {"clip_low": 0.2, "clip_high": more.pop("clip_high", 0.28)}
    return {
        **clip, "rule": rule, "learning_rate": rate, "updates": updates, "seeds": 3, "name": name,
        "entropy_ratio": more.pop("ratios", [0.1, 0.2, 0.6]),
    }  # fmt: skip


def store_map(root: Path, *places: dict[str, Any]) -> None:
    files = {"places.json": {"places": list(places), "contrasts": [], "boundaries": []}}
    store(root, "validate", config=study_settings({"name": "grpo", "estimator": "grpo"}), files=files)


def test_cells_are_the_places_of_a_rule_and_a_clip_range(tmp_path: Path) -> None:
    names = ("collapses", "steady", "explodes")
    places = [place(name, rate=rate) for name, rate in zip(names, (1e-4, 1e-3, 3e-4), strict=True)]
    others = (place("split", rule="qae-0.4", updates=1), place("destroys success", clip_high=5.0))
    store_map(tmp_path, *places, *others)
    found = drawn("collapse_map", tmp_path)
    axes = found.axes(1)
    assert axes.get_title(loc="left") == "GRPO, clip 0.2/0.28"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.0001", "0.0003", "0.001"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["4"]
    cells = {
        round(patch.get_x() + patch.get_width() / 2): to_hex(patch.get_edgecolor()).upper() for patch in axes.patches
    }
    expected = (OUTCOMES["collapses"], OUTCOMES["explodes"], OUTCOMES["steady"])
    assert cells == {number: colour.upper() for number, colour in enumerate(expected)}
    assert {"collapses 0.30", "explodes 0.30", "steady 0.30"} <= set(texts(axes))
    assert found.axes(2).get_title(loc="left") == "GRPO, clip 0.2/5"
    assert "destroys success 0.30" in texts(found.axes(2))
    assert found.axes(5).get_title(loc="left") == "QAE, K = 0.4, clip 0.2/0.28"
    assert "(3 seeds a place)" in found.caption
    assert "0.0001 and 4 collapses (0.30)" in found.caption


def test_a_changed_place_changes_cell_and_caption(tmp_path: Path) -> None:
    store_map(tmp_path, place("steady"))
    before = drawn("collapse_map", tmp_path)
    store_map(tmp_path, place("split", ratios=[0.5]))
    after = drawn("collapse_map", tmp_path)
    assert before.caption != after.caption
    assert before.axes(1).patches[0].get_edgecolor() != after.axes(1).patches[0].get_edgecolor()


@pytest.mark.parametrize("stored", [False, True])
def test_without_a_map_the_command_is_named(tmp_path: Path, stored: bool) -> None:
    if stored:
        store_map(tmp_path)
    assert drawn("collapse_map", tmp_path).missing == ["not run: qae validate --preset long"] * 12
