"""What a colour means, in every figure: one rule, regime, update or sign has one colour, and no other thing has it.

Where lines are compared that are none of these, before and after for example, they are black and grey. What is ordered,
such as K or the group's size, takes shades of one map, darker for more. A style or a marker says the same a second
time, for grey print. The hues start from Okabe and Ito's, which people with any kind of colour vision tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence

BLUE, VERMILION, SKY, ORANGE, TEAL, OLIVE = "#0072B2", "#D55E00", "#56B4E9", "#E69F00", "#00786C", "#857000"
BROWN, INDIGO, BLACK, GREY = "#8C4A2F", "#5B3FA0", "#1A1A1A", "#8A8A8A"

RULES = {"grpo": BLUE, "qae": VERMILION, "pos-mask": SKY, "neg-mask": ORANGE}  # DAPO's advantages are GRPO's
REGIMES = {"hard": TEAL, "easy": OLIVE}
UPDATES = {"uncentred": BROWN, "policy_gradient": GREY, "sampled_group": INDIGO}
OUTCOMES = {  # of a training run, in words beside the colour
    "collapses": "#762A83",
    "explodes": "#1B7837",
    "destroys success": "#A3211C",
    "steady": GREY,
    "split": "#D9BC8F",
}
SIGNS = {"raises": "#1B7837", "lowers": "#762A83"}  # of a change of entropy
VERDICTS = {  # as on the pages of the report and of the site
    "proved": "#14633A",
    "holds under an assumption": "#0D5A70",
    "refuted": "#A3211C",
    "supported": "#3D4FA0",
    "absent": "#8A5300",
    "opposite": "#B8792A",
    "undecided": "#D9BC8F",
    "not run": "#FFFFFF",
}
PAIR = (BLACK, GREY)
DIVERGING = "PRGn"  # a map of changes: what lowers is purple, what raises is green, and nothing is white
ORDERED = "viridis_r"  # a map of what is ordered


def shades(number: int) -> Sequence[str]:
    """Return the colours of things that are ordered, from light to dark; the lightest is still seen on white."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    lightest = 0.25
    step = (1 - lightest) / max(1, number - 1)
    return [to_hex(colormaps[ORDERED](lightest + step * place)) for place in range(number)]
