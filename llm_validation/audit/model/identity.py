"""Decide which responses form a group where no id says it: by the prompt's text, or by blocks of the file.

Both are held to one rule: all groups have one size. Where that fails, the rows are refused with the sizes found, for a
question that stands twice in a batch cannot be told from one with twice as many responses.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qae_theory.arrays import Array

ONE_TEXT = "all prompts have the same text, so that it does not say which responses form a group; give --group-size"
UNEVEN = "runs of equal prompts have different lengths, so that none is certain; give --group-size"
NO_PROMPTS = "nothing in the file says how many responses a group has; give --group-size"


class Resolved(NamedTuple):
    """Hold groups of rows. ``group`` is -1 for a refused row; ``reason`` says why and ``sizes`` what was found."""

    group: Array
    reason: str | None
    sizes: Array
    note: str | None = None


def by_prompt(step: Array, key: Array, group_size: int | None) -> Resolved:
    """Group rows by step and prompt text.

    Args:
        step: ``[N]``.
        key: ``[N]``, hashes of the texts.
        group_size: the number of responses to a prompt, where it is known.
    """
    group = codes(step, key)
    sizes = np.bincount(group)
    group_step = np.zeros(len(sizes), dtype=np.int64)
    group_step[group] = step
    several = len(np.unique(key)) > 1
    if not several and group_size is None and len(step) > 1:
        return Resolved(np.full(len(step), -1), ONE_TEXT, sizes)
    size = group_size or _certain_size(sizes, group_step)
    if size is None:
        reason = "groups by prompt text have different sizes: a question may stand twice in a batch; give --group-size"
        return Resolved(np.full(len(step), -1), reason, sizes)
    wrong = np.isin(step, group_step[sizes != size])
    if not wrong.any():
        return Resolved(group, None, sizes)
    steps = len(np.unique(step[wrong]))
    reason = f"in {steps} steps the groups by prompt text have not all {size} responses"
    return Resolved(np.where(wrong, -1, group), reason, sizes)


def by_block(batch: Array, key: Array | None, group_size: int | None) -> Resolved:
    """Group rows into blocks of one size in the order of the file.

    Without a known size it is that of most runs of equal prompts. A run that is a multiple of it is a question that
    stands twice in a row; the rows are in order, so that it can be cut. A batch with another run is refused whole; if
    half of them are such, all are.

    Args:
        batch: ``[N]``, non-decreasing: rows that were generated together.
        key: ``[N]``, hashes of the prompts, or None.
        group_size: the size of a block, where it is known.
    """
    edges = _edges(batch, key)
    lengths = np.diff(edges)
    several = key is not None and len(np.unique(key)) > 1
    size = group_size or (_usual(lengths) if several else None)
    if size is None:
        reason = NO_PROMPTS if key is None else UNEVEN if several else ONE_TEXT
        return Resolved(np.full(len(batch), -1), reason, lengths)
    bad = np.unique(batch[edges[:-1]][lengths % size != 0])
    wrong = np.isin(batch, bad)
    if 2 * len(bad) >= len(np.unique(batch)) and len(bad):
        reason = f"the batches do not fall into blocks of {size} equal prompts" if group_size else UNEVEN
        return Resolved(np.full(len(batch), -1), reason, lengths)
    group = np.full(len(batch), -1)
    group[~wrong] = np.arange(int((~wrong).sum())) // size
    if len(bad):
        return Resolved(group, f"{len(bad)} batches do not fall into blocks of {size} equal prompts", lengths)
    twice = int((lengths != size).sum()) if key is not None else 0
    note = f"{twice} questions stand twice in a row; cut into blocks of {size}" if twice else None
    return Resolved(group, None, np.full(len(batch) // size, size), note)


def codes(*names: Array) -> Array:
    """Return numbers from 0 for the distinct rows of these columns, in the order of their first appearance."""
    if not len(names[0]):
        return np.zeros(0, dtype=np.int64)
    order = np.lexsort(tuple(reversed(names)))
    new = np.zeros(len(order), dtype=bool)
    new[0] = True
    for name in names:
        ordered = name[order]
        new[1:] |= ordered[1:] != ordered[:-1]
    sorted_code = np.cumsum(new) - 1
    code = np.empty(len(order), dtype=np.int64)
    code[order] = sorted_code
    first = np.full(int(sorted_code[-1]) + 1, len(order))
    np.minimum.at(first, code, np.arange(len(order)))
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return rank[code]


def _certain_size(sizes: Array, group_step: Array) -> int | None:
    """Return the size of most groups, if all steps but a minority have groups of that size alone."""
    values, counts = np.unique(sizes, return_counts=True)
    size = int(values[np.argmax(counts)])
    steps = np.unique(group_step)
    bad = np.unique(group_step[sizes != size])
    even = [len(np.unique(sizes[group_step == step])) == 1 for step in bad.tolist()]
    return size if 2 * len(bad) < len(steps) and not any(even) else None


def _usual(lengths: Array) -> int | None:
    """Return the length of at least half of the runs; None without one."""
    if not len(lengths):
        return None
    values, counts = np.unique(lengths, return_counts=True)
    most = int(counts.argmax())
    return int(values[most]) if 2 * counts[most] >= len(lengths) else None


def _edges(batch: Array, key: Array | None) -> Array:
    """Return where runs of rows with one batch and one prompt begin, and the end of the last."""
    change = np.diff(batch) != 0
    if key is not None:
        change |= key[1:] != key[:-1]
    return np.r_[0, np.flatnonzero(change) + 1, len(batch)]
