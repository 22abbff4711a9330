"""List the policies, directions and steps on which shipped functions meet ball arithmetic, and batches of them.

The cases cover what float64 makes hard: equal logits, gaps up to the ends of the range, tiny and huge steps. What is
checked on them is in the ties of each page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.claims.model import Effort


@dataclass(frozen=True)
class Case:
    """Hold one policy with a direction.

    Attributes:
        label: names the case in a counterexample.
        logits: ``[n]``, float64.
        direction: ``[n]``, the change of the logits for a unit step.
        flat: whether equal logits make first-order terms cancel, so that no relative accuracy can be asked of them.
    """

    label: str
    logits: Array
    direction: Array
    flat: bool = False


def policies(effort: Effort, *, extreme: bool = False) -> list[Case]:
    """Return policies from uniform to peaked, with one arm to many, each with a drawn direction.

    Args:
        effort: brings the seed and the size of the largest policy.
        extreme: whether to add logits at the ends of float64.
    """
    rng = np.random.default_rng(effort.seed)
    flat = {
        # A counterexample reports its label, so each case is called by what is hard about it.
        "one arm": [3.0],
        "uniform": [0.0, 0.0, 0.0],
        "nearly uniform": [0.0, 1e-9, -2e-9, 5e-10],
        "two tied": [0.5, 0.5, -700.0],
    }
    plain = {
        "two arms": [0.0, 1.5],
        "ordered": [2.0, 1.0, 0.0, -1.0, -3.5],
        "shifted by 1e6": [1e6, 1e6 - 1, 1e6 + 0.5],
        "peaked, gap 40": [0.0, -40.0, -41.0, -60.0],
        "peaked, gap 700": [0.0, -650.0, -700.0],
        "drawn": list(rng.normal(scale=2.0, size=effort.pick(200, 20))),
    }
    # A sum or difference of these logits overflows; the log-probabilities must not.
    ends = {"beyond float64": [1e308, -1e308, 1e308], "gap 1e3": [0.0, -1e3, -1.0], "large": [1.7e308, 0.0]}
    cases = []
    for named_logits, is_flat in ((flat, True), (plain, False), (ends if extreme else {}, True)):
        for label, logits in named_logits.items():
            cases.append(Case(label, np.array(logits), rng.uniform(-1.0, 1.0, len(logits)), is_flat))
    return cases


def steps_of(effort: Effort) -> tuple[float, ...]:
    """Return step sizes from 1e-12 to 1e3, of either sign, and 0.

    Args:
        effort: a quick run gets fewer of them.
    """
    return effort.pick(
        (0.0, 1e-12, 1e-6, -1e-3, 0.01, 0.3, -0.3, 1.0, 3.0, -30.0, 1e3), (0.0, 1e-12, -1e-3, 0.3, 3.0, 1e3)
    )


def row_by_row(effort: Effort, function: Callable[..., Any], *, arity: int, shift: int) -> Iterator[tuple[str, bool]]:
    """Yield, with a label, whether each row of a batch gets the result that it gets alone, whatever is batched.

    Args:
        effort: brings the seed of the drawn batch.
        function: takes the first ``arity`` of logits, direction and step size.
        arity: how many of the three it takes.
        shift: 0; another number compares each row with a wrong one, for a control.
    """
    rng = np.random.default_rng(effort.seed)
    steps = np.array([[1e-9, 0.3, 30.0], [-1e-4, 1.0, 1e-6]])  # small ones beside large ones
    full = (rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4)), steps)[:arity]
    for batched in product((True, False), repeat=arity):
        # Without a batched argument there are no rows to compare.
        if not any(batched):
            continue
        arguments = [x if keep else x[0, 0] for x, keep in zip(full, batched, strict=True)]
        whole = _as_tuple(function(*arguments))
        for i, j in np.ndindex(2, 3):
            compared = (i, (j + shift) % 3)
            own_arguments = [x[compared] if keep else x for x, keep in zip(arguments, batched, strict=True)]
            own = _as_tuple(function(*own_arguments))
            same = all(_same_row(a, (i, j), b) for a, b in zip(whole, own, strict=True))
            yield f"{function.__name__}, batched {batched}, row {i, j}", same


def _as_tuple(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def _same_row(batch: Array, at: tuple[int, int], own: Any) -> bool:
    # 1e-11: sums over rows of a batch may round in another order, which cancellation magnifies.
    return np.shape(batch)[:2] == (2, 3) and np.allclose(batch[at], own, rtol=1e-11, atol=0.0)
