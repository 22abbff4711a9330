"""Prove claims ``noise-backward-noop`` and ``noise-sign-law``: what a verifier's errors do, and what corrects them.

The backward correction is an increasing affine map of the rewards, which a standardised advantage does not see. Errors
that do not depend on the response scale the expected update by J = 1 - rho_0 - rho_1, whose sign decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import sympy
import z3

from qae_theory.advantages import advantages
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.group_expectation import expected_gain
from qae_theory.proofs.neutrality.correlated_verifier import scored_update
from qae_theory.proofs.neutrality.neutrality import expected_update_steps, gain_is_positive
from qae_theory.proofs.tools.checking import all_zero, both, valid, zero
from qae_theory.proofs.tools.enumeration import exact
from qae_theory.proofs.tools.groups import same
from qae_theory.proofs.tools.rule_formulas import RULES, exactly_equal, number

LEVEL = Fraction(2, 5)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("noise-backward-noop", "affine", Kind.PROOF, Role.FOR, (*_affine(), _affine_tie())))
    # The first two steps of neutrality, exchangeability and conditioning, hold for rewards of any verifier.
    steps = (*expected_update_steps()[:2], *_scaling(), *_flow(), _threshold(), _scaling_tie())
    ledger.add(Evidence("noise-sign-law", "scaled-by-J", Kind.PROOF, Role.FOR, steps))


def _affine() -> tuple[Step, ...]:
    return (
        Step(
            says=r"$\tilde R = (R - \rho_0)/J$ is an affine map. Means follow it, and variances are divided by "
            r"$J^2$, so for $J > 0$ both standard deviations are divided by $J$.",
            check=partial(_moments_follow, power=2),
            planted="variances divided by J",
            control=partial(_moments_follow, power=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"For $J > 0$ the map increases: $\tilde R \le \tilde x$ iff $R \le x$. So the group's distribution "
            r"function has the same values at mapped points, and every quantile (any $K$) follows the map too.",
            check=partial(_order_kept, positive=True),
            planted="J < 0",
            control=partial(_order_kept, positive=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"With a baseline $b$ that follows the map (mean, quantile, mean of the others) and $\varepsilon = "
            r"0$: $\tilde A = (\tilde R - \tilde b)/\tilde\sigma = (R - b)/\sigma = A$, for every reward and both "
            r"kinds of standard deviation.",
            check=partial(_same_advantage, sign=1),
            planted="J < 0, where the standard deviation is divided by -J",
            control=partial(_same_advantage, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"With $\varepsilon > 0$ it is $\tilde A = A\,\frac{\sigma+\varepsilon}{\sigma+J\varepsilon}$, "
            r"larger by at most the factor $1 + \varepsilon(1-J)/\sigma$.",
            check=partial(_with_eps, power=1),
            planted="1 + eps (1 - J)^2/sigma",
            control=partial(_with_eps, power=2),
            generality=Generality.GENERAL,
        ),
    )


def _affine_tie() -> Step:
    return Step(
        says=r"Tie: the shipped `advantages` of GRPO and QAE, both standard deviations, $\varepsilon = 0$, give the "
        r"same on $R$ and on $(R-\rho_0)/J$, exactly, for every mixed group up to a size ($\rho_0 = 1/10$, $\rho_1 = "
        r"1/5$).",
        check=partial(_shipped_affine, rate=Fraction(1, 5)),
        planted="rho_1 = 19/20, so that J < 0",
        control=partial(_shipped_affine, rate=Fraction(19, 20)),
        tie=True,
    )


def _scaling() -> tuple[Step, ...]:
    return (
        Step(
            says=r"A verifier that accepts right responses with probability $1-\rho_1$ and wrong ones with $\rho_0$, "
            r"independently: as $E[1\{r=1\}s] = \nabla p = -E[1\{r=0\}s]$, accepted responses give $E[1\{R=1\}s] = "
            r"(1-\rho_1)\nabla p - \rho_0\nabla p = J\nabla p$ and refused ones $-J\nabla p$.",
            check=partial(_accepted_score, errors=2),
            planted="J = 1 - rho_1",
            control=partial(_accepted_score, errors=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"So $E[\mathrm{update}] = a_1J\nabla p - a_0J\nabla p = J\,w(\tilde p, G)\,\nabla p$ with $\tilde "
            r"p = \rho_0 + Jp$ the probability of being accepted.",
            check=partial(_noisy_update, contrast=-1),
            planted="a_1 + a_0",
            control=partial(_noisy_update, contrast=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$w > 0$ at every $\tilde p \in (0, 1)$ for all nine rules: advantages are $\ge 0$ for accepted "
            r"and $\le 0$ for refused responses, and differ in every mixed group, each of which has a positive "
            r"probability (z3, real $m$, $G$, $K$). So the expected update has the sign of $J$ along $\nabla p$, and "
            r"is 0 at $J = 0$ whatever the rule.",
            check=partial(gain_is_positive, rules=RULES),
            planted="A = -R among the rules",
            control=partial(gain_is_positive, rules=(*RULES, "minus_reward")),
            generality=Generality.GENERAL,
        ),
    )


def _flow() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Along the expected flow $\dot\theta = Jw\nabla p$: $\dot p = Jw\,|\nabla p|^2$, which is negative "
            r"for $J < 0$ wherever $\nabla p \ne 0$, and 0 for $J = 0$: what is left then is noise.",
            check=partial(_success_moves, negative=True),
            planted="p rises for J < 0",
            control=partial(_success_moves, negative=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Two responses, $J < 0$, $w \ge c > 0$: $|\nabla p|^2 = 2p^2(1-p)^2$, so $(1/p)^\cdot = "
            r"-2Jw(1-p)^2 \ge 2c|J|(1-p_0)^2$ and $p \le 1/(1/p_0 + 2c|J|(1-p_0)^2t)$: it collapses to 0.",
            check=partial(_collapse, squared=2),
            planted="|grad p|^2 = p^2 (1 - p)^2",
            control=partial(_collapse, squared=1),
            generality=Generality.GENERAL,
        ),
    )


def _threshold() -> Step:
    return Step(
        says=r"QAE's threshold: for $J > 0$ a query is hard for the verifier, $\tilde p \le 1-K$, iff $p \le "
        r"(1-K-\rho_0)/J$.",
        check=partial(_moved_threshold, with_false_positives=True),
        planted="(1 - K)/J",
        control=partial(_moved_threshold, with_false_positives=False),
        generality=Generality.GENERAL,
    )


def _scaling_tie() -> Step:
    return Step(
        says=r"Tie: two responses, every group of responses and scores, shipped `advantages`: the mean update is $J$ "
        r"times the shipped gain at $\tilde p$ times $\nabla p$, exactly, at $J = 7/10$, $0$ and $-2/5$.",
        check=partial(_enumerated, signed=True),
        planted="|J| for J",
        control=partial(_enumerated, signed=False),
        tie=True,
    )


def _moments_follow(*, power: int) -> Finding:
    """Find whether mean and variance of (R - rho)/J are (E R - rho)/J and Var R/J^power."""
    mean, square, rate, quality = sympy.symbols("mean square rho_0 J", real=True)
    mapped_mean = (mean - rate) / quality
    # E[(R - rho)^2]/J^2 by linearity.
    mapped_square = (square - 2 * rate * mean + rate**2) / quality**2
    return zero(mapped_square - mapped_mean**2 - (square - mean**2) / quality**power)


def _order_kept(*, positive: bool) -> Finding:
    """Find whether (R - rho)/J <= (x - rho)/J iff R <= x."""
    reward, x, rate, quality = z3.Reals("R x rho_0 J")
    domain = quality > 0 if positive else quality < 0
    return valid(((reward - rate) / quality <= (x - rate) / quality) == (reward <= x), domain)


def _same_advantage(*, sign: int) -> Finding:
    """Find whether the mapped advantage is the old one, the standard deviation being divided by |J|."""
    reward, base, rate, quality, spread = sympy.symbols("R b rho_0 J sigma", real=True)
    gap = (reward - rate) / quality - (base - rate) / quality
    return zero(gap / (spread / (sign * quality)) - (reward - base) / spread)


def _with_eps(*, power: int) -> Finding:
    """Find whether eps leaves the factor (sigma + eps)/(sigma + J eps), and how large it is at most."""
    reward, base, quality, spread, eps = sympy.symbols("R b J sigma eps", positive=True)
    mapped = ((reward - base) / quality) / (spread / quality + eps)
    factor = (spread + eps) / (spread + quality * eps)
    identity = zero(mapped - (reward - base) / (spread + eps) * factor)
    j, s, e = z3.Reals("J sigma eps")
    bound = valid((s + e) <= (1 + e * (1 - j) ** power / s) * (s + j * e), j > 0, j <= 1, s > 0, e > 0)
    return both(bound, identity)


def _shipped_affine(effort: Effort, *, rate: Fraction) -> Finding:
    """Find whether shipped advantages are the same on corrected rewards."""
    false_positive = Fraction(1, 10)
    quality = 1 - false_positive - rate

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for size in range(2, effort.pick(6, 5)):
            for group in product((0, 1), repeat=size):
                if 0 < sum(group) < size:
                    rewards = exact(group)
                    corrected = (rewards - false_positive) / quality
                    for rule, std in product(("grpo", "qae"), ("population", "bessel")):
                        options = {"std": std, "eps": 0, **({"k": LEVEL} if rule == "qae" else {})}
                        observed, undone = (advantages(values, rule, **options) for values in (rewards, corrected))
                        yield f"{rule}, {std}, {group}", observed, undone

    return same(cases(), "every mixed group")


def _accepted_score(*, errors: int) -> Finding:
    """Find whether accepted and refused responses give J grad p and -J grad p."""
    low, high, gradient = sympy.symbols("rho_0 rho_1 grad_p", real=True)
    quality = 1 - high - (low if errors == 2 else 0)
    # Right responses have the expected score grad p, wrong ones -grad p.
    accepted = (1 - high) * gradient + low * (-gradient)
    refused = high * gradient + (1 - low) * (-gradient)
    return all_zero([accepted - quality * gradient, refused + quality * gradient], sympy.expand)


def _noisy_update(*, contrast: int) -> Finding:
    """Find whether a_1 J grad p - a_0 J grad p is (a_1 - a_0) J grad p, and p~ = rho_0 + J p."""
    right, wrong, gradient, low, high, p = sympy.symbols("a_1 a_0 grad_p rho_0 rho_1 p", real=True)
    quality = 1 - low - high
    update = right * quality * gradient + wrong * (-quality * gradient)
    accepted = (1 - high) * p + low * (1 - p)
    weight = (right + contrast * wrong) * quality
    return all_zero([update - weight * gradient, accepted - (low + quality * p)], sympy.expand)


def _success_moves(*, negative: bool) -> Finding:
    """Find whether J w |grad p|^2 has the sign of J."""
    quality, weight, square = z3.Reals("J w square")
    speed = quality * weight * square
    known = (weight > 0, square > 0)
    falls = valid(speed < 0 if negative else speed > 0, quality < 0, *known)
    return both(falls, valid(speed == 0, quality == 0, *known))


def _collapse(*, squared: int) -> Finding:
    """Find whether (1/p)' is -2 J w (1 - p)^2 for two responses, and at least the stated rate while p falls."""
    p, quality, weight = sympy.symbols("p J w", real=True)
    # The gradient in the two logits is p (1 - p) times (1, -1).
    entries = [p * (1 - p), -p * (1 - p)][:squared]
    speed = quality * weight * sum(entry**2 for entry in entries)
    identity = zero(-speed / p**2 + 2 * quality * weight * (1 - p) ** 2)
    now, start, j, w, least = z3.Reals("p p_0 J w c")
    rate = -2 * j * w * (1 - now) * (1 - now)
    bound = valid(
        rate >= -2 * least * j * (1 - start) * (1 - start),
        j < 0,
        w >= least,
        least > 0,
        now > 0,
        now <= start,
        start < 1,
    )
    return both(identity, bound)


def _moved_threshold(*, with_false_positives: bool) -> Finding:
    """Find whether rho_0 + J p <= 1 - K iff p <= (1 - K - rho_0)/J."""
    p, k, low, quality = z3.Reals("p K rho_0 J")
    edge = (1 - k - (low if with_false_positives else 0)) / quality
    return valid((low + quality * p <= 1 - k) == (p <= edge), quality > 0)


def _enumerated(effort: Effort, *, signed: bool) -> Finding:
    """Find whether the mean update over responses and scores is J times the shipped gain at p~ times grad p."""
    success = Fraction(2, 3)
    rates = ((Fraction(1, 10), Fraction(1, 5)), (Fraction(2, 5), Fraction(3, 5)), (Fraction(3, 5), Fraction(4, 5)))
    rules: tuple[tuple[str, dict[str, Any]], ...] = (("qae", {"k": LEVEL, "eps": 0}), ("rloo", {}))

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for (rule, options), (low, high), size in product(rules, rates, range(2, effort.pick(4, 3))):
            quality = 1 - low - high
            update = scored_update(rule, size, success=success, accepted=(1 - high, low), **options)
            w = number(expected_gain(low + quality * success, size, rule, **options))
            factor = quality if signed else abs(quality)
            yield f"{rule}, G={size}, J={quality}", update, w * number(factor * success * (1 - success))

    return exactly_equal(cases(), "two responses, every group of responses and scores")
