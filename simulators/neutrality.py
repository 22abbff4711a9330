"""Whether a rule's mean update is w(p, G) grad p, by Monte Carlo with its error rate and power fixed beforehand.

Claim `neutrality` says so for every rule that depends on a group's rewards alone. The claim's proof is in
``qae_theory.proofs``; here is the test that any rule can be put to.
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
from simulators import kernels
from simulators.engine import State, step_on_groups
from simulators.environments import Environment
from simulators.groups import sampled_groups
from simulators.methods import Method
from simulators.optimisers import Moments
from simulators.policy import Policy, policy, response_direction, response_log_probs
from simulators.trees import Tree
from simulators.update import Update

# A component that cannot vary (one right arm under PSR moves along grad p alone) is 0 but for rounding, 1e-16 or so:
# with this for its standard deviation rounding is no deviation, and anything else a large one.
ROUNDING = 1e-10


class Prediction(NamedTuple):
    """What a rule that depends on rewards alone does on Q queries.

    ``along`` and ``across`` ``[Q, N, A]``: unit vectors of grad p, and of what the gradient of entropy has at right
    angles to it. ``mean`` ``[Q]``: expectation of the update's component along grad p, w |grad p|; the other's is 0.
    ``along_std`` and ``across_std`` ``[Q]``: standard deviations of the two components for one group.
    """

    along: Array
    across: Array
    mean: Array
    along_std: Array
    across_std: Array


class Verdict(NamedTuple):
    """Three p-values, and the update's size along grad p as a multiple of the predicted one, pooled over queries.

    ``size``: of that multiple against 1 (a wrong w). ``along``: chi-square over the queries' own deviations along grad
    p (a w that is wrong with either sign). ``across``: the same at right angles to grad p (a wrong direction).
    """

    size: float
    along: float
    across: float
    multiple: Interval

    def rejects(self, error_rate: float) -> bool:
        """Whether the rule is found not to move by w grad p; ``error_rate`` is that of all three tests together."""
        return min(self.size, self.along, self.across) < error_rate / 3


def predict(logits: Array, env: Environment, table: OutcomeAdvantages) -> Prediction:
    r"""The prediction for policies ``[Q, N, A]`` from a table of advantages.

    With :math:`s_y` the score of response y, :math:`g = \nabla p = \sum_y \pi_y r_y s_y`, the component of one group's
    update along a unit vector v has the second moment :math:`(\alpha_1 v'M_1v + \alpha_0 v'M_0v)/G +
    \frac{G-1}{G}\beta (g'v)^2` (claim `second-order`).

    Raises:
        ValueError: naming ``logits`` where a query has only one direction to move in.
    """
    pi = policy(logits)
    log_probs = response_log_probs(pi.log_probs, env.tree)
    probs = np.exp(log_probs)
    success = expectation(probs, env.arm_rewards)
    gradient = _mean_score(probs * env.arm_rewards, pi, env.tree)
    length, along = _unit(gradient)
    entropy_gradient = _mean_score(-probs * log_probs, pi, env.tree)
    rest, across = _unit(entropy_gradient - _dot(entropy_gradient, along)[..., None, None] * along)
    if np.any(length < 1e-12) or np.any(rest < 1e-12):
        checks.refuse("logits", logits, "policies whose gradients of success and of entropy differ, and neither is 0")
    mean = gain(success, table) * length
    weights = moments(success, table)
    size = len(table.correct) - 1

    def std(direction: Array, component: Array, expected: Array) -> Array:
        squares = probs * response_direction(direction, pi, env.tree) ** 2
        right = (squares * env.arm_rewards).sum(axis=-1)
        wrong = (squares * (1 - env.arm_rewards)).sum(axis=-1)
        noise = (weights.alpha_1 * right + weights.alpha_0 * wrong) / size
        return np.sqrt(np.maximum(noise + (size - 1) / size * weights.beta * component**2 - expected**2, 0.0))

    none = np.zeros_like(mean)
    return Prediction(along, across, mean, std(along, length, mean), std(across, none, none))


def groups_needed(prediction: Prediction, *, error: float, error_rate: float, power: float) -> int:
    """Groups a query with which ``size`` alone rejects a relative ``error`` in w with at least that probability.

    Args:
        prediction: of the rule.
        error: relative error in w, > 0.
        error_rate: of the whole test, in (0, 1).
        power: in (0, 1).
    """
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

    Updates are on-policy and unclipped, tokens are summed, the step is SGD's: all that claim `neutrality` assumes of
    the rest.

    Args:
        method: the rule.
        prediction: as :func:`predict` makes it, for this rule or any that it is held against.
        logits: ``[Q, N, A]``.
        env: Q queries.
        group_size: G.
        groups: number of mini-batches.
        rng: draws the groups, and whatever the rule draws.
    """
    directions = sampled_directions(method, logits, env, group_size=group_size, groups=groups, rng=rng)
    return compare(directions, prediction)


def compare(directions: Array, prediction: Prediction, *, level: float = 0.99) -> Verdict:
    """Hold sampled updates ``[groups, Q, N, A]`` against a prediction; ``level`` is that of the interval.

    The standard deviations are the predicted ones: the one error is that of the normal approximation to means.
    """
    groups, queries = directions.shape[:2]
    scale = np.sqrt(groups)
    std_along = np.maximum(prediction.along_std, ROUNDING)
    z_along = (_dot(directions, prediction.along).mean(axis=0) - prediction.mean) / std_along * scale
    std_across = np.maximum(prediction.across_std, ROUNDING)
    z_across = _dot(directions, prediction.across).mean(axis=0) / std_across * scale
    signal = prediction.mean / std_along * scale
    norm = np.sqrt(np.square(signal).sum())
    z = float((z_along * signal).sum() / norm)
    multiple, half = float(1 + z / norm), float(stats.norm.ppf(0.5 + level / 2) / norm)
    free = max(int((prediction.across_std > ROUNDING).sum()), 1)
    return Verdict(
        size=float(2 * stats.norm.sf(abs(z))),
        along=float(stats.chi2.sf(np.square(z_along).sum(), queries)),
        across=float(stats.chi2.sf(np.square(z_across).sum(), free)),
        multiple=Interval(multiple, multiple - half, multiple + half, level, groups * queries),
    )


def sampled_directions(
    method: Method, logits: Array, env: Environment, *, group_size: int, groups: int, rng: np.random.Generator
) -> Array:
    """Directions of ``groups`` independent updates of the same policies ``[Q, N, A]``, ``[groups, Q, N, A]``."""
    wide = np.broadcast_to(logits, (1, groups, *logits.shape))
    update = Update(group_size=group_size, aggregation="token_sum")
    probs = np.exp(response_log_probs(policy(wide).log_probs, env.tree))
    responses = sampled_groups(probs, group_size, [rng])
    step = step_on_groups(State(wide, Moments(), wide), env, update, method, responses, [rng])
    return np.asarray(step.direction[0])


def _mean_score(weights: Array, pi: Policy, tree: Tree) -> Array:
    """Sum over responses of weight times score, ``[Q, R] -> [Q, N, A]``."""
    responses = np.broadcast_to(np.arange(tree.responses), weights.shape)
    tokens = np.broadcast_to(weights[..., None], (*weights.shape, tree.cells.shape[-1]))
    return kernels.push(tokens, responses, tree.cells, pi.probs)


def _dot(x: Array, y: Array) -> Array:
    return np.asarray((x * y).sum(axis=(-2, -1)))


def _unit(vectors: Array) -> tuple[Array, Array]:
    """Lengths ``[Q]`` and unit vectors ``[Q, N, A]``; a vector of length 0 stays."""
    length = np.sqrt(_dot(vectors, vectors))
    return length, vectors / np.where(length > 0, length, 1.0)[..., None, None]
