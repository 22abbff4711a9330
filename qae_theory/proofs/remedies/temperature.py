"""Prove ``aepo-temperature-sign``, refute ``target-reachable``: what sampling at another temperature does to entropy.

REINFORCE on samples of pi_T, proportional to pi^(1/T), pushes the logits by pi_T - pi. With u = log pi + H and M(s) =
E[e^(s u)] the entropy moves at e^-H (M'(1) - M'(1 + s)/M(s)), s = 1/T - 1, whose sign is that of T - 1. From a uniform
policy no temperature moves anything; with one most likely response every target is reached (``-if``).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import sympy
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import first_order_entropy_change
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.generic_arm import for_any_policy
from qae_theory.proofs.carriers.moments import LOG_PROB, PROB, X
from qae_theory.proofs.tools.checking import all_zero, ball, both, for_all, rational, valid, with_witness, zero
from qae_theory.proofs.tools.rational_policies import HALVES, THIRDS, Probs, log_form, logs, number, small_policies
from qae_theory.softmax import entropy, probabilities


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    rescued = "target-reachable-if"
    ledger.add(Evidence("aepo-temperature-sign", "log-convexity", Kind.PROOF, Role.FOR, (*_sign(), _tie())))
    ledger.add(Evidence("target-reachable", "uniform-start", Kind.WITNESS, Role.AGAINST, (_uniform(), _tied_top())))
    ledger.add(Evidence(rescued, "both-ends", Kind.PROOF, Role.UNDER, (*_ends(), _between())))
    ledger.add(Evidence(rescued, "uniform-start", Kind.WITNESS, Role.WITHOUT, (_uniform(),)))


def _sign() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Along $d = x - \pi$, $x$ any policy, the shipped `first_order_entropy_change` on any number of "
            r"arms is $E[\pi u] - E[xu]$ with $u = \log\pi + H$, and $E\,u = 0$.",
            check=partial(_along_difference, sign=-1),
            planted="E[pi u] + E[x u]",
            control=partial(_along_difference, sign=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$\pi = e^{u-H}$ and $\pi_T = \pi e^{su}/M(s)$ with $s = \frac1T-1 > -1$. So response by response "
            r"$\pi u = e^{-H}ue^u$ and $\pi_Tu = e^{-H}ue^{(1+s)u}/M(s)$, and the change is $e^{-H}[M'(1) - "
            r"M'(1+s)/M(s)]$.",
            check=partial(_tilted, shift=1),
            planted="M'(s)/M(s)",
            control=partial(_tilted, shift=0),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$M'' = E[u^2e^{su}] \ge 0$, and $K = \log M$ has $K'' = \mathrm{Var}_s(u) \ge 0$, the variance "
            r"under the tilted policy. $M(0) = 1$ and $M'(0) = E\,u = 0$, so $M \ge 1$ and $M'(1) \ge 0$. All strict "
            r"unless $u = 0$ everywhere, that is, unless $\pi$ is uniform.",
            check=partial(_convex, power=2),
            planted="K'' = M''/M - M'/M",
            control=partial(_convex, power=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$T > 1$ ($s < 0$): $M'$ grows, so $M'(1+s) \le M'(1) \le M(s)M'(1)$, and entropy does not fall.",
            check=partial(_hotter, least=1),
            planted="M(s) >= 0 only",
            control=partial(_hotter, least=0),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$T < 1$ ($s > 0$): $K(1+s) - K(s)$ grows with $s$ as $K'(1+s) \ge K'(s)$, and at $s = 0$ it is "
            r"$K(1)$. So $M(1+s) \ge M(1)M(s)$, and with $K'(1+s) \ge K'(1) \ge 0$: $M'(1+s) = K'(1+s)M(1+s) \ge "
            r"K'(1)M(1)M(s) = M'(1)M(s)$. Entropy does not rise.",
            check=partial(_colder, convex=True),
            planted="a K' that falls",
            control=partial(_colder, convex=False),
            generality=Generality.GENERAL,
        ),
    )


def _tie() -> Step:
    return Step(
        says=r"Tie: the shipped first-order change along $\pi_T - \pi$ on small rational policies that are not "
        r"uniform has the sign of $T-1$ at $1/T = 0, 2, 3$ (ball arithmetic on exact directions).",
        check=partial(_shipped_sign, flipped=1),
        planted="the sign of 1 - T",
        control=partial(_shipped_sign, flipped=-1),
        tie=True,
    )


def _uniform() -> Step:
    return Step(
        says=r"$\pi = (\frac12, \frac12)$: $\pi_T = \pi$ and so $\pi_T - \pi = 0$ at every temperature ($1/T = 0, 1, "
        r"2, 5$, and for every $T$, as equal probabilities have equal powers). Entropy stays at $\log 2$; no smaller "
        r"target is reached.",
        check=partial(_never_moves, probs=HALVES),
        planted="pi = (1/3, 2/3)",
        control=partial(_never_moves, probs=THIRDS),
        generality=Generality.GENERAL,
    )


def _tied_top() -> Step:
    return Step(
        says=r"Two responses that are equally likely are pushed alike at every temperature and stay so. If they are "
        r"the most likely ones they keep $\pi_1 = \pi_2 \ge \pi_j$, so $\max\pi \le \frac12$ and $H \ge -\log\max\pi "
        r"\ge \log2$.",
        check=partial(_ties_stay, equal=True),
        planted="two different probabilities",
        control=partial(_ties_stay, equal=False),
        generality=Generality.GENERAL,
    )


def _ends() -> tuple[Step, ...]:
    return (
        Step(
            says=r"$T \to 0$: with one most likely response $i$, $\pi_T \to e_i$. Its gap to another one moves at $1 "
            r"- \pi_i + \pi_j \ge 1-\pi_i$: while $\pi_i \le 1-\delta$ every gap grows at least at the rate "
            r"$\delta$, so $\pi_i$ comes above $1-\delta$ for every $\delta > 0$, and $H \to 0$.",
            check=partial(_cold_gap, sign=1),
            planted="the opposite step",
            control=partial(_cold_gap, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$T \to \infty$: $\pi_T \to \frac1n$. The gap $\delta$ of the most to the least likely response "
            r"moves at $-(\pi_{max}-\pi_{min}) = -\pi_{min}(e^\delta-1) \le -\frac1ne^{-\delta_0}\delta$, as "
            r"$\pi_{min} \ge \frac1ne^{-\delta}$ and $\delta \le \delta_0$: it goes to 0 exponentially, and $H \to "
            r"\log n$.",
            check=partial(_hot_gap, sign=-1),
            planted="the opposite step",
            control=partial(_hot_gap, sign=1),
            generality=Generality.GENERAL,
        ),
    )


def _between() -> Step:
    return Step(
        says=r"$H$ moves continuously from its start towards $0$ in one case and towards $\log n$ in the other, so "
        r"every target in $(0, \log n)$ is met by one of the two (intermediate value). Replayed: small steps of "
        r"either flow from $(\frac12, \frac3{10}, \frac15)$ pass targets on both sides.",
        check=partial(_targets_met, reachable=True),
        planted="a target above log n",
        control=partial(_targets_met, reachable=False),
        citation="W. Rudin, Principles of Mathematical Analysis, 3rd ed., Theorem 4.23",
    )


def _along_difference(*, sign: int) -> Finding:
    """Find whether the shipped change along x - pi is E[pi u] - E[x u], and E u = 0."""
    u = LOG_PROB - moments.mean(LOG_PROB)
    shipped = for_any_policy(lambda arms: first_order_entropy_change(arms.logits(), arms.entries(X - PROB)))
    claimed = moments.mean(sympy.expand(PROB * u)) + sign * moments.mean(sympy.expand(X * u))
    return all_zero([shipped - claimed, moments.mean(u)], sympy.expand)


def _tilted(*, shift: int) -> Finding:
    """Find whether pi u and pi_T u, averaged under pi, are the terms of e^-H M'(1) and e^-H M'(1 + s)/M(s)."""
    u, h, s, total = sympy.symbols("u H s M", real=True)
    prob = sympy.exp(u - h)
    hot = prob * sympy.exp(s * u) / total
    # M'(a) is the mean of u e^(a u); its term is compared.
    first = prob * u - sympy.exp(-h) * u * sympy.exp(u)
    second = hot * u - sympy.exp(-h) * u * sympy.exp((shift + s) * u) / total
    # pi^(1/T) over pi is pi^s, which is e^(s u) times a number.
    power = sympy.exp((1 + s) * (u - h)) / prob / sympy.exp(s * u) - sympy.exp(-s * h)
    return all_zero([first, second, power], sympy.simplify)


def _convex(*, power: int) -> Finding:
    """Find whether K'' = M''/M - (M'/M)^2, which is a variance, so that K is convex."""
    s = sympy.Symbol("s", real=True)
    m = sympy.Function("M", positive=True)(s)
    first, second = sympy.diff(m, s), sympy.diff(m, s, 2)
    identity = zero(sympy.diff(sympy.log(m), s, 2) - (second / m - (first / m) ** power), sympy.simplify)
    # E[(u - mean)^2] is E[u^2] - mean^2, and each term is not negative.
    u, mean, weight = z3.Reals("u mean weight")
    return both(identity, valid(weight * (u - mean) * (u - mean) >= 0, weight >= 0))


def _hotter(*, least: int) -> Finding:
    """Find whether M'(1 + s) <= M'(1), M(s) >= 1 and M'(1) >= 0 make the change non-negative."""
    at_one, at_shifted, total = z3.Reals("M'(1) M'(1+s) M(s)")
    known = (at_shifted <= at_one, at_one >= 0, total >= least, total > 0)
    return valid(at_one - at_shifted / total >= 0, *known)


def _colder(*, convex: bool) -> Finding:
    """Find whether a growing K' and M(1 + s) >= M(1) M(s) make the change non-positive."""
    slope, later, one, shifted, total = z3.Reals("K'(1) K'(1+s) M(1) M(1+s) M(s)")
    # The derivatives of K(1 + s) and of K(s); their difference is that of log of M(1 + s)/M(s).
    ahead, behind = z3.Reals("K'(1+s) K'(s)")
    spreads = valid(ahead - behind >= 0, ahead >= behind)
    grows = later >= slope if convex else later <= slope
    known = (slope >= 0, grows, one > 0, total > 0, shifted >= one * total, later >= 0)
    return both(valid(slope * one - later * shifted / total <= 0, *known), spreads)


def tempered(probs: Probs, inverse: int) -> Probs:
    """Return the policy at temperature 1/inverse, proportional to the probabilities' powers.

    Args:
        probs: the policy.
        inverse: 1/T, a natural number or 0.
    """
    powers = [p**inverse for p in probs]
    return tuple(w / sum(powers) for w in powers)


def _direction(probs: Probs, inverse: int) -> Any:
    """Return pi_T - pi as SymPy numbers."""
    gaps = [q - p for p, q in zip(probs, tempered(probs, inverse), strict=True)]
    return np.array([rational(gap) for gap in gaps], dtype=object)


def _shipped_sign(effort: Effort, *, flipped: int) -> Finding:
    """Find whether the shipped change is positive at T > 1 and negative at T < 1, up to ``flipped``."""

    def cases() -> Iterator[tuple[str, bool]]:
        for probs in small_policies(effort.pick(7, 5)):
            if len(set(probs)) == 1:
                continue
            for inverse in (0, 2, 3):
                change = number(first_order_entropy_change(logs(probs), _direction(probs, inverse)))
                sign = flipped * (1 if inverse < 1 else -1)
                yield f"pi = {probs}, 1/T = {inverse}", bool(ball(log_form(sign * change)) > 0)

    return for_all(cases(), "small policies and temperatures")


def _never_moves(*, probs: Probs) -> Finding:
    """Find whether pi_T - pi is 0 at several temperatures; show the policy."""
    residuals = [gap for inverse in (0, 1, 2, 5) for gap in _direction(probs, inverse)]
    shown = {
        "pi": f"({', '.join(map(str, probs))})",
        "target": "any entropy below log 2",
        "pi_T - pi": "(0, 0) at every temperature",
        "result": "entropy never leaves log 2",
    }
    return with_witness(all_zero(residuals), shown)


def _ties_stay(*, equal: bool) -> Finding:
    """Find whether equal probabilities are pushed alike, and a tie at the top bounds the largest probability."""
    first, second, power, total = z3.Reals("pi_1 pi_2 power M")
    # Equal probabilities have equal powers; the control's two differ.
    other = second if equal else second + z3.Q(1, 10)
    push = power * first / total - first == power * other / total - other
    alike = valid(push, first == second, total > 0, power >= 0)
    top = valid(first <= z3.Q(1, 2), first == second, first + second <= 1)
    return both(alike, top)


def _cold_gap(*, sign: int) -> Finding:
    """Find whether the gap to the leading response grows at least at the rate of what is left beside it."""
    lead, other, delta = z3.Reals("pi_i pi_j delta")
    speed = sign * ((1 - lead) - (0 - other))
    known = (lead > 0, other > 0, lead + other <= 1, delta > 0, lead <= 1 - delta)
    return valid(speed >= delta, *known)


def _hot_gap(*, sign: int) -> Finding:
    """Find whether the gap of the extremes falls at least at a rate proportional to itself."""
    n, least, decay, gap, growth, bound = z3.Reals("n pi_min decay delta growth bound")
    # growth is e^delta >= 1 + delta, decay its inverse, and the largest probability is at least 1/n.
    known = (n >= 2, growth >= 1 + gap, gap >= 0, least >= decay / n, decay * growth == 1, decay >= bound, bound > 0)
    speed = sign * least * (growth - 1)
    return valid(speed <= -bound / n * gap, *known)


def _targets_met(effort: Effort, *, reachable: bool) -> Finding:
    """Find whether small steps of the two flows pass each target."""
    targets = (0.2, 0.6, 1.05) if reachable else (0.2, 1.2)
    start = np.log([0.5, 0.3, 0.2])

    def entropies(cold: bool) -> Iterator[float]:
        z = start.copy()
        for _ in range(effort.pick(4000, 2000)):
            yield float(entropy(z))
            z = z + 0.02 * ((np.eye(3)[0] if cold else np.full(3, 1 / 3)) - probabilities(z))

    falling, rising = list(entropies(cold=True)), list(entropies(cold=False))

    def cases() -> Iterator[tuple[str, bool]]:
        for target in targets:
            path = falling if target < falling[0] else rising
            yield f"target {target}", bool(min(path) <= target <= max(path))

    return for_all(cases(), "targets below and above the start")
