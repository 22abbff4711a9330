"""Score responses to this project's own tasks for verl, by data source: ``qae/digits``, ``qae/logic`` and so on.

``plugin.compute_score`` asks verl's scorers for every other source. Like DAPO's these give +1 and -1. verl is not
imported here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from llm_validation.engines.stops import before_stop, checked_stops
from llm_validation.tasks import get_task, task_names
from llm_validation.verifiers import Extraction, Scoring, Verifier, get_verifier
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


def score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    *,
    extraction: str = "auto",
    stop: Sequence[str] = (),
) -> float:
    r"""Return +1 where the response is the task's answer, and -1 where it is not.

    Args:
        data_source: ``qae/`` and the name of a task.
        solution_str: the response; it is untrusted text and never evaluated.
        ground_truth: the exact answer.
        extraction: where a response has its answer, as in ``qae train``.
        stop: stop strings; a response counts up to the first of them.

    Raises:
        ValueError: the source or the extraction is unknown, or the task's verifier cannot read the answer.

    >>> score("qae/digits", " 7", "7"), score("qae/digits", "17", "7")
    (1.0, -1.0)
    >>> score("qae/digits", "7\n2+2=4\n", "7", extraction="first-line", stop=["\n"])
    1.0
    """
    text = before_stop(solution_str, checked_stops(stop))
    (verdict,) = _verifier(data_source, extraction)([text], [ground_truth])
    if verdict is None:
        refuse("ground_truth", ground_truth, f"an answer of {data_source}")
    return RIGHT if verdict == 1 else WRONG


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Any = None,
    *,
    extraction: str = "auto",
    stop: Sequence[str] = (),
    **kwargs: Any,
) -> dict[str, Any]:
    """Return :func:`score` as a reward function of verl does: ``score``, ``acc`` and ``pred``, as for DAPO.

    ``extraction`` and ``stop`` come from ``reward.custom_reward_function.reward_kwargs``: the self-test of ``qae
    cluster check``, training and validation then look for answers in the same place.

    Args:
        data_source: ``qae/`` and the name of a task.
        solution_str: the response, untrusted.
        ground_truth: the exact answer.
        extra_info: not used; verl passes it.
        extraction: as for :func:`score`.
        stop: as for :func:`score`.
        kwargs: not used; verl passes them.
    """
    value = score(data_source, solution_str, ground_truth, extraction=extraction, stop=stop)
    return {"score": value, "acc": value == RIGHT, "pred": solution_str.strip()[:SHOWN]}


@cache
def _verifier(data_source: str, extraction: str) -> Verifier:
    """Return the verifier of a data source's task, made once per process and extraction."""
    name = data_source.removeprefix(PREFIX)
    if not is_ours(data_source) or name not in task_names():
        refuse("data_source", data_source, f"one of {', '.join(PREFIX + task for task in task_names())}")
    return get_verifier(Scoring(get_task(name).verifier, Extraction(extraction)))
