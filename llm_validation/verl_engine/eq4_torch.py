"""Show how the real ``torch.quantile`` rounds on binary groups, beside linear interpolation computed exactly.

Interpolation itself is fractional at some groups (claim ``eq4-released-code``); that is not counted here. A leak is a
group whose exact interpolated quantile is 0 or 1 while torch's is neither, so that the gate opens for the other
outcome too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from typing import NamedTuple

import numpy as np

from qae_theory import quantile_baseline
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role, Step

CRITERION = "no leak found"
# Trainers sample 4 to 64 responses to a prompt; twice the most costs seconds, with every number of right ones.
LARGEST_GROUP = 128
LEVELS = tuple(Fraction(i, 20) for i in range(1, 20))
# The control: at these levels the position (G - 1) K has few binary digits, so that torch rounds nothing.
BINARY_LEVELS = (Fraction(1, 2), Fraction(1, 4), Fraction(3, 4))
DTYPES = ("float32", "float64")
EPS = 1e-6  # of the released code, beside Bessel's std


class Leak(NamedTuple):
    """A binary group on which torch's quantile is neither 0 nor 1 while the exact one is.

    Attributes:
        group_size: G.
        num_correct: m, the number of right responses.
        k: the quantile level.
        exact: the interpolated quantile in rational arithmetic.
        torch: torch's quantile.
    """

    group_size: int
    num_correct: int
    k: Fraction
    exact: Fraction
    torch: float


def register(ledger: Ledger) -> None:
    """Add the evidence of this module to the ledger."""
    steps = tuple(_step(dtype) for dtype in DTYPES)
    ledger.add(Evidence("eq4-torch", "rounding-leaks", Kind.WITNESS, Role.AGAINST, steps, requires=("torch",)))


def leaks(dtype: str, group_sizes: Iterable[int], levels: Sequence[Fraction]) -> Iterator[Leak]:
    """Yield every leak of ``torch.quantile`` in this arithmetic, small groups first.

    Args:
        dtype: ``float32`` or ``float64``.
        group_sizes: group sizes G, each >= 1; every m = 0..G is tried.
        levels: quantile levels K, each in (0, 1).
    """
    for size in group_sizes:
        for k in levels:
            for m, value in enumerate(torch_quantiles(dtype, size, k)):
                if value in (0.0, 1.0):
                    continue
                exact = exact_quantile(size, m, k)
                if exact in (0, 1):
                    yield Leak(size, m, k, exact, value)


def torch_quantiles(dtype: str, group_size: int, k: Fraction) -> list[float]:
    """Return ``torch.quantile`` of the groups with m = 0..G right responses, as the released code calls it."""
    import torch

    # Row m of the triangle has m ones: all binary groups of one size in one call.
    groups = torch.tensor(np.tri(group_size + 1, group_size, -1), dtype=getattr(torch, dtype))
    values: list[float] = torch.quantile(groups, float(k), dim=1).tolist()
    return values


def exact_quantile(group_size: int, num_correct: int, k: Fraction) -> Fraction:
    """Return the linearly interpolated quantile of a group with m right responses, in rational arithmetic."""
    group = np.array([Fraction(int(i < num_correct)) for i in range(group_size)], dtype=object)
    return Fraction(quantile_baseline(group, k, method="linear").item())


def torch_advantages(dtype: str, leak: Leak, baseline: float) -> tuple[float, float]:
    """Return (R - b) / (std + eps) of a right and of a wrong response, with Bessel's std, in torch's arithmetic."""
    import torch

    rewards = torch.tensor([1.0] * leak.num_correct + [0.0] * (leak.group_size - leak.num_correct))
    rewards = rewards.to(getattr(torch, dtype))
    row = (rewards - baseline) / (rewards.std() + EPS)
    return float(row[0]), float(row[-1])


def _step(dtype: str) -> Step:
    """Return the step of the evidence for one arithmetic, with its control."""
    return Step(
        says=rf"In {dtype}, over $G \le {LARGEST_GROUP}$, $K$ in twentieths and every $m$, `torch.quantile` leaks: at "
        r"a group whose exact interpolated quantile is 0 or 1 it is neither, and both outcomes get a non-zero "
        r"advantage, where exactly one outcome has it.",
        check=partial(_leaks, dtype=dtype, levels=LEVELS),
        planted="K in quarters, where every product is a binary number and nothing is rounded",
        control=partial(_leaks, dtype=dtype, levels=BINARY_LEVELS),
    )


def _leaks(effort: Effort, *, dtype: str, levels: Sequence[Fraction]) -> Finding:
    """Return the finding of the groups that leak and open the gate."""
    del effort
    opened = [leak for leak in leaks(dtype, range(2, LARGEST_GROUP + 1), levels) if _opens_the_gate(dtype, leak)]
    if not opened:
        return Finding(
            False, CRITERION, f"{dtype}: none at G <= {LARGEST_GROUP} and K in {', '.join(map(str, levels))}"
        )
    first = opened[0]
    groups = ", ".join(f"G={leak.group_size} K={leak.k} m={leak.num_correct}" for leak in opened)
    detail = f"{dtype}: {len(opened)} groups: {groups}"
    return Finding(True, CRITERION, detail, _worked(dtype, first))


def _opens_the_gate(dtype: str, leak: Leak) -> bool:
    """Return whether both outcomes get a non-zero advantage from torch's quantile and only one from the exact one."""
    return all(torch_advantages(dtype, leak, leak.torch)) and not all(torch_advantages(dtype, leak, float(leak.exact)))


def _worked(dtype: str, leak: Leak) -> dict[str, str]:
    """Return the smallest witness, worked out: the group, both quantiles, and the advantages that follow from each."""
    pairs = {
        "torch.quantile": torch_advantages(dtype, leak, leak.torch),
        "the exact quantile": torch_advantages(dtype, leak, float(leak.exact)),
    }
    return {
        "arithmetic": dtype,
        "G": str(leak.group_size),
        "m": str(leak.num_correct),
        "K": str(leak.k),
        "interpolated exactly": str(leak.exact),
        "torch.quantile": repr(leak.torch),
        **{f"A of a right and a wrong response, {name}": f"({a:.6g}, {b:.6g})" for name, (a, b) in pairs.items()},
    }
