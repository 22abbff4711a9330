"""Sources of questions with exact answers: procedural tasks, reasoning-gym, files, Hugging Face datasets."""

from __future__ import annotations

from pathlib import Path

from llm_validation.tasks.arithmetic import ADDITION, DIGITS, PRODUCTS, TOTALS
from llm_validation.tasks.base import Example, Source, Task, draw_examples
from llm_validation.tasks.files import HUB_NAMES, file_examples, file_source, hub_examples, is_file
from llm_validation.tasks.gym import PREFIX, gym_examples, gym_source
from llm_validation.tasks.logic import LOGIC
from llm_validation.tasks.shots import PREFIX as SHOTS_PREFIX
from llm_validation.tasks.shots import shots_examples, shots_source
from qae_theory.checks import refuse

__all__ = ["Example", "Source", "Task", "get_task", "load_examples", "load_task", "register_task", "task_names"]

DEFAULT_COUNT = 1024  # questions of a generator that knows no end

_TASKS: dict[str, Task] = {}


def register_task(task: Task) -> Task:
    """Make a task known by its name.

    Raises:
        ValueError: if a task of that name is there already.
    """
    if task.name in _TASKS:
        refuse("the name of a task", task.name, "a new one")
    _TASKS[task.name] = task
    return task


def task_names() -> tuple[str, ...]:
    """Return the registered tasks, in alphabetical order."""
    return tuple(sorted(_TASKS))


def get_task(name: str) -> Task:
    """Return the task of that name.

    Raises:
        ValueError: with the names that there are.
    """
    if name not in _TASKS:
        refuse("task", name, f"one of {', '.join(task_names())}")
    return _TASKS[name]


def load_task(source: str) -> Source:
    """Return how the answers of a source are checked and how long its responses may be; see :func:`load_examples`.

    Raises:
        ValueError: for a source that cannot be one.
    """
    if source in _TASKS:
        return _TASKS[source]
    if source.startswith(PREFIX):
        return gym_source(source)
    if source.startswith(SHOTS_PREFIX):
        return shots_source(source)
    return file_source(_outside(source))


def load_examples(source: str, *, split: str = "train", count: int | None = None, seed: int = 0) -> list[Example]:
    """Return questions with their answers.

    Args:
        source: A task's name; ``gym:NAME`` for a family of reasoning-gym; ``shots:NAME`` for questions after worked
            examples, for a base model; the path of a JSON-lines file; a Hugging Face dataset: ``owner/name``, a folder,
            or one of DAPO-Math-17k, AIME24, AIME25, AMC23.
        split: ``train`` or ``eval``. Generators never give one prompt to both. A file has no splits: it is the
            same whatever the split, so name another one for evaluation.
        count: How many; for None all of a file or dataset, and 1,024 of a generator.
        seed: Of the draws; the same arguments give the same list.

    Returns:
        The examples. Generators draw independently, so that small families repeat prompts; files do not.

    Raises:
        ValueError: one line that says what is wrong with the source.
    """
    if source in _TASKS:
        return draw_examples(_TASKS[source], split=split, count=DEFAULT_COUNT if count is None else count, seed=seed)
    if source.startswith(PREFIX):
        return gym_examples(source, split=split, count=DEFAULT_COUNT if count is None else count, seed=seed)
    if source.startswith(SHOTS_PREFIX):
        return shots_examples(source, split=split, count=DEFAULT_COUNT if count is None else count, seed=seed)
    if is_file(_outside(source)):
        return file_examples(source, count=count, seed=seed)
    return hub_examples(source, split=split, count=count, seed=seed)


def _outside(source: str) -> str:
    """Return a source that names a file or a dataset; a mistyped task is not looked for on a network."""
    if is_file(source) or source in HUB_NAMES or "/" in source or Path(source).is_dir():
        return source
    return refuse(
        "source",
        source,
        f"a task ({', '.join(task_names())}), {PREFIX}NAME, {SHOTS_PREFIX}NAME, a .jsonl file, a folder, "
        f"owner/name of a Hugging Face dataset, or one of {', '.join(HUB_NAMES)}",
    )


for _task in (DIGITS, ADDITION, PRODUCTS, TOTALS, LOGIC):
    register_task(_task)
