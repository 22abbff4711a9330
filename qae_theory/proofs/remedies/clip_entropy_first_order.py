"""Prove claim ``clip-entropy-first-order``: what PPO's clipping does to entropy at first order under random rewards.

Responses clipped below lose their push down, those clipped above their push up; what is left of the expected step is
the difference of two indicators. The clipped gradient is decided by z3, the entropy change by the shipped first-order
change on any number of arms.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import sympy
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import first_order_entropy_change
from qae_theory.objective import clipped_surrogate
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.generic_arm import for_any_policy
from qae_theory.proofs.carriers.moments import LOG_PROB, PROB, X, Y
from qae_theory.proofs.carriers.paths import Path
from qae_theory.proofs.objective.clipping import clip_domain, clip_symbols, clip_term
from qae_theory.proofs.tools.checking import all_equal, valid, valid_on_every_path, zero
from qae_theory.proofs.tools.enumeration import exact
from qae_theory.proofs.tools.rational_policies import Probs, small_policies

LOW, HIGH = Fraction(1, 5), Fraction(7, 25)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    claim = "clip-entropy-first-order"
    ledger.add(Evidence(claim, "two-indicators", Kind.PROOF, Role.FOR, (*_proof(), _tie())))


def _proof() -> tuple[Step, ...]:
    return (
        Step(
            says=r"For one response with ratio $x = \pi/\pi_{old}$ the derivative of $\min(xA, \mathrm{clip}(x)A)$ in "
            r"$x$ is $A$, or 0 if $A > 0$ and $x > 1+\varepsilon_{high}$, or if $A < 0$ and $x < "
            r"1-\varepsilon_{low}$ (difference quotients of the shipped `clipped_surrogate`, run on symbols, on either "
            r"side of each bound).",
            check=partial(_slope_of_clip, side=1),
            planted="0 for A > 0 and a ratio below the lower bound",
            control=partial(_slope_of_clip, side=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"A random reward: $A = \mu$ and $A = -\mu$ with probability $\nu$ each, 0 otherwise, independent of "
            r"the response. With $x$, $y$ the indicators of the low and the high clip event and $\rho = "
            r"\pi/\pi_{old}$, $\nabla\rho = \rho\,s$: response by response $\pi_{old}\,E[A\,1\{\text{not clipped}\}]"
            r"\,\nabla\rho = \mu\nu\,\pi\,(x - y)\,s$. So the expected step is $\mu\nu\,E_\pi[(x-y)\,s]$.",
            check=partial(_expected_push, sign=-1),
            planted="x + y for x - y",
            control=partial(_expected_push, sign=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"In the logits that is $d = \mu\nu\,\pi\,[(x - p) - (y - q)]$ with $p = E_\pi x$, $q = E_\pi y$. The "
            r"shipped `first_order_entropy_change` along it, on any number of arms, is $\mu\nu\,[(p\,EQ - "
            r"E[Qx]) - (q\,EQ - E[Qy])]$ with $Q = \pi(\log\pi + H)$. As $E[Qx] = p\,E[Q \mid \text{low}]$, this is "
            r"the formula.",
            check=partial(_formula, sign=-1),
            planted="the high events' term added",
            control=partial(_formula, sign=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$EQ = \mathrm{Cov}_\pi(\pi, \log\pi)$, the self-covariance, which is never negative.",
            check=partial(_mean_of_q, power=1),
            planted="E[pi log pi]",
            control=partial(_mean_of_q, power=0),
            generality=Generality.GENERAL,
        ),
    )


def _tie() -> Step:
    return Step(
        says=r"Tie: the shipped `clipped_surrogate`, differenced in the new policy's probabilities with Fractions, has "
        r"the expected slope $\mu\nu\,(x - y)$ for every pair of small policies away from the bounds "
        r"($\varepsilon = 1/5$, $7/25$, $\mu = 1$, $\nu = 1/2$).",
        check=partial(_shipped_clip, sign=-1),
        planted="x + y for x - y",
        control=partial(_shipped_clip, sign=1),
        tie=True,
    )


def _slope_of_clip(*, side: int) -> Finding:
    """Find whether the shipped term's difference quotient is A or 0 as stated, between two ratios in one region."""
    x, a, low, high = clip_symbols()
    later = z3.Real("x'")
    above, below = z3.And(x >= 1 + high, later >= 1 + high), z3.And(x <= 1 - low, later <= 1 - low)
    between = z3.And(x >= 1 - low, x <= 1 + high, later >= 1 - low, later <= 1 + high)
    # The control calls a response with A > 0 clipped where its ratio has fallen.
    clipped = z3.Or(z3.And(a > 0, above if side > 0 else below), z3.And(a < 0, below))

    def goal(path: Path) -> Any:
        gap = clip_term(later, a, low, high, path) - clip_term(x, a, low, high, path)
        return gap == z3.If(clipped, z3.RealVal(0), a * (later - x))

    return valid_on_every_path(goal, *clip_domain(x), x < later, a != 0, z3.Or(above, below, between))


def _expected_push(*, sign: int) -> Finding:
    """Find whether the mean over A of what is not clipped is mu nu (x - y), the events excluding one another."""
    mu, nu, low, high, ratio, old = z3.Reals("mu nu x y ratio old")
    indicators = [z3.Or(v == 0, v == 1) for v in (low, high)]
    # A = mu counts unless clipped above, A = -mu unless clipped below.
    mean = nu * mu * (1 - high) + nu * (-mu) * (1 - low)
    new = old * ratio
    return valid(old * mean * ratio == mu * nu * (low + sign * high) * new, *indicators, low * high == 0, old > 0)


def _q() -> Any:
    """Return Q of one arm, pi (log pi + H)."""
    return PROB * (LOG_PROB - moments.mean(LOG_PROB))


def _formula(*, sign: int) -> Finding:
    """Find whether the shipped change along pi [(x - p) - (y - q)] is the formula, term by term."""
    p, q = moments.mean(X), moments.mean(Y)
    direction = sympy.expand(PROB * ((X - p) - (Y - q)))
    shipped = for_any_policy(lambda arms: first_order_entropy_change(arms.logits(), arms.entries(direction)))
    mean_q = moments.mean(sympy.expand(_q()))
    low = p * mean_q - moments.mean(sympy.expand(_q() * X))
    high = q * mean_q - moments.mean(sympy.expand(_q() * Y))
    return zero(shipped - (low + sign * high), sympy.expand)


def _mean_of_q(*, power: int) -> Finding:
    """Find whether E Q is E[pi log pi] - E[pi] E[log pi]."""
    claimed = moments.mean(PROB * LOG_PROB) - power * moments.mean(PROB) * moments.mean(LOG_PROB)
    return zero(moments.mean(sympy.expand(_q())) - claimed, sympy.expand)


def clip_events(old: Probs, new: Probs) -> tuple[list[bool], list[bool]]:
    """Return which responses lie below and which above the clip range.

    Args:
        old: the policy that sampled.
        new: the policy of this pass.
    """
    ratios = [b / a for a, b in zip(old, new, strict=True)]
    return [x < 1 - LOW for x in ratios], [x > 1 + HIGH for x in ratios]


def _shipped_clip(effort: Effort, *, sign: int) -> Finding:
    """Find whether the shipped clipped term has the expected slope in every response's new probability."""
    step = Fraction(1, 10**6)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        policies = small_policies(effort.pick(6, 4))
        for old, new in product(policies, policies):
            if len(old) != len(new):
                continue
            low, high = clip_events(old, new)
            for i, (a, b) in enumerate(zip(old, new, strict=True)):
                ratio = b / a
                # At a bound itself the term has two slopes.
                if ratio in (1 - LOW, 1 + HIGH):
                    continue
                slopes = []
                for advantage in (Fraction(1), Fraction(-1)):
                    pair = exact([ratio, ratio + step])
                    values = clipped_surrogate(pair, exact([advantage] * 2), clip_low=LOW, clip_high=HIGH)
                    slopes.append((values[1] - values[0]) / step)
                claimed = Fraction(low[i] + sign * high[i], 2)
                yield f"{old} to {new}, response {i}", sum(slopes) / 2, claimed

    return all_equal(cases(), "pairs of small policies")
