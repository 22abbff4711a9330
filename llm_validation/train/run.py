"""One RLVR run from its settings to its folder; killed at any moment, it goes on from its last checkpoint.

On a CPU a run that was killed and resumed ends with the same bytes as one that was not: model, metrics and rollouts.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from llm_validation.models.chat import rendered
from llm_validation.models.presets import load_model
from llm_validation.models.start import starting_model
from llm_validation.tasks import Example, load_examples, load_task
from llm_validation.train import checkpoints, processes
from llm_validation.train.checkpoints import Checkpoint, Resume
from llm_validation.train.extension import drop_unplanned, shorter_run, take_over
from llm_validation.train.folder import RunFolder, begin, finish, left_by_other_code, run_folder
from llm_validation.train.guard import Guard, TrainingError, watch
from llm_validation.train.logs import Logs
from llm_validation.train.process_state import quiet, random_states_restored, stoppable
from llm_validation.train.rounding import install
from llm_validation.train.settings import TrainConfig
from llm_validation.train.trainer import make_trainer
from llm_validation.verifiers import Extraction, Scoring, Verifier, get_verifier, self_test, unreadable_answers
from qae_theory.checks import refuse
from qae_theory.runs.locks import alone

__all__ = ["Interrupted", "Progress", "SettingsError", "TrainingError", "finished_run", "prepare", "run", "train"]

_NOT_FINITE = "probability tensor contains"  # how torch begins to refuse to sample from NaN


class SettingsError(ValueError):
    """The settings, the model or the questions are not such that a run can begin; one line."""


class Interrupted(KeyboardInterrupt):
    """The user stopped the run; a checkpoint of where it stood was saved."""


class Progress(NamedTuple):
    """Hold what a run tells while it goes on: a step with its metrics, or a line of text."""

    step: int
    steps: int
    metrics: Mapping[str, Any]
    says: str = ""


Told = Callable[[Progress], None]


class Prepared(NamedTuple):
    """A run whose settings, questions and model have been found to be good."""

    config: TrainConfig
    folder: RunFolder
    examples: list[Example]
    scoring: Scoring
    model: Any
    tokenizer: Any

    @property
    def updates(self) -> int:
        """Return the number of optimiser updates of one step."""
        return self.config.inner_updates * self.config.inner_epochs


def train(
    config: TrainConfig,
    *,
    out: Path,
    told: Told = lambda progress: None,
    resume: Resume = "newest",
    callbacks: Sequence[Any] = (),
) -> Path:
    """Run it, or go on with it, and return its folder ``out/train/<run id>``; a finished one is not run again.

    The folder holds ``config.json``, ``metrics.jsonl`` (a line a step), ``rollouts.jsonl`` (a line a response),
    ``timing.jsonl``, ``model/``, ``checkpoints/`` and ``provenance.json``.

    Args:
        config: the run.
        out: the results folder.
        told: is told of every step.
        resume: where an unfinished run goes on: from its ``newest`` checkpoint (a damaged one stops it), from the
            ``previous`` good one, or not at all, from the ``start``.
        callbacks: of ``transformers.TrainerCallback``, besides.

    Raises:
        SettingsError: something is wrong with the settings, the model or the questions.
        CheckpointError: the checkpoint to go on from is damaged.
        TrainingError: loss or gradient is not finite, or results could not be written.
        VerifierError: the verifier does not know right from wrong.
        WarmupError: the preset did not reach its success.
        BusyError: another process is running it.
        Interrupted: Ctrl-C, after a checkpoint.
    """
    found = finished_run(config, out=out)
    return run(prepare(config, out=out), told=told, resume=resume, callbacks=callbacks) if found is None else found


def asked_in_template(examples: Sequence[Example], tokenizer: Any, config: TrainConfig) -> list[Example]:
    """Return the questions as the model is asked them, in its chat template if one is set."""
    prompts = [example.prompt for example in examples]
    texts = rendered(prompts, tokenizer, template=config.chat_template, system=config.system_prompt)
    return [Example(text, example.answer) for text, example in zip(texts, examples, strict=True)]


def finished_run(config: TrainConfig, *, out: Path) -> Path | None:
    """Return the folder of this run by this code, if it is whole."""
    folder = run_folder(config, out=out)
    return folder.finished if folder.is_finished() else None


def prepare(config: TrainConfig, *, out: Path) -> Prepared:
    """Load the questions and the model, a preset warmed up first.

    Raises:
        SettingsError: something is wrong with them.
        WarmupError: the preset did not reach its success.
    """
    try:
        # First, because the trainer would miss a package only after the warm-up.
        _check_reports(config)
        source = load_task(config.task)
        examples = load_examples(config.task, split="train", count=config.train_examples, seed=config.seed)
        if not examples:
            refuse("task", config.task, "a source with at least one question")
        folder = run_folder(config, out=out)
        # After the folder has its name: a length that is left to the task stays open in the run's identity.
        filled = config.model_copy(update={"max_new_tokens": config.max_new_tokens or source.max_new_tokens})
        # The main process warms a preset up and keeps it; the others then find it.
        with quiet(), processes.main_first():
            model, tokenizer = load_model(
                starting_model(config.model, config.task, config.warmup, cache=out), seed=config.seed
            )
        examples = asked_in_template(examples, tokenizer, config)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    scoring = Scoring(source.verifier, Extraction(config.extraction))
    return Prepared(filled, folder, examples, scoring, model, tokenizer)


def run(
    prepared: Prepared,
    *,
    told: Told = lambda progress: None,
    resume: Resume = "newest",
    callbacks: Sequence[Any] = (),
) -> Path:
    """Train as :func:`train` does, for a run that is prepared."""
    started = time.perf_counter()
    config, folder = prepared.config, prepared.folder
    # All processes of a run write one folder, so that only the main one takes the lock.
    with alone(folder.partial) if processes.is_main() else nullcontext(), get_verifier(prepared.scoring) as verifier:
        if processes.is_main() and folder.is_finished():  # by another process, meanwhile
            shutil.rmtree(folder.partial)
            return folder.finished
        _test(verifier, prepared, told)
        with processes.main_first():
            start = _start(prepared, resume, told)
        # A run that was killed after its last checkpoint has nothing left to train and is only made whole.
        if start is None or start.updates < config.steps * prepared.updates:
            _train(prepared, start, verifier, told, callbacks)
        if processes.is_main():
            # A run that goes on from a shorter one must end with the files that it would have had from the start.
            drop_unplanned(config, folder)
            last = checkpoints.sealed(folder.checkpoints)[-1]
            finish(folder, last, seed=config.seed, seconds=time.perf_counter() - started)
        processes.wait()
        return folder.finished


def _test(verifier: Verifier, prepared: Prepared, told: Told) -> None:
    """Test the verifier on the answers that it can read, and say which it cannot: their questions score nothing.

    Raises:
        VerifierError: it fails, or can read none of them.
    """
    answers = [example.answer for example in prepared.examples]
    unreadable = set(unreadable_answers(verifier, answers))
    readable = [answer for answer in answers if answer not in unreadable]
    # Where no answer can be read the test has to fail, which it does on the unreadable ones.
    self_test(verifier, answers=readable or answers)
    if unreadable:
        count = len(answers) - len(readable)
        text = f"{count} of {len(answers)} questions score nothing: answers such as {min(unreadable)!r} cannot be read"
        told(Progress(0, prepared.config.steps, {}, text))


def _train(
    prepared: Prepared, start: Checkpoint | None, verifier: Verifier, told: Told, callbacks: Sequence[Any]
) -> None:
    """Train to the last step, where a checkpoint is left."""
    config, folder = prepared.config, prepared.folder
    logs = Logs(folder.partial, {} if start is None else start.logs) if processes.is_main() else None
    guard = Guard(config, folder.checkpoints, logs, lambda step, metrics: told(Progress(step, config.steps, metrics)))
    guard.step = 0 if start is None else start.updates // prepared.updates

    def says(text: str) -> None:
        told(Progress(guard.step, config.steps, {}, text))

    try:
        with stoppable(guard.stop, says), random_states_restored(), quiet():
            trainer = _trainer(prepared, verifier, callbacks, guard)
            trainer.train(resume_from_checkpoint=None if start is None else str(start.folder))
    except OSError as error:
        raise TrainingError(f"the run cannot be written: {error}; checkpoints are kept in {folder.partial}") from error
    except RuntimeError as error:
        if not str(error).startswith(_NOT_FINITE):
            raise
        reason = "the model's probabilities are not finite; earlier checkpoints are kept"
        raise TrainingError(f"step {guard.step + 1}: {reason}") from error
    finally:
        if logs is not None:
            logs.close()
    # The trainer returns from a stop as it does from the end; only the step tells them apart.
    if guard.step < config.steps:
        raise Interrupted(f"stopped after step {guard.step} of {config.steps}, saved in {folder.partial}")


def _trainer(prepared: Prepared, verifier: Verifier, callbacks: Sequence[Any], guard: Guard) -> Any:
    try:
        trainer = make_trainer(
            prepared.config,
            model=prepared.model,
            tokenizer=prepared.tokenizer,
            examples=prepared.examples,
            verifier=verifier,
            output_dir=prepared.folder.checkpoints,
            callbacks=callbacks,
            on_rollouts=guard.on_rollouts,
        )
    except ValueError as error:
        raise SettingsError(" ".join(str(error).split())) from error
    install(trainer, prepared.config.rounding)
    watch(trainer, guard)
    return trainer


def _start(prepared: Prepared, resume: Resume, told: Told) -> Checkpoint | None:
    """Return where to go on from; the main process removes what a killed one has left half done."""
    folder, steps = prepared.folder, prepared.config.steps
    if not processes.is_main():
        return checkpoints.find_checkpoint(folder.checkpoints, resume=resume)
    for other in left_by_other_code(folder):
        told(Progress(0, steps, {}, f"{other} was begun by other code and is not gone on with"))
    if resume == "start":
        shutil.rmtree(folder.checkpoints, ignore_errors=True)
    begin(folder)
    checkpoints.remove_unfinished(folder.checkpoints)
    # What this run has saved itself comes before what a shorter one has.
    if resume != "start" and not checkpoints.sealed(folder.checkpoints):
        _extend(prepared, told)
    start = checkpoints.find_checkpoint(folder.checkpoints, resume=resume)
    if start is not None:
        checkpoints.remove_after(folder.checkpoints, start)
        step = start.updates // prepared.updates
        told(Progress(step, steps, {}, f"goes on from step {step} of {steps}"))
    return start


def _extend(prepared: Prepared, told: Told) -> None:
    """Take over a finished run with fewer steps, if there is one; say which, or why it cannot be."""
    folder, steps = prepared.folder, prepared.config.steps
    shorter = shorter_run(prepared.config, folder)
    if shorter is None:
        return
    if shorter.refused is not None:
        says = f"the finished run of {shorter.steps} steps is not extended: {shorter.refused}; trains from the start"
        told(Progress(0, steps, {}, says))
        return
    take_over(shorter, folder)
    told(Progress(shorter.steps, steps, {}, f"extends the finished run of {shorter.steps} steps, {shorter.folder}"))


def _check_reports(config: TrainConfig) -> None:
    for package in config.report_to:
        if find_spec(package) is None:
            refuse("report_to", package, f"a package that is installed (pip install {package})")
