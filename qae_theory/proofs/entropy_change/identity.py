"""Prove claim ``identity``: H' = -Cov_pi(log pi, d) along any direction d of the logits, for any number of arms.

The shipped entropy runs on a policy with any number of arms and is differentiated by a rule for moments, which SymPy
decides. The floating-point functions are compared with ball arithmetic in ``identity_ties``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import sympy

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import first_order_entropy_change
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.generic_arm import for_any_policy
from qae_theory.proofs.carriers.moments import DIRECTION, LOG_PROB, OTHER_ARM, PROB, X, Y
from qae_theory.proofs.entropy_change import identity_ties
from qae_theory.proofs.tools.checking import all_zero, zero
from qae_theory.softmax import covariance, entropy


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    steps = (*_motion(), *_proof(), *identity_ties.three_derivatives())
    ledger.add(Evidence("identity", "any-number-of-arms", Kind.PROOF, Role.FOR, steps))
    ledger.add(Evidence("identity", "shipped-floats", Kind.CERTIFICATE, Role.FOR, identity_ties.shipped_floats()))


def _motion() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Single out one arm: $\pi = w/(w+R)$ with $w = e^{z+\eta d}$ and $R(\eta)$ the sum of the "
            r"other arms' weights. As $(w + R)' = \sum_j w_j d_j = (w + R)\,E d$ (the derivative of a sum "
            r"is the sum of the derivatives), $\pi' = \pi\,(d - E d)$ and $(\log\pi)' = d - E d$.",
            check=partial(_arm_moves, sign=1),
            planted="d + E d",
            control=partial(_arm_moves, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"So a term $\pi f$ of the sum $E f$, with $f$ any monomial in $\log\pi$, $\pi$ and what does not "
            r"move, has the derivative $\pi\,(f' + f\,(d - E d))$ (product rule; SymPy, symbolic exponents). By "
            r"linearity $(E f)' = E[f'] + E[f\,(d - E d)]$ for every polynomial $f$: moments have derivatives that "
            r"are moments again.",
            check=partial(_term_moves, own=1),
            planted="twice f (d - E d)",
            control=partial(_term_moves, own=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says="Tie: the rule as the proofs apply it (`along_step`), on policies with 2 and 3 arms against SymPy's "
            "derivative.",
            check=partial(_rule_replayed, order=1),
            planted="the second derivative for the first",
            control=partial(_rule_replayed, order=2),
            tie=True,
        ),
    )


def _proof() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The shipped `entropy`, run on a policy with any number of arms, is $-E[\log\pi]$. Its derivative "
            r"by that rule is $-E[d - E d] - E[\log\pi\,(d - E d)] = -\mathrm{Cov}_\pi(\log\pi, d)$, which is what "
            r"the shipped `first_order_entropy_change` returns on the same arms.",
            check=partial(_shipped_derivative, sign=1),
            planted="+Cov(log pi, d)",
            control=partial(_shipped_derivative, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Pairwise form, for two independent arms $i, j$ drawn from $\pi$: $\mathrm{Cov}_\pi(x,y) = "
            r"\frac12\sum_{i,j}\pi_i\pi_j(x_i-x_j)(y_i-y_j)$. Expanded, each double sum is a product of two "
            r"moments; the left side is the shipped `covariance`.",
            check=partial(_pairwise, factor=sympy.Rational(1, 2)),
            planted="factor 1 for 1/2",
            control=partial(_pairwise, factor=sympy.Integer(1)),
            generality=Generality.GENERAL,
        ),
    )


def _arm_moves(*, sign: int) -> Finding:
    """Find whether pi' = pi (d - E d) and (log pi)' = d - E d for one arm beside the sum of all others."""
    eta, z, d, average = sympy.symbols("eta z d m", real=True)
    rest = sympy.Function("R", positive=True)(eta)
    weight = sympy.exp(z + eta * d)
    prob = weight / (weight + rest)
    rest_moves = average * (weight + rest) - weight * d  # R' is the sum over the other arms of w_j d_j
    moves = (
        sympy.diff(prob, eta) - prob * (d - sign * average),
        sympy.diff(sympy.log(weight) - sympy.log(weight + rest), eta) - (d - sign * average),
    )
    return all_zero(x.subs(sympy.Derivative(rest, eta), rest_moves) for x in moves)


def _term_moves(*, own: int) -> Finding:
    """Find whether the derivative of pi f is pi (f' + f (d - E d)), for a monomial f with symbolic exponents."""
    eta, a, b, average = sympy.symbols("eta a b m", real=True)
    log_prob = sympy.Function("L")(eta)
    at_eta = {LOG_PROB: log_prob, PROB: sympy.exp(log_prob)}
    # d is among the quantities that do not move, and so is x: one of them stands for all.
    f = LOG_PROB**a * PROB**b * X
    excess = DIRECTION - average
    claimed = PROB * (moments.moves(f, excess) + own * f * excess)
    derivative = sympy.diff((PROB * f).subs(at_eta), eta).subs(sympy.Derivative(log_prob, eta), excess)
    # Divided by the term itself, so that no power is left.
    return zero((derivative - claimed.subs(at_eta)) / (PROB * f).subs(at_eta), sympy.simplify)


def _rule_replayed(effort: Effort, *, order: int) -> Finding:
    """Find whether ``along_step`` gives SymPy's derivative of some moments on policies with 2 and 3 arms."""
    eta = sympy.Symbol("eta")
    # Unequal and of both signs, so that no term drops out by symmetry.
    directions = [sympy.Rational(1, 2), sympy.Integer(3), sympy.Rational(-2, 5)]
    residuals = []
    for n in effort.pick((2, 3), (2,)):
        weights = [sympy.exp(eta * d) * (i + 1) for i, d in enumerate(directions[:n])]
        probs = [w / sum(weights) for w in weights]
        arms = {"L": [sympy.log(p) for p in probs], "d": directions[:n], "pi": probs}
        # Monomials with log pi, d and pi, alone and together.
        for powers in ((1, 0, 0, 0, 0), (0, 1, 1, 0, 0), (2, 1, 1, 0, 0), (1, 2, 0, 0, 0)):
            f = moments.moment(*powers)
            direct = sympy.diff(moments.on_policy(f, probs, **arms), eta, order)
            by_rule = moments.on_policy(moments.along_step(f), probs, **arms)
            residuals.append((direct - by_rule).subs(eta, 0))
    return all_zero(residuals, lambda x: sympy.cancel(sympy.expand_log(x, force=True)))


def _shipped_derivative(*, sign: int) -> Finding:
    """Find whether the shipped entropy moves at the rate -Cov(log pi, d), which is the shipped first-order change."""
    shipped_entropy = for_any_policy(lambda arms: entropy(arms.logits()))
    shipped = for_any_policy(lambda arms: first_order_entropy_change(arms.logits(), arms.entries(DIRECTION)))
    moved = moments.along_step(shipped_entropy)
    # -Cov = E[log pi] E[d] - E[log pi d].
    minus_covariance = moments.mean(LOG_PROB) * moments.mean(DIRECTION) - moments.mean(LOG_PROB * DIRECTION)
    start = shipped_entropy + moments.mean(LOG_PROB)
    return all_zero([moved - sign * shipped, start, shipped - minus_covariance], sympy.expand)


def _pairwise(*, factor: Any) -> Finding:
    """Find whether the shipped covariance is ``factor`` times E (x - x')(y - y') over two independent arms."""
    # The same two quantities at a second, independent arm.
    other_x, other_y = OTHER_ARM[3], OTHER_ARM[4]
    shipped = for_any_policy(lambda arms: covariance(arms.probs(), arms.entries(X), arms.entries(Y)))
    return zero(shipped - factor * moments.pair_mean((X - other_x) * (Y - other_y)), sympy.expand)
