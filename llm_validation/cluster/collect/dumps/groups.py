"""Put responses into groups and say which are right, which groups are mixed, hard or leak, and their advantages.

The trainer's formulas are not used here: everything is counted from the rewards, by ``qae_theory``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from llm_validation.cluster.collect.dumps.correctness import right_of
from llm_validation.cluster.collect.logs.run_settings import RunSettings
from llm_validation.verl_engine.group_advantages import MASKS
from qae_theory.advantages import advantages, get_estimator
from qae_theory.arrays import Array
from qae_theory.baselines import is_hard_group

GATED = ("qae", "qae_linear", *MASKS)  # estimators with a K
KNOWN = ("grpo", "dr_grpo", "rloo", *GATED)
_NAMES_IN_VERL = {"grpo_vectorized": "grpo"}

Response = Mapping[str, Any]


def grouped(responses: Sequence[Response]) -> list[list[Response]]:
    """Return the responses to each prompt."""
    groups: dict[str, list[Response]] = {}
    for response in responses:
        groups.setdefault(response["group"], []).append(response)
    return list(groups.values())


def by_size(responses: Sequence[Response]) -> list[list[list[Response]]]:
    """Return the groups, those of one size together, so that each size is one rectangular array."""
    sizes: dict[int, list[list[Response]]] = {}
    for group in grouped(responses):
        sizes.setdefault(len(group), []).append(group)
    return list(sizes.values())


class Block:
    """Hold groups of one size: rewards, and which are right, ``[groups, G]`` each.

    A reward is NaN for a response that could not be scored, ``right`` also for one of which it is not known.
    """

    def __init__(self, groups: Sequence[Sequence[Response]], threshold: float | None) -> None:
        """Take the groups and the reward above which a response is right that states nothing itself."""
        self.rewards = _table(groups, "reward")
        self.right = np.array([[right_of(response, threshold) for response in group] for group in groups])
        scorable = ~np.isnan(self.right)
        self._sizes = scorable.sum(axis=1)
        self._successes = np.where(scorable, self.right, 0).sum(axis=1).astype(np.int64)

    def mixed(self) -> Array:
        """Return whether there is a success and a failure, of the groups with a scorable response."""
        mixed: Array = (self._successes > 0) & (self._successes < self._sizes)
        return mixed[self._sizes > 0]

    def hard(self, level: Fraction) -> Array:
        """Return whether the success rate is at most 1 - K, of the groups with a scorable response."""
        pairs = zip(self._successes.tolist(), self._sizes.tolist(), strict=True)
        return np.array([is_hard_group(right, size, level) for right, size in pairs if size], dtype=bool)

    def leaks(self, level: Fraction) -> Array:
        """Return whether the interpolated quantile's advantages have other zeros than the exact one's."""
        exact = self._advantages("qae", self.rewards, k=level)
        linear = self._advantages("qae_linear", self.rewards, k=level)
        leaks: Array = ((exact == 0) != (linear == 0)).any(axis=1)
        return leaks

    def advantages(self, settings: RunSettings, level: Fraction) -> Array | None:
        """Return the advantages ``[groups, G]`` of the run's estimator; None for one that is not known here."""
        name = _NAMES_IN_VERL.get(settings.estimator or "", settings.estimator)
        if name not in KNOWN:
            return None
        on_bits = name in MASKS or settings.gate == "correctness"
        if on_bits and (np.isnan(self.right) & ~np.isnan(self.rewards)).any():
            return None
        values = self.right if on_bits else self.rewards
        if values.shape[1] < get_estimator(name).least_group:
            return np.zeros(values.shape)
        options: dict[str, Any] = {"k": level} if name in GATED else {}
        options |= {} if settings.std is None else {"std": settings.std}
        options |= {} if settings.eps is None else {"eps": settings.eps}
        return self._advantages(name, values, **options)

    def _advantages(self, name: str, values: Array, **options: Any) -> Array:
        return advantages(values, name, mask=~np.isnan(values), **options)


def _table(groups: Sequence[Sequence[Response]], name: str) -> Array:
    """Return a field of every response, ``[groups, G]``."""
    rows = [[response[name] for response in group] for group in groups]
    return np.array(rows, dtype=np.float64)
