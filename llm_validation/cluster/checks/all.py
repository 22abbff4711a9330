"""Run the checks of the modules beside this one: all that can be known about a run before it costs anything.

What is not on this machine (data, model, GPUs, vLLM) is a warning where a job is prepared, and a failure where it runs
(``strict``). A warning says what a person may want to change; only a failure ends the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from llm_validation.cluster.checks import advantages, algorithm, machine, outputs, plugin, rewards, sizes
from llm_validation.cluster.checks.check import Check, failed, fine
from llm_validation.cluster.checks.data import check_data
from llm_validation.cluster.checks.data_files import Summary
from llm_validation.cluster.checks.verifier import SelfTest, check_verifier
from llm_validation.cluster.recipes.sources import open_choices
from llm_validation.verl_engine.configuration.record import Configuration, read

__all__ = ["Check", "checks"]


@dataclass(frozen=True)
class Subject:
    """Hold what the checks look at: the composed configuration, its record, and the verifier's self-test.

    ``composed`` is verl's ``DictConfig``. ``job_dir`` is the job's folder, there or not; None leaves out what is about
    it. ``strict``: this is where the job runs. ``wait``: seconds that the GPUs of a Ray cluster may take to join.
    """

    composed: Any
    run: Configuration
    verifier: SelfTest
    job_dir: Path | None
    strict: bool
    wait: float


# In the order of the report. Each check gets the part of the settings that it needs and nothing else.
CHECKS: Mapping[str, Callable[[Subject], Check]] = {
    "configuration": lambda subject: plugin.check_composition(subject.composed),
    "plug-in": lambda subject: plugin.check_plugin(),
    "estimator": lambda subject: plugin.check_estimator(subject.run.algorithm),
    "quantile level": lambda subject: algorithm.check_quantile(subject.run.algorithm),
    "group size": lambda subject: algorithm.check_group(subject.run),
    "outputs a rollout": lambda subject: algorithm.check_outputs(subject.run),
    "gate": lambda subject: algorithm.check_gate(subject.run),
    "verifier": lambda subject: subject.verifier.check,
    "overlong punishment": lambda subject: rewards.check_overlong(subject.run),
    "reward levels": lambda subject: rewards.check_levels(subject.run.algorithm, subject.verifier.levels),
    "dynamic sampling": lambda subject: algorithm.check_dynamic_sampling(subject.run, subject.verifier.keys),
    "advantages": lambda subject: advantages.check_advantages(subject.run, subject.verifier.levels),
    "batch sizes": lambda subject: sizes.check_sizes(subject.run),
    "lengths": lambda subject: sizes.check_lengths(subject.run),
    "model": lambda subject: machine.check_model(subject.run.model, strict=subject.strict),
    "engines": lambda subject: machine.check_engines(subject.run, strict=subject.strict),
    "Ray": lambda subject: machine.check_ray(),
    "GPUs": lambda subject: machine.check_gpus(subject.run.trainer, strict=subject.strict, wait=subject.wait),
    "logging": lambda subject: outputs.check_logging(subject.run.trainer),
    "checkpoints": lambda subject: outputs.check_saving(subject.run),
    "job folder": lambda subject: outputs.check_job_dir(subject.job_dir, strict=subject.strict),
    "disk space": lambda subject: outputs.check_disk(subject.run, subject.job_dir),
    "resume": lambda subject: outputs.check_resume(subject.run.trainer, subject.job_dir),
}


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
        Every check, whatever the ones before it found. A check that itself breaks is a failed check.
    """
    run = read(config)
    of_data, summaries = _data(run, strict=strict)
    verifier = _self_test(run, summaries)
    subject = Subject(composed=config, run=run, verifier=verifier, job_dir=job_dir, strict=strict, wait=wait)
    rest = [_guarded(name, partial(check, subject)) for name, check in CHECKS.items()]
    left_open = [fine("left open by the paper", sentence) for sentence in open_choices(experiment)]
    return [*of_data, *rest, *left_open]


def _data(run: Configuration, *, strict: bool) -> tuple[list[Check], list[Summary]]:
    """Return the checks of both splits, and what their files hold as far as they are here."""
    summaries: list[Summary] = []

    def check(split: str) -> Check:
        """Return the check of a split, and keep what its files hold."""
        found, summary = check_data(run, split, strict=strict)
        if summary is not None:
            summaries.append(summary)
        return found

    return [_guarded(f"{split} data", partial(check, split)) for split in ("train", "val")], summaries


def _self_test(run: Configuration, summaries: Sequence[Summary]) -> SelfTest:
    """Return the verifier's self-test on the answers of the run's own data, as far as they are here."""
    answers: dict[str, tuple[str, ...]] = {}
    for summary in summaries:
        answers.update(summary.answers)
    try:
        return check_verifier(run.reward, answers or None)
    except Exception as error:  # the user's function and its arguments: anything
        return SelfTest(_broken("verifier", error))


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    """Return what the check finds; one that breaks, on a value of a kind that it did not expect, has failed."""
    try:
        return check()
    except Exception as error:  # whatever it is, it must not hide the other checks
        return _broken(name, error)


def _broken(name: str, error: Exception) -> Check:
    return failed(name, f"cannot be checked: {type(error).__name__}: {error}")
