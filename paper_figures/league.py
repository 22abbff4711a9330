"""Show the league in one picture: which rule held in which situation, and where each ranks once all are tuned.

The verdicts and the ranks are the analysis's own; the criterion is in ``simulators.experiments.league.situations``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from paper_figures.cells import draw_cells
from paper_figures.panels import Panel
from paper_figures.runs import Results
from qae_theory.runs.stored import MissingError

TITLE = "The league: which remedy held where"
SHAPE = (1, 2)
SIZE = (4.5, 7.2)
EXPERIMENT = "league"
COMMAND = "qae simulate league"
STAND_IN = "softmax bandits and token trees"
# Darker is better; what cannot be compared stays white.
SHADES = {
    "held": 1.0,
    "at a price": 0.75,
    "in part": 0.5,
    "no difference": 0.25,
    "both ways": 0.25,
    "worse": 0.0,
    "not comparable": np.nan,
}
SHORT = {"no difference": "none", "not comparable": "-", "at a price": "price", "in part": "part", "both ways": "both"}
GOOD = ("held", "at a price")


def verdicts(results: Results) -> Panel:
    """Return the panel with a verdict for each rule and situation, the rules that held most often at the top."""
    run = results.run(EXPERIMENT, command=COMMAND)
    situations = run.analysis["situations"]
    names = [situation["name"] for situation in situations]
    by_rule = verdicts_by_rule(situations)
    ordered = sorted(by_rule, key=lambda rule: -sum(_shade(verdict) for verdict in by_rule[rule]))
    sentences = []
    for column, name in enumerate(names):
        good = [rule for rule in ordered if by_rule[rule][column] in GOOD]
        sentences.append(f"{name}: {', '.join(good) or 'none'}")
    reference = run.analysis["reference"]
    return Panel(
        title=f"better than {reference} where ...",
        caption=f"Rules that were better than {reference} in every condition of a situation "
        f"({run.analysis['level']:.0%} intervals together, paired by seed), some at a price in success: "
        f"{'; '.join(sentences)}.",
        draw=partial(_draw_verdicts, by_rule={rule: by_rule[rule] for rule in ordered}, names=names),
        sources=(run,),
        stand_in=STAND_IN,
    )


def verdicts_by_rule(situations: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return each rule's verdicts in the order of the situations."""
    by_rule: dict[str, list[str]] = {}
    for situation in situations:
        for rule, found in situation["rules"].items():
            by_rule.setdefault(rule, []).append(found["verdict"])
    return by_rule


def _shade(verdict: str) -> float:
    """Return a verdict's shade as a number to sort by; what cannot be compared counts as no difference."""
    shade = SHADES[verdict]
    return SHADES["no difference"] if np.isnan(shade) else shade


def _draw_verdicts(axes: Any, *, by_rule: Mapping[str, Sequence[str]], names: Sequence[str]) -> None:
    """Draw the verdicts as cells, the first rule at the top."""
    values = np.array([[SHADES[verdict] for verdict in found] for found in by_rule.values()])
    texts = [[SHORT.get(verdict, verdict) for verdict in found] for found in by_rule.values()]
    columns = [_folded(name) for name in names]
    draw_cells(axes, values, texts, row_labels=list(by_rule), column_labels=columns, limits=(0, 1.3), fontsize=5.5)
    axes.invert_yaxis()
    axes.xaxis.tick_top()
    axes.tick_params(axis="x", labelsize=6)
    axes.tick_params(axis="y", labelsize=5.5)


def _folded(name: str) -> str:
    """Return a name in two lines, folded at the blank nearest to its middle; one word is left as it is."""
    blanks = [i for i, letter in enumerate(name) if letter == " "]
    if not blanks:
        return name
    middle = min(blanks, key=lambda i: abs(i - len(name) / 2))
    return f"{name[:middle]}\n{name[middle + 1 :]}"


def tuned_ranks(results: Results) -> Panel:
    """Return the panel with each rule's place in success after tuning on equal budgets, with its interval.

    Raises:
        MissingError: the run tuned no rule.
    """
    run = results.run(EXPERIMENT, command=COMMAND)
    if not run.analysis["tuned"]:
        raise MissingError(f"{run.named} tuned no rule")
    places = {name: rank_table(found["measures"]["success_mean"]) for name, found in run.analysis["tuned"].items()}
    first = next(iter(places.values()))
    texts = []
    for name, table in places.items():
        leading = [rule for rule, rank in table.items() if rank["best"] == 1]
        texts.append(f"{name}: no rule is told to be above {', '.join(leading)}")
    return Panel(
        title="place in success, tuned",
        caption="Places by mean success over the run after tuning on equal budgets, on fresh seeds "
        f"({run.analysis['level']:.0%} intervals together, over all pairs of rules): {'; '.join(texts)}.",
        draw=partial(_draw_ranks, places=places, order=list(first)),
        sources=(run,),
        stand_in=STAND_IN,
    )


def rank_table(by_rule: Mapping[str, Any]) -> dict[str, Mapping[str, int]]:
    """Return the ranks of the rules that have one, the first place first."""
    ranked = {rule: figures["rank"] for rule, figures in by_rule.items() if figures["rank"] is not None}
    return dict(sorted(ranked.items(), key=lambda entry: entry[1]["place"]))


def _draw_ranks(axes: Any, *, places: Mapping[str, Mapping[str, Mapping[str, int]]], order: Sequence[str]) -> None:
    """Draw a line from the best to the worst possible place of each rule, one colour a condition."""
    shifts = np.linspace(-0.18, 0.18, len(places)) if len(places) > 1 else np.zeros(1)
    markers = ("o", "s", "^", "D")
    for number, (name, table) in enumerate(places.items()):
        rows = [row for row, rule in enumerate(order) if rule in table]
        found = [table[order[row]] for row in rows]
        middle = np.array([rank["place"] for rank in found])
        low = middle - np.array([rank["best"] for rank in found])
        high = np.array([rank["worst"] for rank in found]) - middle
        axes.errorbar(
            middle,
            np.array(rows) + shifts[number],
            xerr=[low, high],
            fmt=markers[number % len(markers)],
            label=name,
            markersize=2.5,
            elinewidth=0.8,
            capsize=0,
        )
    axes.set_yticks(range(len(order)), order)
    axes.tick_params(axis="y", labelsize=5.5)
    axes.set(xlabel="place (1: the most success)", ylim=(len(order) - 0.4, -0.6))
    axes.grid(visible=False, axis="y")
    axes.legend(loc="lower left")


PANELS = (
    ("better where ...", verdicts),
    ("place in success, tuned", tuned_ranks),
)
