"""Find stretches of marked tokens that recur in other responses of a group.

A run is a longest stretch of neighbouring marked tokens of one response. It recurs in another response if the same
symbols stand next to each other within one of that response's own runs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qae_theory.arrays import Array


class Shared(NamedTuple):
    """Hold what is known of each token from the recurring runs that cover it, ``[..., G, T]`` each.

    ``both`` is true where responses of both outcomes have such a run. ``holders`` is the number of responses that have
    it, the largest where several runs cover the token, and 0 where none does or both outcomes have them all.
    """

    both: Array
    holders: Array


def recurring(symbols: Array, marked: Array, right: Array, *, least: int) -> Shared:
    """Return which tokens lie in runs that recur, and how many responses have them.

    Of recurring runs that contain one another only the shortest counts.

    Args:
        symbols: of the tokens, ``[..., G, T]``.
        marked: which tokens runs are made of, of the same shape.
        right: whether a response is correct, ``[..., G]``.
        least: least length of a run.
    """
    shape = symbols.shape
    length = run_lengths(marked)
    both, holders = np.zeros(shape, dtype=bool), np.zeros(shape)
    # Few groups have long runs, and only these are searched: pairs of places take G^2 T^2 entries a group.
    searched = (length >= least).any(axis=(-2, -1))
    for group in np.argwhere(searched):
        at = tuple(group)
        both[at], holders[at] = _of_group(symbols[at], length[at], right[at], least)
    return Shared(both, holders)


def run_lengths(marked: Array) -> Array:
    """Return the number of marked tokens from each token to the end of its run, ``[..., T]``; 0 off the marks."""
    length = np.zeros(marked.shape, dtype=np.int64)
    for t in reversed(range(marked.shape[-1])):
        rest = length[..., t + 1] if t + 1 < marked.shape[-1] else 0
        length[..., t] = np.where(marked[..., t], 1 + rest, 0)
    return length


def _of_group(symbols: Array, length: Array, right: Array, least: int) -> Shared:
    """Return the same for one group, ``[G, T]``, from the lengths that :func:`run_lengths` gives."""
    tokens = symbols.shape[-1]
    starts = length > 0
    starts[:, 1:] &= length[:, :-1] == 0
    match = _matches(symbols, length)
    # occurs[i, s, j, u]: the whole run that starts at token s of response i stands at token u of response j.
    occurs = (starts & (length >= least))[:, :, None, None] & (match >= length[:, :, None, None])
    held = occurs.any(axis=-1)
    recurs = held.sum(axis=-1) > 1
    counts = recurs & ~_contains_shorter(length, starts, occurs & recurs[:, :, None, None])
    right_holders = (held & right).sum(axis=-1)
    wrong_holders = (held & ~right).sum(axis=-1)
    both, holders = np.zeros(symbols.shape, dtype=bool), np.zeros(symbols.shape)
    for i, s, j, u in np.argwhere(occurs & counts[:, :, None, None]):
        stretch = (j, slice(u, min(u + length[i, s], tokens)))
        if right_holders[i, s] and wrong_holders[i, s]:
            both[stretch] = True
        else:
            holders[stretch] = np.maximum(holders[stretch], right_holders[i, s] + wrong_holders[i, s])
    return Shared(both, holders)


def _matches(symbols: Array, length: Array) -> Array:
    """Return how many marked tokens agree from token s of response i and token u of response j on, ``[G, T, G, T]``."""
    group, tokens = symbols.shape
    marked = length > 0
    equal = (symbols[:, :, None, None] == symbols) & marked[:, :, None, None] & marked
    match = np.zeros((group, tokens + 1, group, tokens + 1), dtype=np.int64)
    for s in reversed(range(tokens)):
        for u in reversed(range(tokens)):
            match[:, s, :, u] = np.where(equal[:, s, :, u], 1 + match[:, s + 1, :, u + 1], 0)
    return match[:, :tokens, :, :tokens]


def _contains_shorter(length: Array, starts: Array, occurs: Array) -> Array:
    """Return whether a run has a shorter recurring one within it, ``[G, T]`` at the runs' starts.

    Args:
        length: number of marked tokens to the end of the run, ``[G, T]``.
        starts: where runs start, ``[G, T]``.
        occurs: where recurring runs occur, ``[G, T, G, T]`` as in :func:`_of_group`.
    """
    never = np.iinfo(np.int64).max
    # The shortest recurring run that occurs at each token.
    shortest = np.where(occurs, length[:, :, None, None], never).min(axis=(0, 1))
    contains = np.zeros(length.shape, dtype=bool)
    for i, s in np.argwhere(starts):
        contains[i, s] = shortest[i, s : s + length[i, s]].min() < length[i, s]
    return contains
