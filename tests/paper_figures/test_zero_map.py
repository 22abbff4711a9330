"""The map of zeros against a count over every group in fractions; the measured shares against the run."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paper_figures.zero_map import GROUP, LEVELS, SUCCESS
from tests.paper_figures.stored import drawn, line, store, texts

SHARES = {("uniform", "0.2"): (0.7, 0.72), ("uniform", "0.8"): (0.69, 0.75), ("bimodal", "0.2"): (0.9, 0.91)}


def zeros(k: str, p: str, *, mixed_only: bool) -> float:
    """The expected share, counted group by group."""
    success, total, weight = Fraction(p), Fraction(0), Fraction(0)
    for m in range(0 + mixed_only, GROUP + 1 - mixed_only):
        chance = comb(GROUP, m) * success**m * (1 - success) ** (GROUP - m)
        hard = Fraction(m, GROUP) <= 1 - Fraction(k)
        kept = 0 if m in (0, GROUP) else m if hard else GROUP - m
        total += chance * Fraction(GROUP - kept, GROUP)
        weight += chance
    return float(total / weight)


def analysis(changes: Mapping[tuple[str, str], tuple[float, float]] | None = None) -> dict[str, Any]:
    table = [
        {
            "difficulty": difficulty,
            "k": k,
            "reading": reading,
            "steps": [0, 40],
            "shares": [
                {"estimate": share, "low": share - 0.05, "high": share + 0.2, "level": 0.99, "draws": 8}
                for share in shares
            ],
        }
        for (difficulty, k), shares in ({**SHARES, ("uniform", "grpo"): (0.1, 0.1)} | dict(changes or {})).items()
        for reading in ("all groups", "mixed groups")
    ]
    expected = [{"difficulty": d, "k": k, "all groups": shares[0] + 0.01} for (d, k), shares in SHARES.items()]
    return {"k": "0.2", "band": [0.75, 0.85], "table": table, "expected_start": expected}


@pytest.mark.parametrize(("panel", "mixed_only"), [(0, False), (1, True)])
def test_the_maps_are_the_count_over_all_groups(tmp_path: Path, panel: int, mixed_only: bool) -> None:
    axes = drawn("zero_map", tmp_path).axes(panel)
    (image,) = axes.images
    expected = [[zeros(k, p, mixed_only=mixed_only) for p in SUCCESS] for k in LEVELS]
    # Float sums of 17 terms against exact ones.
    np.testing.assert_allclose(image.get_array(), expected, rtol=1e-12)
    assert texts(axes)[: len(SUCCESS)] == [f"{x:.2f}"[1:] for x in expected[0]]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(LEVELS)


def test_the_stairs_part_hard_from_easy(tmp_path: Path) -> None:
    across, up = line(drawn("zero_map", tmp_path).axes(0), "p = 1 - K")
    for row, k in enumerate(LEVELS):
        assert (up[2 * row], up[2 * row + 1]) == (row - 0.5, row + 0.5)
        assert across[2 * row] == across[2 * row + 1]
        hard = [Fraction(p) <= 1 - Fraction(k) for p in SUCCESS]  # in floats 1 - .8 is below .2
        assert [column < across[2 * row] for column in range(len(SUCCESS))] == hard


def test_measured_shares_are_the_run(tmp_path: Path) -> None:
    store(tmp_path, "sparsity", files={"analysis.json": analysis()})
    found = drawn("zero_map", tmp_path)
    axes = found.axes(2)
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["uniform", "bimodal"]
    assert line(axes, "expected at the start, any K") == (pytest.approx([0.70, 0.71]), [0, 0])
    points = {one.get_label(): one for one in axes.containers}
    assert set(points) == {"measured, step 0", "measured, step 40"}
    assert [float(x) for x in points["measured, step 40"][0].get_xdata()] == [0.72, 0.91]
    (bars,) = points["measured, step 40"][2]
    ends = [segment[:, 0].tolist() for segment in bars.get_segments()]
    np.testing.assert_allclose(ends, [[0.67, 0.92], [0.86, 1.0]])  # a share is at most 1
    (band,) = [patch for patch in axes.patches if patch.get_label() == "the paper"]
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.75, 0.85))
    assert texts(axes, "source") == ["softmax bandits: sparsity, run 0123456789ab, quick size, settings changed"]
    assert "uniform 0.70 [0.65, 0.90] and 0.72 [0.67, 0.92], expected at the start" in found.caption


def test_a_changed_share_changes_figure_and_caption(tmp_path: Path) -> None:
    store(tmp_path, "sparsity", files={"analysis.json": analysis()})
    before = drawn("zero_map", tmp_path)
    store(tmp_path, "sparsity", files={"analysis.json": analysis({("uniform", "0.2"): (0.7, 0.35)})})
    after = drawn("zero_map", tmp_path)
    assert "and 0.35 [0.30, 0.55]" in after.caption
    assert before.caption != after.caption
    (changed,) = [one for one in after.axes(2).containers if one.get_label() == "measured, step 40"]
    assert float(changed[0].get_xdata()[0]) == 0.35


def test_without_a_run_only_the_measured_panel_is_missing(tmp_path: Path) -> None:
    assert drawn("zero_map", tmp_path).missing == [None, None, "not run: qae simulate sparsity"]
