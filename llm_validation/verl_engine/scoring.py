"""Scores of our own tasks for verl, by data source: ``qae/digits``, ``qae/logic`` and so on. No verl here.

``verl_plugin.compute_score`` asks verl's scorers for every other source. As DAPO's they give +1 and -1.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llm_validation.tasks import get_task, task_names
from llm_validation.verifiers import Verifier, get_verifier
from qae_theory.checks import refuse

PREFIX = "qae/"
RIGHT, WRONG = 1.0, -1.0
SHOWN = 100  # characters of a response that its record keeps

# Benchmarks that verl has no scorer for under a name of their own, and the source whose scorer reads their answers.
AS: dict[str, str] = {"amc2023": "math_dapo"}


def is_ours(data_source: str) -> bool:
    """Return whether a data source is scored here.

    >>> is_ours("qae/digits"), is_ours("math_dapo")
    (True, False)
    """
    return data_source.startswith(PREFIX)


def source_of(task: str) -> str:
    """Return the data source of a task of ours."""
    return f"{PREFIX}{get_task(task).name}"


def verl_source(data_source: str) -> str:
    """Return the data source by which verl's ``default_compute_score`` finds the scorer of this one.

    >>> verl_source("amc2023"), verl_source("aime2024")
    ('math_dapo', 'aime2024')
    """
    return AS.get(data_source, data_source)


def score(data_source: str, solution_str: str, ground_truth: str) -> float:
    """Return +1 where the response is the task's answer, -1 where it is not.

    Args:
        data_source: ``qae/`` and the name of a task.
        solution_str: the response, untrusted.
        ground_truth: the exact answer.

    Raises:
        ValueError: an unknown source, or an answer that the task's verifier cannot read.

    >>> score("qae/digits", " 7", "7"), score("qae/digits", "17", "7")
    (1.0, -1.0)
    """
    (found,) = _verifier(data_source)([solution_str], [ground_truth])
    if found is None:
        refuse("ground_truth", ground_truth, f"an answer of {data_source}")
    return RIGHT if found == 1 else WRONG


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Any = None, **kwargs: Any
) -> dict[str, Any]:
    """Return what :func:`score` does in the form of a reward function of verl: ``score``, ``acc`` and ``pred``.

    Args:
        data_source: as in :func:`score`.
        solution_str: likewise.
        ground_truth: likewise.
        extra_info: verl passes it; not used.
        kwargs: likewise.
    """
    found = score(data_source, solution_str, ground_truth)
    return {"score": found, "acc": found == RIGHT, "pred": solution_str.strip()[:SHOWN]}


@cache
def _verifier(data_source: str) -> Verifier:
    name = data_source.removeprefix(PREFIX)
    if not is_ours(data_source) or name not in task_names():
        refuse("data_source", data_source, f"one of {', '.join(PREFIX + task for task in task_names())}")
    return get_verifier(get_task(name).verifier)
