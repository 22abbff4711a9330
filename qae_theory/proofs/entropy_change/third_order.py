"""Prove claim ``third-order``: |Delta H - eta h_1 - eta^2 h_2 / 2| <= |eta|^3 B_3 / 6.

B_3 is made of moments at the starting policy. The argument follows the policy along the step: every moment on the way
is bounded by one at the start, weighted with exp(tau d_+). SymPy does the derivatives on any number of arms, z3 the
inequalities. The ties of the bound to exact changes are in ``third_order_ties``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import sympy
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import second_order_entropy_change
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.generic_arm import for_any_policy
from qae_theory.proofs.carriers.moments import DIRECTION, LOG_PROB
from qae_theory.proofs.entropy_change import third_order_ties
from qae_theory.proofs.entropy_change.self_covariance import log_lemma_step
from qae_theory.proofs.tools.checking import all_zero, both, valid, zero


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    steps = (*_derivative(), *_along_the_path(), *_moments_on_the_way(), *_assembly(), *third_order_ties.steps())
    ledger.add(Evidence("third-order", "weighted-moments", Kind.PROOF, Role.FOR, steps))


def _derivative() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The shipped `second_order_entropy_change`, on any number of arms, moves along the step (rule of "
            r"claim `identity`) by $\phi^{(3)} = -2\,E\delta^3 - E[S\delta^3] + 3c\,E\delta^2$ with $\delta = d - "
            r"Ed$, $S = \log\pi - E\log\pi$ and $c = E[S\delta]$; $E\delta^3 = \kappa_3(d)$. It holds at every point "
            r"of the path, each of which is a softmax policy.",
            check=partial(_third_derivative, two=2),
            planted="-E delta^3",
            control=partial(_third_derivative, two=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"A constant added to $d$ drops out of $\phi$'s derivatives, and $-d$ for $d$ changes the sign of "
            r"the odd ones. So take $\tilde d = \mathrm{sign}(\eta)(d - E_\pi d)$ and $\tau = |\eta|$: the step is "
            r"$\tau \ge 0$ along a direction with mean 0 at the start.",
            check=partial(_shift_and_sign, parity=-1),
            planted="the third derivative is even",
            control=partial(_shift_and_sign, parity=1),
            generality=Generality.GENERAL,
        ),
    )


def _along_the_path() -> tuple[Step, ...]:
    return (
        log_lemma_step(),
        Step(
            says=r"At $0 \le t \le \tau$, $\pi_t = \pi e^{t\tilde d}/E[e^{t\tilde d}]$. By the lemma $e^{x} \ge 1 + "
            r"x$, so $E[e^{t\tilde d}] \ge 1 + tE\tilde d = 1$; and $t\tilde d \le \tau\max(\tilde d, 0)$. Hence "
            r"$\pi_t \le \pi\,e^{\tau\tilde d_+}$, and $E_t|f| \le E[e^{\tau\tilde d_+}|f|]$ for every $f$: with $f "
            r"= |\tilde d|^k$ and $|S||\tilde d|^k$ these are $a_k$ and $s_k$.",
            check=partial(_policy_below, positive_part=True),
            planted="tau d in the exponent",
            control=partial(_policy_below, positive_part=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The mean $E_t\tilde d$ starts at 0 and moves at the rate $\mathrm{Var}_t(\tilde d) \le E_t\tilde "
            r"d^2 \le a_2$ (rule of claim `identity`), so that $|E_t\tilde d| \le \tau a_2$; and $|E_t\tilde d| \le "
            r"E_t|\tilde d| \le a_1$. Together $|E_t\tilde d| \le \bar m = \min(\tau a_2, a_1)$.",
            check=partial(_mean_moves, power=2),
            planted="the rate E d^3",
            control=partial(_mean_moves, power=3),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"As $\log\pi_t = \log\pi + t\tilde d - \log E e^{t\tilde d}$, with $\delta_t = \tilde d - "
            r"E_t\tilde d$: $\log\pi_t - E_t\log\pi_t = S - E_tS + t\,\delta_t$, where $|E_tS| \le s_0$.",
            check=partial(_surprise_moves, step=1),
            planted="2 t delta",
            control=partial(_surprise_moves, step=2),
            generality=Generality.GENERAL,
        ),
    )


def _moments_on_the_way() -> tuple[Step, ...]:
    return (
        Step(
            says=r"$|\delta_t| \le |\tilde d| + \bar m$. Expanding powers, with $E_t|\tilde d|^k \le a_k$ and $E_t1 "
            r"= 1$: $E_t|\delta|^3 \le T = a_3 + 3\bar ma_2 + 3\bar m^2a_1 + \bar m^3$ and $E_t\delta^4 \le D = a_4 "
            r"+ 4\bar ma_3 + 6\bar m^2a_2 + 4\bar m^3a_1 + \bar m^4$.",
            check=partial(_powers, binomial=3),
            planted="2 m a_2 in T",
            control=partial(_powers, binomial=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The same with $|S|$ beside: $E_t[|S||\delta|] \le s_1 + \bar ms_0$ and $E_t[|S||\delta|^3] \le "
            r"s_3 + 3\bar ms_2 + 3\bar m^2s_1 + \bar m^3s_0$. And $E_t\delta^2 = \mathrm{Var}_t \le E_t\tilde d^2 "
            r"\le a_2$.",
            check=partial(_weighted_powers, binomial=3),
            planted="2 m s_2",
            control=partial(_weighted_powers, binomial=2),
            generality=Generality.GENERAL,
        ),
    )


def _assembly() -> tuple[Step, ...]:
    return (
        Step(
            says=r"$|E_t[S_t\delta^3]| \le E_t[|S||\delta|^3] + s_0T + \tau D$ and, as $E_t\delta = 0$ takes the "
            r"constant out, $|c| = |E_t[(S + t\delta)\delta]| \le s_1 + \bar ms_0 + \tau a_2$. Adding up, "
            r"$|\phi^{(3)}(t)| \le B_3 = 2T + (s_3 + 3\bar ms_2 + 3\bar m^2s_1 + \bar m^3s_0) + s_0T + \tau D + "
            r"3a_2(s_1 + \bar ms_0 + \tau a_2)$.",
            check=partial(_third_derivative_bounded, three=3),
            planted="2 a_2 in the last term",
            control=partial(_third_derivative_bounded, three=2),
            generality=Generality.GENERAL,
        ),
        third_order_ties.taylor_step(),
        Step(
            says=r"Sharper, and the form that is shipped: $E_tS$ starts at 0 and moves at the rate $E_t[S\delta]$ "
            r"(rule of claim `identity`), at most $s_1 + \bar ms_0$ in size. So $|E_tS| \le \min(s_0, \tau(s_1 + "
            r"\bar ms_0))$, which may stand for the $s_0$ beside $T$ and makes $B_3$ no larger.",
            check=partial(_surprise_drifts, centred=True),
            planted="the rate E[S d]",
            control=partial(_surprise_drifts, centred=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Hence $|\Delta H - \eta h_1 - \frac{\eta^2}{2}\phi''(0)| \le \frac{\tau^3}{6}B_3$.",
            check=partial(_remainder_bounded, six=6),
            planted="tau^3/7",
            control=partial(_remainder_bounded, six=7),
            generality=Generality.GENERAL,
        ),
    )


def _formula(two: Any, direction: Any) -> Any:
    """Return -two E delta^3 - E[S delta^3] + 3 c E delta^2 for a direction, in moments."""
    excess = sympy.expand(direction - moments.mean(direction))
    surprise = LOG_PROB - moments.mean(LOG_PROB)
    cubed = moments.mean(two * excess**3 + surprise * excess**3)
    return sympy.expand(-cubed + 3 * moments.mean(surprise * excess) * moments.mean(excess**2))


def _third_derivative(*, two: int) -> Finding:
    """Find whether the shipped second-order change moves along the step at the claimed third derivative."""
    second = for_any_policy(lambda arms: second_order_entropy_change(arms.logits(), arms.entries(DIRECTION)))
    return zero(moments.along_step(second) - _formula(two, DIRECTION), sympy.expand)


def _shift_and_sign(*, parity: int) -> Finding:
    """Find whether a constant added to d drops out of the third derivative, and -d for d changes its sign."""
    constant = sympy.Symbol("k", real=True)
    # The formula itself is put to the test, with other directions in it.
    odd = _formula(2, -DIRECTION) - parity * _formula(2, DIRECTION)
    shifted = _formula(2, DIRECTION + constant) - _formula(2, DIRECTION)
    return all_zero([odd, shifted], sympy.expand)


def _policy_below(*, positive_part: bool) -> Finding:
    """Find whether pi_t <= pi exp(tau d_+) for 0 <= t <= tau, if E d = 0 at the start."""
    t, tau, d, top = z3.Reals("t tau d top")
    # Only the positive part: where d < 0 the exponent t d is at most 0.
    reach = tau * z3.If(d > 0, d, 0) if positive_part else tau * d
    exponent = valid(t * d <= reach, t >= 0, t <= tau)
    # exp(x) >= 1 + x is the lemma log y <= y - 1 at y = exp(x); E[e^{td}] >= 1 + t E d with E d = 0.
    mean_d, mean_exp = z3.Reals("Ed Eexp")
    partition = valid(mean_exp >= 1, mean_exp >= 1 + t * mean_d, mean_d == 0)
    weight, p = z3.Reals("weight p")
    quotient = valid(p * weight / mean_exp <= p * top, p > 0, weight > 0, weight <= top, mean_exp >= 1)
    return both(exponent, partition, quotient)


def _mean_moves(*, power: int) -> Finding:
    """Find whether E d moves at the rate Var(d), and |E_t d| is at most min(tau a_2, a_1)."""
    rate = moments.along_step(moments.mean(DIRECTION))
    variance = moments.mean(DIRECTION**power) - moments.mean(DIRECTION) ** power
    mean, first, second, tau, second_moment = z3.Reals("Ed a_1 a_2 tau Edd")
    # Both bounds hold, so that the smaller one does.
    smallest = z3.If(tau * second <= first, tau * second, first)
    # The mean value theorem gives |E_t d| <= tau sup Var; and Var <= E d^2 <= a_2.
    below = valid(second_moment - mean * mean <= second, second_moment <= second)
    together = valid(
        z3.And(mean <= smallest, -mean <= smallest),
        mean <= tau * second,
        -mean <= tau * second,
        mean <= first,
        -mean <= first,
    )
    return both(zero(rate - variance, sympy.expand), below, together)


def _surprise_moves(*, step: int) -> Finding:
    """Find whether log pi_t - E_t log pi_t = S - E_t S + t delta_t."""
    t, log_partition = sympy.symbols("t log_M", real=True)
    # At the new policy, whose expectations are the moments here; x stands for the old log pi.
    old = moments.X
    new = old + t * DIRECTION - log_partition
    centred = new - moments.mean(new)
    claimed = (old - moments.mean(old)) + step * t * (DIRECTION - moments.mean(DIRECTION))
    return zero(sympy.expand(centred - claimed), sympy.expand)


def _powers(*, binomial: int) -> Finding:
    """Find whether |delta| <= |d| + m gives the expanded bounds on the third and fourth moments."""
    size, m = sympy.symbols("size m", positive=True)
    # A binomial's expansion: the bound is on |d| + m, term by term.
    third = (size + m) ** 3 - (size**3 + binomial * m * size**2 + 3 * m**2 * size + m**3)
    fourth = (size + m) ** 4 - (size**4 + 4 * m * size**3 + 6 * m**2 * size**2 + 4 * m**3 * size + m**4)
    d, mean, bound, cube = z3.Reals("d mean m cube")
    gap, magnitude = d - mean, z3.If(d >= 0, d, -d)
    triangle = valid(z3.And(gap <= magnitude + bound, -gap <= magnitude + bound), mean <= bound, -mean <= bound)
    grows = valid(cube * cube * cube <= bound * bound * bound, cube >= 0, cube <= bound)
    return both(all_zero([third, fourth], sympy.expand), triangle, grows)


def _weighted_powers(*, binomial: int) -> Finding:
    """Find whether the same expansion holds with |S| beside the powers."""
    surprise, size, m = sympy.symbols("s size m", positive=True)
    third = surprise * (size + m) ** 3
    claimed = surprise * (size**3 + binomial * m * size**2 + 3 * m**2 * size + m**3)
    first = surprise * (size + m) - (surprise * size + m * surprise)
    return all_zero([third - claimed, first], sympy.expand)


def _third_derivative_bounded(*, three: int) -> Finding:
    """Find whether the bounds on the parts add up to B_3."""
    third, cube, mixed, c, variance = z3.Reals("phi3 E_cube E_mixed c Var")
    t_bound, beside, s0, tau, d_bound, a2, surprise_bound = z3.Reals("T beside s_0 tau D a_2 line")
    facts = (
        third == -2 * cube - mixed + 3 * c * variance,
        z3.And(cube <= t_bound, -cube <= t_bound),
        z3.And(mixed <= beside + s0 * t_bound + tau * d_bound, -mixed <= beside + s0 * t_bound + tau * d_bound),
        z3.And(c <= surprise_bound + tau * a2, -c <= surprise_bound + tau * a2),
        z3.And(variance >= 0, variance <= a2),
    )
    bound = 2 * t_bound + beside + s0 * t_bound + tau * d_bound + three * a2 * (surprise_bound + tau * a2)
    return valid(z3.And(third <= bound, -third <= bound), *facts)


def _surprise_drifts(*, centred: bool) -> Finding:
    """Find whether E_t S moves at the rate E_t[S delta], and a smaller bound on it makes B_3 no larger."""
    # x stands for S, which belongs to the starting policy and stays; its mean moves, because the policy does.
    rate = moments.along_step(moments.mean(moments.X))
    excess = DIRECTION - moments.mean(DIRECTION) if centred else DIRECTION
    size, other, t_bound = z3.Reals("size s_0 T")
    smaller = valid(size * t_bound <= other * t_bound, size <= other, t_bound >= 0)
    return both(zero(rate - moments.mean(sympy.expand(moments.X * excess)), sympy.expand), smaller)


def _remainder_bounded(*, six: int) -> Finding:
    """Find whether a third derivative of at most B_3 leaves a remainder of at most tau^3 B_3 / 6."""
    rest, tau, third, bound = z3.Reals("rest tau phi3 B_3")
    cube = tau * tau * tau
    # Taylor: the remainder is tau^3/6 times the third derivative at some point of the path.
    goal = z3.And(rest <= cube * bound / six, -rest <= cube * bound / six)
    return valid(goal, rest == cube * third / 6, tau >= 0, third <= bound, -third <= bound)
