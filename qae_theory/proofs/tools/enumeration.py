"""Enumerate all n^G groups of a small query in exact arithmetic: what closed forms are compared with.

The groups are listed and go through the shipped ``advantages`` and ``update_direction``; nothing comes from
``group_expectation``, whose closed forms are what is checked with them.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import sympy

from qae_theory.advantages import advantages
from qae_theory.arrays import Array
from qae_theory.proofs.tools.checking import rational
from qae_theory.updates import update_direction


class Query(NamedTuple):
    """Hold one question as a bandit: a policy with rational probabilities and a reward per response.

    Attributes:
        probs: the probability of each response; they sum to 1.
        arm_rewards: the reward of each response, 0 or 1.
    """

    probs: tuple[Fraction, ...]
    arm_rewards: tuple[int, ...]

    @property
    def logits(self) -> Array:
        """Return the logarithms of the probabilities, as SymPy numbers."""
        return np.array([sympy.log(rational(p)) for p in self.probs], dtype=object)

    @property
    def exact_probs(self) -> Array:
        """Return the probabilities as an array of Fractions."""
        return np.array(self.probs, dtype=object)

    @property
    def success_prob(self) -> Fraction:
        """Return the success probability V."""
        return sum((p for p, r in zip(self.probs, self.arm_rewards, strict=True) if r), Fraction(0))

    @property
    def success_gradient(self) -> Array:
        """Return the gradient of V in the logits of the tabular softmax, pi (r - V)."""
        return np.asarray(self.exact_probs * (exact(self.arm_rewards) - self.success_prob))


def query(probs: str, arm_rewards: str) -> Query:
    """Return the query that two strings give, as in ``query("1/4 3/4", "1 0")``.

    Args:
        probs: the probability of each response, as fractions.
        arm_rewards: the reward of each response, 0 or 1.
    """
    return Query(tuple(Fraction(p) for p in probs.split()), tuple(int(r) for r in arm_rewards.split()))


def exact(values: Any) -> Array:
    """Return an object array of Fractions, in the shape of ``values``."""
    array = np.asarray(values)
    # The extra None keeps NumPy from turning a list of Fractions into a numeric array.
    flat = np.array([Fraction(x) for x in array.ravel().tolist()] + [None], dtype=object)[:-1]
    return flat.reshape(array.shape)


def all_groups(arms: int, size: int) -> Array:
    """Return every ordered group as response indices.

    Args:
        arms: n, the number of responses.
        size: G.

    Returns:
        ``[n^G, G]``, integers.
    """
    # Ordered groups: with them a group's probability is the plain product, without multinomial coefficients.
    return np.array(list(product(range(arms), repeat=size)))


def group_weights(probs: Array, groups: Array) -> Array:
    """Return the probability of each ordered group of independent responses, the product of pi over it.

    Args:
        probs: ``[n]``, Fractions or floats.
        groups: ``[n^G, G]`` response indices.

    Returns:
        ``[n^G]``, in the numbers of ``probs``.
    """
    return np.asarray(np.prod(probs[groups], axis=-1))


def group_advantages(case: Query, groups: Array, rule: str, **options: Any) -> Array:
    """Return the shipped advantages of every listed group, exactly.

    Args:
        case: the query.
        groups: ``[n^G, G]`` response indices.
        rule: name of the estimator.
        **options: K, std and eps, as the rule takes them.

    Returns:
        ``[n^G, G]``, Fractions or SymPy numbers.
    """
    return advantages(exact(case.arm_rewards)[groups], rule, **options)


def group_directions(case: Query, groups: Array, rule: str, **options: Any) -> Array:
    """Return the shipped ``sampled_group`` update of every listed group, ``[n^G, n]``.

    Args:
        case: the query.
        groups: ``[n^G, G]`` response indices.
        rule: name of the estimator.
        **options: K, std and eps, as the rule takes them.
    """
    return update_direction(
        case.logits,
        case.arm_rewards,
        "sampled_group",
        responses=groups,
        advantages=group_advantages(case, groups, rule, **options),
    )


def mean_direction(case: Query, size: int, rule: str, **options: Any) -> Array:
    """Return the expected update over all n^G groups, sum over groups of P(group) times its update, ``[n]``.

    Args:
        case: the query.
        size: G.
        rule: name of the estimator.
        **options: K, std and eps, as the rule takes them.
    """
    groups = all_groups(len(case.probs), size)
    weights = group_weights(case.exact_probs, groups)
    return np.asarray((weights[:, None] * group_directions(case, groups, rule, **options)).sum(axis=0))
