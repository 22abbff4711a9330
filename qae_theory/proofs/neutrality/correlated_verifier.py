"""Refute claim ``correlated-verifier``, neutrality of QAE when a group's scores share a noise z, and prove its rescue.

Given z the rewards are independent again, so that the expected update is E_z[w(p_z, G) grad p_z]. That lies on the line
of the mean's gradient only where w is constant or all grad p_z point one way. The counterexamples run the shipped steps
over all groups; the form under an assumption (``-if``) is proved with SymPy and tied by enumeration.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import sympy

from qae_theory.advantages import advantages
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.group_expectation import expected_gain, gain, outcome_advantages
from qae_theory.proofs.carriers.formulas import expression, scalar
from qae_theory.proofs.neutrality.neutrality import expected_update_steps
from qae_theory.proofs.tools.checking import all_equal, all_zero, for_all, with_witness, zero
from qae_theory.proofs.tools.enumeration import Query, exact, mean_direction
from qae_theory.proofs.tools.rule_formulas import exactly_equal, number

LEVEL = Fraction(2, 5)
# Three responses are the fewest at which two gradients can point two ways.
THIRDS = (Fraction(1, 3),) * 3


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    rescued = "correlated-verifier-if"
    # The first two steps of neutrality, exchangeability and conditioning, hold given the noise.
    proof = (*expected_update_steps()[:2], *_noisy_proof(), _tie())
    against = (_line_step(), _flip_step(), *_constant_gain_steps())
    ledger.add(Evidence("correlated-verifier", "off-the-line", Kind.WITNESS, Role.AGAINST, against))
    ledger.add(Evidence(rescued, "errors-apart-from-the-response", Kind.PROOF, Role.UNDER, proof))
    ledger.add(Evidence(rescued, "off-the-line", Kind.WITNESS, Role.WITHOUT, (_line_step(),)))


def _line_step() -> Step:
    return Step(
        says=r"Three responses of equal probability; for a whole group the verifier accepts the first, or the first "
        r"two, evenly. QAE, $G = 2$, $K = 2/5$: the mean of the shipped steps over all groups is $(5, -1, -4)/27$, "
        r"the gradient of the mean success probability $(1, 0, -1)/6$: no multiple of each other.",
        check=partial(_off_the_line, rule="qae"),
        planted="RLOO, whose gain is constant",
        control=partial(_off_the_line, rule="rloo"),
        generality=Generality.GENERAL,
    )


def _flip_step() -> Step:
    return Step(
        says=r"Nor is the weight positive. With $p = 4/5$ and all scores of a group flipped with probability $1/4$, "
        r"QAE's weight is $\frac34w(4/5) - \frac14w(1/5) = -1/10$ at $G = 2$, $K = 2/5$ (shipped gain), although the "
        r"verifier is better than chance: $E\,J = 1/2$.",
        check=partial(_turned_round, flip=Fraction(1, 4)),
        planted="a flip with probability 1/10",
        control=partial(_turned_round, flip=Fraction(1, 10)),
        generality=Generality.GENERAL,
    )


def _constant_gain_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Rules whose $w$ does not depend on $p$ stay neutral: $E_z[w\,\nabla p_z] = w\,\nabla E_zp_z$. Of "
            r"them are RLOO, PSR and NSR with 1, Dr. GRPO with $(G-1)/G$, and GRPO at $G = 2$ (1) and $G = 3$ "
            r"($\sqrt2$): the shipped gain with symbolic $p$.",
            check=partial(_gain_is_constant, sizes=(2, 3)),
            planted="GRPO at G = 4 too",
            control=partial(_gain_is_constant, sizes=(2, 3, 4)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"From $G = 4$ on GRPO's gain varies with $p$ (shown for $G = 4$ to 8, at $p = 1/10$ and $1/2$), "
            r"and so does QAE's from $G = 2$ on: they are not neutral.",
            check=partial(_gain_varies, rules=("qae", "grpo")),
            planted="RLOO's varies too",
            control=partial(_gain_varies, rules=("qae", "grpo", "rloo")),
        ),
    )


def _noisy_proof() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Given the noise $z$ the verifier accepts response $y$ with probability $c_y(z)$, independently, "
            r"and the rewards of the group are iid with success probability $p_z = \sum_y\pi_yc_y$. Term by term "
            r"$c_y\pi_ys(y) = c_y\nabla\pi_y$ and $(1-c_y)\pi_ys(y) = \nabla\pi_y - c_y\nabla\pi_y$; as "
            r"$\sum_y\nabla\pi_y = 0$, $E[1\{R=1\}s \mid z] = \nabla p_z$ and $E[1\{R=0\}s \mid z] = -\nabla p_z$. "
            r"So $E[\mathrm{update} \mid z] = w(p_z, G)\nabla p_z$, as without noise.",
            check=partial(_noisy_score, sign=-1),
            planted="+grad p_z for the wrong scores",
            control=partial(_noisy_score, sign=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"If the errors depend on the response through its being right or wrong only, $c_y = 1-\rho_1(z)$ "
            r"for right and $\rho_0(z)$ for wrong ones, then $p_z = (1-\rho_1)p + \rho_0(1-p) = \rho_0 + J_zp$ and "
            r"$\nabla p_z = J_z\nabla p$ with $J_z = 1-\rho_0-\rho_1$.",
            check=partial(_one_line, errors=2),
            planted="J = 1 - rho_1",
            control=partial(_one_line, errors=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Averaging over $z$ (linearity), $E[\mathrm{update}] = E_z[J_z\,w(p_z, G)]\,\nabla p$: on the line "
            r"of $\nabla p$, with that weight. One value of $z$ is added at a time.",
            check=partial(_average_over_noise, power=1),
            planted="J^2 for J",
            control=partial(_average_over_noise, power=2),
            generality=Generality.GENERAL,
        ),
    )


def _tie() -> Step:
    return Step(
        says=r"Tie: shipped advantages and scores of two responses, a verifier with $\rho_0, \rho_1$, every group of "
        r"responses and scores: the mean update is the shipped gain at $p_z$ times $J_z\nabla p$, exactly.",
        check=partial(_enumerated, errors=2),
        planted="J = 1 - rho_1",
        control=partial(_enumerated, errors=1),
        tie=True,
    )


def _mean_update(rule: str, size: int, rewards: Sequence[tuple[int, ...]], **options: Any) -> list[Any]:
    """Return the mean of the shipped steps over all groups and over the reward vectors, which are equally likely.

    Args:
        rule: name of the estimator.
        size: G.
        rewards: one reward vector per value of the noise.
        **options: K and eps, as the rule takes them.
    """
    total = exact([0] * len(THIRDS))
    for arm_rewards in rewards:
        total = total + mean_direction(Query(THIRDS, arm_rewards), size, rule, **options)
    return [number(entry) / len(rewards) for entry in total]


def _off_the_line(*, rule: str) -> Finding:
    """Find whether the mean update is no multiple of the mean success probability's gradient; show both."""
    # The second response's fate is the noise: accepted for all of a group, or for none.
    noises = ((1, 0, 0), (1, 1, 0))
    options = {"k": LEVEL, "eps": 0} if rule == "qae" else {}
    update = _mean_update(rule, 2, noises, **options)
    gradients = [Query(THIRDS, r).success_gradient for r in noises]
    gradient = [number(sum(entries)) / 2 for entries in zip(*gradients, strict=True)]
    # Two vectors are parallel exactly if all their 2 x 2 minors are 0.
    crossed = [update[i] * gradient[j] - update[j] * gradient[i] for i, j in ((0, 1), (0, 2), (1, 2))]
    apart = for_all([("no multiple of each other", any(sympy.expand(x) != 0 for x in crossed))], "two vectors")
    shown = {
        "pi": "(1/3, 1/3, 1/3)",
        "accepted": "the first response, or the first two, evenly and for the whole group",
        "G": "2",
        "K": str(LEVEL),
        "expected update": f"({', '.join(map(str, update))})",
        "gradient of the mean success probability": f"({', '.join(map(str, gradient))})",
    }
    # The control has no such figures to compare.
    if not apart.passed:
        return apart
    twenty_sevenths = [sympy.Rational(n, 27) for n in (5, -1, -4)]
    sixths = [sympy.Rational(n, 6) for n in (1, 0, -1)]
    cases = [("update", update, twenty_sevenths), ("gradient", gradient, sixths)]
    return with_witness(all_equal(cases, "all groups of two"), shown)


def _turned_round(*, flip: Fraction) -> Finding:
    """Find whether QAE's weight is negative although the verifier is better than chance, E J > 0."""
    p = Fraction(4, 5)
    # A flip turns p into 1 - p and right into wrong, which is a minus sign.
    straight, flipped = (Fraction(expected_gain(q, 2, "qae", k=LEVEL, eps=0).item()) for q in (p, 1 - p))
    weight, quality = (1 - flip) * straight - flip * flipped, 1 - 2 * flip
    cases = [(f"weight {weight}, E J = {quality}", weight < 0 < quality)]
    shown = {"p": str(p), "flip": str(flip), "G": "2", "K": str(LEVEL), "weight": str(weight), "E J": str(quality)}
    return with_witness(for_all(cases, "QAE"), shown)


def _gain_is_constant(*, sizes: tuple[int, ...]) -> Finding:
    """Find whether the shipped gain of these rules does not depend on p."""
    p = sympy.Symbol("p", positive=True)
    residuals = []
    for size in sizes:
        for rule in ("grpo", "rloo", "psr", "nsr", "dr_grpo"):
            options = {"eps": 0} if rule == "grpo" else {}
            w = expression(gain(scalar(p), outcome_advantages(size, rule, exact=True, **options)))
            residuals.append(sympy.diff(w, p))
    return all_zero(residuals, sympy.expand)


def _gain_varies(effort: Effort, *, rules: tuple[str, ...]) -> Finding:
    """Find whether the shipped gain of each rule differs between p = 1/10 and 1/2."""

    def cases() -> Iterator[tuple[str, bool]]:
        for rule, size in product(rules, range(4, effort.pick(9, 7))):
            options: dict[str, Any] = {"eps": 0, **({"k": LEVEL} if rule == "qae" else {})} if rule != "rloo" else {}
            low, high = (number(expected_gain(q, size, rule, **options)) for q in (Fraction(1, 10), Fraction(1, 2)))
            yield f"{rule}, G={size}", bool(sympy.expand(low - high) != 0)

    return for_all(cases(), "p = 1/10 and 1/2")


def _noisy_score(*, sign: int) -> Finding:
    """Find whether an accepted response adds c grad pi and a refused one grad pi - c grad pi to the expected score."""
    theta, accepted = sympy.symbols("theta c", real=True)
    prob, rest = sympy.Function("pi")(theta), sympy.Function("rest")(theta)
    score, slope = sympy.diff(sympy.log(prob), theta), sympy.diff(prob, theta)
    # An accepted response adds c pi s, and pi s = grad pi.
    right = accepted * prob * score - accepted * slope
    # One response singled out; `rest` is the accepted probability of the others, and all probabilities sum to 1.
    success = accepted * prob + rest
    wrong_total = sympy.diff(1 - success, theta) - sign * sympy.diff(success, theta)
    wrong = (1 - accepted) * prob * score - (slope - accepted * slope)
    return all_zero([wrong_total, right, wrong])


def _one_line(*, errors: int) -> Finding:
    """Find whether p_z = rho_0 + J p, so that grad p_z = J grad p."""
    p, low, high = sympy.symbols("p rho_0 rho_1", real=True)
    quality = 1 - high - (low if errors == 2 else 0)
    # A right response is accepted unless missed, a wrong one if mistaken.
    noisy = (1 - high) * p + low * (1 - p)
    return all_zero([sympy.diff(noisy, p) - quality, noisy - (low + (1 - low - high) * p)], sympy.expand)


def _average_over_noise(*, power: int) -> Finding:
    """Check the induction step: one more value of the noise adds its chance times J w to the weight."""
    before, chance, quality, gain_here, gradient = sympy.symbols("before rho J w grad_p", real=True)
    grown = before * gradient + chance * gain_here * (quality * gradient)
    return zero(grown - (before + chance * quality**power * gain_here) * gradient, sympy.expand)


def scored_update(
    rule: str, size: int, *, success: Fraction, accepted: tuple[Fraction, Fraction], **options: Any
) -> Any:
    """Return the expected update of two responses, one right and one wrong, over all groups of responses and scores.

    Args:
        rule: name of the estimator.
        size: G.
        success: the probability of the right response.
        accepted: the chances that the verifier accepts the right and the wrong response.
        **options: K and eps, as the rule takes them.

    Returns:
        The entry of the right response's logit, a SymPy number.
    """
    probs = (success, 1 - success)
    total: Any = 0
    for responses, scores in product(product((0, 1), repeat=size), product((0, 1), repeat=size)):
        # The responses are drawn, then each is scored; all draws are independent, given the errors.
        weight = Fraction(1)
        for y, r in zip(responses, scores, strict=True):
            weight *= probs[y] * (accepted[y] if r else 1 - accepted[y])
        a = advantages(exact(scores), rule, **options)
        # The score of the first logit: 1 less its probability, or minus that.
        pushes = sum((a_i * (int(y == 0) - success) for a_i, y in zip(a, responses, strict=True)), 0)
        total += weight * pushes / size
    return number(total)


def _enumerated(effort: Effort, *, errors: int) -> Finding:
    """Find whether the mean update over all responses and scores is the shipped gain at p_z times J grad p."""
    success, low, high = Fraction(2, 3), Fraction(1, 10), Fraction(1, 5)
    quality = 1 - high - (low if errors == 2 else 0)
    noisy = success * (1 - high) + (1 - success) * low
    rules: tuple[tuple[str, dict[str, Any]], ...] = (("qae", {"k": LEVEL, "eps": 0}), ("rloo", {}))

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for (rule, options), size in product(rules, (2, effort.pick(4, 3))):
            update = scored_update(rule, size, success=success, accepted=(1 - high, low), **options)
            w = number(expected_gain(noisy, size, rule, **options))
            yield f"{rule}, G={size}", update, w * quality * success * (1 - success)

    return exactly_equal(cases(), "two responses, every group of responses and scores")
