"""Bars, intervals and cells against the run's analysis."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.paper_figures.stored import Drawn, drawn, store, texts

PARTS = {"weighting": 0.0, "noise": 0.02, "clipping": -0.03, "lengths": 0.018}


def estimate(value: float, *, found: bool = True, level: float = 0.99) -> dict[str, Any]:
    half = abs(value) / 4 if found else abs(value) * 2
    return {
        "estimate": value, "low": value - half, "high": value + half, "level": level, "draws": 12, "found": found
    }  # fmt: skip


def analysis(parts: dict[str, float], *, unfound: tuple[str, ...] = ("lengths",)) -> dict[str, Any]:
    def split(scale: float) -> dict[str, Any]:
        shares = {name: estimate(scale * value, found=name not in unfound) for name, value in parts.items()}
        names = list(parts)
        pairs = {f"{a} x {b}": 0.001 * (i + 1) for i, a in enumerate(names) for b in names[i + 1 :]}
        return {
            "whole": estimate(scale * sum(parts.values())),
            "by_channel": {name: {"shapley": one} for name, one in shares.items()},
            "interactions": {pair: estimate(value, found="noise" in pair) for pair, value in pairs.items()},
        }

    return {"channels": list(parts), "idle": ["weighting"], "gap": split(1), "gap_progress": split(0.5)}


def write(root: Path, parts: dict[str, float]) -> None:
    config = {"settings": {"rules": ["qae", "dr_grpo"]}}
    store(root, "channels", files={"analysis.json": analysis(parts)}, config=config)


def bars(found: Drawn, panel: int) -> dict[str, tuple[float, float]]:
    """Left end and signed width of each bar, from above."""
    boxes = {one.get_label(): one.patches[0] for one in found.axes(panel).containers if hasattr(one, "patches")}
    return {label: (box.get_x(), box.get_width()) for label, box in boxes.items()}


@pytest.mark.parametrize(("panel", "scale"), [(0, 1), (1, 0.5)])
def test_the_bars_add_up_from_the_largest_to_the_gap(tmp_path: Path, panel: int, scale: float) -> None:
    write(tmp_path, PARTS)
    found = bars(drawn("channel_waterfall", tmp_path), panel)
    ordered = ["clipping", "noise", "lengths", "weighting"]
    assert list(found) == [*ordered, "whole gap"]
    widths = [1000 * scale * PARTS[name] for name in ordered]
    starts = [0, *accumulate(widths)]
    np.testing.assert_allclose([found[name][1] for name in ordered], widths)
    np.testing.assert_allclose([found[name][0] for name in ordered], starts[:-1], atol=1e-12)
    np.testing.assert_allclose(found["whole gap"], (0, starts[-1]), atol=1e-12)


def test_the_intervals_stand_at_the_bars_ends_and_in_words(tmp_path: Path) -> None:
    write(tmp_path, PARTS)
    axes = drawn("channel_waterfall", tmp_path).axes(0)
    segments = [one.get_segments() for one in axes.collections]
    np.testing.assert_allclose(segments[0][0][:, 0], [-37.5, -22.5])  # clipping
    np.testing.assert_allclose(segments[1][0][:, 0], [-15, -5])  # noise, from -30 on
    shown = texts(axes)
    assert shown[:5] == [
        "-30.0 [-37.5, -22.5]", "+20.0 [+15.0, +25.0]", "+18.0 [-18.0, +54.0]", "0 [0, 0]", "+8.0 [+6.0, +10.0]",
    ]  # fmt: skip
    assert axes.get_xlabel() == "entropy of QAE less that of DR-GRPO (10$^{-3}$ nats)"


def test_interactions_in_a_triangle_without_idle_channels(tmp_path: Path) -> None:
    write(tmp_path, PARTS)
    axes = drawn("channel_waterfall", tmp_path).axes(2)
    (image,) = axes.images
    values = np.ma.filled(image.get_array(), np.nan)
    np.testing.assert_allclose(values, [[2, np.nan], [2, 3]])
    assert [text for text in texts(axes)[:4] if text] == ["+2.0*", "+2.0*", "+3.0"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["noise", "clip"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["clip", "length"]


def test_caption_and_bars_change_with_the_run(tmp_path: Path) -> None:
    write(tmp_path, PARTS)
    before = drawn("channel_waterfall", tmp_path)
    assert "of which (99% intervals) PPO clipping -30.0 [-37.5, -22.5]; noise x curvature" in before.caption
    assert "not told from 0: length normalisation." in before.caption
    write(tmp_path, {**PARTS, "noise": 0.04})
    after = drawn("channel_waterfall", tmp_path)
    assert bars(after, 0)["noise"] == pytest.approx((0, 40))
    assert "noise x curvature +40.0 [+30.0, +50.0]; PPO clipping" in after.caption
    assert texts(after.axes(0), "source") == [
        "softmax bandits: channels, run 0123456789ab, quick size, settings changed"
    ]


def test_without_a_run_the_command_is_named(tmp_path: Path) -> None:
    assert drawn("channel_waterfall", tmp_path).missing == ["not run: qae simulate channels"] * 3
