"""Run one job on the cluster: check it, train, and train on after a failure.

``python -m llm_validation.cluster.jobs.job JOB_DIR`` is what the scheduler starts. An attempt is one start of verl's
trainer. One that dies is followed by another, which goes on from the newest complete checkpoint; a check that fails
ends the job, because the next attempt would fail it too.
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
STOPPED = 128 + signal.SIGTERM  # the status that a shell gives to a process that SIGTERM ended
JOINING = 600.0  # seconds that the other nodes may take to join Ray
GRACE = 60.0  # seconds from a stop's first signal to the kill
_VERSIONS = ("qae-verification", "ray", "torch", "transformers", "verl", "vllm")


@dataclass(frozen=True)
class Settings:
    """Say how a job is run.

    Attributes:
        attempts: how often the trainer is started at most.
        pause: seconds between two attempts.
        check: the command that checks the run; another one in tests only.
        trainer: the command that trains; another one in tests only.
    """

    attempts: int = 3
    pause: float = 30.0
    check: Sequence[str] = CHECK
    trainer: Sequence[str] = TRAINER


@dataclass
class Stop:
    """Remember whether a signal has asked the job to end, and which command has to be ended with it."""

    wanted: threading.Event = field(default_factory=threading.Event)
    child: subprocess.Popen[bytes] | None = None

    def handle(self, number: int, frame: Any) -> None:
        """Pass the signal on as SIGTERM, and kill the command where it has not ended after ``GRACE`` seconds."""
        self.wanted.set()
        if self.child is not None and self.child.poll() is None:
            self.child.terminate()
            killer = threading.Timer(GRACE, self.child.kill)
            # The timer must not keep the job alive after its command has ended in time.
            killer.daemon = True
            killer.start()


def run(folder: JobFolder, settings: Settings) -> int:
    """Run the job to its end.

    Args:
        folder: the job's folder.
        settings: how it is run.

    Returns:
        Exit status: 0 when the trainer has come to its end, now or earlier; 143 when the job was told to stop; the
        check's where that fails; otherwise that of the last attempt.

    Raises:
        JobBusyError: another process is running it.
        JobFolderError: there is no such job.
    """
    folder.read()
    # Before each attempt the check runs again: a node may have been lost or a disk filled in between.
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
    """Run the check of this job on this cluster and return its exit status."""
    facts = folder.read()
    folder.logs.mkdir(parents=True, exist_ok=True)
    options = ["--strict", "--wait", f"{JOINING:g}", "--job-dir", str(folder.path), "--resolved", str(folder.resolved)]
    report = folder.logs / f"check-{now().replace(':', '')}.json"
    arguments = [*settings.check, facts["experiment"], *facts["overrides"], *options, "--json", str(report)]
    return _run(arguments, variables={}, folder=folder, held=held, stop=stop, output=None)


def _attempt(folder: JobFolder, settings: Settings, held: Held, stop: Stop) -> int:
    """Start the trainer once, from the newest complete checkpoint, and return its exit status."""
    checkpoint = settle(folder.checkpoints)
    keep = _kept(folder)
    if keep:
        for path in remove_surplus(folder.checkpoints, keep=keep):
            say(f"removed {path}, which verl no longer counts")
    step = 0 if checkpoint is None else checkpoint.step
    lost = [step] if step and not folder.has_metrics(step) else []
    if lost:  # verl saves a checkpoint before it logs the step, so that a kill in between loses the metrics
        say(f"the metrics of step {step} were not written before the last attempt ended, and will not be")
    versions = _versions()
    attempt = folder.new_attempt(from_step=step, metrics_lost=lost, versions=versions)
    folder.change(lambda facts: facts.update(versions=versions))
    say(f"attempt {attempt.number} of {folder.name}, from step {step}; metrics in {attempt.metrics}")
    arguments = command(folder, folder.read(), attempt, checkpoint, settings.trainer)
    with attempt.output.open("ab") as output:
        output.write(f"$ {shlex.join(arguments)}\n".encode())
        variables = environment(folder, attempt)
        status = _run(arguments, variables=variables, folder=folder, held=held, stop=stop, output=output)
    folder.end_attempt(attempt.number, status, _outcome(status, stop))
    if status == 0:
        folder.change(lambda facts: facts.update(finished=now()))
    return status


def _run(
    arguments: Sequence[str],
    *,
    variables: Mapping[str, str],
    folder: JobFolder,
    held: Held,
    stop: Stop,
    output: IO[bytes] | None,
) -> int:
    """Run a command in the job's folder and return its exit status; it does not outlive this process.

    Args:
        arguments: the command and its arguments.
        variables: further variables of its environment.
        folder: the job's folder.
        held: the lock, which the command holds too.
        stop: told of the command, so that a signal reaches it.
        output: a file that gets a copy of everything printed.

    Returns:
        The exit status; 128 + n where signal n ended the command.
    """
    if stop.wanted.is_set():
        return STOPPED
    wrapper = [sys.executable, "-m", "llm_validation.cluster.jobs.ends_with_parent", str(os.getpid())]
    child = subprocess.Popen(
        [*wrapper, *arguments],
        cwd=folder.path,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[held.descriptor],  # the lock lasts as long as anything that writes into the folder
    )
    stop.child = child
    if stop.wanted.is_set():  # the signal came before `stop` knew of the command
        child.terminate()
    # Only for the type checker: with PIPE there is always a stream.
    assert child.stdout is not None
    # Line by line and flushed, so that the file has what was printed before a kill.
    for line in child.stdout:
        for sink in (sys.stdout.buffer, output):
            if sink is not None:
                sink.write(line)
                sink.flush()
    status = child.wait()
    return status if status >= 0 else 128 - status


def _outcome(status: int, stop: Stop) -> str:
    """Return the word with which an attempt's end is recorded."""
    if stop.wanted.is_set():
        return "stopped"
    return "finished" if status == 0 else "died"


def _kept(folder: JobFolder) -> int | None:
    """Return how many checkpoints verl is to keep; None where it keeps all or the configuration is not known."""
    if not folder.resolved.is_file() or find_spec("omegaconf") is None:
        return None
    from omegaconf import OmegaConf

    keep = OmegaConf.select(OmegaConf.load(folder.resolved), "trainer.max_actor_ckpt_to_keep")
    return keep if isinstance(keep, int) and keep > 0 else None


def _versions() -> dict[str, str]:
    """Return the versions of the packages that decide what an attempt computes."""
    installed = installed_versions()
    return {name: installed[name] for name in _VERSIONS if name in installed}


@contextmanager
def _stoppable() -> Iterator[Stop]:
    """Handle SIGTERM and SIGINT for as long as the job runs, and restore what handled them before."""
    stop = Stop()
    before = {number: signal.signal(number, stop.handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say(text: str) -> None:
    """Print a line to the job's output at once."""
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
        attempts=attempts,
        pause=pause,
        check=shlex.split(check) if check else CHECK,
        trainer=shlex.split(trainer) if trainer else TRAINER,
    )
    try:
        status = run(JobFolder(job_dir.absolute()), settings)
    except (JobBusyError, JobFolderError, OSError) as error:
        print(f"job: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    raise typer.Exit(status)


if __name__ == "__main__":
    typer.run(main)
