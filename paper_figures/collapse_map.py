"""Map where entropy collapses or explodes and where success is destroyed, rule by rule, on a small Qwen3.

A place is a clip range, a learning rate and a number of inner updates. A cell is named by what most seeds do there, and
has the entropy late in training over that at the start, the mean over seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from paper_figures.colours import OUTCOMES
from paper_figures.panels import Builder, Panel
from paper_figures.runs import Results, Run
from paper_figures.study import SMALL, stand_in
from qae_theory.runs.stored import MissingError

TITLE = "Where entropy collapses or explodes"
SHAPE = (3, 4)
SIZE = (3.1, 2.5)
COMMAND = "qae validate --preset long"
RULES = {"grpo": "GRPO", "qae-0.4": "QAE, K = 0.4", "qae-0.8": "QAE, K = 0.8"}  # by their names in the study
CLIPS = ((0.2, 0.2), (0.2, 0.28), (0.2, 5.0), (1.0, 0.28))  # low and high


def place_map(rule: str, clip: tuple[float, float], results: Results) -> Panel:
    """Return the panel of a rule and a clip range: learning rate across, inner updates up.

    Args:
        rule: its name in the study.
        clip: lower and upper clip range.
        results: the results folder.
    """
    run = results.run_with("validate", _has_map, command=COMMAND)
    places = [
        place
        for place in run.json("places.json")["places"]
        if place["rule"] == rule and (place["clip_low"], place["clip_high"]) == clip
    ]
    if not places:
        raise MissingError(f"{run.named} has no map of {rule} at clip {clip[0]:g}/{clip[1]:g}: run `{COMMAND}`")
    seeds = sorted({place["seeds"] for place in places})
    texts = [
        f"{place['learning_rate']:g} and {place['updates']} {place['name']} ({_ratio(place):.2f})" for place in places
    ]
    title = _title(rule, clip)
    return Panel(
        title=title,
        caption=f"{title} ({' or '.join(map(str, seeds))} seeds a place): learning rate and inner updates, what most "
        f"seeds do, and late entropy over the start's: {'; '.join(texts)}.",
        draw=partial(_draw, places=places),
        sources=(run,),
        stand_in=stand_in(run, SMALL),
    )


def _has_map(run: Run) -> bool:
    """Return whether a study has a map, be it in part."""
    try:
        return bool(run.json("places.json")["places"])
    except MissingError:
        return False


def _ratio(place: Mapping[str, Any]) -> float:
    """Return the entropy late in training over that at the start, the mean over seeds."""
    return float(np.mean(place["entropy_ratio"]))


def _draw(axes: Any, *, places: Sequence[Mapping[str, Any]]) -> None:
    """Draw a coloured cell with its name and ratio for each place."""
    from matplotlib.patches import Rectangle

    rates = sorted({place["learning_rate"] for place in places})
    updates = sorted({place["updates"] for place in places})
    for place in places:
        x, y = rates.index(place["learning_rate"]), updates.index(place["updates"])
        colour = OUTCOMES[place["name"]]
        axes.add_patch(Rectangle((x - 0.48, y - 0.47), 0.96, 0.94, facecolor=colour, alpha=0.35, edgecolor=colour))
        axes.text(x, y, f"{place['name'].replace(' ', chr(10))}\n{_ratio(place):.2f}", ha="center", va="center", size=7)
    axes.set(xlim=(-0.5, len(rates) - 0.5), ylim=(-0.5, len(updates) - 0.5))
    axes.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
    axes.set_yticks(range(len(updates)), [str(number) for number in updates])
    axes.set(xlabel="learning rate", ylabel="inner updates")
    axes.grid(visible=False)


def _title(rule: str, clip: tuple[float, float]) -> str:
    return f"{RULES[rule]}, clip {clip[0]:g}/{clip[1]:g}"


PANELS: tuple[tuple[str, Builder], ...] = tuple(
    (_title(rule, clip), partial(place_map, rule, clip)) for rule in RULES for clip in CLIPS
)
