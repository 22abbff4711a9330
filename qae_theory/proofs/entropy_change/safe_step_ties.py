"""Tie claim ``safe-step`` to the shipped step size: its value in ball arithmetic, and the order that it certifies.

Queries have ties, peaks and up to six arms; the proof is in ``safe_step``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import flint
import numpy as np

from qae_theory.claims.model import Effort, Finding, Step
from qae_theory.entropy_change import safe_step_size
from qae_theory.proofs.tools import ball_entropy as exact
from qae_theory.proofs.tools.checking import for_all


@dataclass(frozen=True)
class Instance:
    """Hold a query with two baselines, in floats.

    Attributes:
        logits: one per response.
        rewards: one per response, 0 or 1.
        low: the smaller baseline b_1.
        high: the larger baseline b_2.
    """

    logits: tuple[float, ...]
    rewards: tuple[int, ...]
    low: float
    high: float


def steps() -> tuple[Step, ...]:
    """Return the ties of claim `safe-step` to `safe_step_size`."""
    return (
        Step(
            says=r"The shipped `safe_step_size` is that number: an independent evaluation in ball arithmetic, "
            r"over all pairs, agrees to $10^{-12}$ relative and is never below it, on every reward vector of "
            r"policies with ties, peaks and up to 6 arms, each route being the larger one somewhere.",
            check=partial(_independent, factor=1),
            planted="pairs weighed by (b1, 1 - b1)",
            control=partial(_independent, factor=0),
            tie=True,
        ),
        Step(
            says=r"At the shipped step, at a half and at a hundredth of it, the exact order holds: $\Delta "
            r"H(b_1) \le \Delta H(b_2)$ in ball arithmetic.",
            check=partial(_certified, sign=1),
            planted="the order reversed",
            control=partial(_certified, sign=-1),
            tie=True,
        ),
        Step(
            says=r"It is no wild underestimate: for $\pi = (2/5, 3/5)$, $r = (1, 0)$, $b = 0$ against 1 the "
            r"order holds at the shipped step and fails at 1.21 times it (true limit: $2\log(3/2)$, 1.2 "
            r"times).",
            check=partial(_nearly_tight, times="1.21"),
            planted="1.19 times",
            control=partial(_nearly_tight, times="1.19"),
            tie=True,
        ),
        Step(
            says=r"Limits: directions that are constant for both baselines give $\infty$; batches are treated "
            r"row by row.",
            check=partial(_limits, shift=0),
            planted="the rows shifted by one",
            control=partial(_limits, shift=1),
            tie=True,
        ),
    )


def _instances(effort: Effort) -> Iterator[Instance]:
    """Yield queries with listed logits and every reward vector, then drawn ones."""
    policies: list[Sequence[float]] = [
        (0.0, 1.0), (0.0, 0.0), (float(np.log(2 / 3)), 0.0), (0.0, 1e-4, 2e-4), (0.0, 0.0, 3.0), (1.0, 0.0, -30.0),
        (0.0, -700.0, -1.0), (-0.3, 0.9, 0.2, 1.7), (0.0, 0.3, 0.31, 2.0, -1.0),
        (0.0, 1e-9), (0.5, 0.5 + 1e-12, 0.5), (0.1, 0.1 - 1e-15),
    ]  # fmt: skip
    # The whole range, its lower half, its middle, and a narrow part near 1.
    baselines = ((0.0, 1.0), (0.0, 0.5), (0.25, 0.75), (0.9, 1.0))
    for logits in policies:
        for rewards in product((0, 1), repeat=len(logits)):
            for low, high in baselines[:: effort.pick(1, 2)]:
                yield Instance(tuple(logits), rewards, low, high)
    rng = np.random.default_rng(effort.seed)
    for _ in range(effort.pick(60, 15)):
        low, high = sorted(rng.uniform(size=2))
        arms = int(rng.integers(2, 7))
        rewards = tuple(int(x) for x in rng.integers(0, 2, arms))
        yield Instance(tuple(rng.normal(scale=2.0, size=arms)), rewards, float(low), float(high))


def _routes(at: Instance, *, factor: int = 1) -> tuple[Any, Any]:
    """Return both steps of the claim in ball arithmetic, over all pairs; the first is None where there is no limit."""
    z = exact.balls(at.logits)
    probs, _ = exact.policy(z)
    low, high = flint.arb(at.low), flint.arb(at.high)
    below, above = exact.brackets(len(z))
    curvature = flint.arb(0)
    for b, bracket in ((high, below), (low, above)):
        curvature += (
            exact.power(exact.spread([p * (r - b) for p, r in zip(probs, at.rewards, strict=True)]), 2) * bracket
        )
    # Both directions are constant iff nothing tells the arms apart: any b pushes a right and a wrong one apart.
    still = len(set(zip(at.logits, at.rewards, strict=True))) == 1
    remainder = None if still else 2 * (high - low) * exact.self_covariance(z) / curvature
    share = high if factor else low
    # The second route's bound for two wrong responses, which needs no pair.
    limits = [2 / high]
    for i, j in product(range(len(z)), repeat=2):
        if at.rewards[i] == 0 and at.rewards[j] == 1 and at.logits[i] > at.logits[j]:
            limits.append((z[i] - z[j]) / (share * probs[i] + (1 - share) * probs[j]))
    return remainder, min(limits)


def _independent(effort: Effort, *, factor: int) -> Finding:
    """Find whether the shipped step is the larger of the two routes', rounded down."""
    larger: set[str] = set()

    def cases() -> Iterator[tuple[str, bool]]:
        for at in _instances(effort):
            shipped = float(safe_step_size(at.logits, at.rewards, at.low, at.high))
            with flint.ctx.workdps(exact.DIGITS):
                remainder, order = _routes(at, factor=factor)
                if remainder is None:
                    yield str(at), shipped == np.inf
                    continue
                truth = remainder if remainder > order else order
                larger.add("remainder" if remainder > order else "order")
                # 1e-12: rounding down takes off 8 (n + 800) u = 7e-13.
                near = exact.close(shipped, truth, relative=1e-12)
                yield str(at), near and bool(flint.arb(shipped) <= truth)
        # If one route were never the larger, its formula would go untested.
        yield f"routes seen: {sorted(larger)}", larger == {"remainder", "order"}

    return for_all(cases(), "policies with ties and peaks, every reward vector")


def _certified(effort: Effort, *, sign: int) -> Finding:
    """Find whether the exact order holds at the shipped step and at parts of it."""

    def cases() -> Iterator[tuple[str, bool]]:
        for at in _instances(effort):
            step = float(safe_step_size(at.logits, at.rewards, at.low, at.high))
            if len(set(zip(at.logits, at.rewards, strict=True))) == 1:
                continue  # nothing moves: both changes are 0
            for part in (1.0, 0.5, 0.01):
                with flint.ctx.workdps(exact.DIGITS):
                    # Beyond 1e6 one arm has all probability, to all digits.
                    gap = _gap(at, flint.arb(min(step, 1e6)) * flint.arb(part))
                    yield f"{at}, {part} of {step:.4g}", bool(sign * gap >= 0) or _same_gap(at)

    return for_all(cases(), "policies with ties and peaks, every reward vector")


def _same_gap(at: Instance) -> bool:
    """Return whether there are two equal arms, one right, one wrong: their logits part by eta/2 whatever b is."""
    return len(set(at.logits)) == 1 and sorted(at.rewards) == [0, 1]


def _gap(at: Instance, eta: Any) -> Any:
    """Return Delta H(b2) - Delta H(b1) as a ball."""
    z = exact.balls(at.logits)
    probs, _ = exact.policy(z)

    def entropy_after(baseline: float) -> Any:
        # The uncentred update moves each logit by eta pi (r - b).
        b = flint.arb(baseline)
        return exact.entropy([x + eta * p * (r - b) for x, p, r in zip(z, probs, at.rewards, strict=True)])

    return entropy_after(at.high) - entropy_after(at.low)


def _nearly_tight(*, times: str) -> Finding:
    """Find whether the order of one query holds at the shipped step and fails at ``times`` times it."""
    # pi = (2/5, 3/5), for which the true limit is known in closed form.
    at = Instance((float(np.log(2.0)), float(np.log(3.0))), (1, 0), 0.0, 1.0)
    step = flint.arb(float(safe_step_size(at.logits, at.rewards, at.low, at.high)))
    with flint.ctx.workdps(exact.DIGITS):
        cases = [
            ("at the step", bool(_gap(at, step) > 0)),
            (f"{times} times", bool(_gap(at, step * flint.arb(times)) < 0)),
        ]
    return for_all(cases, "one query")


def _limits(effort: Effort, *, shift: int) -> Finding:
    """Find whether directions that move nothing have no limit, and the rows of a batch are treated apart."""
    rng = np.random.default_rng(effort.seed)
    z, r = rng.normal(size=(2, 3, 4)), rng.integers(0, 2, (2, 3, 4))
    low, high = rng.uniform(0.0, 0.4, (2, 3)), rng.uniform(0.5, 1.0, (2, 3))

    def cases() -> Iterator[tuple[str, bool]]:
        yield "equal arms, equal rewards", bool(np.isinf(safe_step_size([1.0, 1.0], [1, 1], 0.0, 1.0)))
        # Both directions are pi times a constant, so that the first route is a number over b2.
        ordinary, tiny, tiniest = (
            float(safe_step_size([0.0, 1.0], [0, 0], 0.0, b)) * b for b in (1e-3, 1e-200, 1e-300)
        )
        yield "curvature below float64: the first route is kept", bool(abs(tiny / ordinary - 1) < 1e-11)
        yield "a spread below 1e-290: the second route is left", bool(1.99 < tiniest < 2)
        yield (
            "no wrong arm above a right one: 2/b2 at least",
            bool(safe_step_size([5.0, 0.0], [1, 0], 0.0, 0.5) >= 4 * (1 - 1e-11)),
        )
        for batched in product((True, False), repeat=4):
            if not any(batched):
                continue
            arguments = [x if keep else x[0, 0] for x, keep in zip((z, r, low, high), batched, strict=True)]
            whole = safe_step_size(*arguments)
            for i, j in np.ndindex(2, 3):
                at = (i, (j + shift) % 3)
                own = safe_step_size(*(x[at] if keep else x for x, keep in zip(arguments, batched, strict=True)))
                same = whole.shape == (2, 3) and float(whole[i, j]) == float(own)
                yield f"batched {batched}, row {i, j}", same

    return for_all(cases(), "every combination of batched and single arguments")
