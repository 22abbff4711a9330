"""Check that the data files are there, have verl's columns and enough rows, and ask each question once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from llm_validation.cluster.checks.check import Check, absent, failed, fine, warned
from llm_validation.cluster.checks.data_files import MOST_ANSWERS, DataError, Summary, summary
from llm_validation.verl_engine.configuration.record import Configuration
from llm_validation.verl_engine.configuration.setting import Setting


def check_data(run: Configuration, split: str, *, strict: bool) -> tuple[Check, Summary | None]:
    """Look at the files of a split.

    Args:
        run: the run's settings.
        split: ``train`` or ``val``.
        strict: this is where the job runs, so that a file which is not here is a failure.

    Returns:
        The check, and what the files hold; None where they are not here or verl could not use them.
    """
    name = f"{split} data"
    setting = run.data.train_files if split == "train" else run.data.val_files
    paths = _paths(setting)
    if not paths:
        return failed(name, f"{setting.key} names no file"), None
    missing = [path for path in paths if not path.is_file()]
    if missing:
        hint = "" if missing[0].is_absolute() else " (relative, so looked for in the job's folder: cluster.data=/…)"
        return absent(name, f"no file {', '.join(map(str, missing))}{hint}", strict=strict), None
    prompt_key = run.data.prompt_key.or_else("prompt")
    try:
        held = _together([summary(path, prompt_key) for path in paths])
    except DataError as error:
        return failed(name, str(error)), None
    return _judged(run, split, held), held


def _paths(setting: Setting[object]) -> list[Path]:
    """Return the files that a setting names: one as text, or a list of them."""
    stated = setting.or_else([])
    names = [stated] if isinstance(stated, str) else stated
    return [Path(str(name)).expanduser() for name in names]


def _judged(run: Configuration, split: str, held: Summary) -> Check:
    """Return what the files' rows and questions mean for the run."""
    name = f"{split} data"
    content = f"{held.rows} rows, {held.questions} questions of {', '.join(held.answers)}"
    # A validation takes whatever there is; training needs a whole batch.
    least = int(run.data.prompts.or_else(1)) if split == "train" else 1
    if held.rows < least:
        return failed(name, f"{content}: fewer than a batch of {least}, and verl drops a batch that is not full")
    if held.repeats > 1:
        samples = int(run.rollout.validation_samples.or_else(1)) if split == "val" else 1
        cost = f", each sampled {samples} times a row" if samples > 1 else ""
        repeats = f"a question is there {held.repeats:.3g} times{cost}; `qae cluster data` removes the copies"
        return warned(name, f"{content}: {repeats}")
    return fine(name, content)


def _together(summaries: Sequence[Summary]) -> Summary:
    """Return the sum over files; a question that stands in two files counts twice."""
    answers: dict[str, tuple[str, ...]] = {}
    for of_file in summaries:
        for source, known in of_file.answers.items():
            answers[source] = tuple(dict.fromkeys([*answers.get(source, ()), *known]))[:MOST_ANSWERS]
    return Summary(
        rows=sum(of_file.rows for of_file in summaries),
        questions=sum(of_file.questions for of_file in summaries),
        answers=answers,
    )
