"""Prove claim ``ratio-box``, m H <= H' <= M H with m and M the smallest and the largest ratio pi'_i / pi_i.

The bound needs no smallness and no number of responses. Claim ``ratio-box-clip``, that PPO's clipping keeps the ratios
in the clip range, is refuted by one shipped update; where they are in it (``-if``), entropy is. z3 and SymPy decide the
steps; ties compare the shipped bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import flint
import numpy as np
import sympy
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import entropy_change_bounds
from qae_theory.objective import clipped_surrogate
from qae_theory.proofs.carriers.formulas import expressions, formulas
from qae_theory.proofs.entropy_change.cross_entropy_upper import divergence_steps
from qae_theory.proofs.tools import ball_entropy as exact
from qae_theory.proofs.tools.cases import policies
from qae_theory.proofs.tools.checking import (
    all_equal,
    all_zero,
    ball,
    both,
    close_to,
    for_all,
    valid,
    with_witness,
    zero,
)
from qae_theory.softmax import probabilities
from qae_theory.updates import update_direction

# DAPO's clip range.
CLIP_LOW, CLIP_HIGH = Fraction(1, 5), Fraction(28, 100)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    box = (*divergence_steps(), *_box())
    ledger.add(
        Evidence("ratio-box", "cross-entropy-and-weights", Kind.PROOF, Role.FOR, (*box, *_step_ratios(), *_ties()))
    )
    ledger.add(Evidence("ratio-box-clip", "one-update", Kind.WITNESS, Role.AGAINST, _clip_witness()))
    rescued = "ratio-box-clip-if"
    ledger.add(Evidence(rescued, "inner-loop", Kind.PROOF, Role.UNDER, (*box, *_displacement())))
    ledger.add(Evidence(rescued, "one-update", Kind.WITNESS, Role.WITHOUT, _clip_witness()[:1]))


def _box() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Each $s_i = -\pi_i\log\pi_i$ is positive, as $0 < \pi_i < 1$ for $n \ge 2$. So with $M = "
            r"\max_i\pi'_i/\pi_i$, $-\sum_i\pi'_i\log\pi_i = \sum_i\frac{\pi'_i}{\pi_i}s_i \le M\,H$, and because $D "
            r"\ge 0$, $H' \le MH$.",
            check=partial(_weighted_below, sign=1),
            planted="negative s_i",
            control=partial(_weighted_below, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Exchanging the policies, $H \le \max_i(\pi_i/\pi'_i)\,H'$, and $\max_i\pi_i/\pi'_i = "
            r"1/\min_i(\pi'_i/\pi_i)$. So $m\,H \le H' \le M\,H$ with $m$ the smallest ratio, and $H > 0$ may be "
            r"divided by.",
            check=partial(_exchanged, positive=True),
            planted="H < 0",
            control=partial(_exchanged, positive=False),
            generality=Generality.GENERAL,
        ),
    )


def _step_ratios() -> tuple[Step, ...]:
    return (
        Step(
            says=r"After a step $z' = z + \eta d$, $\pi_i/\pi'_i = \sum_j\pi_je^{\eta(d_j - d_i)}$: one of the "
            r"weights singled out, the others in one symbol.",
            check=partial(_ratio_is_mean, sign=1),
            planted="e^(eta (d_i - d_j))",
            control=partial(_ratio_is_mean, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"As $|\eta(d_j - d_i)| \le |\eta|\rho$ and the exponential increases, each term lies in "
            r"$[e^{-|\eta|\rho}, e^{|\eta|\rho}]$, and so does their mean under $\pi$ and its inverse. Hence "
            r"$e^{-|\eta|\rho} \le H'/H \le e^{|\eta|\rho}$.",
            check=partial(_mean_in_box, wide=1),
            planted="half the exponent",
            control=partial(_mean_in_box, wide=2),
            generality=Generality.GENERAL,
        ),
    )


def _ties() -> tuple[Step, ...]:
    return (
        Step(
            says="Tie: the exact entropies before and after a step, in ball arithmetic, have their ratio in the box "
            "of the probability ratios, which the shipped `probabilities` give to rounding.",
            check=partial(_replayed, inside=True),
            planted="outside the box",
            control=partial(_replayed, inside=False),
            tie=True,
        ),
        Step(
            says="Tie: the shipped `entropy_change_bounds` with `method='ratio-box'` contain the exact change.",
            check=partial(_shipped_bounds, factor=1),
            planted="the change of three times the step",
            control=partial(_shipped_bounds, factor=3),
            tie=True,
        ),
    )


def _clip_witness() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Two responses, $\pi = (1/2, 1/2)$, a group of one right response with $A = 1$ and one wrong with "
            r"$A = -1$. On policy no ratio is clipped; the shipped `sampled_group` direction is $(1/2, -1/2)$, and "
            r"one step $\eta = \log 9$ along it gives $(9/10, 1/10)$: ratios $9/5$ and $1/5$, far outside $[.8, "
            r"1.28]$, and $H'/H = .469 < .8$.",
            check=partial(_one_update, base=9),
            planted="eta = log(6/5), which stays inside",
            control=partial(_one_update, base=Fraction(6, 5)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"What clipping does: at those ratios the shipped `clipped_surrogate` is flat in each, so that the "
            r"gradient is gone; nothing brings the ratios back.",
            check=partial(_flat_outside, ratios=(Fraction(9, 5), Fraction(1, 5))),
            planted="ratios inside the range",
            control=partial(_flat_outside, ratios=(Fraction(9, 8), Fraction(9, 10))),
            generality=Generality.GENERAL,
        ),
    )


def _displacement() -> tuple[Step, ...]:
    return (
        Step(
            says=r"After any number of inner updates $\log(\pi'_i/\pi_i) = \Delta_i - c$ with $\Delta$ the "
            r"displacement of the logits and one number $c$ (the change of the partition function's logarithm). So "
            r"with all ratios in $[1 - \varepsilon_{low}, 1 + \varepsilon_{high}]$ the spread of $\Delta$ is at most "
            r"$\log\frac{1 + \varepsilon_{high}}{1 - \varepsilon_{low}}$, and $H'/H$ is in that range by the box.",
            check=partial(_spread_of_displacement, shift=0),
            planted="a spread of log(1 + e_high)",
            control=partial(_spread_of_displacement, shift=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"For .2 and .28 that spread is $\log 1.6 = .47$ (ball arithmetic).",
            check=partial(_usual_spread, high="0.28"),
            planted="e_high = .2",
            control=partial(_usual_spread, high="0.2"),
            generality=Generality.GENERAL,
        ),
    )


def _weighted_below(*, sign: int) -> Finding:
    """Find whether a ratio of at most M makes a positive term -pi log pi at most M times as large."""
    ratio, most, surprise, p, log_p = z3.Reals("ratio M s p log_p")
    # log p < 0 for 0 < p < 1, by the lemma of the divergence at t = p: log p <= p - 1.
    positive = valid(-p * log_p > 0, p > 0, p < 1, log_p <= p - 1)
    return both(valid(ratio * surprise <= most * surprise, ratio > 0, ratio <= most, sign * surprise > 0), positive)


def _exchanged(*, positive: bool) -> Finding:
    """Find whether the bound for the policies exchanged gives m H <= H'."""
    old, new, least, most, inverse = z3.Reals("H H_new m M inverse")
    # max pi/pi' is the inverse of min pi'/pi.
    facts = (least > 0, most > 0, inverse * least == 1, old <= inverse * new, new <= most * old)
    box = z3.And(least * old <= new, new / old >= least, new / old <= most)
    return valid(box, *facts, old > 0 if positive else old < 0)


def _ratio_is_mean(*, sign: int) -> Finding:
    """Find whether pi_i / pi'_i is the mean under pi of exp(eta (d_j - d_i))."""
    z, d, eta = sympy.symbols("z d eta", real=True)
    rest, moved_rest = sympy.symbols("R R_moved", positive=True)
    old = sympy.exp(z) / (sympy.exp(z) + rest)
    new = sympy.exp(z + eta * d) / (sympy.exp(z + eta * d) + moved_rest)
    # sum_j pi_j e^(eta (d_j - d)): the arm itself adds pi, the others R_moved e^(-eta d) over the partition function.
    mean = old + moved_rest * sympy.exp(-sign * eta * d) / (sympy.exp(z) + rest)
    return zero(old / new - mean, sympy.simplify)


def _mean_in_box(*, wide: int) -> Finding:
    """Find whether a mean of numbers in [low, 1/low], and its inverse, lie in that interval."""
    term, other, low, high, prob = z3.Reals("term other low high p")
    # Two arms at a time: a mean of numbers in an interval is in it, and the inverse interval is [1/high, 1/low].
    mean = prob * term + (1 - prob) * other
    inside = (term >= low, term <= high, other >= low, other <= high, prob >= 0, prob <= 1)
    means = valid(
        z3.And(mean >= low, mean <= high, 1 / mean >= low, 1 / mean <= high), *inside, low > 0, low * high == 1
    )
    gap, size = z3.Reals("gap size")
    # |eta (d_j - d_i)| is at most |eta| times the spread.
    reach = valid(z3.And(gap * wide <= size, -gap * wide <= size), gap <= size, -gap <= size)
    return both(reach, means)


def _replayed(effort: Effort, *, inside: bool) -> Finding:
    """Find whether exact entropies have their ratio in the box, and the shipped probabilities give the ratios."""

    def cases() -> Iterator[tuple[str, bool]]:
        for case, eta in product(policies(effort), (1e-3, 0.3, -2.0)):
            if case.flat:
                continue
            with flint.ctx.workdps(4 * exact.DIGITS):
                z, d = exact.balls(case.logits), exact.balls(case.direction)
                moved = [x + flint.arb(eta) * y for x, y in zip(z, d, strict=True)]
                ratios = [new / old for new, old in zip(exact.policy(moved)[0], exact.policy(z)[0], strict=True)]
                entropies = exact.entropy(moved) / exact.entropy(z)
                low, high = min(ratios, key=lambda r: r.mid()), max(ratios, key=lambda r: r.mid())
                held = bool(low <= entropies) and bool(entropies <= high)
                yield f"{case.label}, eta={eta}", held == inside
                # Beyond a gap of 500 a probability is too close to the smallest float to have nine digits.
                near = np.allclose(_shipped_ratios(case, eta), [float(r.mid()) for r in ratios], rtol=1e-9)
                yield f"{case.label}, eta={eta}, shipped ratios", near or bool(np.ptp(case.logits) > 500)

    return for_all(cases(), "policies that are not flat, three steps")


def _shipped_ratios(case: Any, eta: float) -> Any:
    """Return pi'_i / pi_i of the shipped probabilities after a step."""
    with np.errstate(divide="ignore", invalid="ignore"):  # beyond a gap of 745 a probability is 0
        return probabilities(case.logits + eta * case.direction) / probabilities(case.logits)


def _shipped_bounds(effort: Effort, *, factor: int) -> Finding:
    """Find whether the shipped bounds contain the exact change of ``factor`` times the step."""

    def cases() -> Iterator[tuple[str, bool]]:
        for case, eta in product(policies(effort), (1e-3, 0.3, -2.0)):
            if case.flat:
                continue
            lower, upper = entropy_change_bounds(case.logits, case.direction, eta, method="ratio-box")
            with flint.ctx.workdps(4 * exact.DIGITS):
                z, d = exact.balls(case.logits), exact.balls(case.direction)
                change = exact.entropy_change(z, d, factor * flint.arb(eta))
                inside = bool(flint.arb(float(lower)) <= change) and bool(change <= flint.arb(float(upper)))
                yield f"{case.label}, eta={eta}", inside

    return for_all(cases(), "policies that are not flat, three steps")


def _one_update(*, base: Any) -> Finding:
    """Find whether one shipped update of size log(base) leaves the clip range, in ratios and in entropy."""
    logits, advantages = formulas([0, 0]), formulas([1, -1])
    direction = expressions(update_direction(logits, [1, 0], "sampled_group", responses=[0, 1], advantages=advantages))
    step = sympy.log(sympy.Rational(base))
    moved = formulas([step * d for d in direction])
    new = [sympy.simplify(p) for p in expressions(probabilities(moved))]
    ratios = [sympy.simplify(2 * p) for p in new]
    # H'/H in ball arithmetic, with H = log 2: whether it lies outside the range is then certain.
    quotient = ball(sum(-p * sympy.log(p) for p in new)) / ball(sympy.log(2))
    low, high = (flint.arb(str(float(x))) for x in (1 - CLIP_LOW, 1 + CLIP_HIGH))
    # Both ratios, as exact numbers.
    outside = all(bool(r < 1 - sympy.Rational(CLIP_LOW)) or bool(r > 1 + sympy.Rational(CLIP_HIGH)) for r in ratios)
    leaves = bool(quotient < low) or bool(quotient > high)
    finding = for_all([(f"ratios {ratios}, H'/H {quotient.str(5)}", outside and leaves)], "one update")
    shown = {
        "pi": "(1/2, 1/2)",
        "advantages": "(1, -1), one right and one wrong response",
        "eta": str(step),
        "pi'": str(tuple(map(str, new))),
        "ratios": str(tuple(map(str, ratios))),
        "H'/H": quotient.str(4, radius=False),
        "clip range": f"[{1 - CLIP_LOW}, {1 + CLIP_HIGH}]",
    }
    return with_witness(both(finding, all_zero([direction[0] - sympy.Rational(1, 2), sum(direction)])), shown)


def _flat_outside(*, ratios: tuple[Fraction, Fraction]) -> Finding:
    """Find whether the shipped clipped term of each response stays equal when its ratio moves."""
    clip = {"clip_low": CLIP_LOW, "clip_high": CLIP_HIGH}
    # A flat term has the same value at a ratio beside.
    nudged = [ratio + Fraction(1, 1000) for ratio in ratios]
    cases = []
    for ratio, moved, advantage in zip(ratios, nudged, (1, -1), strict=True):
        terms = clipped_surrogate(np.array([ratio, moved], dtype=object), Fraction(advantage), **clip)
        cases.append((f"ratio {ratio}, A = {advantage}", terms[0], terms[1]))
    return all_equal(cases, "each response's term, its ratio moved by 1/1000")


def _spread_of_displacement(*, shift: int) -> Finding:
    """Find whether log-ratios in a range have displacements whose spread is at most the range's width."""
    first, second, number, low, high = z3.Reals("Delta_i Delta_j c log_low log_high")
    # log(pi'/pi) is the displacement less one number for all responses.
    ratios = [z3.And(x - number >= low, x - number <= high) for x in (first, second)]
    spread = high - (0 if shift else low)
    return valid(first - second <= spread, low < 0, high > 0, *ratios)


def _usual_spread(*, high: str) -> Finding:
    """Find whether log((1 + e_high)/(1 - e_low)) is the quoted .47."""
    ratio = (1 + Fraction(high)) / (1 - CLIP_LOW)
    return close_to(ball(ratio).log(), "0.47", "log((1 + e_high)/(1 - e_low))", half_width="0.0005")
