"""Compute sums over the vocabulary from which every token statistic follows, in float64 and in one reading of logits.

A compiled kernel does it where the logits are in main memory, torch elsewhere. Input is not checked here: a row with
NaN or +inf, or with -inf only, gives NaN. The statistics are in ``token_stats``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from math import factorial, log
from typing import Any, NamedTuple

import numba
import numpy as np

Tensor = Any

# A gap below this is a probability of 0; exp(-708.4) is the last normal number of float64.
LOWEST = -708.0
# Running sums of a row, side by side: a loop over them is one of vector instructions, in the same order for any width.
# Five such arrays still fit in 48 KiB of first-level cache.
LANES = 1024
# Logits that one thread does in a go: about half a millisecond.
TASK = 2**19
# Logits in a block that has to be made: 8 MiB in float32, and 36 MiB for what torch makes of one on a GPU.
BLOCK = 2**21
# Rows of the output matrix at a time: the matrix is read once, and a block of logits stays in cache.
TILE = 4096
# A tile's logits that are added up before they join the sum of the others: neither sum then has more than 64 terms.
RUN = 64

# ln 2 in two parts, the first with enough trailing zeros for k * LN2_HIGH to be exact (fdlibm's e_exp.c).
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
PER_LN2 = 1 / log(2)
# Adding 1.5 * 2^52 rounds to an integer, which is then in the lowest bits; 1023 is the bias of an exponent.
ROUND_AND_BIAS = 1.5 * 2.0**52 + 1023
# Taylor series about 0: at |r| <= ln(2)/2 the first term left out, r^14/14!, is 4e-18.
C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13 = (1 / factorial(k) for k in range(2, 14))


class Sums(NamedTuple):
    """Hold sums over the vocabulary, with x = (z - max z) / T; each is one float64 number per row.

    The entries equal to the largest are counted, not summed, so that what the others add to 1 is not rounded away.
    """

    top: Tensor
    """max z."""
    ties: Tensor
    """The number of entries whose x is 0."""
    e: Tensor
    """Sum of exp(x) over x < 0."""
    ex: Tensor
    """Sum of exp(x) x."""
    ee: Tensor
    """Sum of exp(2x) over x < 0."""
    eex: Tensor
    """Sum of exp(2x) x."""


def sums_of_logits(logits: Tensor, per_temperature: float, chunk: int | None) -> Sums:
    """Return the sums of logits, ``[rows]`` each.

    Args:
        logits: ``[..., V]``.
        per_temperature: 1 / T.
        chunk: rows at a time where they have to be copied; None for about ``BLOCK`` logits.
    """
    sums = _empty_sums(logits.shape[:-1].numel(), logits.device)
    first = 0
    for rows in _views(logits):
        _sum_view(rows, per_temperature, chunk, sums[:, first : first + len(rows)])
        first += len(rows)
    return Sums(*sums)


class Products(NamedTuple):
    """Hold what is known of the logits ``hidden @ weight.T``, ``[rows]`` each."""

    sums: Sums
    taken: Tensor
    """The logit of the row's token, in float64."""
    lowest: Tensor
    """min z, which is -inf or NaN where a factor is infinite and ``sums`` does not show it."""


def sums_of_products(
    hidden: Tensor, weight: Tensor, tokens: Tensor, per_temperature: float, chunk: int | None
) -> Products:
    """Return the sums of the logits ``hidden @ weight.T``, the logit of each token, and the lowest.

    No more than twice ``chunk`` rows and ``TILE`` columns of logits are held at a time. They are made as ``weight @
    hidden.T``: with the longer factor first the product takes less time.

    Args:
        hidden: ``[rows, D]``, without a gradient, as is ``weight``.
        weight: ``[V, D]``.
        tokens: ``[rows]``, integers in 0..V-1.
        per_temperature: 1 / T.
        chunk: rows at a time; None for about ``BLOCK`` logits.
    """
    import torch

    rows = chunk or _rows_at_a_time(min(TILE, len(weight)))
    blocks = zip(hidden.split(rows), tokens.split(rows), strict=True)
    parts = [_sum_products(block, weight, index, per_temperature) for block, index in blocks]
    sums, taken, lowest = (torch.cat(column, dim=-1) for column in zip(*parts, strict=True))
    return Products(Sums(*sums), taken, lowest)


def _sum_products(hidden: Tensor, weight: Tensor, tokens: Tensor, per_temperature: float) -> tuple[Tensor, ...]:
    """Return the sums ``[6, rows]``, the tokens' logits and the lowest ones ``[rows]`` of one block of rows."""
    import torch

    rows, tiles = len(hidden), weight.split(TILE)

    def some(numbers: range, threads: int) -> list[tuple[Tensor, Tensor, Tensor]]:
        # All tiles are written to the same place: allocating a block anew would cost more than filling it.
        memory = hidden.new_empty(len(tiles[0]) * rows)
        found = []
        for number in numbers:
            tile = tiles[number]
            logits = torch.mm(tile, hidden.T, out=memory[: len(tile) * rows].view(len(tile), rows))
            taken = _taken(logits, tokens - number * TILE)
            found.append((_sums_of_tile(logits, per_temperature, threads), taken, logits.amin(dim=0)))
        return found

    sums, taken, lowest = zip(*_in_two_lanes(some, len(tiles), hidden.device), strict=True)
    whole = sums[0]
    for part in sums[1:]:
        whole = torch.stack(merge(Sums(*whole), Sums(*part), per_temperature))
    return whole, torch.stack(taken).sum(dim=0), torch.stack(lowest).amin(dim=0)


def _taken(logits: Tensor, place: Tensor) -> Tensor:
    """Return each row's logit at its place in ``[columns, rows]`` logits; 0 for a place that is not among them."""
    inside = (place >= 0) & (place < len(logits))
    here = logits.gather(0, place.clamp(0, len(logits) - 1)[None])[0]
    return here.double().masked_fill(~inside, 0)


def _sums_of_tile(logits: Tensor, per_temperature: float, threads: int) -> Tensor:
    """Return the sums ``[6, rows]`` of ``[columns, rows]`` logits: a row's logits lie below one another."""
    import torch

    sums = _empty_sums(logits.shape[1], logits.device)
    if logits.device.type != "cpu":
        sum_with_torch(logits.T, per_temperature, sums)
        return sums
    z = (logits if logits.dtype in (torch.float32, torch.float64) else logits.float()).numpy()
    out, step = sums.numpy(), max(1, min(LANES, -(-z.shape[1] // threads)))

    def task(start: int) -> None:
        _sum_columns(z, start, min(start + step, z.shape[1]), per_temperature, out)

    _for_each(task, range(0, z.shape[1], step), threads)
    return sums


def _in_two_lanes(some: Callable[[range, int], list[Any]], count: int, device: Any) -> list[Any]:
    """Return what ``some(numbers, threads)`` gives for the numbers 0 to ``count`` - 1.

    On the CPU two threads take every other number, each with half of torch's threads. With all of them at one product
    after the other, those that wait for the sums would spin, and the sums would wait for them.
    """
    import torch

    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1 or count == 1:
        return some(range(count), threads)
    found: list[Any] = [None] * count
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        lanes = ((first, threads - threads // 2), (second, threads // 2))
        for lane, share in lanes:
            lane.submit(torch.set_num_threads, share).result()
        torch.set_num_threads(threads)  # what a thread sets for itself is also what threads begin with that come later
        done = [lane.submit(some, range(at, count, 2), share) for at, (lane, share) in enumerate(lanes)]
        found[::2], found[1::2] = (part.result() for part in done)
    return found


def merge(a: Sums, b: Sums, per_temperature: float) -> Sums:
    """Return the sums over two disjoint sets of entries of the same rows."""
    import torch

    top = torch.maximum(a.top, b.top)
    moved = [_below(part, top, per_temperature) for part in (a, b)]
    return Sums(top, *(left + right for left, right in zip(*moved, strict=True)))


def sum_with_torch(rows: Tensor, per_temperature: float, out: Tensor) -> None:
    """Write the sums of ``[rows, V]`` into ``out``, ``[6, rows]``, on any device."""
    import torch

    x = rows.to(torch.float64, copy=True)
    out[0] = x.amax(dim=-1)
    x.sub_(out[0][:, None]).mul_(per_temperature).clamp_(min=LOWEST)
    e, apart = x.exp(), x == 0
    out[1] = apart.sum(dim=-1)
    e.masked_fill_(apart.logical_or_(x == LOWEST), 0)
    out[2], out[3] = e.sum(dim=-1), x.mul_(e).sum(dim=-1)
    out[5], out[4] = x.mul_(e).sum(dim=-1), e.square_().sum(dim=-1)


def _below(sums: Sums, top: Tensor, per_temperature: float) -> tuple[Tensor, ...]:
    """Return all sums but ``top``, rescaled for a largest entry ``top`` that may lie above theirs."""
    import torch

    gap = ((sums.top - top) * per_temperature).clamp(min=LOWEST)
    factor = torch.where(gap == LOWEST, 0, gap.exp())
    e, ee = sums.ties + sums.e, sums.ties + sums.ee
    # exp(x + gap) = factor exp(x), and (x + gap) exp(x + gap) = factor (x exp(x) + gap exp(x)); ties are entries with
    # x = 0.
    lower = (
        torch.zeros_like(sums.ties),
        factor * e,
        factor * (sums.ex + gap * e),
        factor**2 * ee,
        factor**2 * (sums.eex + gap * ee),
    )
    return tuple(torch.where(gap == 0, old, new) for old, new in zip(sums[1:], lower, strict=True))


def _empty_sums(rows: int, device: Any) -> Tensor:
    """Return memory for the sums of so many rows, one row per field of :class:`Sums`."""
    import torch

    return torch.empty(len(Sums._fields), rows, dtype=torch.float64, device=device)


def _views(logits: Tensor) -> Iterator[Tensor]:
    """Yield ``[rows, V]`` views that make up the logits; a slice such as ``logits[:, :-1]`` is never copied whole."""
    try:
        flat = logits.view(-1, logits.shape[-1])
    except RuntimeError:  # its leading axes are not one axis in memory
        for part in logits:
            yield from _views(part)
    else:
        yield flat


def _sum_view(rows: Tensor, per_temperature: float, chunk: int | None, out: Tensor) -> None:
    """Write the sums of ``[rows, V]`` into ``out``, block by block."""
    sum_block = _sum_compiled if rows.device.type == "cpu" else sum_with_torch
    first = 0
    for block in _blocks(rows, chunk or _rows_at_a_time(rows.shape[1])):
        sum_block(block, per_temperature, out[:, first : first + len(block)])
        first += len(block)


def _blocks(rows: Tensor, size: int) -> Iterator[Tensor]:
    """Yield blocks of rows as the kernels take them: on the CPU contiguous and in float32 or float64.

    Blocks that have to be copied follow one another in the same memory.
    """
    import torch

    on_cpu, double = rows.device.type == "cpu", rows.dtype == torch.float64
    if on_cpu and rows.is_contiguous() and (double or rows.dtype == torch.float32):
        yield rows
    elif on_cpu:
        memory = torch.empty(min(size, len(rows)), rows.shape[1], dtype=torch.float64 if double else torch.float32)
        for block in rows.split(size):
            yield memory[: len(block)].copy_(block)
    else:
        yield from rows.split(size)


def _rows_at_a_time(width: int) -> int:
    """Return how many rows of this width make a block."""
    return max(1, BLOCK // width)


def _sum_compiled(rows: Tensor, per_temperature: float, out: Tensor) -> None:
    """Write the sums of ``[rows, V]`` in main memory into ``out``, ``[6, rows]``.

    Threads take a few rows each. They are Python's, as many as torch uses: Numba's own would not survive a fork.
    """
    import torch

    z, sums = rows.numpy(), out.numpy()
    step = max(1, TASK // z.shape[1])

    def task(start: int) -> None:
        _sum_rows(z[start : start + step], per_temperature, sums[:, start : start + step])

    _for_each(task, range(0, len(z), step), torch.get_num_threads())


def _for_each(work: Callable[[int], None], items: range, threads: int) -> None:
    """Call ``work`` with each item, in so many threads."""
    if threads == 1 or len(items) <= 1:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(min(threads, len(items))) as pool:
        # The list waits for all of them, and raises what one of them raised.
        list(pool.map(work, items))


@numba.njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _exp(x: float) -> Any:
    """Return exp(x) within 1 ulp for LOWEST <= x <= 0, NaN for NaN, by Cody and Waite's reduction x = k ln 2 + r."""
    biased = x * PER_LN2 + ROUND_AND_BIAS
    k = biased - ROUND_AND_BIAS
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    high = C8 + r * (C9 + r * (C10 + r * (C11 + r * (C12 + r * C13))))
    tail = C2 + r * (C3 + r * (C4 + r * (C5 + r * (C6 + r * (C7 + r * high)))))
    # The low bits of `biased` hold k + 1023; shifted into the exponent's place they are the float 2^k.
    scale = np.int64(np.float64(biased).view(np.int64) << 52).view(np.float64)
    return (1.0 + (r + r * r * tail)) * scale


@numba.njit(cache=True, nogil=True)
def _largest(z: Any, lanes: Any) -> Any:
    """Return the largest entry; an entry that is NaN may be passed over."""
    width = len(lanes)
    for j in range(width):
        lanes[j] = z[j]
    for start in range(width, len(z) - width + 1, width):
        part = z[start : start + width]
        for j in range(width):
            lanes[j] = part[j] if part[j] > lanes[j] else lanes[j]
    top = lanes[0]
    for j in range(width):
        top = lanes[j] if lanes[j] > top else top
    # What is left over is shorter than the lanes.
    for j in range(len(z) - len(z) % width, len(z)):
        top = z[j] if z[j] > top else top
    return top


@numba.njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _terms(z: Any, top: float, per_temperature: float) -> Any:
    """Return an entry's part of the sums: whether it ties with the largest; exp(x) and exp(x) x where it does not."""
    x: Any = (np.float64(z) - top) * per_temperature
    x = LOWEST if x < LOWEST else x
    e = _exp(x)
    e = 0.0 if x == 0.0 or x == LOWEST else e
    return 1.0 if x == 0.0 else 0.0, e, e * x


@numba.njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def _add_part(z: Any, top: float, per_temperature: float, ties: Any, se: Any, sex: Any, see: Any, seex: Any) -> None:
    """Add at most as many entries as there are lanes, one to a lane."""
    for j in range(len(z)):
        tie, e, ex = _terms(z[j], top, per_temperature)
        ties[j] += tie
        se[j] += e
        sex[j] += ex
        see[j] += e * e
        seex[j] += e * ex


@numba.njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def _add_entries(z: Any, top: Any, per_temperature: float, ties: Any, se: Any, sex: Any, see: Any, seex: Any) -> None:
    """Add one entry of each row to that row's sums."""
    for j in range(len(z)):
        tie, e, ex = _terms(z[j], top[j], per_temperature)
        ties[j] += tie
        se[j] += e
        sex[j] += ex
        see[j] += e * e
        seex[j] += e * ex


@numba.njit(cache=True, nogil=True)
def _fold(lanes: Any) -> Any:
    """Return the sum of the lanes, taken by halves into the first one, so that ten roundings follow one another."""
    width = len(lanes)
    while width > 1:
        half = (width + 1) // 2
        for j in range(width - half):
            lanes[j] += lanes[half + j]
        width = half
    return lanes[0]


@numba.njit(cache=True, nogil=True)
def _sum_rows(logits: Any, per_temperature: float, out: Any) -> None:
    """Write each row's sums into a column of ``out``; a row is summed by itself, so its bits depend on no other."""
    rows, vocabulary = logits.shape
    width = min(LANES, vocabulary)
    largest, lanes = np.empty(width, logits.dtype), np.empty((5, width))
    for i in range(rows):
        z = logits[i]
        top = np.float64(_largest(z, largest))
        lanes[:] = 0.0
        for start in range(0, vocabulary, width):
            part = z[start : start + width]
            _add_part(part, top, per_temperature, lanes[0], lanes[1], lanes[2], lanes[3], lanes[4])
        out[0, i] = top
        for q in range(5):
            out[q + 1, i] = _fold(lanes[q])


@numba.njit(cache=True, nogil=True)
def _sum_columns(logits: Any, first: int, last: int, per_temperature: float, out: Any) -> None:
    """Write the sums of columns first..last-1 of ``[entries, rows]`` into those of ``out``, side by side."""
    width = last - first
    top, near, whole = np.empty(width), np.empty((5, width)), np.zeros((5, width))
    for j in range(width):
        top[j] = logits[0, first + j]
    for i in range(1, len(logits)):
        z = logits[i, first:last]
        for j in range(width):
            top[j] = z[j] if z[j] > top[j] else top[j]
    for start in range(0, len(logits), RUN):
        near[:] = 0.0
        for i in range(start, min(start + RUN, len(logits))):
            z = logits[i, first:last]
            _add_entries(z, top, per_temperature, near[0], near[1], near[2], near[3], near[4])
        for q in range(5):
            for j in range(width):
                whole[q, j] += near[q, j]
    for j in range(width):
        out[0, first + j] = top[j]
        for q in range(5):
            out[q + 1, first + j] = whole[q, j]
