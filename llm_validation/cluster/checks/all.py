"""Everything that can be known about a run before it costs anything. Each check is in ``check_*.py``; this runs them.

What is not on this machine (data, model, GPUs, vLLM) is a warning where a job is prepared, and a failure where it runs
(``strict``). A warning says what a person may want to change; only a failure ends the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from llm_validation.cluster.checks import algorithm, machine, plugin, sizes
from llm_validation.cluster.checks.check import Check, failed, fine
from llm_validation.cluster.checks.data import Summary, check_data
from llm_validation.cluster.checks.verifier import Tried, check_verifier
from llm_validation.cluster.recipes.sources import open_choices

__all__ = ["Check", "checks", "plain"]


def checks(
    experiment: str, config: Any, *, job_dir: Path | None = None, strict: bool = False, wait: float = 0.0
) -> list[Check]:
    """Look at a composed configuration and at this machine.

    Args:
        experiment: its name.
        config: the composed ``DictConfig``.
        job_dir: the job's folder, there or not; None leaves out what is about it.
        strict: this is where the job runs: what is absent is a failure.
        wait: seconds that the GPUs of the Ray cluster may take to join, where it is strict.

    Returns:
        Every check, whatever the ones before it said. A check that itself breaks is a failed check.
    """
    values = plain(config)
    summaries: list[Summary | None] = []

    def data(split: str) -> Check:
        check, summary = check_data(values, split, strict=strict)
        summaries.append(summary)
        return check

    found = [_whole("train data", lambda: data("train")), _whole("val data", lambda: data("val"))]
    tried = _tried(values, summaries)
    steps: dict[str, Callable[[], Check]] = {
        "configuration": lambda: plugin.check_composition(config),
        "plug-in": plugin.check_plugin,
        "estimator": lambda: plugin.check_estimator(values),
        "quantile level": lambda: algorithm.check_quantile(values),
        "group size": lambda: algorithm.check_group(values),
        "gate": lambda: algorithm.check_gate(values),
        "verifier": lambda: tried.check,
        "overlong punishment": lambda: algorithm.check_overlong(values),
        "reward levels": lambda: algorithm.check_levels(values, tried.levels),
        "dynamic sampling": lambda: algorithm.check_dynamic_sampling(values, tried.keys),
        "advantages": lambda: plugin.check_advantages(values, tried.levels),
        "batch sizes": lambda: sizes.check_sizes(values),
        "lengths": lambda: sizes.check_lengths(values),
        "model": lambda: machine.check_model(values, strict=strict),
        "engines": lambda: machine.check_engines(values, strict=strict),
        "Ray": machine.check_ray,
        "GPUs": lambda: machine.check_gpus(values, strict=strict, wait=wait),
        "logging": lambda: sizes.check_logging(values),
        "checkpoints": lambda: sizes.check_saving(values),
        "job folder": lambda: machine.check_job_dir(job_dir, strict=strict),
        "disk space": lambda: machine.check_disk(values, job_dir),
        "resume": lambda: machine.check_resume(values, job_dir),
    }
    found += [_whole(name, step) for name, step in steps.items()]
    return [*found, *(fine("left open by the paper", sentence) for sentence in open_choices(experiment))]


def _whole(name: str, check: Callable[[], Check]) -> Check:
    """What the check says; a check that breaks, for a value of a kind that it did not expect, has failed."""
    try:
        return check()
    except Exception as error:  # whatever it is, it must not hide the other checks
        return failed(name, f"cannot be checked: {type(error).__name__}: {error}")


def _tried(values: Mapping[str, Any], summaries: Iterable[Summary | None]) -> Tried:
    """The verifier's self-test on the answers of the run's own data, as far as they are here."""
    answers = {source: found for summary in summaries if summary for source, found in summary.answers.items()}
    try:
        return check_verifier(values, answers or None)
    except Exception as error:
        return Tried(failed("verifier", f"cannot be checked: {type(error).__name__}: {error}"))


def plain(config: Any) -> Mapping[str, Any]:
    """The configuration as nested dictionaries, interpolations resolved."""
    from omegaconf import OmegaConf

    values: Mapping[str, Any] = OmegaConf.to_container(config, resolve=True)
    return values
