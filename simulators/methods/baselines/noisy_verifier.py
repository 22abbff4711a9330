"""Rules for a verifier that errs: backward and forward correction, and QAE with its threshold moved back."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from scipy.stats import binom

from qae_theory import advantages, baselines, checks
from qae_theory.arrays import Array
from qae_theory.baselines import DEFAULT_K
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import Method, finite_number, register_method

SOURCE = "arXiv 2510.00915"
GATE_SOURCE = "this project, after QAE (arXiv 2509.22611) and arXiv 2510.00915"
FALSE_POSITIVE, FALSE_NEGATIVE = 0.1, 0.2  # of no particular verifier: to be set to the rates of the one in use


def backward_corrected(
    false_positive: Any = FALSE_POSITIVE, false_negative: Any = FALSE_NEGATIVE, std: str = "population", eps: Any = 1e-6
) -> Method:
    r"""Return GRPO's advantage of the corrected rewards :math:`\hat R = (R - \rho_0)/(1 - \rho_0 - \rho_1)`.

    :math:`\hat R` is an unbiased estimate of the true reward. Standardisation takes the correction away again: for
    :math:`J = 1 - \rho_0 - \rho_1 > 0` the rule is GRPO up to eps, and for J < 0 GRPO with its sign turned back.
    Without a divisor it makes up for the factor J by which errors scale the mean step. Rates of 0 are GRPO.

    Args:
        false_positive: :math:`\rho_0` in [0, 1].
        false_negative: :math:`\rho_1` in [0, 1], with :math:`\rho_0 + \rho_1 \ne 1`.
        std: ``population``, ``bessel`` or ``none``.
        eps: >= 0.

    Returns:
        The method, for rewards of 0 and 1.

    Raises:
        ValueError: an option is out of its range, or, when the rule is called, a reward is neither 0 nor 1.

    Source: arXiv 2510.00915 (backward correction).
    """
    accepts, factor = _rates(false_positive, false_negative)
    kind, least = checks.std_kind(std), checks.regulariser(eps)

    def rule(rewards: Any) -> Array:
        checked, _ = checks.rewards(rewards)
        checks.binary("rewards", checked)
        return advantages((checked - accepts) / factor, "grpo", std=kind, eps=least)

    return Method("backward_corrected", SOURCE, rule, binary_only=True)


def forward_corrected(false_negative: Any = FALSE_NEGATIVE) -> Method:
    r"""Return the rule :math:`A = R - (1 - \rho_1)`: :math:`\rho_1` for an accepted response, else :math:`\rho_1 - 1`.

    Given the truth, its mean is 0 for a correct response and -J for a wrong one, :math:`J = 1 - \rho_0 - \rho_1`, so
    that only one of the two rates has to be known. The gain is w = 1 on verdicts and J on the truth. No limit is GRPO;
    a rate of 0 is NSR.

    Args:
        false_negative: :math:`\rho_1` in [0, 1].

    Raises:
        ValueError: ``false_negative`` is out of its range, or, when the rule is called, a reward is neither 0 nor 1.

    Source: arXiv 2510.00915 (forward correction).

    >>> forward_corrected(0.25).advantages([1.0, 0.0]).tolist()
    [0.25, -0.75]
    """
    rejects = finite_number("false_negative", false_negative, least=0.0, most=1.0)

    def rule(rewards: Any) -> Array:
        checked, _ = checks.rewards(rewards)
        checks.binary("rewards", checked)
        return checked - (1 - rejects)

    return Method("forward_corrected", SOURCE, rule, binary_only=True)


def qae_noisy(
    k: Any = DEFAULT_K, false_positive: Any = FALSE_POSITIVE, false_negative: Any = FALSE_NEGATIVE, **options: Any
) -> Method:
    r"""Return QAE at the level that puts its threshold back to a true success rate of 1 - K.

    A verifier with errors shows the success rate :math:`\rho_0 + Jp`, so that QAE's threshold lies at the true rate
    :math:`(1 - K - \rho_0)/J`. The level :math:`K' = 1 - \rho_0 - J(1 - K)` moves it to 1 - K, for errors independent
    of the response and J > 0. Rates of 0 are QAE; no limit is GRPO.

    Args:
        k: K, in (0, 1).
        false_positive: :math:`\rho_0` in [0, 1).
        false_negative: :math:`\rho_1` in [0, 1), with :math:`\rho_0 + \rho_1 < 1`.
        **options: ``std`` and ``eps``, as QAE's.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: this project; arXiv 2510.00915 for the errors.
    """
    level = corrected_level(k, false_positive, false_negative)
    qae = estimator_method("qae", k=level, **options)
    return Method(
        name="qae_noisy",
        source=GATE_SOURCE,
        advantages=qae.advantages,
        estimator="qae",
        options=qae.options,
        clip_low=qae.clip_low,
        clip_high=qae.clip_high,
        binary_only=qae.binary_only,
    )


def corrected_level(k: Any, false_positive: Any, false_negative: Any) -> Fraction:
    r"""Return :math:`K' = 1 - \rho_0 - (1 - \rho_0 - \rho_1)(1 - K)`, exactly.

    Args:
        k: K, in (0, 1).
        false_positive: :math:`\rho_0`; a float counts as the decimal that it prints as.
        false_negative: :math:`\rho_1`, likewise, with :math:`\rho_0 + \rho_1 < 1`.

    Raises:
        ValueError: an argument is out of its range.

    >>> corrected_level("0.4", 0.1, 0.2)
    Fraction(12, 25)
    """
    _, factor = _rates(false_positive, false_negative)
    if factor < 0:
        checks.refuse("false_negative", false_negative, "a rate that leaves the verifier better than chance")
    accepts, rejects = checks.decimal_fraction(false_positive), checks.decimal_fraction(false_negative)
    return 1 - accepts - (1 - accepts - rejects) * (1 - checks.quantile_level(k))


def gate_misrouting(
    success: Any,
    group_size: int,
    *,
    k: Any,
    level: Any = None,
    false_positive: float = 0.0,
    false_negative: float = 0.0,
    shared: float = 0.0,
) -> Array:
    r"""Return the probability that a query's group falls on the wrong side of the gate.

    The right side is hard iff :math:`p \le 1 - K`; the gate is QAE's at ``level``, on verdicts. With probability
    ``shared`` one draw u decides on errors for the whole group, as in ``simulators.verifier``: both kinds of response
    are judged wrongly below the smaller rate, only the kind with the larger rate between the two, and none above.
    Otherwise the number of accepted responses is binomial with :math:`\rho_0 + Jp`.

    Args:
        success: p of each query, in [0, 1].
        group_size: G.
        k: the level whose regime a query belongs to.
        level: the level of the gate; ``k`` if None. :func:`corrected_level` makes one.
        false_positive: :math:`\rho_0`.
        false_negative: :math:`\rho_1`.
        shared: the share of groups with a common draw, in [0, 1].

    Returns:
        Probabilities of the shape of ``success``.

    Raises:
        ValueError: an argument is out of its range.

    Source: claims `gate-query-group` and `correlated-verifier`, for the cases without errors and with shared ones.
    """
    wanted = checks.quantile_level(k)
    gate = wanted if level is None else checks.quantile_level(level)
    accepts = finite_number("false_positive", false_positive, least=0.0, most=1.0)
    rejects = finite_number("false_negative", false_negative, least=0.0, most=1.0)
    common = finite_number("shared", shared, least=0.0, most=1.0)
    size = checks.group_size(group_size)
    p = checks.numbers("success", success)
    largest_hard = size - baselines.quantile_rank(size, gate)

    def hard(rate: Array) -> Array:
        return np.asarray(binom.cdf(largest_hard, size, rate))

    own = hard(accepts + (1 - accepts - rejects) * p)
    both, either = min(accepts, rejects), abs(accepts - rejects)
    lone = np.ones_like(p) if accepts > rejects else np.zeros_like(p)
    together = both * hard(1 - p) + either * hard(lone) + (1 - both - either) * hard(p)
    seen_hard = (1 - common) * own + common * together
    return np.where(p <= float(1 - wanted), 1 - seen_hard, seen_hard)


def _rates(false_positive: Any, false_negative: Any) -> tuple[float, float]:
    r"""Return :math:`\rho_0` and :math:`J = 1 - \rho_0 - \rho_1`, which must not be 0."""
    accepts = finite_number("false_positive", false_positive, least=0.0, most=1.0)
    rejects = finite_number("false_negative", false_negative, least=0.0, most=1.0)
    factor = 1 - accepts - rejects
    # Of a verifier whose verdicts do not depend on the truth there is nothing to correct.
    if abs(factor) < 1e-9:
        checks.refuse("false_negative", false_negative, f"a rate other than 1 - false_positive = {1 - accepts:g}")
    return accepts, factor


def register() -> None:
    """Register the rules under their names."""
    rates = {"false_positive": FALSE_POSITIVE, "false_negative": FALSE_NEGATIVE}
    register_method("backward_corrected", backward_corrected, source=SOURCE, **rates, std="population", eps=1e-6)
    register_method("forward_corrected", forward_corrected, source=SOURCE, false_negative=FALSE_NEGATIVE)
    register_method("qae_noisy", qae_noisy, source=GATE_SOURCE, k=DEFAULT_K, **rates, std="population", eps=1e-6)
