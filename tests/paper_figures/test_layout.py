"""Figures look as they did, but for what fonts and rounding may change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from matplotlib import rc_context
from PIL import Image

from paper_figures.render import style
from tests.paper_figures import layout, stored
from tests.paper_figures.layout import FOLDER, NAMES, difference, small_image
from tests.paper_figures.stored import Drawn, drawn

# Mean grey of 6 x 6 pixels out of 1. Letters drawn without hinting, as another font renderer may draw them, change it
# by up to .06; a label or title that is gone, or a panel that has moved, by more than .1. Lines are for other tests.
TOLERANCE = 0.08


def apart(name: str, found: Drawn) -> float:
    with Image.open(FOLDER / f"{name}.png") as image:
        return difference(small_image(found.figure), image.convert("L"))


@pytest.mark.parametrize("name", NAMES)
def test_the_layout_is_the_stored_one(name: str, tmp_path: Path) -> None:
    assert apart(name, drawn(name, tmp_path)) <= TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_letters_without_hinting_make_no_difference(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "style", unhinted)
    monkeypatch.setattr(layout, "style", unhinted)
    assert 0 < apart(name, drawn(name, tmp_path)) <= TOLERANCE


@contextmanager
def unhinted() -> Iterator[None]:
    with style(), rc_context({"text.hinting": "none"}):
        yield


def test_a_lost_axis_label_is_seen(tmp_path: Path) -> None:
    found = drawn("gain_ratio", tmp_path)
    found.axes(0).set_ylabel("")
    assert apart("gain_ratio", found) > TOLERANCE


def test_a_panel_that_moves_is_seen(tmp_path: Path) -> None:
    found = drawn("leaky_cells", tmp_path)
    found.axes(1).set_ylabel("a longer label\nof two lines")
    assert apart("leaky_cells", found) > TOLERANCE


def test_a_lost_title_is_seen(tmp_path: Path) -> None:
    found = drawn("safe_step", tmp_path)
    found.axes(0).set_title("", loc="left")
    assert apart("safe_step", found) > TOLERANCE


def test_another_size_is_seen(tmp_path: Path) -> None:
    found = drawn("zero_map", tmp_path)
    found.figure.set_size_inches(8, 8)
    assert apart("zero_map", found) == 1
