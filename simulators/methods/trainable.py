"""Offer the rules of this package that depend on a group's rewards alone as estimators, for whoever trains a model.

``qae_theory.advantages.get_estimator`` finds them by name through the entry-point group ``qae.estimators``, and so do
`qae train` and the plug-in for verl. Rules that look at tokens, at other groups or at earlier updates stay here, and so
do those that are GRPO's advantage under another clip range, which a trainer sets itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from qae_theory import checks
from qae_theory.advantages import Estimator
from qae_theory.arrays import Array, is_exact
from simulators.methods import get_method
from simulators.methods.model.registry import method_defaults

TRAINABLE = (
    "constant",
    "w_reinforce",
    "mc_grpo",
    "loo_quantile",
    "backward_corrected",
    "forward_corrected",
    "qae_noisy",
)


def estimators() -> Mapping[str, Estimator]:
    """Return the rules as estimators, by name."""
    found = {}
    for name in TRAINABLE:
        method = get_method(name)
        found[name] = Estimator(
            name=name,
            kernel=partial(_kernel, name),
            defaults=method_defaults(name),
            binary_only=method.binary_only,
            least_group=2,
            source=method.source,
        )
    return found


def _kernel(name: str, rewards: Array, counts: Array | None, **options: object) -> Array:
    """Return the rule's advantages of checked groups ``[..., G]``, where each reward occurs as often as it counts."""
    if is_exact(rewards):
        checks.refuse("rewards", rewards, f"floats for {name!r}, which is not computed exactly")
    rule = get_method(name, **options).advantages
    if counts is None:
        return rule(rewards)
    result = np.zeros(rewards.shape)
    for group in np.ndindex(rewards.shape[:-1]):
        times = np.asarray(counts[group], dtype=np.int64)
        if times.sum() >= 2:
            written_out = rule(np.repeat(rewards[group], times))
            # Equal rewards of a group have equal advantages, so that the last of each stands for all of them.
            last = np.cumsum(times) - 1
            result[group] = np.where(times > 0, written_out[np.maximum(last, 0)], 0.0)
    return result
