"""Check what the run writes: logs, checkpoints, the job's folder, and room on its disk."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from llm_validation.cluster.checks.check import Check, absent, failed, fine, warned
from llm_validation.cluster.checks.sizes import gpus
from llm_validation.cluster.estimate.model_sizes import shape_of
from llm_validation.cluster.jobs.folder import JobFolder
from llm_validation.verl_engine.configuration.record import Configuration
from llm_validation.verl_engine.configuration.trainer import Trainer

# FSDP keeps parameters in float32, and so does Adam its two moments: 4 bytes each.
NUMBER_BYTES = 4
# What a checkpoint must hold so that a job which goes on is the job that was killed.
WHOLE = frozenset({"model", "optimizer", "extra"})


def check_logging(trainer: Trainer) -> Check:
    """Look whether ``qae cluster collect`` will find metrics: verl's file logger is on."""
    name, setting = "logging", trainer.loggers
    stated = setting.or_else([])
    loggers = [stated] if isinstance(stated, str) else list(stated)
    if "file" not in loggers:
        return failed(name, f"{setting.key} must have 'file', which `qae cluster collect` reads; got {loggers}")
    return fine(name, ", ".join(loggers))


def check_saving(run: Configuration) -> Check:
    """Look whether a job that dies can go on from somewhere."""
    name, trainer, actor = "checkpoints", run.trainer, run.actor
    every = int(trainer.save_every.or_else(-1))
    if every < 1:
        return warned(name, f"{trainer.save_every.key} = {every}: none is written, and a job that dies begins again")
    if actor.saves_asynchronously.or_else(False):
        return failed(
            name,
            f"{actor.saves_asynchronously.name}: verl then does not say which checkpoint is finished, and none is gone "
            "on from",
        )
    missing = WHOLE - set(actor.saved.or_else(()))
    if missing:
        return warned(name, f"without {', '.join(sorted(missing))}: a job that goes on is not the job that was killed")
    kept = trainer.checkpoints_kept
    return fine(name, f"every {every} steps, {f'the newest {kept.value}' if kept.stated else 'all'} kept")


def check_job_dir(job_dir: Path | None, *, strict: bool) -> Check:
    """Look whether the job's folder can be written.

    Args:
        job_dir: the folder, there or not; None where there is none to look at.
        strict: this is where the job runs.
    """
    name = "job folder"
    if job_dir is None:
        return fine(name, "not looked at without --job-dir DIR")
    above = nearest(job_dir)
    try:
        with tempfile.TemporaryFile(dir=above):
            return fine(name, f"{job_dir}: {above} can be written")
    except OSError as error:
        refusal = f"{job_dir}: {above} cannot be written ({error.strerror})"
        # A folder that is there is the job's own, on whatever machine.
        return failed(name, refusal) if strict or job_dir.exists() else absent(name, refusal, strict=strict)


def check_disk(run: Configuration, job_dir: Path | None) -> Check:
    """Look whether there is room for the checkpoints, for what an interrupted save leaves, and for a counterfactual's.

    Args:
        run: the run's settings.
        job_dir: the job's folder, there or not; None leaves the disk unasked.
    """
    name, size, count = "disk space", checkpoint_bytes(run), checkpoints_at_once(run.trainer)
    if size is None:
        return warned(name, "not known how large a checkpoint is: the model's shape is not known here")
    in_the_making = bool(count) + bool(run.probe.counterfactual_every.or_else(0))
    needed = size * (count + in_the_making)
    need = f"{count} checkpoints of {_gib(size)} and {in_the_making} in the making need {_gib(needed)}"
    if job_dir is None:
        return fine(name, f"{need}; --job-dir DIR has the space looked at")
    free = shutil.disk_usage(nearest(job_dir)).free + _held(job_dir)
    if free < needed:
        return failed(name, f"{need}; {_gib(free)} are free or already theirs on {nearest(job_dir)}")
    return fine(name, f"{need}; {_gib(free)} are free or already theirs")


def check_resume(trainer: Trainer, job_dir: Path | None) -> Check:
    """Look whether the checkpoint that the job would go on from is of as many GPUs as the job has."""
    name = "resume"
    newest = JobFolder(job_dir).newest_checkpoint() if job_dir is not None else None
    if newest is None:
        return fine(name, "begins at step 0")
    count = gpus(trainer)
    if newest.world_size not in (None, count):
        return failed(
            name, f"{newest.path} is of {newest.world_size} GPUs, the run of {count}: verl's FSDP cannot read it"
        )
    return fine(name, f"goes on from step {newest.step}")


def checkpoint_bytes(run: Configuration) -> int | None:
    """Return the size of one checkpoint, 4 bytes a parameter and as much for each of Adam's two moments.

    None for a model of unknown shape.
    """
    try:
        parameters = shape_of(str(run.model.path.or_else(""))).parameters
    except ValueError:
        return None
    adam = str(run.actor.optimiser.or_else("AdamW")).lower().startswith("adam")
    return parameters * NUMBER_BYTES * (3 if adam else 1)


def checkpoints_at_once(trainer: Trainer) -> int:
    """Return the most checkpoints that are on the disk at the same time.

    Of two that it keeps one, verl deletes the older only after the newer is written: never fewer than two.
    """
    every, kept = trainer.save_every, trainer.checkpoints_kept
    if not every.stated or int(every.value) < 1:
        return 0
    written = -(-int(trainer.steps.or_else(0)) // int(every.value)) or 1
    return min(written, max(int(kept.value), 2)) if kept.stated else written


def _held(job_dir: Path) -> int:
    """Return the bytes of the checkpoints that are there already: the new ones take their place."""
    return sum(file.stat().st_size for file in (job_dir / "checkpoints").rglob("*") if file.is_file())


def nearest(path: Path) -> Path:
    """Return the path, or the nearest folder above it that is there."""
    folder = path.absolute()
    while not folder.is_dir():
        folder = folder.parent
    return folder


def _gib(size: float) -> str:
    return f"{size / 2**30:.3g} GiB"
