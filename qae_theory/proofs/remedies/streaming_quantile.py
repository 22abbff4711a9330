"""Prove claim ``streaming-stationary``: on 0/1 rewards a streaming quantile settles on a law, not on a gate's edge.

At K = 1/2 the baseline is a walk between 0 and 1 with a geometric stationary law. For any K the law balances: the share
of rewards at or below the baseline is K. Rewards are independent, with success probability p, and q = 1 - p.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Any

import sympy
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.tools.checking import all_equal, all_zero, both, for_all, rational, valid


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    steps = (*stationary_steps(), *_smooth(), *_any_level(), *_solved())
    ledger.add(Evidence("streaming-stationary", "geometric", Kind.PROOF, Role.FOR, steps))


def stationary_steps() -> tuple[Step, ...]:
    """Return the proof of the stationary law at K = 1/2, for the proofs that use it."""
    return (
        Step(
            says=r"$b \leftarrow b + \eta(K - 1\{R\le b\})$ with $R \in \{0, 1\}$: below 0 it always moves up by "
            r"$\eta K$, from 1 on always down by $\eta(1-K)$, and in between up exactly if $R = 1$. At $K = \frac12$ "
            r"both moves are $h = \eta/2$; with $h = 1/L$ and a start on the lattice, $b = ih$ with $i = -1, \ldots, "
            r"L$.",
            check=partial(_moves, inclusive=True),
            planted="R < b for R <= b",
            control=partial(_moves, inclusive=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"With $\rho = p/q$ the weights $q$ at $i = -1$, $\rho^i$ at $0 \le i < L$ and $q\rho^L$ at $i = L$ "
            r"are stationary: at each of the five kinds of places what comes in is what is there (symbolic $p$, $i$, "
            r"$L$).",
            check=partial(_balanced, end=1),
            planted="rho^L at i = L",
            control=partial(_balanced, end=0),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Every place reaches every other one, as $0 < p < 1$, so the law is the only stationary one. (The "
            r"walk moves by one place each time and so alternates between even and odd ones: averages over time "
            r"converge to the law, the law at one time does not.) Replayed: the equations' solutions have dimension "
            r"1.",
            check=partial(_one_solution, linked=True),
            planted="a walk that cannot leave -1",
            control=partial(_one_solution, linked=False),
            citation="J. Norris, Markov Chains (1997), Theorems 1.7.7 and 1.10.2",
        ),
    )


def _smooth() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Not a step: all weights are positive for $0 < p < 1$, and the places $i$ and $L-1-i$ have the "
            r"ratio $\rho^{L-1-2i}$. At $p = \frac12$ all of $0 \le i < L$ are equally likely; the gate opens over a "
            r"width of order $\eta$ in the log-odds of $p$.",
            check=partial(_ratio, factor=2),
            planted="rho^(L - 1 - i)",
            control=partial(_ratio, factor=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$E\,b$ grows strictly with $p$: along $\log\rho$ the log-weights have the slopes $-p$, $i$ and "
            r"$L-p$, which grow with the place, and the derivative of a mean is the covariance with the slope, "
            r"positive for two increasing functions (pair by pair).",
            check=partial(_mean_grows, sign=-1),
            planted="the slope L + p at the last place, p at the first",
            control=partial(_mean_grows, sign=1),
            generality=Generality.GENERAL,
        ),
    )


def _any_level() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Any $K$: the baseline stays in $[-\eta(1-K), 1+\eta K)$, and in a stationary law its mean does "
            r"not move, so $K = P(R\le b) = q\,P(0 \le b < 1) + P(b \ge 1)$.",
            check=partial(_mean_rests, overshoot=1),
            planted="bounds without the overshoot",
            control=partial(_mean_rests, overshoot=0),
            generality=Generality.GENERAL,
        ),
    )


def _solved() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Tie: the law, from the update rule applied to each place in Fractions and solved exactly, is the "
            r"formula for several $L$ and $p$.",
            check=partial(_solution_is_geometric, end=1),
            planted="rho^L at i = L",
            control=partial(_solution_is_geometric, end=0),
            tie=True,
        ),
        Step(
            says=r"Tie: $K = \frac25$, $\eta = \frac12$: the exact law of the rule balances, and $E\,b$ grows with $p$ "
            r"through values between 0 and 1 on either side of $p = 1-K$, where QAE's gate jumps.",
            check=partial(_solution_balances, level=Fraction(2, 5)),
            planted="balance at 1 - K",
            control=partial(_solution_balances, level=Fraction(3, 5)),
            tie=True,
        ),
    )


def _moves(*, inclusive: bool) -> Finding:
    """Find whether the rule moves up below 0, down from 1 on, and by the reward in between."""
    b, reward = z3.Reals("b R")
    counted = reward <= b if inclusive else reward < b
    up = z3.Not(counted)
    goal = z3.And(
        z3.Implies(b < 0, up), z3.Implies(b >= 1, z3.Not(up)), z3.Implies(z3.And(b >= 0, b < 1), up == (reward == 1))
    )
    return valid(goal, z3.Or(reward == 0, reward == 1))


def weight(place: Any, last: Any, p: Any, *, at: str, end: int = 1) -> Any:
    """Return the stationary weight of a place.

    Args:
        place: i.
        last: L.
        p: the success probability.
        at: ``below`` for i = -1, ``inside`` for 0 <= i < L, ``top`` for i = L.
        end: the power of q at the top; the law has 1.
    """
    q = 1 - p
    odds = p / q
    return {"below": q, "inside": odds**place, "top": q**end * odds**last}[at]


def _balanced(*, end: int) -> Finding:
    """Find whether what comes into each place is its weight; w stands for the weight rho^i of the place named."""
    p, w = sympy.symbols("p w", positive=True)
    q = 1 - p
    odds = p / q
    balance = [
        q**end * (w * odds) - w * p,  # at L, from L - 1 by a success
        q - 1 * q,  # at -1, from 0 by a failure
        1 - (q + odds * q),  # at 0, from -1 always and from 1 by a failure
        w - (w / odds * p + w * odds * q),  # inside, from either side
        w - (w / odds * p + q**end * (w * odds)),  # at L - 1, from L always
    ]
    return all_zero(balance)


def _after(b: Fraction, reward: int, level: Fraction, step: Fraction) -> Fraction:
    """Return the baseline after one reward."""
    return b + step * (level - (1 if reward <= b else 0))


def stationary(start: Fraction, p: Fraction, level: Fraction, step: Fraction) -> list[dict[Fraction, Fraction]]:
    """Return a basis of the solutions of the stationary equations on the places that a start leads to.

    Args:
        start: the baseline to begin with.
        p: the success probability.
        level: K.
        step: eta.

    Returns:
        For each solution the weight of each place; a law is scaled to sum to 1.
    """
    places = [start]
    for b in places:
        # The list grows while it is read, until no reward leads to a new place.
        for reward in (0, 1):
            after = _after(b, reward, level, step)
            if after not in places:
                places.append(after)
    order = {b: i for i, b in enumerate(sorted(places))}
    flow = sympy.zeros(len(order), len(order))
    for b, i in order.items():
        flow[i, i] -= 1
        for reward, chance in ((1, p), (0, 1 - p)):
            flow[order[_after(b, reward, level, step)], i] += rational(chance)
    solutions = []
    for vector in flow.nullspace():
        total = sum(vector)
        values = {b: Fraction(vector[i] / total) for b, i in order.items()}
        solutions.append(values)
    return solutions


def _one_solution(effort: Effort, *, linked: bool) -> Finding:
    """Find whether the walk's stationary equations have one solution up to scale, for small L."""

    def cases() -> Iterator[tuple[str, bool]]:
        for last in range(1, effort.pick(8, 5)):
            size = last + 2
            flow = sympy.zeros(size, size)
            p = sympy.Rational(1, 3)
            for i in range(size):
                flow[i, i] -= 1
                if i == 0 and not linked:
                    flow[0, 0] += 1
                    continue
                up = 1 if i == 0 else 0 if i == size - 1 else p
                if up:
                    flow[i + 1, i] += up
                if up != 1:
                    flow[i - 1, i] += 1 - up
            # Without a way out, all the weight lies at -1.
            solution = flow.nullspace()
            yield f"L = {last}", len(solution) == 1 and all(entry != 0 for entry in solution[0])

    return for_all(cases(), "walks of several lengths")


def _ratio(*, factor: int) -> Finding:
    """Find whether the places i and L - 1 - i have weights in the ratio rho^(L - 1 - 2 i)."""
    p = sympy.Symbol("p", positive=True)
    i, last = sympy.symbols("i L", integer=True, positive=True)
    mirrored, here = (weight(place, last, p, at="inside") for place in (last - 1 - i, i))
    odds = p / (1 - p)
    positive = z3.Real("p")
    alive = valid(positive / (1 - positive) > 0, positive > 0, positive < 1)
    claimed = odds ** (last - 1 - factor * i)
    return both(all_zero([sympy.powsimp(mirrored / here / claimed) - 1], sympy.simplify), alive)


def _mean_grows(*, sign: int) -> Finding:
    """Find whether the slopes of the log-weights in log rho are -p, i and L - p, and grow with the place."""
    x, i, last = sympy.symbols("x i L", real=True)
    odds = sympy.exp(x)
    q = 1 / (1 + odds)
    p = odds * q
    logs = (sympy.log(q), i * x, sympy.log(q) + last * x)
    slopes = (sign * p, i, last + sign * p)
    identity = all_zero([sympy.diff(log, x) - slope for log, slope in zip(logs, slopes, strict=True)], sympy.simplify)
    chance, place, size = z3.Reals("p i L")
    # The first place inside has slope 0, the last one L - 1.
    order = valid(z3.And(-chance < 0, size - 1 < size - chance, place < place + 1), chance > 0, chance < 1)
    left, right, low, high = z3.Reals("b b' slope slope'")
    pairs = valid((right - left) * (high - low) > 0, right > left, high > low)
    return both(identity, order, pairs)


def _mean_rests(*, overshoot: int) -> Finding:
    """Find whether the baseline stays within its bounds, and a resting mean balances."""
    b, reward, level, step = z3.Reals("b R K eta")
    after = b + step * (level - z3.If(reward <= b, z3.RealVal(1), z3.RealVal(0)))
    low, high = -step * (1 - level) * overshoot, 1 + step * level * overshoot
    domain = (z3.Or(reward == 0, reward == 1), level > 0, level < 1, step > 0, b >= low, b < high)
    stays = valid(z3.And(after >= low, after < high), *domain)
    inside, above, fail, k, eta = sympy.symbols("inside above q K eta", positive=True)
    # The mean move is eta (K - P(R <= b)).
    rest = eta * (k - (fail * inside + above))
    return both(stays, all_zero([sympy.solve(rest, k)[0] - (fail * inside + above)]))


def _solution_is_geometric(effort: Effort, *, end: int) -> Finding:
    """Find whether the rule's exact stationary law at K = 1/2 is the formula."""

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for last in effort.pick((1, 2, 3, 6), (1, 2, 3)):
            for p in (Fraction(1, 3), Fraction(1, 2), Fraction(4, 5)):
                h = Fraction(1, last)
                (law,) = stationary(Fraction(0), p, Fraction(1, 2), 2 * h)
                weights = [weight(-1, last, p, at="below")]
                weights += [weight(i, last, p, at="inside") for i in range(last)]
                weights.append(weight(last, last, p, at="top", end=end))
                for i, w in zip(range(-1, last + 1), weights, strict=True):
                    yield f"L={last}, p={p}, i={i}", law[i * h], w / sum(weights)

    return all_equal(cases(), "L and p")


def _solution_balances(effort: Effort, *, level: Fraction) -> Finding:
    """Find whether the exact law at K = 2/5 has P(R <= b) = level and a mean that grows with p."""

    def cases() -> Iterator[tuple[str, bool]]:
        means: list[Fraction] = []
        for tenths in effort.pick(range(1, 10), (2, 5, 6, 7, 9)):
            p = Fraction(tenths, 10)
            (law,) = stationary(Fraction(0), p, Fraction(2, 5), Fraction(1, 2))
            counted = sum(w * (1 if b >= 1 else (1 - p) if b >= 0 else 0) for b, w in law.items())
            means.append(sum((b * w for b, w in law.items()), Fraction(0)))
            yield f"p={p}: balance {counted}", counted == level
        growing = all(a < b for a, b in pairwise(means))
        smooth = sum(Fraction(1, 10) < mean < Fraction(9, 10) for mean in means) >= 2
        yield f"means {[float(m) for m in means]}", growing and smooth

    return for_all(cases(), "success probabilities")
