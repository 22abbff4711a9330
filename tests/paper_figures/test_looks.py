"""A colour means one thing in every figure, and two curves that are one are both seen."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from paper_figures import colours
from paper_figures.catalogue import NAMES, figure
from paper_figures.colours import RULES, shades
from paper_figures.looks import BROADER, THIN, looks, widths

MEANINGS = (colours.RULES, colours.REGIMES, colours.UPDATES, colours.SIGNS)
LEAST = 0.12  # distance in red, green and blue, each from 0 to 1, below which two colours would be taken for one


def test_no_colour_has_two_meanings() -> None:
    meant = [(name, colour) for meaning in MEANINGS for name, colour in meaning.items()]
    meant += [("first of two", colours.BLACK)]
    for (one, first), (other, second) in combinations(meant, 2):
        assert np.linalg.norm(np.subtract(to_rgb(first), to_rgb(second))) > LEAST, (one, other)


def test_a_rule_has_its_colour_wherever_it_is_named() -> None:
    names = ["GRPO", "DAPO", "QAE, K = 0.4", "DAPO + QAE, K = 0.4", "A > 0, QAE", "POS-MASK", "NEG-MASK"]
    found = [look["color"] for look in looks(names)]
    assert found == [RULES[name] for name in ("grpo", "grpo", "qae", "qae", "qae", "pos-mask", "neg-mask")]


def test_several_levels_are_shades_and_the_rule_without_level_keeps_its_colour() -> None:
    found = [look["color"] for look in looks(["GRPO", "QAE, K = 0.8", "QAE, K = 0.2"])]
    assert found == [RULES["grpo"], shades(2)[1], shades(2)[0]]


def test_the_sign_is_a_style() -> None:
    above, below = looks(["A > 0, GRPO", "A < 0, GRPO"])
    assert above["color"] == below["color"]
    assert (above["linestyle"], below["linestyle"], below["markerfacecolor"]) == ("-", "--", "white")


def test_curves_without_a_meaning_are_black_and_grey() -> None:
    assert [look["color"] for look in looks(["all groups", "mixed groups only"])] == list(colours.PAIR)


def test_a_curve_below_another_is_broader() -> None:
    one, same, other = {0: 0.0, 1: 1.0, 2: 2.0}, {0: 0.0, 1: 1.001, 2: 2.0}, {0: 5.0, 1: 5.0, 2: 0.0}
    assert widths([one, same, other]) == [THIN + BROADER, THIN, THIN]
    assert widths([one, other]) == [THIN, THIN]
    assert widths([one, {3: 1.0}]) == [THIN, THIN]
    apart = {x: y + 0.05 for x, y in one.items()}
    assert widths([one, apart]) == [THIN, THIN]
    assert widths([one, apart], [np.array([-9.0, 9.0])]) == [THIN + BROADER, THIN]


@pytest.mark.parametrize("name", NAMES)
def test_panels_that_share_a_scale_are_panels_of_the_figure(name: str) -> None:
    one = figure(name)
    assert all(number < len(one.panels) for group in one.shared_y for number in group)
