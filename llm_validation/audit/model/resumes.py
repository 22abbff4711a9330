"""Decide which responses count where a step stands twice in a file: after a resume the later ones do.

A file whose steps go back was written by a run that was resumed. What it had written from the step on at which it was
taken up again does not belong to the run that went on.
"""

from __future__ import annotations

import numpy as np

from qae_theory.arrays import Array


def still_counts(step: Array, member: Array | None = None) -> Array:
    """Return which rows of one file belong to the run that went on, ``[N]`` of bool.

    A step that comes back is a resume, unless its responses are others than those before: writers in several threads
    finish out of order.

    Args:
        step: ``[N]``, in the order of the file.
        member: ``[N]``, names of the responses; without them a step that comes back is always a resume.

    >>> still_counts(np.array([1, 2, 3, 2])).tolist()
    [True, False, False, True]
    """
    counts = np.ones(len(step), dtype=bool)
    edges = np.flatnonzero(np.diff(step) != 0) + 1
    first = np.r_[0, edges][: len(step)]
    last = np.r_[edges, len(step)]
    kept: list[tuple[int, int, int]] = []
    for start, end in zip(first.tolist(), last.tolist(), strict=True):
        now = int(step[start])
        if kept and now < kept[-1][0] and _comes_back(now, kept, slice(start, end), member):
            for _, begun, ended in (entry for entry in kept if entry[0] >= now):
                counts[begun:ended] = False
            kept = [entry for entry in kept if entry[0] < now]
        kept.append((now, start, end))
    return counts


def _comes_back(now: int, kept: list[tuple[int, int, int]], rows: slice, member: Array | None) -> bool:
    before = [slice(start, end) for step, start, end in kept if step == now]
    if not before:
        return False
    if member is None:
        return True
    known = np.concatenate([member[part] for part in before])
    return bool(np.isin(member[rows], known).any())


def last_of_each(*names: Array) -> Array:
    """Return which rows are the last with their names, ``[N]`` of bool: of two equal ones the later counts."""
    rows = len(names[0])
    order = np.lexsort((np.arange(rows), *reversed(names)))
    same = np.ones(rows, dtype=bool)
    for name in names:
        ordered = name[order]
        same[:-1] &= ordered[1:] == ordered[:-1]
    same[-1:] = False
    last = np.ones(rows, dtype=bool)
    last[order] = ~same
    return last
