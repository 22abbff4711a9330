"""Prove claim ``asymre-limit``: with a baseline below the behaviour's value, off-policy REINFORCE has one limit.

The flow of the logits is a - b pi with a = mu (r - V) and b = V_mu - V > 0. The divergence KL(pi* || pi) from the
stated limit falls at least at the rate b |pi* - pi|^2, from every start and for any number of arms.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy
import z3

from qae_theory.arrays import Array
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.moments import PROB, X, Y
from qae_theory.proofs.tools.checking import ball, for_all, valid, zero
from qae_theory.proofs.tools.enumeration import exact
from qae_theory.proofs.tools.groups import same
from qae_theory.proofs.tools.rational_policies import Probs, logs
from qae_theory.softmax import probabilities
from qae_theory.updates import update_direction

# Three right responses, one of them rare, and one wrong one.
BEHAVIOUR: Probs = (Fraction(1, 2), Fraction(1, 4), Fraction(1, 20), Fraction(1, 5))
REWARDS = (1, 1, 1, 0)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    steps = (flow_step(), *_limit(), *_approach(), flow_tie(), _replayed_flow())
    ledger.add(Evidence("asymre-limit", "divergence-falls", Kind.PROOF, Role.FOR, steps))


def flow_step() -> Step:
    """Return the step that computes the expected direction of off-policy REINFORCE in the logits."""
    return Step(
        says=r"With $a_y = \mu_y(r_y - V)$ the expected direction $\sum_y a_y(e_y - \pi)$ has the entries $a_j - "
        r"b\,\pi_j$, where $b = \sum_ya_y = V_\mu - V$ (any number of arms).",
        check=partial(_flow, sign=-1),
        planted="a + b pi",
        control=partial(_flow, sign=1),
        generality=Generality.GENERAL,
    )


def flow_tie() -> Step:
    """Return the step that ties that direction to the shipped one of a sampled response."""
    return Step(
        says=r"Tie: it is the mean over $\mu$ of the shipped `sampled_group` direction of one response with advantage "
        r"$r - V$, in Fractions, for baselines on either side of $V_\mu$.",
        check=partial(_shipped_flow, sign=-1),
        planted="a + b pi",
        control=partial(_shipped_flow, sign=1),
        tie=True,
    )


def _limit() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The limit: $S(\tau) = \sum_y(a_y-\tau)_+$ is continuous (each term is 1-Lipschitz in $\tau$), is "
            r"0 at $\tau = \max a$, and at $\tau = 0$ is at least $\sum_ya_y = b > 0$. So $S(\tau) = b$ for some "
            r"$\tau \in [0, \max a)$ (intermediate value), and $\pi^*_y = (a_y-\tau)_+/b$ is a policy.",
            check=partial(_positive_part, lipschitz=1),
            planted="each term 1/2-Lipschitz",
            control=partial(_positive_part, lipschitz=Fraction(1, 2)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"So $a_y = b\,\pi^*_y + \tau - s_y$ with $s_y = (\tau - a_y)_+ \ge 0$ and $s_y\pi^*_y = 0$.",
            check=partial(_slack, sign=-1),
            planted="+ s",
            control=partial(_slack, sign=1),
            generality=Generality.GENERAL,
        ),
    )


def _approach() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Along the flow $(\log\pi)^\cdot = \dot z - E_\pi\dot z$, so $\frac{d}{dt}\mathrm{KL}(\pi^*\|\pi) = "
            r"-\sum_y(\pi^*_y-\pi_y)\,\dot z_y = -b\sum_y(\pi^*_y-\pi_y)^2 - \sum_y\pi_ys_y$ (sums over any number of "
            r"arms).",
            check=partial(_divergence_falls, sign=-1),
            planted="+ sum pi s",
            control=partial(_divergence_falls, sign=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"As $\mathrm{KL} \ge 0$ never rises, $|\pi^*-\pi|^2 \ge \delta$ can last no longer than "
            r"$\mathrm{KL}(0)/(b\delta)$: it falls below every $\delta$ at some time. There KL is small too, because "
            r"it is continuous at $\pi = \pi^*$, and it stays small: $\mathrm{KL} \to 0$.",
            check=partial(_cannot_last, sign=-1),
            planted="a divergence that grows at that rate",
            control=partial(_cannot_last, sign=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Pinsker's inequality, $\frac12(\sum_y|\pi^*_y-\pi_y|)^2 \le \mathrm{KL}(\pi^*\|\pi)$, makes this "
            r"$\pi \to \pi^*$, from every start; and as limits are unique, so is $\pi^*$.",
            check=partial(_pinsker, half=Fraction(1, 2)),
            planted="without the factor 1/2",
            control=partial(_pinsker, half=Fraction(1)),
            citation="T. Cover and J. Thomas, Elements of Information Theory, 2nd ed., Lemma 11.6.1",
        ),
    )


def _replayed_flow() -> Step:
    return Step(
        says=r"Tie: the flow, integrated in small steps from a start far from it, ends within $10^{-3}$ of "
        r"$(a-\tau)_+/b$. Right responses of $\mu = (\frac12, \frac14, \frac1{20})$ at $V = \frac12$: the rare one "
        r"dies out although it is right.",
        check=partial(_integrated, baseline=0.5),
        planted="the limit of another baseline",
        control=partial(_integrated, baseline=0.3),
        tie=True,
    )


def _flow(*, sign: int) -> Finding:
    """Find whether sum_y a_y (e_y - pi) has the entries a - b pi, x being a and y the indicator of one arm."""
    # The entry of one arm: the sum over sampled arms of a times (indicator of the arm, less its probability).
    entry_prob, entry = sympy.symbols("pi_j a_j", real=True)
    total = moments.plain_sum(X)
    direction = moments.plain_sum(X * Y) - entry_prob * moments.plain_sum(X)
    # The sum of a over an indicator is the arm's own a.
    own = direction.subs(moments.plain_sum(X * Y), entry)
    return zero(own - (entry + sign * total * entry_prob), sympy.expand)


def off_policy_direction(probs: Probs, behaviour: Probs, rewards: tuple[int, ...], baseline: Fraction) -> Array:
    """Return the mean over the behaviour policy of the shipped direction of one response, with advantage r - V.

    Args:
        probs: the policy that is updated.
        behaviour: mu, which samples.
        rewards: 0 or 1 for each response.
        baseline: V.

    Returns:
        ``[n]``, exact numbers.
    """
    total = exact([0] * len(probs))
    for y, weight in enumerate(behaviour):
        group = {"responses": [y], "advantages": exact([rewards[y] - baseline])}
        total = total + weight * update_direction(logs(probs), exact(rewards), "sampled_group", **group)
    return total


def _shipped_flow(*, sign: int) -> Finding:
    """Find whether the mean shipped direction is a + sign b pi."""
    probs: Probs = (Fraction(1, 10), Fraction(2, 5), Fraction(3, 10), Fraction(1, 5))

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for baseline in (Fraction(-1, 3), Fraction(1, 2), Fraction(4, 5), Fraction(1)):
            a = [m * (r - baseline) for m, r in zip(BEHAVIOUR, REWARDS, strict=True)]
            claimed = exact([x + sign * sum(a) * p for x, p in zip(a, probs, strict=True)])
            yield f"V = {baseline}", off_policy_direction(probs, BEHAVIOUR, REWARDS, baseline), claimed

    return same(cases(), "four responses")


def _positive_part(*, lipschitz: Any) -> Finding:
    """Find whether (a - tau)_+ is Lipschitz in tau, at least a at 0, and 0 from a on."""
    a, tau, later = z3.Reals("a tau tau'")

    def part(level: Any) -> Any:
        return z3.If(a > level, a - level, z3.RealVal(0))

    bound = z3.Q(Fraction(lipschitz).numerator, Fraction(lipschitz).denominator)
    fall = part(tau) - part(later)
    goal = z3.And(fall >= 0, fall <= bound * (later - tau), part(z3.RealVal(0)) >= a, part(a) == 0)
    return valid(goal, tau <= later)


def _slack(*, sign: int) -> Finding:
    """Find whether a = b pi* + tau - s with s >= 0 and s pi* = 0."""
    a, b, tau = z3.Reals("a b tau")
    target = z3.If(a > tau, a - tau, z3.RealVal(0)) / b
    slack = z3.If(tau > a, tau - a, z3.RealVal(0))
    return valid(z3.And(a == b * target + tau + sign * slack, slack >= 0, slack * target == 0), b > 0)


def _divergence_falls(*, sign: int) -> Finding:
    """Find whether the divergence changes at the rate -b sum (pi* - pi)^2 - sum pi s; x is pi* and y is s."""
    b, tau = sympy.symbols("b tau", real=True)
    speed = b * X + tau - Y - b * PROB
    # KL(pi* || pi) moves by minus the sum of pi* (log pi)', and (log pi)' = z' - E z'.
    rate = -moments.plain_sum(sympy.expand(X * (speed - moments.mean(speed))))
    claimed = -b * moments.plain_sum(sympy.expand((X - PROB) ** 2)) + sign * moments.mean(Y)
    # pi* sums to 1 and is 0 wherever s is not.
    known = {moments.plain_sum(X): 1, moments.plain_sum(X * Y): 0}
    return zero((rate - claimed).subs(known), sympy.expand)


def _cannot_last(*, sign: int) -> Finding:
    """Find whether a divergence that falls at the rate b delta would be negative after KL(0)/(b delta)."""
    start, now, b, delta, time = z3.Reals("KL_0 KL b delta t")
    known = (start >= 0, b > 0, delta > 0, time * (b * delta) > start)
    return valid(now < 0, *known, now <= start + sign * b * delta * time)


def _pinsker(effort: Effort, *, half: Fraction) -> Finding:
    """Find whether half of the squared distance is at most the divergence, on a grid of two-response policies."""
    size = effort.pick(16, 8)

    def cases() -> Iterator[tuple[str, bool]]:
        for i in range(1, size):
            for j in range(1, size):
                if i == j:
                    continue
                p, q = Fraction(i, size), Fraction(j, size)
                pairs = ((p, q), (1 - p, 1 - q))
                divergence = sum(ball(x) * (ball(x) / ball(y)).log() for x, y in pairs)
                distance = sum(abs(x - y) for x, y in pairs)
                yield f"{p} against {q}", bool(divergence - ball(half * distance**2) > 0)

    return for_all(cases(), "pairs of policies on two responses")


def limit_policy(a: Array) -> Array:
    """Return (a - tau)_+ / sum(a), with tau found by bisection.

    Args:
        a: ``[n]``, floats with a positive sum.
    """
    low, high = 0.0, float(a.max())
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if np.maximum(a - middle, 0).sum() > a.sum() else (low, middle)
    return np.asarray(np.maximum(a - low, 0) / a.sum())


def _integrated(effort: Effort, *, baseline: float) -> Finding:
    """Find whether small steps of the flow at V = 1/2 end at the limit that belongs to a baseline."""
    behaviour, rewards = np.array([float(p) for p in BEHAVIOUR]), np.array(REWARDS, dtype=float)
    a = behaviour * (rewards - 0.5)
    logits = np.array([-2.0, 0.0, 1.0, 2.0])
    # The divergence falls below 1e-6 long before time 400; steps of 0.2 are far inside the flow's stable range.
    for _ in range(effort.pick(4000, 2000)):
        logits = logits + 0.2 * (a - a.sum() * probabilities(logits))
    gap = np.abs(probabilities(logits) - limit_policy(behaviour * (rewards - baseline))).max()
    return for_all([(f"distance {gap:.2e}", bool(gap < 1e-3))], f"distance {gap:.2e}")
