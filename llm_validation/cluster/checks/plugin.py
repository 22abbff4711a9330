"""Checks of verl and the plug-in: versions, what ``import verl`` brings, a batch of advantages by verl's estimator.

verl itself is reached through ``llm_validation.verl_engine.plugin`` and Hydra's ``instantiate`` only.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from llm_validation.cluster.checks.algorithm import DEFAULT_K, MASKS, OURS, Levels, estimator, group_size
from llm_validation.cluster.checks.check import Check, Config, failed, fine, select, warned
from qae_theory import advantages, quantile_baseline

TESTED = "0.9.1"  # the configurations were written against it
LARGEST_TRIED = 64  # responses a group; of larger ones some group compositions are tried
TOLERANCE = 1e-5  # relative to the largest advantage: float32 in verl, float64 here
_SEED = 20250926


def check_composition(config: Any) -> Check:
    """verl takes the configuration: its own classes, which check their values, can be made from it.

    Args:
        config: the composed ``DictConfig``.
    """
    name, found = "configuration", installed("verl")
    fault = _refusal(config)
    if fault:
        return failed(name, f"verl {found} refuses it: {fault}")
    if found != TESTED:
        return warned(name, f"composes against verl {found}; the configurations were written for {TESTED}")
    return fine(name, f"composes against verl {found}")


def _refusal(config: Any) -> str | None:
    """Why verl cannot make its settings of the configuration; None if it can."""
    from hydra.utils import instantiate

    try:
        actor = instantiate(config.actor_rollout_ref.actor, _convert_="partial")
        instantiate(config.actor_rollout_ref.rollout, _convert_="partial")
        gpus = config.trainer.nnodes * config.trainer.n_gpus_per_node
        actor.validate(gpus, config.data.train_batch_size, config.actor_rollout_ref.model)
    except Exception as error:  # verl raises several kinds, and Hydra wraps them
        cause = error.__cause__ or error
        return f"{type(cause).__name__}: {' '.join(str(cause).split())}"
    return None


def check_plugin() -> Check:
    """The plug-in loads, as ``import verl`` would load it: what verl swallows is said here."""
    name = "plug-in"
    try:
        from llm_validation.verl_engine import plugin as verl_plugin

        fault = verl_plugin.import_error()
    except Exception as error:  # what verl would have swallowed
        fault = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if fault:
        return failed(name, f"verl would go on without it: {fault}")
    return fine(name, f"loads, of qae-verification {installed('qae-verification')}")


def check_estimator(config: Config) -> Check:
    """The run's estimator is registered: one of ours in a new process after ``import verl``, one of verl's in verl."""
    name, wanted = "estimator", estimator(config)
    try:
        found = discovered() if wanted in OURS else registry()
    except Exception as error:  # the plug-in's, verl's or the process's: the check before this one says which
        return failed(name, f"{wanted!r} cannot be looked up: {type(error).__name__}: {error}")
    if wanted not in found:
        return failed(
            name, f"algorithm.adv_estimator = {wanted!r} is not registered; there are {', '.join(found) or 'none'}"
        )
    return fine(
        name, f"{wanted} is registered, {'by the plug-in in a new process' if wanted in OURS else 'verl’s own'}"
    )


@cache
def discovered() -> tuple[str, ...]:
    """Our estimators in a new process after ``import verl``, as a worker of the job has them."""
    from llm_validation.verl_engine import plugin as verl_plugin

    return verl_plugin.discovered()


def registry() -> tuple[str, ...]:
    """Every name in verl's registry, in this process."""
    from hydra.utils import get_object

    return tuple(sorted(str(name) for name in get_object("verl.trainer.ppo.core_algos.ADV_ESTIMATOR_REGISTRY")))


def check_advantages(config: Config, levels: Levels | None) -> Check:
    """One batch through the estimator that verl has, with the run's options, against `qae_theory`.

    Every number of right responses a group can have, rewards of the run's own levels, ids shuffled.
    """
    name = "advantages"
    if levels is None:
        return failed(name, "not computed, because the verifier's self-test failed")
    try:
        scores = batch(int(group_size(config)), levels)
        found = found_advantages(scores, select(config, "algorithm", {}))
        expected = expected_advantages(scores, select(config, "algorithm", {}))
    except Exception as error:  # the estimator's own: whatever it is, no run may begin with it
        return failed(name, f"{estimator(config)}: {type(error).__name__}: {error}")
    worst = float(np.abs(found - expected).max())
    largest = max(1.0, float(np.abs(expected).max()))
    if not worst <= TOLERANCE * largest:
        return failed(
            name, f"{estimator(config)} differs from qae_theory by up to {worst:.3g} on {scores.size} responses"
        )
    return fine(name, f"{estimator(config)} on {scores.size} responses as qae_theory has it, to {worst:.1e}")


def batch(size: int, levels: Levels) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Scores ``[groups, G]`` with every number of right responses; where there is a penalty, the same again with it."""
    right, wrong = itertools.cycle(levels.right), itertools.cycle(levels.wrong)
    counts = (
        range(size + 1) if size <= LARGEST_TRIED else [0, 1, *range(2, size - 1, size // LARGEST_TRIED), size - 1, size]
    )
    plain = [[next(right) for _ in range(m)] + [next(wrong) for _ in range(size - m)] for m in counts]
    scores = np.array(plain, dtype=np.float32)
    if levels.penalty:
        lost = np.random.default_rng(_SEED).uniform(-levels.penalty, 0.0, scores.shape)
        scores = np.concatenate([scores, scores + lost]).astype(np.float32)
    return scores


def found_advantages(scores: np.ndarray[Any, Any], algorithm: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """Advantages ``[groups, G]`` by verl's estimator, given in shuffled rows and put back."""
    import torch

    from llm_validation.verl_engine import plugin as verl_plugin

    order = np.random.default_rng(_SEED).permutation(scores.size)
    index = np.repeat([f"prompt {i}" for i in range(len(scores))], scores.shape[1]).astype(object)[order]
    from omegaconf import OmegaConf

    result = verl_plugin.advantages_of(torch.tensor(scores.ravel()[order]), index, OmegaConf.create(dict(algorithm)))
    flat = np.empty(scores.size)
    flat[order] = result.double().numpy()
    return flat.reshape(scores.shape)


def expected_advantages(scores: np.ndarray[Any, Any], algorithm: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """Advantages ``[groups, G]`` by `qae_theory`, with the run's options.

    Raises:
        ValueError: an estimator that is not among those that `qae_theory` has for verl.
    """
    rewards, name = scores.astype(np.float64), str(algorithm.get("adv_estimator"))
    if name == "grpo":
        kind = "grpo" if algorithm.get("norm_adv_by_std_in_grpo", True) else "dr_grpo"
        return np.asarray(advantages(rewards, kind, **({"std": "bessel", "eps": 1e-6} if kind == "grpo" else {})))
    if name not in OURS:
        raise ValueError(
            f"algorithm.adv_estimator must be grpo or one of {', '.join(OURS)} to be compared; got {name!r}"
        )
    if name in MASKS or algorithm.get("advantage_gate") == "correctness":
        rewards = (rewards > _threshold(rewards, algorithm)).astype(np.float64)
    k = algorithm.get("quantile_k")
    options = {"k": DEFAULT_K if k is None else k, "eps": float(algorithm.get("advantage_eps") or 0.0)}
    if algorithm.get("advantage_eps") is None:
        options["eps"] = 1e-6
    std = algorithm.get("advantage_std")
    if std == "none" or not algorithm.get("norm_adv_by_std_in_grpo", True):
        return _not_divided(rewards, name, options["k"])
    return np.asarray(advantages(rewards, name, **options, **({} if std is None else {"std": std})))


def _threshold(rewards: np.ndarray[Any, Any], algorithm: Mapping[str, Any]) -> float:
    given = algorithm.get("correct_above")
    return float(given) if given is not None else float(rewards.min() + rewards.max()) / 2


def _not_divided(rewards: np.ndarray[Any, Any], name: str, k: Any) -> np.ndarray[Any, Any]:
    """Numerators alone: what is divided by the standard deviation, times it."""
    if name in MASKS:
        whole = np.asarray(advantages(rewards, name, k=k, eps=0.0, std="population"))
        return np.asarray(whole * rewards.std(axis=-1, keepdims=True))
    method = "linear" if name == "qae_linear" else "inverted_cdf"
    return np.asarray(rewards - quantile_baseline(rewards, k, method=method)[..., None])


def installed(package: str) -> str:
    """Version of an installed distribution."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
