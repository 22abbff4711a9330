"""Test whether a rule's mean update is w(p, G) grad p, by Monte Carlo with error rate and power fixed beforehand.

Claim `neutrality` says so for every rule that depends on a group's rewards alone. ``qae_theory.proofs`` has the proof
of the claim; here is the test that any rule can be put to.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from qae_theory import checks
from qae_theory.arrays import Array
from qae_theory.curves.statistics import Interval
from qae_theory.group_expectation import OutcomeAdvantages, gain, moments
from qae_theory.softmax import expectation
from simulators.engine import State, step_on_groups
from simulators.environments import Environment
from simulators.methods import Method
from simulators.optimisers import Moments
from simulators.tabular import kernels
from simulators.tabular.groups import sampled_groups
from simulators.tabular.policy import Policy, policy, response_direction, response_log_probs
from simulators.tabular.trees import Tree
from simulators.update import Update

# Some components cannot vary: with one correct arm PSR moves along grad p alone, and the component across is 0 but for
# rounding of about 1e-16. With this number as the least standard deviation, rounding is no deviation and anything else
# is a large one.
ROUNDING = 1e-10


class Prediction(NamedTuple):
    """Hold what a rule that depends on rewards alone does on Q queries.

    ``along`` ``[Q, N, A]`` is the unit vector of grad p, and ``across`` that of the part of the entropy gradient at
    right angles to it. ``mean`` ``[Q]`` is the expectation of the update's component along grad p, w |grad p|; the
    expectation of the component across is 0. ``along_std`` and ``across_std`` ``[Q]`` are the standard deviations of
    the two components for one group.
    """

    along: Array
    across: Array
    mean: Array
    along_std: Array
    across_std: Array


class Verdict(NamedTuple):
    """Three p-values, and the update's size along grad p as a multiple of the predicted size, pooled over queries.

    ``size`` is the p-value of that multiple against 1, small where w is wrong. ``along`` is that of a chi-square over
    the queries' own deviations along grad p, small where w is wrong with different signs. ``across`` is the same at
    right angles to grad p, small where the direction is wrong.
    """

    size: float
    along: float
    across: float
    multiple: Interval

    def rejects(self, error_rate: float) -> bool:
        """Return whether the rule is found not to move by w grad p.

        Args:
            error_rate: of all three tests together, by Bonferroni.
        """
        return min(self.size, self.along, self.across) < error_rate / 3


def predict(logits: Array, env: Environment, table: OutcomeAdvantages) -> Prediction:
    r"""Return the prediction for given policies from a table of advantages.

    With :math:`s_y` the score of response y and :math:`g = \nabla p = \sum_y \pi_y r_y s_y`, the component of one
    group's update along a unit vector v has the second moment
    :math:`(\alpha_1 v'M_1v + \alpha_0 v'M_0v)/G + \frac{G-1}{G}\beta (g'v)^2` (claim `second-order`).

    Args:
        logits: of the policies, ``[Q, N, A]``.
        env: Q queries.
        table: the rule's advantages by number of correct responses, ``[G + 1]`` each.

    Returns:
        Directions, mean and standard deviations.

    Raises:
        ValueError: a query has only one direction to move in; the message names ``logits``.
    """
    pi = policy(logits)
    log_probs = response_log_probs(pi.log_probs, env.tree)
    probs = np.exp(log_probs)
    success = expectation(probs, env.arm_rewards)
    gradient = _mean_score(probs * env.arm_rewards, pi, env.tree)
    length, along = _unit(gradient)
    # The second direction could be any that is not along grad p. That of entropy is the one in which an error would
    # matter here.
    entropy_gradient = _mean_score(-probs * log_probs, pi, env.tree)
    rest, across = _unit(entropy_gradient - _dot(entropy_gradient, along)[..., None, None] * along)
    # Below this a unit vector would be made of rounding errors of the gradient, which are about 1e-16.
    if np.any(length < 1e-12) or np.any(rest < 1e-12):
        checks.refuse("logits", logits, "policies whose gradients of success and of entropy differ, and neither is 0")
    mean = gain(success, table) * length
    weights = moments(success, table)
    size = len(table.correct) - 1

    def std(direction: Array, component: Array, expected: Array) -> Array:
        """Return the standard deviation of one group's component along a direction, ``[Q]``.

        ``component`` is that of grad p along the direction, and ``expected`` the mean of the update's component.
        """
        squares = probs * response_direction(direction, pi, env.tree) ** 2
        from_correct = (squares * env.arm_rewards).sum(axis=-1)
        from_wrong = (squares * (1 - env.arm_rewards)).sum(axis=-1)
        noise = (weights.alpha_1 * from_correct + weights.alpha_0 * from_wrong) / size
        second_moment = noise + (size - 1) / size * weights.beta * component**2
        return np.sqrt(np.maximum(second_moment - expected**2, 0.0))  # rounding may leave a variance of 0 below 0

    zero = np.zeros_like(mean)  # grad p has no component across, and neither has the mean update
    return Prediction(
        along=along,
        across=across,
        mean=mean,
        along_std=std(along, length, mean),
        across_std=std(across, zero, zero),
    )


def groups_needed(prediction: Prediction, *, error: float, error_rate: float, power: float) -> int:
    """Return how many groups each query needs for ``size`` alone to reject a relative error in w with the given power.

    Args:
        prediction: of the rule.
        error: relative error in w, > 0.
        error_rate: of the whole test, in (0, 1).
        power: probability of a rejection, in (0, 1).
    """
    # A third of the error rate belongs to this one of the three tests, and half of that to each side of it.
    distance = stats.norm.isf(error_rate / 6) + stats.norm.ppf(power)
    information = np.square(prediction.mean / np.maximum(prediction.along_std, ROUNDING)).sum()
    return int(np.ceil((distance / error) ** 2 / information))


def neutrality_test(
    method: Method,
    prediction: Prediction,
    logits: Array,
    env: Environment,
    *,
    group_size: int,
    groups: int,
    rng: np.random.Generator,
) -> Verdict:
    """Put a rule to the test on ``groups`` mini-batches, each with one group of every query.

    Updates are on-policy and unclipped, tokens are summed, and the step is SGD's: all that claim `neutrality` assumes
    of the rest.

    Args:
        method: the rule.
        prediction: as :func:`predict` makes it, for this rule or any that it is held against.
        logits: ``[Q, N, A]``.
        env: Q queries.
        group_size: G.
        groups: number of mini-batches.
        rng: draws the groups, and whatever the rule draws.

    Returns:
        The p-values, and the size of the update as a multiple of the predicted one.
    """
    directions = sampled_directions(method, logits, env, group_size=group_size, groups=groups, rng=rng)
    return compare(directions, prediction)


def compare(directions: Array, prediction: Prediction, *, level: float = 0.99) -> Verdict:
    """Hold sampled updates against a prediction.

    The standard deviations are the predicted ones, so that the only error is that of the normal approximation to means.

    Args:
        directions: ``[groups, Q, N, A]``.
        prediction: of the rule that the updates may follow.
        level: of the interval for the size.

    Returns:
        The p-values and the interval.
    """
    groups, queries = directions.shape[:2]
    scale = np.sqrt(groups)
    std_along = np.maximum(prediction.along_std, ROUNDING)
    z_along = (_dot(directions, prediction.along).mean(axis=0) - prediction.mean) / std_along * scale
    std_across = np.maximum(prediction.across_std, ROUNDING)
    z_across = _dot(directions, prediction.across).mean(axis=0) / std_across * scale
    # The z-score that each query's mean is expected to have.
    signal = prediction.mean / std_along * scale
    norm = np.sqrt(np.square(signal).sum())
    # The queries' deviations weighted by their predicted signal: the most powerful test against one common factor on w.
    z = float((z_along * signal).sum() / norm)
    multiple, half = float(1 + z / norm), float(stats.norm.ppf(0.5 + level / 2) / norm)
    # Components that cannot vary take no degree of freedom.
    free = max(int((prediction.across_std > ROUNDING).sum()), 1)
    return Verdict(
        size=float(2 * stats.norm.sf(abs(z))),
        along=float(stats.chi2.sf(np.square(z_along).sum(), queries)),
        across=float(stats.chi2.sf(np.square(z_across).sum(), free)),
        multiple=Interval(
            estimate=multiple,
            low=multiple - half,
            high=multiple + half,
            level=level,
            draws=groups * queries,
        ),
    )


def sampled_directions(
    method: Method, logits: Array, env: Environment, *, group_size: int, groups: int, rng: np.random.Generator
) -> Array:
    """Return the directions of ``groups`` independent updates of the same policies.

    Args:
        method: the rule.
        logits: of the policies, ``[Q, N, A]``.
        env: Q queries.
        group_size: G.
        groups: number of updates.
        rng: draws the groups, and whatever the rule draws.

    Returns:
        ``[groups, Q, N, A]``.
    """
    # One seed, and the mini-batches as an axis between seed and query: the engine then keeps them apart.
    wide = np.broadcast_to(logits, (1, groups, *logits.shape))
    update = Update(group_size=group_size, aggregation="token_sum")
    probs = np.exp(response_log_probs(policy(wide).log_probs, env.tree))
    responses = sampled_groups(probs, group_size, [rng])
    state = State(wide, Moments(), wide)
    step = step_on_groups(state, env, update, method=method, responses=responses, rngs=[rng])
    return np.asarray(step.direction[0])


def _mean_score(weights: Array, pi: Policy, tree: Tree) -> Array:
    """Return the sum over responses of weight times score, ``[Q, R] -> [Q, N, A]``."""
    responses = np.broadcast_to(np.arange(tree.responses), weights.shape)
    tokens = np.broadcast_to(weights[..., None], (*weights.shape, tree.cells.shape[-1]))
    return kernels.push(tokens, responses, cells=tree.cells, probs=pi.probs)


def _dot(x: Array, y: Array) -> Array:
    """Return the inner product over nodes and actions, ``[..., N, A] -> [...]``."""
    return np.asarray((x * y).sum(axis=(-2, -1)))


def _unit(vectors: Array) -> tuple[Array, Array]:
    """Return the lengths ``[Q]`` and the unit vectors ``[Q, N, A]`` of vectors; a vector of length 0 stays 0."""
    length = np.sqrt(_dot(vectors, vectors))
    return length, vectors / np.where(length > 0, length, 1.0)[..., None, None]
