"""Figure 4: the weights against the formulas of Prop. 4.1; entropy by sign against the runs."""

from __future__ import annotations

from fractions import Fraction
from math import isnan, sqrt
from pathlib import Path

import pytest

from tests.paper_figures.cluster_runs import store_cluster
from tests.paper_figures.small_runs import mean_by_step, store_bandit
from tests.paper_figures.stored import drawn, line, lines, texts

COLUMNS = ("positive_sample_entropy", "negative_sample_entropy")
K = Fraction("0.4")


def weights(p: Fraction) -> dict[str, tuple[float, float]]:
    """Weight of the positive and of the negative samples: u or v on one side under QAE, sqrt(p (1 - p)) under GRPO."""
    grpo = sqrt(p * (1 - p))
    qae = (sqrt(p / (1 - p)), 0.0) if p <= 1 - K else (0.0, sqrt((1 - p) / p))
    return {"GRPO": (grpo, grpo), "QAE, K = 0.4": qae}


@pytest.mark.parametrize(("panel", "side"), [(1, 0), (2, 1)])
def test_weights_are_the_formulas(tmp_path: Path, panel: int, side: int) -> None:
    axes = drawn("figure_4", tmp_path).axes(panel)
    for label in ("GRPO", "QAE, K = 0.4"):
        x, y = line(axes, label)
        kept = [(at, value) for at, value in zip(x, y, strict=True) if not isnan(at)]
        assert len(kept) == 101
        for m, (at, value) in enumerate(kept):
            assert at == m / 100
            # A root of a float against a root of a fraction.
            assert value == pytest.approx(weights(Fraction(m, 100))[label][side], rel=1e-12, abs=1e-15)
    assert line(axes, "p = 1 - K")[0] == [0.6, 0.6]


def test_the_line_has_its_gap_at_the_gate(tmp_path: Path) -> None:
    for panel in (1, 2):
        x, y = line(drawn("figure_4", tmp_path).axes(panel), "QAE, K = 0.4")
        (gap,) = [place for place, at in enumerate(x) if isnan(at)]
        assert (x[gap - 1], x[gap + 1]) == (0.6, 0.61)  # p = 1 - K belongs to the hard side
        assert isnan(y[gap])


def test_the_caption_has_the_largest_weights(tmp_path: Path) -> None:
    caption = drawn("figure_4", tmp_path).caption
    top = sqrt(Fraction(6, 4)), sqrt(Fraction(39, 61))
    assert f"GRPO at most 0.5, at p = 0.5; QAE, K = 0.4 at most {top[0]:.3g}, at p = 0.6." in caption
    assert f"QAE, K = 0.4 at most {top[1]:.3g}, at p = 0.61." in caption


def test_entropy_by_sign_is_the_run(tmp_path: Path) -> None:
    records = store_bandit(tmp_path, "sign-split", COLUMNS, ({"rule": "grpo"}, {"rule": "qae"}))
    axes = drawn("figure_4", tmp_path).axes(0)
    assert lines(axes) == ["A > 0, GRPO", "A < 0, GRPO"]
    for label, column in zip(lines(axes), COLUMNS, strict=True):
        steps, means = mean_by_step(records, column, condition="Adam 1e-8, 16 passes", rule="grpo")
        assert line(axes, label) == (steps, pytest.approx(means))
    assert axes.get_ylabel() == "entropy (nats per response)"


def test_a_changed_run_changes_line_and_caption(tmp_path: Path) -> None:
    found = []
    for start in (2.0, 2.5):
        store_bandit(tmp_path, "sign-split", COLUMNS, ({"rule": "grpo"}, {"rule": "qae"}), start=start)
        found.append(drawn("figure_4", tmp_path))
    before, after = (line(one.axes(0), "A < 0, GRPO")[1] for one in found)
    assert after == pytest.approx([value + 0.5 for value in before])
    assert found[0].caption != found[1].caption


def test_a_cluster_run_with_the_probe_comes_first(tmp_path: Path) -> None:
    store_bandit(tmp_path, "sign-split", COLUMNS, ({"rule": "grpo"},))
    names = ("probe/entropy/before/positive", "probe/entropy/before/negative")
    listed = [{"step": step, names[0]: 0.1 * step, names[1]: 0.2 * step} for step in (1, 2)]
    store_cluster(tmp_path, "qwen3-8b-clip-higher", run="a" * 12, lines=listed)
    axes = drawn("figure_4", tmp_path).axes(0)
    assert line(axes, "A > 0, DAPO") == ([1, 2], [0.1, 0.2])
    assert line(axes, "A < 0, DAPO") == ([1, 2], [0.2, 0.4])
    assert axes.get_ylabel() == "entropy (nats per token)"


def test_only_the_first_panel_needs_a_run(tmp_path: Path) -> None:
    found = drawn("figure_4", tmp_path)
    commands = "qae cluster launch qwen3-8b-clip-higher, or qae validate, or qae simulate sign-split"
    assert found.missing == [f"not run: {commands}", None, None]
    assert texts(found.axes(1), "source") == ["theory, exact"]
