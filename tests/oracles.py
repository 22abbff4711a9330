"""Independent, slow definitions that the shipped functions are held against.

Groups in Fractions, one group at a time, straight from the paper's definitions; softmax quantities in flint's ball
arithmetic. Nothing here imports the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache, wraps
from itertools import product
from math import comb, isqrt
from typing import Any

import flint

STANDARDISED = ("grpo", "qae", "qae_linear", "pos_mask", "neg_mask")
GATED = ("qae", "qae_linear", "pos_mask", "neg_mask")
UNSCALED = ("dr_grpo", "rloo", "psr", "nsr")
BINARY_ONLY = ("psr", "nsr", "pos_mask", "neg_mask")
ESTIMATORS = ("grpo", "dr_grpo", "rloo", "qae", "qae_linear", "psr", "nsr", "pos_mask", "neg_mask")
Group = Sequence[Fraction]


DIGITS = 360  # enough to tell a probability of 1e-300 from 0 in 1 - pi


def precise(function: Any) -> Any:
    """Run at many digits, leaving the caller's precision alone."""

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with flint.ctx.workdps(DIGITS):
            return function(*args, **kwargs)

    return wrapper


def root(x: Fraction) -> Fraction:
    """Square root to 60 digits."""
    scale = 10**60
    return Fraction(isqrt(x.numerator * x.denominator * scale**2), x.denominator * scale)


def mean(group: Group) -> Fraction:
    return sum(group, Fraction(0)) / len(group)


def deviation(group: Group, std: str) -> Fraction:
    divisor = len(group) - (std == "bessel")
    squares = sum(((x - mean(group)) ** 2 for x in group), Fraction(0))
    return root(squares / divisor) if divisor else Fraction(0)


def lower_quantile(group: Group, k: Fraction) -> Fraction:
    """Eq. 3 as it is written: the least x of the group whose share of rewards <= x reaches K."""
    return min(x for x in group if Fraction(sum(y <= x for y in group), len(group)) >= k)


def linear_quantile(group: Group, k: Fraction) -> Fraction:
    ordered = sorted(group)
    position = (len(group) - 1) * k
    below = int(position)
    above = min(below + 1, len(group) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def advantages(
    group: Group,
    estimator: str,
    *,
    k: Fraction = Fraction(2, 5),
    std: str | None = None,
    eps: Fraction = Fraction(1, 10**6),
) -> list[Fraction]:
    """Advantages of one group, to 60 digits (exact where nothing is standardised)."""
    size = len(group)
    if size < 2:
        return [Fraction(0)] * size
    kind = std or own_std(estimator)
    if estimator in UNSCALED:
        baseline = {
            "dr_grpo": lambda i: mean(group),
            "rloo": lambda i: mean([x for j, x in enumerate(group) if j != i]),
            "psr": lambda i: Fraction(0),
            "nsr": lambda i: Fraction(1),
        }[estimator]
        undivided = [x - baseline(i) for i, x in enumerate(group)]
        if kind == "none":
            return undivided
        if max(group) == min(group):
            return [Fraction(0)] * size
        return [x / (deviation(group, kind) + eps) for x in undivided]
    if max(group) == min(group):
        return [Fraction(0)] * size
    scale = Fraction(1) if kind == "none" else deviation(group, kind) + eps  # nothing divides: no eps either
    hard = lower_quantile(group, k) == 0
    numerator = {
        "grpo": lambda x: x - mean(group),
        "qae": lambda x: x - lower_quantile(group, k),
        "qae_linear": lambda x: x - linear_quantile(group, k),
        "pos_mask": lambda x: (x if hard else 0) - (1 - x),
        "neg_mask": lambda x: x - (0 if hard else 1 - x),
    }[estimator]
    return [numerator(x) / scale for x in group]


def own_std(estimator: str) -> str:
    """What a rule divides by unless it is told otherwise."""
    if estimator in UNSCALED:
        return "none"
    return "bessel" if estimator == "qae_linear" else "population"


def masked_advantages(group: Sequence[Any], mask: Sequence[bool], estimator: str, **options: Any) -> list[Fraction]:
    """Advantages of the scorable rewards among themselves; 0 elsewhere."""
    scored = iter(advantages([x for x, keep in zip(group, mask, strict=True) if keep], estimator, **options))
    return [next(scored) if keep else Fraction(0) for keep in mask]


def outcome_advantages(size: int, estimator: str, **options: Any) -> tuple[list[Fraction], list[Fraction]]:
    """Advantage of a correct and of a wrong response for m = 0..G; 0 where there is no such response."""
    correct, wrong = [], []
    for m in range(size + 1):
        values = advantages([Fraction(1)] * m + [Fraction(0)] * (size - m), estimator, **options)
        correct.append(values[0] if m else Fraction(0))
        wrong.append(values[-1] if m < size else Fraction(0))
    return correct, wrong


def all_groups(size: int) -> list[tuple[int, ...]]:
    return list(product((0, 1), repeat=size))


def binomial(trials: int, j: int, p: Any) -> Any:
    return comb(trials, j) * p**j * (1 - p) ** (trials - j)


def gain(p: Fraction, size: int, estimator: str, *, mixed_only: bool = False, **options: Any) -> Fraction:
    """w(p, G) by enumerating all 2^G reward vectors and looking at the first response."""
    sums, masses, mixed_mass = [Fraction(0), Fraction(0)], [Fraction(0), Fraction(0)], Fraction(0)
    for group in all_groups(size):
        weight = p ** sum(group) * (1 - p) ** (size - sum(group))
        mixed = 0 < sum(group) < size
        mixed_mass += weight * mixed
        masses[group[0]] += weight
        if mixed or not mixed_only:
            sums[group[0]] += weight * advantages([Fraction(r) for r in group], estimator, **options)[0]
    difference = sums[1] / masses[1] - sums[0] / masses[0]
    return difference / mixed_mass if mixed_only else difference


# Softmax quantities. A float is the exact binary number that it is.


def ball(x: Any) -> flint.arb:
    if isinstance(x, Fraction):
        return flint.arb(x.numerator) / flint.arb(x.denominator)
    return flint.arb(x)


def total(terms: Any) -> flint.arb:
    return sum(terms, flint.arb(0))


@precise
def log_probabilities(logits: Sequence[Any]) -> list[flint.arb]:
    z = [ball(x) for x in logits]
    top = max(logits)
    # Around the largest logit, so that the log of the sum does not cancel.
    log_mass = total((x - ball(top)).exp() for x in z).log()
    return [x - ball(top) - log_mass for x in z]


@precise
def probabilities(logits: Sequence[Any]) -> list[flint.arb]:
    return [x.exp() for x in log_probabilities(logits)]


@precise
def expectation(probs: Sequence[Any], x: Sequence[Any]) -> flint.arb:
    return total(p * y for p, y in zip(probs, x, strict=True))


@precise
def covariance(probs: Sequence[Any], x: Sequence[Any], y: Sequence[Any]) -> flint.arb:
    """In pairwise form, which does not cancel: 1/2 sum_ij p_i p_j (x_i - x_j)(y_i - y_j)."""
    n = range(len(probs))
    return total(probs[i] * probs[j] * (x[i] - x[j]) * (y[i] - y[j]) for i in n for j in range(i))


@precise
def entropy(logits: Sequence[Any]) -> flint.arb:
    log_probs = log_probabilities(logits)
    return -expectation([x.exp() for x in log_probs], log_probs)


@precise
def self_covariance(logits: Sequence[Any]) -> flint.arb:
    log_probs = log_probabilities(logits)
    probs = [x.exp() for x in log_probs]
    return covariance(probs, log_probs, probs)


@precise
def stepped(logits: Sequence[Any], direction: Sequence[Any], step: Any) -> list[flint.arb]:
    return [ball(z) + ball(step) * ball(d) for z, d in zip(logits, direction, strict=True)]


@precise
def entropy_change(logits: Sequence[Any], direction: Sequence[Any], step: Any) -> flint.arb:
    """H(softmax(z + eta d)) - H(softmax(z)), from the definition, at a precision that outlasts the cancellation."""
    return _entropy_of_balls(stepped(logits, direction, step)) - _entropy_of_balls([ball(z) for z in logits])


def _entropy_of_balls(z: Sequence[flint.arb]) -> flint.arb:
    top = z[0]
    for x in z[1:]:
        if x > top:
            top = x
    weights = [(x - top).exp() for x in z]
    mass = total(weights)
    return mass.log() - total(w * (x - top) for w, x in zip(weights, z, strict=True)) / mass


@precise
def first_order(logits: Sequence[Any], direction: Sequence[Any]) -> flint.arb:
    log_probs = log_probabilities(logits)
    return -covariance([x.exp() for x in log_probs], log_probs, [ball(d) for d in direction])


@precise
def second_order(logits: Sequence[Any], direction: Sequence[Any]) -> flint.arb:
    """d^T (Hess H) d with the Hessian written out entry by entry (see ``entropy_hessian``)."""
    hessian = entropy_hessian(logits)
    d = [ball(x) for x in direction]
    return total(d[i] * hessian[i][j] * d[j] for i in range(len(d)) for j in range(len(d)))


@precise
def entropy_hessian(logits: Sequence[Any]) -> list[list[flint.arb]]:
    """From dH/dz_i = -pi_i (log pi_i + H): differentiate pi_i, log pi_i and H in z_j."""
    log_probs = log_probabilities(logits)
    probs = [x.exp() for x in log_probs]
    h = -expectation(probs, log_probs)
    slope = [-p * (q + h) for p, q in zip(probs, log_probs, strict=True)]
    n = range(len(probs))

    def entry(i: int, j: int) -> flint.arb:
        same = 1 if i == j else 0
        d_prob, d_log = probs[i] * (same - probs[j]), same - probs[j]
        return -d_prob * (log_probs[i] + h) - probs[i] * (d_log + slope[j])

    return [[entry(i, j) for j in n] for i in n]


@precise
def curvature_brackets(arms: int) -> tuple[flint.arb, flint.arb]:
    """(L_-, L_+) of claim `remainder`, with the maximum over s found from the quadratic formula."""

    def joint(a: flint.arb, t: flint.arb) -> flint.arb:
        # d/ds (1 - s^2)(a + t s) = 0 at 3 t s^2 + 2 a s - t = 0.
        s = ((a * a + 3 * t * t).sqrt() - a) / (3 * t) if arms > 1 or a < 0 else flint.arb(0)
        return (1 - s * s) * (a + t * s) / 4

    c = 1 / (6 * flint.arb(3).sqrt())
    log_arms = flint.arb(arms).log()
    below = joint(1 + flint.arb(-1).exp(), log_arms)
    return below, joint(flint.arb(-1), log_arms - c.log() - 1) + c


@precise
def sampled_direction(probs: Sequence[Any], responses: Sequence[int], group_advantages: Sequence[Any]) -> list[Any]:
    """(1/G) sum_i A_i (e_{y_i} - pi), term by term."""
    size = len(responses)
    direction = []
    for y, p in enumerate(probs):
        pushes = [
            ball(a) * ((1 if y == chosen else 0) - p) for chosen, a in zip(responses, group_advantages, strict=True)
        ]
        direction.append(total(pushes) / size)
    return direction


@cache
def _group_table(rewards: tuple[Fraction, ...], estimator: str, options: tuple[tuple[str, Any], ...]) -> list[Fraction]:
    return advantages(rewards, estimator, **dict(options))


@precise
def expected_over_groups(
    logits: Sequence[Any], arm_rewards: Sequence[int], size: int, estimator: str, value: Any, **options: Any
) -> flint.arb:
    """E[value(d)] over all n^G groups of responses."""
    probs = probabilities(logits)
    result = flint.arb(0)
    for responses in product(range(len(probs)), repeat=size):
        weight = flint.arb(1)
        for y in responses:
            weight *= probs[y]
        rewards = tuple(Fraction(arm_rewards[y]) for y in responses)
        table = _group_table(rewards, estimator, tuple(sorted(options.items())))
        result += weight * value(sampled_direction(probs, responses, table))
    return result
