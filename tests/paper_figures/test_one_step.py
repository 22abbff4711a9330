"""The picture of the first page: its curves are those of the sweep, and it can be read on a phone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paper_figures.baseline_sweep import MILLI, changes
from paper_figures.one_step import GROUP, NAMES
from tests import ROOT
from tests.paper_figures.stored import Drawn, drawn, line, lines

PHONE, COLUMN = 390, 688  # pixels across: a phone, and the column of a page that shows README.md
POINTS_PER_INCH, LEAST_PIXELS = 72, 9.0  # of the letters of titles, axes and legend


@pytest.fixture(scope="module")
def figure(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    return drawn("one_step", tmp_path_factory.mktemp("results"))


def test_the_curves_are_those_of_the_sweep(figure: Drawn) -> None:
    assert lines(figure.axes(0)) == [name for name, _ in NAMES.values()]
    for update, (name, curve) in NAMES.items():
        _, shown = line(figure.axes(0), name)
        np.testing.assert_array_equal(shown, changes(update, "hard")[curve] * MILLI)


def test_the_names_say_what_the_curves_do(figure: Drawn) -> None:
    by_update = {update: line(figure.axes(0), name)[1] for update, (name, _) in NAMES.items()}
    assert np.all(np.diff(by_update["uncentred"]) > 0)
    assert np.ptp(by_update["policy_gradient"]) < 1e-9  # thousandths of a nat; computed to 1e-13 of one
    assert np.all(np.diff(by_update["sampled_group"]) < 0)
    assert f"G = {GROUP}" in NAMES["sampled_group"][0]


@pytest.mark.parametrize("width", [PHONE, COLUMN])
def test_its_letters_are_large_enough(figure: Drawn, width: int) -> None:
    pixels_per_point = width / figure.figure.get_size_inches()[0] / POINTS_PER_INCH
    axes = figure.axes(0)
    letters = [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.get_legend().get_texts(), *axes.get_xticklabels()]
    letters += [text for text in axes.texts if text.get_gid() != "source"]
    assert min(text.get_fontsize() for text in letters) * pixels_per_point >= LEAST_PIXELS


def test_no_letters_overlap(figure: Drawn) -> None:
    """The legend and the note leave the curves free."""
    figure.figure.draw_without_rendering()
    axes = figure.axes(0)
    note = next(text for text in axes.texts if text.get_gid() != "source").get_window_extent()
    for box in (axes.get_legend().get_window_extent(), note):
        for curve in axes.lines:
            x, y = axes.transData.transform(np.column_stack(curve.get_data())).T
            across = np.linspace(x.min(), x.max(), 200)
            inside = (box.x0 < across) & (across < box.x1)
            heights = np.interp(across, x, y)[inside]
            assert not np.any((box.y0 < heights) & (heights < box.y1))


def test_the_first_page_shows_it() -> None:
    picture = ROOT / "docs" / "figures" / "one_step.png"
    assert f"({Path('docs/figures') / picture.name})" in (ROOT / "README.md").read_text(encoding="utf-8")
    with Image.open(picture) as image:
        assert image.width / image.height < 1.6  # a wide picture would be small on a phone
