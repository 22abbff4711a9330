"""Means and intervals over seeds against plain sums and printed quantiles; the legend's own room."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures.curves import (
    Curve,
    CurveSet,
    bands_text,
    curve,
    curves_panel,
    draw_curves,
    ends_text,
    legend_above,
    select,
)
from paper_figures.paper import level
from paper_figures.render import style
from paper_figures.runs import Results
from qae_theory.runs.stored import MissingError

T_975 = {1: 12.7062, 2: 4.30265}  # by degrees of freedom, from printed tables


def table(values: dict[int, list[float]]) -> dict[str, np.ndarray]:
    """``{step: value of each seed}`` as columns."""
    rows = [(step, seed, value) for step, found in values.items() for seed, value in enumerate(found)]
    steps, seeds, entries = zip(*rows, strict=True)
    return {"step": np.array(steps), "seed": np.array(seeds), "value": np.array(entries)}


@pytest.mark.parametrize("sample", [[1.0, 3.0], [0.2, 0.5, 1.1]])
def test_mean_and_interval(sample: list[float]) -> None:
    found = curve(table({0: sample, 5: [2 * x for x in sample]}), "value")
    n, mean = len(sample), sum(sample) / len(sample)
    spread = (sum((x - mean) ** 2 for x in sample) / (n - 1)) ** 0.5
    half = T_975[n - 1] * spread / n**0.5
    assert found.steps.tolist() == [0, 5]
    # The quantiles are printed with six digits.
    np.testing.assert_allclose(found.mean, [mean, 2 * mean], rtol=1e-12)
    np.testing.assert_allclose(found.high - found.mean, [half, 2 * half], rtol=1e-5)
    np.testing.assert_allclose(found.mean - found.low, [half, 2 * half], rtol=1e-5)
    assert (found.seeds, found.band) == (n, f"mean and 95% interval over {n} seeds")


def test_a_step_that_a_seed_has_not_is_left_out() -> None:
    values = table({0: [1.0, 2.0], 1: [1.0, np.nan], 2: [3.0, 3.0]})
    assert curve(values, "value").steps.tolist() == [0, 2]
    with pytest.raises(MissingError, match="'value' has values at 1 steps"):
        curve(table({0: [1.0, 2.0], 1: [1.0, np.nan]}), "value")


def test_one_run_has_no_interval() -> None:
    found = curve(table({0: [1.0], 1: [2.0]}), "value")
    assert found.mean.tolist() == found.low.tolist() == found.high.tolist() == [1.0, 2.0]
    assert found.band == "one run, no interval"


def test_rows_where() -> None:
    columns = {"a": np.array(["x", "x", "y"]), "b": np.array([1, 2, 2])}
    assert select(columns, a="x", b=2)["b"].tolist() == [2]
    assert select(columns, a="z")["b"].tolist() == []


def shown(start: float, stand_in: str | None = "a toy") -> CurveSet:
    one = Curve(np.array([1, 9]), np.array([start, 0.5]), np.array([0.1, 0.25]), np.array([0.3, 0.75]), 4, "the band")
    return CurveSet({"ours": one}, "height (m)", (), "toys", stand_in)


def test_the_caption_has_the_ends_of_the_curves() -> None:
    curves = shown(0.2).curves
    assert ends_text(curves) == "ours from 0.2 at step 1 to 0.5 [0.25, 0.75] at step 9"
    assert bands_text([*curves.values(), *curves.values()]) == "the band"
    whole = curves["ours"]._replace(low=curves["ours"].mean, high=curves["ours"].mean)
    assert ends_text({"ours": whole}) == "ours from 0.2 at step 1 to 0.5 at step 9"


def test_the_panel_takes_the_first_source_and_says_which() -> None:
    def lacking(results: Results) -> CurveSet:
        raise MissingError("not run: qae dance")

    marks = lambda found: (level(0.4, "two fifths"),)  # noqa: E731
    panel = curves_panel("size", lacking, lambda results: shown(0.2), lambda results: shown(9.0), marks=marks)(None)
    assert (panel.title, panel.source) == ("size, toys", "a toy: theory, exact")
    assert panel.caption == (
        "Size, toys (a toy; the band): ours from 0.2 at step 1 to 0.5 [0.25, 0.75] at step 9; height (m)."
        " Reference marks: paper: two fifths."
    )
    axes = Figure().subplots()
    panel.draw(axes)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["ours", "paper: two fifths"]
    with pytest.raises(MissingError, match="not run: qae dance"):
        curves_panel("size", lacking)(None)


@pytest.mark.parametrize("entries", [1, 2, 3, 4, 6])
def test_the_legend_is_above_everything_that_is_drawn(entries: int) -> None:
    with style():
        figure = Figure(figsize=(3.3, 2.7), layout="constrained")
        axes = figure.subplots()
        curves = {f"K = 0.{n}": shown(0.2).curves["ours"]._replace(high=np.array([0.3, 0.9])) for n in range(entries)}
        draw_curves(axes, curves, ylabel="height (m)", xlabel="step")
        top = axes.get_ylim()[1]
        legend_above(axes)
        figure.draw_without_rendering()
    below = axes.transData.inverted().transform(axes.get_legend().get_window_extent().min)[1]
    assert below > 0.9  # the highest band
    assert max(axes.get_yticks()) <= top
