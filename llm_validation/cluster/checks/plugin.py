"""Check verl and the plug-in: whether verl takes the configuration, and what ``import verl`` brings with it.

verl itself is reached through ``llm_validation.verl_engine.plugin`` and Hydra's ``instantiate`` only.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from llm_validation.cluster.checks.algorithm import OURS
from llm_validation.cluster.checks.check import Check, failed, fine, warned
from llm_validation.verl_engine.configuration.algorithm import Algorithm
from qae_theory.advantages import provided_estimators

TESTED = "0.9.1"  # the version of verl that the configurations were written against


def check_composition(config: Any) -> Check:
    """Look whether verl takes the configuration: its own classes, which check their values, can be made from it.

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
    """Return why verl cannot make its settings of the configuration; None if it can."""
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
    """Look whether the plug-in loads as ``import verl`` would load it; what verl swallows is told here."""
    name = "plug-in"
    try:
        from llm_validation.verl_engine import plugin as verl_plugin

        fault = verl_plugin.import_error()
    except Exception as error:  # what verl would have swallowed
        fault = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if fault:
        return failed(name, f"verl would go on without it: {fault}")
    return fine(name, f"loads, of qae-verification {installed('qae-verification')}")


def check_estimator(algorithm: Algorithm) -> Check:
    """Look whether the run's estimator is registered.

    One of ours must be there in a new process after ``import verl`` alone, as in a worker; one of verl's in verl's own
    registry.
    """
    name, wanted = "estimator", str(algorithm.estimator.value)
    try:
        registered = discovered() if wanted in OURS else registry()
    except Exception as error:  # the plug-in's, verl's or the process's: the check before this one says which
        return failed(name, f"{wanted!r} cannot be looked up: {type(error).__name__}: {error}")
    if wanted not in registered:
        there = ", ".join(registered) or "none"
        return failed(name, f"{algorithm.estimator.key} = {wanted!r} is not registered; there are {there}")
    whose = "verl’s own"
    if wanted in OURS:
        whose = "by the plug-in in a new process"
    elif wanted in provided_estimators():
        whose = "by the plug-in"
    return fine(name, f"{wanted} is registered, {whose}")


@cache
def discovered() -> tuple[str, ...]:
    """Return our estimators in a new process after ``import verl``, as a worker of the job has them."""
    from llm_validation.verl_engine import plugin as verl_plugin

    return verl_plugin.discovered()


def registry() -> tuple[str, ...]:
    """Return every name in verl's registry of this process."""
    from hydra.utils import get_object

    return tuple(sorted(str(name) for name in get_object("verl.trainer.ppo.core_algos.ADV_ESTIMATOR_REGISTRY")))


def installed(package: str) -> str:
    """Return the version of an installed distribution, or words for one that is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
