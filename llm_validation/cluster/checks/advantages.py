"""Compare one batch of advantages by verl's estimator, with the run's own options, with those of ``qae_theory``.

An option that verl does not hand on, or reads otherwise than it is written, changes the numbers and nothing else; here
the numbers are compared before the run. verl itself is reached through ``llm_validation.verl_engine.plugin`` only.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from llm_validation.cluster.checks.algorithm import OURS
from llm_validation.cluster.checks.check import Check, failed, fine
from llm_validation.cluster.checks.rewards import Levels
from llm_validation.verl_engine.configuration.algorithm import Algorithm
from llm_validation.verl_engine.configuration.record import Configuration
from llm_validation.verl_engine.group_advantages import MASKS
from qae_theory import advantages, quantile_baseline
from qae_theory.arrays import Array
from qae_theory.baselines import DEFAULT_K

LARGEST_TRIED = 64  # responses a group; of larger ones some numbers of right responses are tried
# Relative to the largest advantage: verl computes in float32, whose rounding is 6e-8 a step, and qae_theory in float64.
TOLERANCE = 1e-5
EPS = 1e-6  # what verl and the plug-in add to the standard deviation where nothing is stated
_SEED = 20250926


def check_advantages(run: Configuration, levels: Levels | None) -> Check:
    """Compute the advantages of one batch in verl and in ``qae_theory`` and compare them.

    The batch has every number of right responses that a group can have, at rewards of the run's own levels, with its
    rows shuffled.

    Args:
        run: the run's settings.
        levels: what the verifier's self-test found; None where it failed.
    """
    name, algorithm = "advantages", run.algorithm
    if levels is None:
        return failed(name, "not computed, because the verifier's self-test failed")
    estimator = str(algorithm.estimator.value)
    try:
        scores = scores_of_every_count(int(run.rollout.group_size.value), levels)
        in_verl = advantages_in_verl(scores, algorithm.table.or_else({}))
        in_theory = advantages_in_theory(scores, algorithm)
    except Exception as error:  # the estimator's own: whatever it is, no run may begin with it
        return failed(name, f"{estimator}: {type(error).__name__}: {error}")
    furthest = float(np.abs(in_verl - in_theory).max())
    largest = max(1.0, float(np.abs(in_theory).max()))
    if not furthest <= TOLERANCE * largest:  # written so that NaN fails
        return failed(name, f"{estimator} differs from qae_theory by up to {furthest:.3g} on {scores.size} responses")
    return fine(name, f"{estimator} on {scores.size} responses as qae_theory has it, to {furthest:.1e}")


def scores_of_every_count(size: int, levels: Levels) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return scores ``[groups, G]`` with every number of right responses.

    Args:
        size: G, responses to a prompt.
        levels: the scores of right and of wrong responses, taken in turn. Where there is a penalty, the same groups
            follow once more with a random part of it taken from each response.
    """
    right, wrong = itertools.cycle(levels.right), itertools.cycle(levels.wrong)
    groups = []
    for count in _counts(size):
        groups.append(list(itertools.islice(right, count)) + list(itertools.islice(wrong, size - count)))
    scores = np.array(groups, dtype=np.float32)
    if levels.penalty:
        lost = np.random.default_rng(_SEED).uniform(-levels.penalty, 0.0, scores.shape)
        scores = np.concatenate([scores, scores + lost]).astype(np.float32)
    return scores


def _counts(size: int) -> Sequence[int]:
    """Return the numbers of right responses to try: all of them, or both ends and some between."""
    if size <= LARGEST_TRIED:
        return range(size + 1)
    return [0, 1, *range(2, size - 1, size // LARGEST_TRIED), size - 1, size]


def advantages_in_verl(scores: Array, table: Mapping[str, Any]) -> Array:
    """Return advantages ``[groups, G]`` by verl's estimator, which gets the responses in shuffled order.

    Args:
        scores: ``[groups, G]``.
        table: the table ``algorithm`` of the configuration as a whole, so that an option which the plug-in does not
            know is refused here and not on the cluster.
    """
    import torch
    from omegaconf import OmegaConf

    from llm_validation.verl_engine import plugin as verl_plugin

    order = np.random.default_rng(_SEED).permutation(scores.size)
    prompts = np.repeat([f"prompt {number}" for number in range(len(scores))], scores.shape[1]).astype(object)
    shuffled = torch.tensor(scores.ravel()[order])
    result = verl_plugin.advantages_of(shuffled, prompts[order], OmegaConf.create(dict(table)))
    in_order = np.empty(scores.size)
    in_order[order] = result.double().numpy()
    return in_order.reshape(scores.shape)


def advantages_in_theory(scores: Array, algorithm: Algorithm) -> Array:
    """Return advantages ``[groups, G]`` by ``qae_theory``, with the run's options.

    Args:
        scores: ``[groups, G]``.
        algorithm: the estimator and its options.

    Raises:
        ValueError: an estimator that ``qae_theory`` does not have as verl has it.
    """
    rewards, name = scores.astype(np.float64), str(algorithm.estimator.value)
    divided = algorithm.divides_by_std.unless_missing(True)
    if name == "grpo":
        if not divided:
            return np.asarray(advantages(rewards, "dr_grpo"))
        return np.asarray(advantages(rewards, "grpo", std="bessel", eps=EPS))
    if name not in OURS:
        raise ValueError(
            f"{algorithm.estimator.key} must be grpo or one of {', '.join(OURS)} to be compared; got {name!r}"
        )
    if name in MASKS or algorithm.advantage_gate.value == "correctness":
        rewards = (rewards > _threshold(rewards, algorithm)).astype(np.float64)
    k, std = algorithm.quantile_k.or_else(DEFAULT_K), algorithm.advantage_std
    eps = float(algorithm.advantage_eps.value or 0.0) if algorithm.advantage_eps.stated else EPS
    if std.value == "none" or not divided:
        return _numerators(rewards, name, k)
    own = {"std": std.value} if std.stated else {}
    return np.asarray(advantages(rewards, name, k=k, eps=eps, **own))


def _threshold(rewards: Array, algorithm: Algorithm) -> float:
    """Return the reward above which a response is right; for two levels without a stated one, their middle."""
    stated = algorithm.correct_above
    return float(stated.value) if stated.stated else float(rewards.min() + rewards.max()) / 2


def _numerators(rewards: Array, name: str, k: Any) -> Array:
    """Return what an estimator divides by the standard deviation."""
    if name in MASKS:
        # qae_theory has the masks with their division only: it is undone by the same standard deviation.
        divided = np.asarray(advantages(rewards, name, k=k, eps=0.0, std="population"))
        return np.asarray(divided * rewards.std(axis=-1, keepdims=True))
    method = "linear" if name == "qae_linear" else "inverted_cdf"
    return np.asarray(rewards - quantile_baseline(rewards, k, method=method)[..., None])
