"""Lines by condition of an experiment that trains bandits: the same families and smallest effects as a network's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from qae_theory.arrays import Array
from qae_theory.curves.families import SUCCESS, Family
from qae_theory.curves.outcomes import Line, line, read_line
from qae_theory.curves.progress import gain
from qae_theory.curves.trajectories import Trajectory

SUBSTRATE = "bandit"
LEARNS = 0.05  # of success: bandits gain about a tenth over a run, where a network gains a third


def slug(name: str) -> str:
    """Return a condition's name in the form that ids have.

    >>> slug("Adam 1e-8, 16 passes, uniform")
    'adam-1e-8-16-passes-uniform'
    """
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")


class Lines:
    """Lines that count, and conditions that are out because success does not rise in every run compared."""

    def __init__(self) -> None:
        """Start without a line."""
        self._lines: list[Line] = []
        self._out: list[dict[str, Any]] = []

    def add(self, family: Family, condition: str, effect: Array, runs: Mapping[str, Trajectory]) -> None:
        """Add a line, or list its condition as out.

        Args:
            family: of the claim.
            condition: its name; the substrate is put before it.
            effect: one number a seed, ``[S]``.
            runs: that the effect was read off, by rule.
        """
        place = f"{SUBSTRATE}/{slug(condition)}"
        if family.controlled:
            gains = {rule: float(gain(run.curves[SUCCESS], steps=run.steps).mean()) for rule, run in runs.items()}
            idle = {rule: gained for rule, gained in gains.items() if gained <= LEARNS}
            if idle:
                self._out.append({"claim": family.claim, "condition": place, "does not learn": idle})
                return
        self._lines.append(
            line(
                effect,
                family.smallest_effect,
                claim=family.claim,
                condition=place,
                says=family.says,
                unit=family.unit,
            )
        )

    def records(self) -> dict[str, list[dict[str, Any]]]:
        """Return both lists in JSON's types, as an analysis stores them."""
        return {"lines": [one.record() for one in self._lines], "out": self._out}


def read_lines(analysis: Mapping[str, Any]) -> list[Line]:
    """Return the lines that an analysis stores; an experiment without conditions that train has none."""
    return [read_line(record) for record in analysis.get("lines", ())]
