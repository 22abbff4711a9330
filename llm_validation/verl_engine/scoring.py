"""Score responses to this project's own tasks for verl, by data source: ``qae/digits``, ``qae/logic`` and so on.

``plugin.compute_score`` asks verl's scorers for every other source. Like DAPO's these give +1 and -1. verl is not
imported here.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llm_validation.tasks import get_task, task_names
from llm_validation.verifiers import Verifier, get_verifier
from qae_theory.checks import refuse

PREFIX = "qae/"
RIGHT, WRONG = 1.0, -1.0
SHOWN = 100  # characters of a response that its record keeps: enough to recognise an answer in a dump

# Benchmarks for which verl has no scorer of their own name, with the source whose scorer reads their answers.
AS: dict[str, str] = {"amc2023": "math_dapo"}


def is_ours(data_source: str) -> bool:
    """Return whether a data source is scored here.

    >>> is_ours("qae/digits"), is_ours("math_dapo")
    (True, False)
    """
    return data_source.startswith(PREFIX)


def source_of(task: str) -> str:
    """Return the data source of one of this project's tasks."""
    return f"{PREFIX}{get_task(task).name}"


def verl_source(data_source: str) -> str:
    """Return the data source by which verl's ``default_compute_score`` finds the scorer of this one.

    >>> verl_source("amc2023"), verl_source("aime2024")
    ('math_dapo', 'aime2024')
    """
    return AS.get(data_source, data_source)


def score(data_source: str, solution_str: str, ground_truth: str) -> float:
    """Return +1 where the response is the task's answer, and -1 where it is not.

    Args:
        data_source: ``qae/`` and the name of a task.
        solution_str: the response; it is untrusted text and never evaluated.
        ground_truth: the exact answer.

    Raises:
        ValueError: the source is unknown, or the task's verifier cannot read the answer.

    >>> score("qae/digits", " 7", "7"), score("qae/digits", "17", "7")
    (1.0, -1.0)
    """
    (verdict,) = _verifier(data_source)([solution_str], [ground_truth])
    if verdict is None:
        refuse("ground_truth", ground_truth, f"an answer of {data_source}")
    return RIGHT if verdict == 1 else WRONG


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Any = None, **kwargs: Any
) -> dict[str, Any]:
    """Return :func:`score` as a reward function of verl does: ``score``, ``acc`` and ``pred``, as for DAPO.

    Args:
        data_source: ``qae/`` and the name of a task.
        solution_str: the response, untrusted.
        ground_truth: the exact answer.
        extra_info: not used; verl passes it.
        kwargs: not used; verl passes them.
    """
    value = score(data_source, solution_str, ground_truth)
    return {"score": value, "acc": value == RIGHT, "pred": solution_str.strip()[:SHOWN]}


@cache
def _verifier(data_source: str) -> Verifier:
    """Return the verifier of a data source's task, made once per process."""
    name = data_source.removeprefix(PREFIX)
    if not is_ours(data_source) or name not in task_names():
        refuse("data_source", data_source, f"one of {', '.join(PREFIX + task for task in task_names())}")
    return get_verifier(get_task(name).verifier)
