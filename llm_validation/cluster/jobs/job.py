"""What runs on the cluster: ``python -m llm_validation.cluster.jobs.job JOB_DIR``. Checks, then trains, then trains on.

An attempt is one start of verl's trainer. One that dies is followed by another, which goes on from the newest complete
checkpoint; a check that fails ends the job, because the next attempt would fail it too.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from llm_validation.cluster.jobs.folder import JobFolder, JobFolderError, now
from llm_validation.cluster.jobs.lock import Held, JobBusyError, alone
from llm_validation.cluster.jobs.trainer_command import command, environment
from llm_validation.cluster.jobs.verl_checkpoints import remove_surplus, settle
from qae_theory.runs.provenance import installed_versions

CHECK = (sys.executable, "-m", "qae_theory.cli", "cluster", "check")
TRAINER = (sys.executable, "-m", "llm_validation.verl_engine.trainer")
STOPPED = 128 + signal.SIGTERM
JOINING = 600.0  # seconds that the other nodes may take to join Ray
GRACE = 60.0  # seconds from a stop's first signal to the kill
_VERSIONS = ("qae-verification", "ray", "torch", "transformers", "verl", "vllm")


@dataclass(frozen=True)
class Settings:
    """How a job is run. The commands are others in tests only."""

    attempts: int = 3
    pause: float = 30.0
    check: Sequence[str] = CHECK
    trainer: Sequence[str] = TRAINER


@dataclass
class Stop:
    """Whether a signal has asked the job to end, and the command that has to be told."""

    wanted: threading.Event = field(default_factory=threading.Event)
    child: subprocess.Popen[bytes] | None = None

    def handle(self, number: int, frame: Any) -> None:
        """Pass the stop on, and leave the command some time to end in."""
        self.wanted.set()
        if self.child is not None and self.child.poll() is None:
            self.child.terminate()
            killer = threading.Timer(GRACE, self.child.kill)
            killer.daemon = True
            killer.start()


def run(folder: JobFolder, settings: Settings) -> int:
    """Run the job to its end.

    Returns:
        Exit status: 0 when the trainer has come to its end, now or earlier; 143 when the job was told to stop; the
        check's where that fails; otherwise that of the last attempt.

    Raises:
        JobBusyError: another process is running it.
        JobFolderError: there is no such job.
    """
    folder.read()
    with alone(folder.path) as held, _stoppable() as stop:
        status = 0
        for left in reversed(range(settings.attempts)):
            if folder.finished():
                say(f"{folder.name} is finished")
                return 0
            status = _check(folder, settings, held, stop)
            if status == 0:
                status = _attempt(folder, settings, held, stop)
            elif not stop.wanted.is_set():
                say(f"the check failed with status {status}: nothing was started")
                return status
            if stop.wanted.is_set():
                return STOPPED
            if status and left:
                say(f"died with status {status}; {left} attempts left, the next in {settings.pause:g} s")
                stop.wanted.wait(settings.pause)
        return status


def _check(folder: JobFolder, settings: Settings, held: Held, stop: Stop) -> int:
    facts = folder.read()
    folder.logs.mkdir(parents=True, exist_ok=True)
    asked = ["--strict", "--wait", f"{JOINING:g}", "--job-dir", str(folder.path), "--resolved", str(folder.resolved)]
    report = folder.logs / f"check-{now().replace(':', '')}.json"
    words = [*settings.check, facts["experiment"], *facts["overrides"], *asked, "--json", str(report)]
    return _run(words, {}, folder, held, stop, output=None)


def _attempt(folder: JobFolder, settings: Settings, held: Held, stop: Stop) -> int:
    """One start of the trainer, from the newest complete checkpoint."""
    checkpoint = settle(folder.checkpoints)
    for path in remove_surplus(folder.checkpoints, keep=keep) if (keep := _kept(folder)) else ():
        say(f"removed {path}, which verl no longer counts")
    step = 0 if checkpoint is None else checkpoint.step
    lost = [step] if step and not folder.has_metrics(step) else []
    if lost:  # verl saves before it logs
        say(f"the metrics of step {step} were not written before the last attempt ended, and will not be")
    versions = _versions()
    attempt = folder.new_attempt(from_step=step, metrics_lost=lost, versions=versions)
    folder.change(lambda facts: facts.update(versions=versions))
    say(f"attempt {attempt.number} of {folder.name}, from step {step}; metrics in {attempt.metrics}")
    words = command(folder, folder.read(), attempt, checkpoint, settings.trainer)
    with attempt.output.open("ab") as output:
        output.write(f"$ {shlex.join(words)}\n".encode())
        status = _run(words, environment(folder, attempt), folder, held, stop, output=output)
    folder.end_attempt(attempt.number, status, _says(status, stop))
    if status == 0:
        folder.change(lambda facts: facts.update(finished=now()))
    return status


def _run(
    words: Sequence[str],
    variables: Mapping[str, str],
    folder: JobFolder,
    held: Held,
    stop: Stop,
    output: IO[bytes] | None,
) -> int:
    """Run a command in the job folder, which it does not outlive; what it prints is shown, and kept in ``output``."""
    if stop.wanted.is_set():
        return STOPPED
    tether = [sys.executable, "-m", "llm_validation.cluster.jobs.ends_with_parent", str(os.getpid())]
    child = subprocess.Popen(
        [*tether, *words],
        cwd=folder.path,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[held.descriptor],  # the lock lasts as long as anything that writes into the folder
    )
    stop.child = child
    if stop.wanted.is_set():  # the signal came in between
        child.terminate()
    assert child.stdout is not None
    for line in child.stdout:
        for sink in (sys.stdout.buffer, output):
            if sink is not None:
                sink.write(line)
                sink.flush()
    status = child.wait()
    return status if status >= 0 else 128 - status


def _says(status: int, stop: Stop) -> str:
    if stop.wanted.is_set():
        return "stopped"
    return "finished" if status == 0 else "died"


def _kept(folder: JobFolder) -> int | None:
    """How many checkpoints verl is to keep; None where it keeps all."""
    if not folder.resolved.is_file() or find_spec("omegaconf") is None:
        return None
    from omegaconf import OmegaConf

    keep = OmegaConf.select(OmegaConf.load(folder.resolved), "trainer.max_actor_ckpt_to_keep")
    return keep if isinstance(keep, int) and keep > 0 else None


def _versions() -> dict[str, str]:
    found = installed_versions()
    return {name: found[name] for name in _VERSIONS if name in found}


@contextmanager
def _stoppable() -> Iterator[Stop]:
    stop = Stop()
    before = {number: signal.signal(number, stop.handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say(text: str) -> None:
    """A line in the job's output."""
    print(f"job: {text}", flush=True)


def main(
    job_dir: Annotated[Path, typer.Argument(help="The job's folder, made by `qae cluster launch`.")],
    attempts: Annotated[int, typer.Option("--attempts", min=1, help="Starts of the trainer, at most.")] = 3,
    pause: Annotated[float, typer.Option("--pause", min=0, help="Seconds between two attempts.")] = 30.0,
    check: Annotated[str | None, typer.Option("--check", hidden=True)] = None,
    trainer: Annotated[str | None, typer.Option("--trainer", hidden=True)] = None,
) -> None:
    """Check and train one job, resuming from its newest checkpoint."""
    settings = Settings(
        attempts, pause, shlex.split(check) if check else CHECK, shlex.split(trainer) if trainer else TRAINER
    )
    try:
        status = run(JobFolder(job_dir.absolute()), settings)
    except (JobBusyError, JobFolderError, OSError) as error:
        print(f"job: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    raise typer.Exit(status)


if __name__ == "__main__":
    typer.run(main)
