"""Prove claim ``safe-step``: up to which step eta the uncentred update keeps Prop. 4.2's order of two baselines.

The order is Delta H(b_1) <= Delta H(b_2) for b_1 < b_2. One route goes by the remainder of the first-order change, one
by the derivative in the baseline; the larger step counts. The shipped functions run on any number of arms, z3 decides
the inequalities; ties of the shipped step size are in ``safe_step_ties``.
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
from qae_theory.entropy_change import first_order_entropy_change
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.formulas import Formula
from qae_theory.proofs.carriers.generic_arm import for_any_policy
from qae_theory.proofs.carriers.moments import LOG_PROB, OTHER_ARM, X
from qae_theory.proofs.entropy_change import safe_step_ties
from qae_theory.proofs.tools.checking import all_zero, ball, both, for_all, valid, zero
from qae_theory.softmax import covariance, self_covariance
from qae_theory.updates import uncentred


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(
        Evidence(
            "safe-step", "two-routes", Kind.PROOF, Role.FOR, (*by_remainder(), *by_order(), *safe_step_ties.steps())
        )
    )


def by_remainder() -> tuple[Step, ...]:
    """Return the first route: the order from the first-order gap and the remainder bound."""
    return (
        Step(
            says=r"First route. For the shipped `uncentred` direction $d_b = \pi(r-b)$ the first-order changes "
            r"differ by $h_1(b_2) - h_1(b_1) = (b_2-b_1)\,C$ (shipped functions, any number of arms).",
            check=partial(_first_order_gap, sign=1),
            planted="-(b2 - b1) C",
            control=partial(_first_order_gap, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"By claim `remainder`, $\Delta H(b_2) \ge \eta h_1(b_2) - \frac{\eta^2}{2}\rho_2^2L_-$ and "
            r"$\Delta H(b_1) \le \eta h_1(b_1) + \frac{\eta^2}{2}\rho_1^2L_+$. So $\Delta H(b_1) \le \Delta "
            r"H(b_2)$ if $0 \le \eta \le 2(b_2-b_1)C/(\rho_2^2L_- + \rho_1^2L_+)$.",
            check=partial(_remainder_route, factor=2),
            planted="3 (b2 - b1) C",
            control=partial(_remainder_route, factor=3),
            generality=Generality.GENERAL,
        ),
    )


def by_order() -> tuple[Step, ...]:
    """Return the second route: the order from the derivative in the baseline, while the policy keeps its order."""
    return (
        Step(
            says=r"Second route. With $\pi' = \mathrm{softmax}(z + \eta\,\pi(r-b))$, moving $b$ moves the logits "
            r"along $-\eta\pi$, so by claim `identity` at $\pi'$: $\frac{d}{db}\Delta H(b) = "
            r"\eta\,\mathrm{Cov}_{\pi'}(\log\pi', \pi) = \frac{\eta}{2}\sum_{i,j}\pi'_i\pi'_j(\log\pi'_i - "
            r"\log\pi'_j)(\pi_i-\pi_j)$ (shipped functions).",
            check=partial(_derivative_in_baseline, sign=1),
            planted="-eta Cov",
            control=partial(_derivative_in_baseline, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Every term is $\ge 0$ if $\pi_i > \pi_j$ implies $\pi'_i \ge \pi'_j$; pairs with $\pi_i = "
            r"\pi_j$ add nothing. So if $\pi'$ keeps $\pi$'s order for all $b \in [b_1,b_2]$, $\Delta H$ is "
            r"non-decreasing there.",
            check=partial(_ordered_terms, kept=True),
            planted="pi' reverses the order",
            control=partial(_ordered_terms, kept=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"For $\pi_i > \pi_j$ and $b \in [0,1]$ the new gap is $\log(\pi_i/\pi_j) + \eta\,[\pi_i(r_i-b) "
            r"- \pi_j(r_j-b)]$. If $j$ is wrong and $i$ right, or both are right, the bracket is $\ge 0$: "
            r"the order is kept at every $\eta \ge 0$.",
            check=partial(_never_reversed, right=1),
            planted="i is wrong",
            control=partial(_never_reversed, right=0),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"If both are wrong, the gap is $\log(\pi_i/\pi_j) - \eta b(\pi_i-\pi_j)$. As $\log(x/y) \ge "
            r"2(x-y)/(x+y)$ for $x \ge y > 0$ and $\pi_i+\pi_j \le 1$, it is $\ge 0$ for $\eta \le 2/b$, so "
            r"for $\eta \le 2/b_2$.",
            check=partial(_both_wrong, two=2),
            planted="eta <= 3/b",
            control=partial(_both_wrong, two=3),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Named lemma used there: $\log t \ge 2(t-1)/(t+1)$ for $t \ge 1$. (Equal at 1; the difference "
            r"of the derivatives is $(t-1)^2/(t(t+1)^2)$.)",
            check=partial(_log_mean_lemma, two=2),
            planted="3 (t - 1)/(t + 1)",
            control=partial(_log_mean_lemma, two=3),
            citation="Ostle and Terwilliger, A comparison of two means (1957): logarithmic at most arithmetic",
        ),
        Step(
            says=r"If $i$ is wrong and $j$ right, the gap is $\log(\pi_i/\pi_j) - \eta\,(b\pi_i + (1-b)\pi_j)$. "
            r"As $\pi_i > \pi_j$ the bracket grows with $b$, so $\eta \le \log(\pi_i/\pi_j)/(b_2\pi_i + "
            r"(1-b_2)\pi_j)$ suffices for all $b \le b_2$. Together: the second route's step. Both routes "
            r"hold, so the larger step does.",
            check=partial(_wrong_above_right, share="high"),
            planted="b_1 in the bound",
            control=partial(_wrong_above_right, share="low"),
            generality=Generality.GENERAL,
        ),
    )


def _first_order_gap(*, sign: int) -> Finding:
    """Find whether the first-order changes of two baselines differ by (b_2 - b_1) times the self-covariance."""
    low, high = sympy.symbols("b_1 b_2", real=True)

    def change(baseline: Any) -> Any:
        # The reward is a quantity of the arm: x stands for it.
        return for_any_policy(
            lambda arms: first_order_entropy_change(
                arms.logits(), uncentred(arms.probs(), arms.entries(X) - Formula(baseline))
            )
        )

    # The slope in b that claim `prop42-uncentred` has too.
    slope = for_any_policy(lambda arms: self_covariance(arms.logits()))
    return zero(change(high) - change(low) - sign * (high - low) * slope, sympy.expand)


def _remainder_route(*, factor: int) -> Finding:
    """Find whether the remainder bounds keep the order up to the first route's step."""
    eta, gap, low, high, first, second, below, above, change_1, change_2 = z3.Reals(
        "eta gap rho_1 rho_2 h_1 h_2 below above change_1 change_2"
    )
    curvature, half = z3.Reals("curvature half")
    facts = (
        second - first == gap, curvature == high * high * below + low * low * above, half == eta * eta / 2,
        change_2 >= eta * second - half * (high * high * below), change_1 <= eta * first + half * (low * low * above),
    )  # fmt: skip
    reduced = valid(change_2 - change_1 >= eta * gap - half * curvature, *facts)
    # Reducing first to three numbers keeps the second goal small enough for z3.
    e, g, c = z3.Reals("eta gap curvature")
    # eta gap - eta^2 curvature / 2 is not negative up to eta = 2 gap / curvature.
    step = valid(e * g - e * e / 2 * c >= 0, e >= 0, c >= 0, e * c <= factor * g)
    return both(step, reduced)


def _derivative_in_baseline(*, sign: int) -> Finding:
    """Find whether the entropy at the new policy moves with b at the rate eta Cov_pi'(log pi', pi)."""
    # The generic policy stands for pi', x for pi, which does not move with b; the logits move along -eta x.
    eta = sympy.Symbol("eta", positive=True)
    r, b = sympy.symbols("r b", real=True)
    direction = for_any_policy(lambda arms: uncentred(arms.entries(X), arms.entries(r - b)))
    slope = for_any_policy(lambda arms: first_order_entropy_change(arms.logits(), arms.entries(-eta * X)))
    shipped = eta * for_any_policy(lambda arms: covariance(arms.probs(), arms.entries(LOG_PROB), arms.entries(X)))
    pairs = eta / 2 * moments.pair_mean((LOG_PROB - OTHER_ARM[0]) * (X - OTHER_ARM[3]))
    return all_zero([slope - sign * shipped, sympy.diff(direction, b) + X, shipped - pairs], sympy.expand)


def _ordered_terms(*, kept: bool) -> Finding:
    """Find whether each pair's term is non-negative where the new policy keeps the order of the old one."""
    i, j, new_i, new_j = z3.Reals("p_i p_j log_i log_j")
    # The order of two responses is kept or not; equal ones add nothing.
    order = [z3.Implies(i > j, new_i >= new_j if kept else new_i <= new_j)]
    order.append(z3.Implies(j > i, new_j >= new_i if kept else new_j <= new_i))
    return valid((new_i - new_j) * (i - j) >= 0, *order)


def _never_reversed(*, right: int) -> Finding:
    """Find whether the step pushes a right response i up at least as far as a less likely j."""
    i, j, r_j, b = z3.Reals("p_i p_j r_j b")
    domain = (i > j, j > 0, b >= 0, b <= 1, z3.Or(r_j == 0, r_j == 1))
    return valid(i * (right - b) - j * (r_j - b) >= 0, *domain)


def _both_wrong(*, two: int) -> Finding:
    """Find whether two wrong responses keep their order up to eta = two / b."""
    i, j, b, eta, log_ratio = z3.Reals("p_i p_j b eta ell")
    # log(i/j) >= 2 (i - j)/(i + j), multiplied by the positive sum.
    lemma = log_ratio * (i + j) >= 2 * (i - j)
    domain = (i >= j, j > 0, i + j <= 1, b > 0, b <= 1, eta >= 0)
    bracket = valid(i * (0 - b) - j * (0 - b) == -b * (i - j))
    product_, gap = z3.Reals("eta_b gap")
    enough = valid(log_ratio - product_ * gap >= 0, log_ratio >= 2 * gap, gap >= 0, product_ <= two, product_ >= 0)
    at_least = valid(log_ratio >= 2 * (i - j), lemma, *domain)
    return both(enough, bracket, at_least)


def _log_mean_lemma(effort: Effort, *, two: int) -> Finding:
    """Find whether log t > 2 (t - 1)/(t + 1) at multiples of 1/8 above 1, and the derivatives differ as said."""
    t = sympy.Symbol("t", positive=True)
    slope = zero(sympy.diff(sympy.log(t) - 2 * (t - 1) / (t + 1), t) - (t - 1) ** 2 / (t * (t + 1) ** 2))

    def cases() -> Iterator[tuple[str, bool]]:
        for x in (1 + Fraction(k, 8) for k in range(1, effort.pick(80, 24))):
            yield f"t = {x}", bool(ball(x).log() > ball(two * (x - 1) / (x + 1)))

    return both(for_all(cases(), "t in multiples of 1/8"), slope)


def _wrong_above_right(*, share: str) -> Finding:
    """Find whether a wrong response stays above a less likely right one up to the second route's step."""
    i, j, b, low, high, eta, log_ratio = z3.Reals("p_i p_j b b1 b2 eta ell")
    domain = (i > j, j > 0, i < 1, low >= 0, low <= b, b <= high, high <= 1, low < high, eta >= 0)
    bracket = valid(i * (0 - b) - j * (1 - b) == -(b * i + (1 - b) * j))
    # The weight grows with b where i > j, so that the largest baseline decides.
    used = high if share == "high" else low
    weight, largest = z3.Reals("weight largest")
    grows = valid(weight <= largest, weight == b * i + (1 - b) * j, largest == used * i + (1 - used) * j, *domain)
    kept = valid(log_ratio - eta * weight >= 0, eta >= 0, weight <= largest, eta * largest <= log_ratio)
    return both(grows, bracket, kept)
