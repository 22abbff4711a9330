"""Exact expectations over sampled groups, from sufficient statistics.

Responses are iid from the policy and rewards are 0/1, so that a group is its number m of correct responses: what an
estimator does in expectation is a binomial sum. The finite-step entropy change needs the counts of every response: a
multinomial sum over count vectors, not over the n^G groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise
from math import comb, factorial, prod
from typing import Any, NamedTuple

import numpy as np

from qae_theory import array_arguments as arguments
from qae_theory import checks
from qae_theory.advantages import get_estimator, resolve_options, weighted_advantages
from qae_theory.arrays import Array, exact_number, exp, is_exact
from qae_theory.entropy_change import (
    first_order_entropy_change,
    response_curvatures,
    second_order_entropy_change,
)
from qae_theory.numerics.change import STEP_SIZES, change_of_step
from qae_theory.softmax import expectation, log_softmax
from qae_theory.updates import counted_group, policy_gradient

# Count vectors of one enumeration: for ten arms two million take some ten seconds and half a gigabyte.
LARGEST_ENUMERATION = 2_000_000


class OutcomeAdvantages(NamedTuple):
    """Advantage of a correct and of a wrong response in a group with m = 0..G correct ones, ``[G + 1]`` each.

    ``correct[0]`` and ``wrong[G]`` are 0: there is no such response.
    """

    correct: Array
    wrong: Array


class AdvantageMoments(NamedTuple):
    """Second moments of an estimator's advantages, ``[...]`` each; see claim `second-order`."""

    alpha_1: Array
    alpha_0: Array
    beta: Array


def expected_gain(
    success_prob: Any, group_size: int, estimator: str, *, mixed_only: bool = False, **options: Any
) -> Array:
    r"""Return the gain :math:`w(p, G) = E[A_i \mid R_i = 1] - E[A_i \mid R_i = 0]` of an estimator.

    On-policy and unclipped, the expected update on a query is :math:`w\,\nabla p` (claim `neutrality`).

    Args:
        success_prob: p in (0, 1), a scalar or ``[...]``; a Fraction gives an exact result.
        group_size: G >= 1.
        estimator: a registered name.
        mixed_only: count mixed groups only and divide by :math:`P(0 < m < G)`, as dynamic sampling does; needs G >= 2.
        **options: as in :func:`qae_theory.advantages`.

    Returns:
        ``[...]``, in advantage units.

    Raises:
        ValueError: naming the argument.

    Source: this suite, claim `neutrality`.

    >>> round(float(expected_gain(0.3, 16, "dr_grpo")), 6)  # (G - 1)/G
    0.9375
    >>> expected_gain("1/3", 2, "grpo", eps=0).item()
    Fraction(1, 1)
    """
    p = checks.success_prob(success_prob)
    mixed_only = checks.flag("mixed_only", mixed_only)
    size = checks.group_size(group_size, least=2 if mixed_only else 1)
    return gain(p, outcome_advantages(size, estimator, exact=is_exact(p), **options), mixed_only=mixed_only)


def outcome_advantages(group_size: int, estimator: str, *, exact: bool = False, **options: Any) -> OutcomeAdvantages:
    """Return what an estimator gives a correct and a wrong response, for every number of correct ones in the group.

    Args:
        group_size: G >= 1, and at least 2 for an estimator that needs it.
        estimator: a registered name.
        exact: Fractions and SymPy numbers instead of floats.
        **options: as in :func:`qae_theory.advantages`.

    Returns:
        Two arrays ``[G + 1]``, indexed by m.

    Raises:
        ValueError: naming the argument.

    >>> outcome_advantages(4, "qae", k="0.4", eps=0).correct.round(3).tolist()
    [0.0, 2.309, 2.0, 0.0, 0.0]
    """
    rule = get_estimator(estimator)
    settings = resolve_options(rule, options)
    exact = checks.flag("exact", exact)
    size = checks.group_size(group_size, least=rule.least_group)
    correct = np.arange(size + 1)
    rewards = np.array([1, 0]) if not exact else np.array([exact_number(1), exact_number(0)])
    counts = np.stack([correct, size - correct], axis=-1)
    values = np.broadcast_to(rewards if exact else rewards.astype(np.float64), counts.shape)
    table = weighted_advantages(values, counts, rule, settings)
    return OutcomeAdvantages(table[:, 0], table[:, 1])


def gain(success_prob: Array, table: OutcomeAdvantages, *, mixed_only: bool = False) -> Array:
    """Return the gain :math:`w(p, G)` of a table of advantages.

    Since one response of the group is given, the others hold j correct ones with j binomial in G - 1 trials, so that
    :math:`w = E[A^{right}_{j+1} - A^{wrong}_j]`.

    Args:
        success_prob: p, ``[...]``, checked.
        table: the rule's advantages for m = 0..G.
        mixed_only: as in :func:`expected_gain`.

    Returns:
        ``[...]``.

    Source: this suite, claim `neutrality`.
    """
    size = len(table.correct) - 1
    contrast = table.correct[1:] - table.wrong[:-1]
    if not mixed_only:
        return binomial_mean(success_prob, contrast)
    zero = arguments.exact_zero(contrast)
    # Of the other G - 1 responses j are correct: the group is mixed for a correct one unless j = G - 1, for a wrong one
    # unless j = 0.
    correct = np.concatenate([table.correct[1:-1], [zero]])
    wrong = np.concatenate([[zero], table.wrong[1:-1]])
    return binomial_mean(success_prob, correct - wrong) / mixed_probability(success_prob, size)


def mixed_probability(success_prob: Array, group_size: int) -> Array:
    """Return :math:`P(0 < m < G) = 1 - p^G - (1-p)^G`, without cancellation for p near 0 or 1.

    Args:
        success_prob: p, ``[...]``, checked; floats or exact objects.
        group_size: G.

    Returns:
        ``[...]``.
    """
    if is_exact(success_prob):
        return 1 - success_prob**group_size - (1 - success_prob) ** group_size
    rare = np.minimum(success_prob, 1 - success_prob)
    return -np.expm1(group_size * np.log1p(-rare)) - rare**group_size


def binomial_mean(success_prob: Array, values: Array) -> Array:
    """Return :math:`E[v_j]` for j binomial with N trials and success probability p.

    Args:
        success_prob: p, ``[...]``, checked; floats or exact objects.
        values: v, ``[N + 1]``.

    Returns:
        ``[...]``, in the unit of ``values``.
    """
    trials = len(values) - 1
    j = np.arange(trials + 1)
    p = np.asarray(success_prob)[..., None]
    if is_exact(p) or is_exact(values):
        weights = np.array([comb(trials, int(i)) for i in j], dtype=object) * p**j * (1 - p) ** (trials - j)
    else:
        from scipy.stats import binom  # half a second to import, and only expectations need it

        weights = np.asarray(binom.pmf(j, trials, p))
    return np.asarray((weights * values).sum(axis=-1))


def advantage_moments(success_prob: Any, group_size: int, estimator: str, **options: Any) -> AdvantageMoments:
    r"""Return the second moments of the advantages over sampled groups.

    :math:`\alpha_r = E[A_i^2 \mid R_i = r]`, :math:`\beta = E[A_iA_j\mid 1,1] - 2E[A_iA_j\mid 1,0] + E[A_iA_j\mid
    0,0]`.

    Args:
        success_prob: p in (0, 1), a scalar or ``[...]``; a Fraction gives an exact result.
        group_size: G >= 2.
        estimator: a registered name.
        **options: as in :func:`qae_theory.advantages`.

    Returns:
        ``(alpha_1, alpha_0, beta)``, each ``[...]``.

    Raises:
        ValueError: naming the argument.

    Source: this suite, claim `second-order`.

    >>> [round(float(x), 6) for x in advantage_moments(0.5, 2, "psr")]
    [1.0, 0.0, 1.0]
    """
    p = checks.success_prob(success_prob)
    size = checks.group_size(group_size, least=2)
    return moments(p, outcome_advantages(size, estimator, exact=is_exact(p), **options))


def moments(success_prob: Array, table: OutcomeAdvantages) -> AdvantageMoments:
    r"""Return the second moments of a table of advantages.

    :math:`\alpha_r = E[A_i^2 \mid R_i = r]` with j correct among the G - 1 others, and :math:`\beta` the second
    difference of :math:`A_iA_j` with j correct among the G - 2 others.

    Args:
        success_prob: p, ``[...]``, checked.
        table: the rule's advantages for m = 0..G, G >= 2.

    Returns:
        ``(alpha_1, alpha_0, beta)``, ``[...]`` each.

    Source: this suite, claim `second-order`.
    """
    correct, wrong = table
    pairs = correct[2:] ** 2 - 2 * correct[1:-1] * wrong[1:-1] + wrong[:-2] ** 2
    return AdvantageMoments(
        binomial_mean(success_prob, correct[1:] ** 2),
        binomial_mean(success_prob, wrong[:-1] ** 2),
        binomial_mean(success_prob, pairs),
    )


def expected_first_order_change(
    logits: Any, arm_rewards: Any, group_size: int, estimator: str, **options: Any
) -> Array:
    r"""Return the expected first-order entropy change of a sampled group's step.

    :math:`-w\,\mathrm{Cov}_\pi(\log\pi, \pi(r - V))` with the gain w of :func:`expected_gain`.

    Args:
        logits: ``[..., n]``, finite.
        arm_rewards: ``[..., n]``, 0 or 1, both present.
        group_size: G >= 1.
        estimator: a registered name.
        **options: as in :func:`qae_theory.advantages`.

    Returns:
        ``[...]``, nats per unit step.

    Raises:
        ValueError: naming the argument.

    Source: this suite, claim `neutrality`.

    >>> round(float(expected_first_order_change([0.0, 2.0], [1, 0], 16, "rloo")), 6)
    0.044095
    """
    z, _, p, score = _query(logits, arm_rewards)
    table = outcome_advantages(group_size, estimator, exact=is_exact(p), **options)
    return gain(p, table) * first_order_entropy_change(z, score)


def expected_second_order_change(
    logits: Any, arm_rewards: Any, group_size: int, estimator: str, **options: Any
) -> Array:
    r"""Return the expected curvature :math:`E[d^\top\nabla^2H\,d]` of a sampled group's step.

    With :math:`Q_y` from :func:`response_curvatures` and :math:`g = \pi(r - V)` it is
    :math:`\frac1G(\alpha_1\sum_{r_y=1}\pi_yQ_y + \alpha_0\sum_{r_y=0}\pi_yQ_y)` plus
    :math:`\frac{G-1}{G}\beta\,g^\top\nabla^2H\,g`.
    The expected entropy change is :math:`\eta h_1 + \tfrac{\eta^2}{2}` times this, up to :math:`O(\eta^3)`.

    Args:
        logits: ``[..., n]``, finite.
        arm_rewards: ``[..., n]``, 0 or 1, both present.
        group_size: G >= 2.
        estimator: a registered name.
        **options: as in :func:`qae_theory.advantages`.

    Returns:
        ``[...]``, nats per squared unit step.

    Raises:
        ValueError: naming the argument.

    Source: this suite, claim `second-order`.

    >>> round(float(expected_second_order_change([0.0, 0.0], [1, 0], 2, "psr")), 6)
    -0.09375
    """
    z, r, p, score = _query(logits, arm_rewards)
    size = checks.group_size(group_size, least=2)
    alpha_1, alpha_0, beta = moments(p, outcome_advantages(size, estimator, exact=is_exact(p), **options))
    curvature = exp(log_softmax(z)) * response_curvatures(z)
    sampled = alpha_1 * expectation(r, curvature) + alpha_0 * expectation(1 - r, curvature)
    return (sampled + (size - 1) * beta * second_order_entropy_change(z, score)) / size


def expected_entropy_change(
    logits: Any, arm_rewards: Any, group_size: int, estimator: str, step_size: Any, **options: Any
) -> Array:
    r"""Return the exact expected entropy change of one step on a sampled group, at a finite step size.

    :math:`E[H(\mathrm{softmax}(z + \eta d))] - H(\pi)`, :math:`d = \frac1G\sum_iA_i(e_{y_i} - \pi)`, summed over the
    :math:`\binom{G+n-1}{n-1}` count vectors with multinomial weights.

    Args:
        logits: ``[n]``, finite.
        arm_rewards: ``[n]``, any finite rewards that the estimator takes.
        group_size: G >= 1.
        estimator: a registered name.
        step_size: eta, a scalar.
        **options: as in :func:`qae_theory.advantages`.

    Returns:
        A 0-d array, nats.

    Raises:
        ValueError: naming the argument; ``group_size`` where there would be over two million count vectors.

    Source: this suite.

    >>> round(float(expected_entropy_change([0.0, 2.0], [1, 0], 2, "qae", 0.1)), 6)
    0.00793
    """
    z, r, eta = arguments.single_query(logits, arm_rewards, step_size)
    rule = get_estimator(estimator)
    settings = resolve_options(rule, options)
    size = checks.group_size(group_size, least=rule.least_group)
    if rule.binary_only:
        arguments.binary("arm_rewards", r)
    counts = count_vectors(len(z), size)
    table = weighted_advantages(np.broadcast_to(r, counts.shape), counts, rule, settings)
    return finite_step_mean(z, counts, table, eta)


def finite_step_mean(logits: Array, counts: Array, advantages: Array, step_size: Any) -> Array:
    """Return the multinomial mean of the entropy change over count vectors.

    It refuses a step size with which float64 cannot tell the new logits apart.

    Args:
        logits: ``[n]``, checked.
        counts: how often each response is in the group, ``[N, n]``.
        advantages: of each response in that group, ``[N, n]``, in the arithmetic of ``logits``.
        step_size: eta, a scalar in the arithmetic of ``logits``.

    Returns:
        A 0-d array, nats.
    """
    log_probs = log_softmax(logits)
    directions = counted_group(exp(log_probs), exact_counts(counts, logits), advantages)
    changes, known = change_of_step(logits, directions, np.asarray(step_size))
    if not known.all():
        checks.refuse("step_size", step_size, STEP_SIZES)
    return np.asarray((multinomial_weights(log_probs, counts) * changes).sum(axis=-1))


def count_vectors(arms: int, group_size: int) -> Array:
    """Return all ways to draw G responses from n, as counts ``[N, n]`` that sum to G; refuse more than two million."""
    total = comb(group_size + arms - 1, arms - 1)
    if total > LARGEST_ENUMERATION:
        checks.refuse("group_size", group_size, f"small enough for {LARGEST_ENUMERATION} count vectors, not {total}")
    return np.array(list(_compositions(arms, group_size)), dtype=np.int64)


def multinomial_weights(log_probs: Array, counts: Array) -> Array:
    r"""Return the probability of each count vector, :math:`\frac{G!}{\prod_yc_y!}\prod_y\pi_y^{c_y}`.

    Args:
        log_probs: :math:`\log\pi`, ``[n]`` in nats; floats or exact objects.
        counts: c, ``[N, n]`` integers, each row with sum G.

    Returns:
        ``[N]``; the weights of all count vectors have sum 1.
    """
    if is_exact(log_probs):
        probs = exp(log_probs)
        ways = np.array([_orders(row) for row in counts], dtype=object)
        return ways * np.array([prod(probs**row) for row in counts], dtype=object)
    from scipy.special import gammaln  # a fifth of a second to import, and only these weights need it

    log_ways = gammaln(counts.sum(axis=-1) + 1) - gammaln(counts + 1).sum(axis=-1)
    return np.exp(log_ways + (counts * log_probs).sum(axis=-1))


def _orders(row: Array) -> int:
    """Return in how many orders the responses of one count vector ``[n]`` can be drawn, G! / (c_1! ... c_n!)."""
    repeated = prod(factorial(int(count)) for count in row)
    return factorial(int(row.sum())) // repeated


def exact_counts(counts: Array, like: Array) -> Array:
    """Return counts in the arithmetic of ``like``."""
    return np.vectorize(exact_number, otypes=[object])(counts) if is_exact(like) else counts


def _compositions(arms: int, group_size: int) -> Iterator[list[int]]:
    for bars in combinations(range(group_size + arms - 1), arms - 1):
        edges = (-1, *bars, group_size + arms - 1)
        yield [right - left - 1 for left, right in pairwise(edges)]


def _query(logits: Any, arm_rewards: Any) -> tuple[Array, Array, Array, Array]:
    """Return checked logits and 0/1 rewards, the success probability V, and the expected score g = pi (r - V)."""
    z, r = arguments.mixed_query(logits, arm_rewards)
    probs = exp(log_softmax(z))
    return z, r, expectation(probs, r), policy_gradient(probs, r)
