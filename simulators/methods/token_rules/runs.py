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


# Entries of the table of matches, G^2 T^2 a group, that are held at once: 64 MB.
LARGEST_TABLE = 2**23


def recurring(symbols: Array, marked: Array, right: Array, *, least: int) -> Shared:
    """Return which tokens lie in runs that recur, and how many responses have them.

    Of recurring runs that contain one another only the shortest counts.

    Args:
        symbols: of the tokens, ``[..., G, T]``.
        marked: which tokens runs are made of, of the same shape.
        right: whether a response is correct, ``[..., G]``.
        least: least length of a run.
    """
    group, tokens = shape = symbols.shape[-2:]
    symbols, right = symbols.reshape(-1, *shape), right.reshape(-1, group)
    length = run_lengths(marked).reshape(-1, *shape)
    both, holders = np.zeros(symbols.shape, dtype=bool), np.zeros(symbols.shape)
    # Groups without a long run need no search.
    searched = np.flatnonzero((length >= least).any(axis=(-2, -1)))
    at_once = max(LARGEST_TABLE // (group * tokens) ** 2, 1)
    for first in range(0, len(searched), at_once):
        some = searched[first : first + at_once]
        both[some], holders[some] = _of_groups(symbols[some], length[some], right[some], least)
    return Shared(both.reshape(marked.shape), holders.reshape(marked.shape))


def run_lengths(marked: Array) -> Array:
    """Return the number of marked tokens from each token to the end of its run, ``[..., T]``; 0 off the marks."""
    length = np.zeros(marked.shape, dtype=np.int16)  # a short type, since the search is bound by memory
    for t in reversed(range(marked.shape[-1])):
        rest = length[..., t + 1] if t + 1 < marked.shape[-1] else 0
        length[..., t] = np.where(marked[..., t], 1 + rest, 0)
    return length


def _of_groups(symbols: Array, length: Array, right: Array, least: int) -> Shared:
    """Return the same for B groups, ``[B, G, T]``, from the lengths that :func:`run_lengths` gives."""
    starts = length > 0
    starts[..., 1:] &= length[..., :-1] == 0
    match = _matches(symbols, length)
    # occurs[b, i, s, j, u]: the whole run that starts at token s of response i stands at token u of response j.
    occurs = (starts & (length >= least))[..., None, None] & (match >= length[..., None, None])
    held = occurs.any(axis=-1)
    recurs = held.sum(axis=-1) > 1
    counts = recurs & ~_contains_shorter(length, occurs & recurs[..., None, None])
    right_holders = (held & right[:, None, None, :]).sum(axis=-1)
    wrong_holders = (held & ~right[:, None, None, :]).sum(axis=-1)
    mixed = (right_holders > 0) & (wrong_holders > 0)
    both, holders = np.zeros(symbols.shape, dtype=bool), np.zeros(symbols.shape)
    for s, u in np.ndindex(symbols.shape[-1], symbols.shape[-1]):
        stands = occurs[:, :, s, :, u] & counts[:, :, s, None]
        if not stands.any():
            continue
        # The run reaches from token u of response j as far as it is long.
        for reach in range(symbols.shape[-1] - u):
            covers = stands & (length[:, :, s, None] > reach)
            both[..., u + reach] |= (covers & mixed[:, :, s, None]).any(axis=1)
            number = (right_holders + wrong_holders)[:, :, s, None] * (covers & ~mixed[:, :, s, None])
            holders[..., u + reach] = np.maximum(holders[..., u + reach], number.max(axis=1))
    return Shared(both, holders)


def _matches(symbols: Array, length: Array) -> Array:
    """Return how many marked tokens agree from token s of response i and token u of response j on, ``[B, G, T, G, T]``.

    Args:
        symbols: of the tokens, ``[B, G, T]``.
        length: number of marked tokens to the end of the run, ``[B, G, T]``.
    """
    batch, group, tokens = symbols.shape
    marked = length > 0
    match = np.zeros((batch, group, tokens, group, tokens), dtype=np.int16)
    for s in reversed(range(tokens)):
        for u in reversed(range(tokens)):
            equal = symbols[:, :, s, None] == symbols[:, None, :, u]
            equal &= marked[:, :, s, None] & marked[:, None, :, u]
            rest = match[:, :, s + 1, :, u + 1] if max(s, u) + 1 < tokens else 0
            match[:, :, s, :, u] = np.where(equal, 1 + rest, 0)
    return match


def _contains_shorter(length: Array, occurs: Array) -> Array:
    """Return whether a shorter recurring run lies between a token and the end of its run, ``[B, G, T]``.

    At the start of a run that is whether the run contains a shorter one.

    Args:
        length: number of marked tokens to the end of the run, ``[B, G, T]``.
        occurs: where recurring runs occur, ``[B, G, T, G, T]`` as in :func:`_of_groups`.
    """
    never = np.iinfo(length.dtype).max
    # The shortest recurring run that stands at each token, and then at it or at any later token of its run.
    shortest = np.where(occurs, length[..., None, None], never).min(axis=(1, 2))
    for t in reversed(range(length.shape[-1] - 1)):
        later = np.where(length[..., t + 1] > 0, shortest[..., t + 1], never)
        shortest[..., t] = np.minimum(shortest[..., t], later)
    return np.asarray(shortest < length)
