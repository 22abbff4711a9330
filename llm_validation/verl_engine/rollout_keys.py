"""verl's names of outputs, ``{group}_{rollout}_{output}``, and which outputs belong to one rollout.

A rollout of several turns, or one whose context is rewritten on the way, leaves several outputs. They share one score
and one advantage, so whatever counts responses counts rollouts. NumPy and torch are not needed here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Parts(NamedTuple):
    """The group of an output (its prompt), its rollout's name, and its place among the rollout's outputs."""

    group: str
    rollout: str
    output: int


def parts(key: str) -> Parts:
    """Return what a key says; one of another form is a group, a rollout and an output of its own.

    >>> parts("3f2a_1_0")
    Parts(group='3f2a', rollout='3f2a_1', output=0)
    >>> parts("line 7")
    Parts(group='line 7', rollout='line 7', output=0)
    """
    fields = key.rsplit("_", 2)
    if len(fields) == 3 and fields[1].isdecimal() and fields[2].isdecimal():
        return Parts(fields[0], f"{fields[0]}_{fields[1]}", int(fields[2]))
    return Parts(key, key, 0)


def names_output(key: str) -> bool:
    """Return whether a key has verl's form, so that it says which rollout an output is of."""
    return parts(key).rollout != key


class Rollouts(NamedTuple):
    """Which rows are of one rollout.

    Rollouts are numbered from 0 in the order in which they first appear. ``final`` has, for each rollout, the row of
    its last output; ``of_row`` has, for each row, the number of its rollout.
    """

    final: list[int]
    of_row: list[int]


def rollouts_of(keys: Iterable[str]) -> Rollouts:
    """Return the rollouts that the rows with these keys form.

    >>> rollouts_of(["a_0_0", "a_1_0", "a_0_1"])
    Rollouts(final=[2, 1], of_row=[0, 1, 0])
    """
    numbers: dict[str, int] = {}
    final: list[int] = []
    last: list[int] = []
    of_row: list[int] = []
    for row, key in enumerate(keys):
        _, name, output = parts(key)
        number = numbers.setdefault(name, len(final))
        if number == len(final):
            final.append(row)
            last.append(output)
        elif output >= last[number]:
            final[number], last[number] = row, output
        of_row.append(number)
    return Rollouts(final, of_row)
