"""Read verl's names of outputs, ``{group}_{rollout}_{output}``, and tell which outputs belong to one rollout.

A rollout of several turns, or one whose context is rewritten on the way, leaves several outputs. They share one score
and one advantage, so that whatever counts responses has to count rollouts. Neither NumPy nor torch is needed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_PADDING = re.compile(r"pad[0-9a-f]{32}")


class Parts(NamedTuple):
    """Hold what an output's name says.

    Attributes:
        group: the group of the output, which is its prompt.
        rollout: the name of its rollout.
        output: its place among the rollout's outputs, from 0.
    """

    group: str
    rollout: str
    output: int


def parts(key: str) -> Parts:
    """Return what an output's name says.

    A name of another form is a group, a rollout and an output of its own.

    >>> parts("3f2a_1_0")
    Parts(group='3f2a', rollout='3f2a_1', output=0)
    >>> parts("line 7")
    Parts(group='line 7', rollout='line 7', output=0)
    """
    # From the right, because a group's name may have underscores of its own.
    fields = key.rsplit("_", 2)
    if len(fields) == 3 and fields[1].isdecimal() and fields[2].isdecimal():
        return Parts(fields[0], f"{fields[0]}_{fields[1]}", int(fields[2]))
    return Parts(key, key, 0)


def names_output(key: str) -> bool:
    """Return whether a name has verl's form, so that it says to which rollout the output belongs."""
    return parts(key).rollout != key


def is_padding(group: str) -> bool:
    """Return whether a group is one of rows with which verl fills up a batch (its ``padding_utils``, 0.9.1).

    >>> is_padding("pad" + 32 * "0"), is_padding("padding")
    (True, False)
    """
    return _PADDING.fullmatch(group) is not None


class Rollouts(NamedTuple):
    """Tell which rows belong to one rollout.

    Rollouts are numbered from 0 in the order in which they first appear.

    Attributes:
        final: for each rollout, the row of its last output.
        of_row: for each row, the number of its rollout.
    """

    final: list[int]
    of_row: list[int]


def rollouts_of(keys: Iterable[str]) -> Rollouts:
    """Return the rollouts that rows with these names form.

    Args:
        keys: name of each row.

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
