"""Prove claim ``baseline-rates``, refute ``baseline-rates-expected``: where a baseline changes the rate, and where not.

On the path that samples one response each time, the stochastic natural gradient without a baseline sends 1 - pi to 0
like e^-rt, with the value as the baseline like 1/t. In expectation the baseline shifts all logits alike and drops out.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import sympy
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.generic_arm import for_any_policy
from qae_theory.proofs.carriers.moments import PROB, X
from qae_theory.proofs.tools.checking import all_zero, both, for_all, rational, valid, with_witness, zero
from qae_theory.proofs.tools.enumeration import exact
from qae_theory.proofs.tools.groups import same
from qae_theory.proofs.tools.rational_policies import logs, small_policies
from qae_theory.updates import update_direction


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    steps = (*_path(), *_commitment(), _tie())
    ledger.add(Evidence("baseline-rates", "one-response-sampled", Kind.PROOF, Role.FOR, steps))
    ledger.add(Evidence("baseline-rates-expected", "shift", Kind.PROOF, Role.AGAINST, (_same_flow(), _same_rate())))


def _path() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Sampled response $a$, importance-weighted: $\dot z_a = (r_a-b)/\pi_a$, the other logits stay. "
            r"With $u = 1-\pi_a$ this is $\dot u = -\pi_a\,u\,\dot z_a = -u\,(r_a-b)$, for any number of responses.",
            check=partial(_remaining_mass, power=1),
            planted="-u^2 (r - b)",
            control=partial(_remaining_mass, power=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Without a baseline, $b = 0$ and $r_a > 0$: $u = u_0e^{-r_at}$.",
            check=partial(_exponential, power=1),
            planted="e^(-2 r t)",
            control=partial(_exponential, power=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"With the value $b = V$: $r_a - V = \sum_{j\ne a}\pi_j(r_a-r_j)$ lies between $\Delta_{min}u$ and "
            r"$\Delta_{max}u$, where $\Delta$ are the gaps $r_a - r_j \ge 0$. (One response more is added at a time.)",
            check=partial(_gap_bounds, own=1),
            planted="gaps times u^2 below",
            control=partial(_gap_bounds, own=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"So $(1/u)^\cdot = (r_a-V)/u \in [\Delta_{min}, \Delta_{max}]$, and "
            r"$\frac{u_0}{1+\Delta_{max}u_0t} \le u \le \frac{u_0}{1+\Delta_{min}u_0t}$: $1-\pi_a = \Theta(1/t)$ "
            r"where $a$ is the only best response. With 0/1 rewards and one right response, $u = u_0/(1+u_0t)$ "
            r"exactly.",
            check=partial(_hyperbola, power=2),
            planted="(1/u)' = -u'/u",
            control=partial(_hyperbola, power=1),
            generality=Generality.GENERAL,
        ),
    )


def _commitment() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Sampled at unit rate, no other response ever comes with probability $\exp(-\int_0^\infty u\,dt)$: "
            r"$e^{-u_0/r_a} > 0$ without a baseline, $e^{-\infty} = 0$ with the value. The first commits to whatever "
            r"it samples if its reward is positive; a wrong response with reward 0 does not move it.",
            check=partial(_never_another, with_value=True),
            planted="a finite integral with the value",
            control=partial(_never_another, with_value=False),
            generality=Generality.GENERAL,
        ),
    )


def _tie() -> Step:
    return Step(
        says=r"Tie: the Fisher matrix $\mathrm{diag}(\pi) - \pi\pi^\top$ takes $\frac{r-b}{\pi_a}e_a$ to the shipped "
        r"`sampled_group` direction of one response with advantage $r-b$, in Fractions, on small policies: this step "
        r"is the natural form of the sampled gradient.",
        check=partial(_shipped_sample, own=1),
        planted="diag(pi) - 2 pi pi^T",
        control=partial(_shipped_sample, own=2),
        tie=True,
    )


def _same_flow() -> Step:
    return Step(
        says=r"The expected direction is $\sum_a\pi_a\frac{r_a-b}{\pi_a}e_a = r - b$, the shipped `natural_gradient` "
        r"direction on any number of arms. It moves $\log\pi$ by $(r-b) - E[r-b] = r - V$: $b$ drops out, so every "
        r"trajectory is the same with and without a baseline.",
        check=partial(_baseline_drops, natural=True),
        planted="the uncentred direction pi (r - b)",
        control=partial(_baseline_drops, natural=False),
        generality=Generality.GENERAL,
    )


def _same_rate() -> Step:
    return Step(
        says=r"Two responses, $r = (1, 0)$: $\dot u = -u(1-u)$ for every $b$, so $u = u_0/(u_0 + (1-u_0)e^t)$ falls "
        r"like $e^{-t}$ with the value as the baseline too.",
        check=partial(_logistic, rate=1),
        planted="e^(2t)",
        control=partial(_logistic, rate=2),
        generality=Generality.GENERAL,
    )


def _remaining_mass(*, power: int) -> Finding:
    """Find whether u' = -u^power (r - b) where z_a' = (r - b)/pi_a and the others' weight R stays."""
    t, rest, reward, base = sympy.symbols("t R r b", real=True)
    logit = sympy.Function("z")(t)
    prob = sympy.exp(logit) / (sympy.exp(logit) + rest)
    speed = sympy.diff(1 - prob, t).subs(sympy.Derivative(logit, t), (reward - base) / prob)
    return zero(speed + (1 - prob) ** power * (reward - base), sympy.simplify)


def _exponential(*, power: int) -> Finding:
    """Find whether u_0 e^(-power r t) solves u' = -r u and starts at u_0."""
    t, reward, start = sympy.symbols("t r u_0", positive=True)
    u = start * sympy.exp(-power * reward * t)
    return all_zero([sympy.diff(u, t) + reward * u, u.subs(t, 0) - start], sympy.simplify)


def _gap_bounds(*, own: int) -> Finding:
    """Check the induction step: one more response keeps the sum of pi_j Delta_j between the smallest and largest."""
    total, mass, prob, gap, least, most = z3.Reals("total mass pi gap least most")
    known = (mass >= 0, prob >= 0, mass + prob <= 1, least >= 0, least <= gap, gap <= most)
    before = (least * mass <= total, total <= most * mass)
    grown, u = total + prob * gap, mass + prob
    # The control's lower bound has the square of u where the upper one belongs.
    upper = grown <= most * (u if own == 1 else u * u)
    return valid(z3.And(least * u <= grown, upper), *known, *before)


def _hyperbola(*, power: int) -> Finding:
    """Find whether (1/u)' = -u'/u^2 is the gap over u, and u_0/(1 + D u_0 t) solves it for a constant gap."""
    t, start, rate = sympy.symbols("t u_0 Delta", positive=True)
    u = sympy.Function("u")(t)
    inverse = sympy.diff(1 / u, t) + sympy.diff(u, t) / u**power
    solution = start / (1 + rate * start * t)
    solved = sympy.diff(solution, t) + rate * solution**2
    slope, now, low, high = z3.Reals("slope u low high")
    # u' = -u (r - V) with r - V between the gaps times u.
    inside = valid(z3.And(slope / now >= low, slope / now <= high), now > 0, slope >= low * now, slope <= high * now)
    return both(all_zero([inverse, solved], sympy.simplify), inside)


def _never_another(*, with_value: bool) -> Finding:
    """Find whether the integral of u is u_0/r without a baseline and infinite with the value."""
    t, start, reward = sympy.symbols("t u_0 r", positive=True)
    without = sympy.integrate(start * sympy.exp(-reward * t), (t, 0, sympy.oo)) - start / reward
    horizon = sympy.Symbol("T", positive=True)
    # The integral up to T is log(1 + u_0 T), whose reciprocal tends to 0.
    grown = sympy.log(1 + start * horizon)
    slope = sympy.diff(grown, horizon) - start / (1 + start * horizon)
    far = sympy.limit(1 / grown, horizon, sympy.oo)
    return all_zero([far if with_value else 1 / start, without, slope], sympy.simplify)


def _shipped_sample(effort: Effort, *, own: int) -> Finding:
    """Find whether the Fisher matrix, with ``own`` times pi pi^T, takes the natural sample to the shipped direction."""
    advantage = Fraction(2, 3)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for probs in small_policies(effort.pick(6, 4)):
            group = {"responses": [0], "advantages": exact([advantage])}
            shipped = update_direction(logs(probs), exact([1] * len(probs)), "sampled_group", **group)
            natural = advantage / probs[0]
            # The column of the sampled response is all that the matrix needs.
            column = [int(j == 0) * probs[0] - own * prob * probs[0] for j, prob in enumerate(probs)]
            yield f"pi = {probs}", shipped, exact([entry * natural for entry in column])

    return same(cases(), "small policies")


def _baseline_drops(*, natural: bool) -> Finding:
    """Find whether the motion of log pi along the shipped direction does not depend on b; show it."""
    level = Fraction(1, 3)
    rule = "natural_gradient" if natural else "uncentred"

    def direction(baseline: Any) -> Any:
        return for_any_policy(lambda arms: update_direction(arms.logits(), arms.entries(X), rule, baseline=baseline))

    # log pi moves by the direction less its mean; the direction is linear in b, so that one value of b tells.
    shift = sympy.expand(direction(level) - direction(Fraction(0)))
    drops = zero(shift - moments.mean(shift), sympy.expand)
    found = both(drops, zero(direction(level) - (X - rational(level)) * (1 if natural else PROB), sympy.expand))
    shown = {
        "pi": "(1 - u, u)",
        "r": "(1, 0)",
        "flow": "u' = -u (1 - u), for every baseline",
        "result": "the same exponential rate with and without the value as the baseline",
    }
    return with_witness(found, shown)


def _logistic(*, rate: int) -> Finding:
    """Find whether u_0/(u_0 + (1 - u_0) e^(rate t)) solves u' = -u (1 - u), and the rule moves u that way."""
    t, start = sympy.symbols("t u_0", positive=True)
    u = start / (start + (1 - start) * sympy.exp(rate * t))
    solved = sympy.diff(u, t) + u * (1 - u)
    # Of two responses the second has log u moving by r - V = 0 - (1 - u).
    other = sympy.Symbol("u", positive=True)
    value = 1 - other
    motion = other * (0 - value) + other * (1 - other)
    return both(all_zero([solved, motion], sympy.simplify), for_all([("start", u.subs(t, 0) == start)], "t = 0"))
