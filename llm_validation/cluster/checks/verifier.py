"""Test a job's score function on known right and wrong responses, in a process of its own.

A verifier that scores everything alike trains without an error and teaches nothing; one that hangs stops the run when
the first response makes it.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from llm_validation.cluster.checks.check import Check, failed, fine
from llm_validation.cluster.checks.rewards import Levels, overlong_penalty
from llm_validation.cluster.checks.score_worker import READY, Case, Scored, serve
from llm_validation.verifiers.base import VerifierError
from llm_validation.verl_engine.configuration.reward import Reward

# Module and name of verl's own scorers, behind our function that names the benchmark.
DEFAULT = ("pkg://llm_validation.verl_engine.plugin", "compute_score")
START_SECONDS = 180.0  # importing verl takes ten, and many times that from a cold shared disk
SECONDS = 10.0  # for one response
# Where no data file is here: what DAPO-Math-17k and the AIME files hold.
EXAMPLES: Mapping[str, tuple[str, ...]] = {"math_dapo": ("34", "-7", "113")}
# Ways to give an answer that the verifiers of verl read. A right answer counts in the best of them.
FORMS = ("Answer: {}", "So it is \\boxed{{{}}}", "#### {}", "<answer>{}</answer>", "{}")
STRANGERS = ("7919", "7920")  # two, since an answer can equal one of them but not both


@dataclass(frozen=True)
class SelfTest:
    """Hold what the self-test showed: its check, the levels of the scores, and the keys of a response's record."""

    check: Check
    levels: Levels | None = None
    keys: tuple[str, ...] | None = None


@dataclass(frozen=True)
class _Function:
    """Name a score function: the module or file that it stands in, its name, and its own keyword arguments."""

    path: str
    name: str
    options: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class _Scores:
    """Hold the different scores of right and of wrong responses, ascending, and the keys of the records."""

    right: tuple[float, ...]
    wrong: tuple[float, ...]
    keys: tuple[str, ...]


def check_verifier(
    reward: Reward, answers: Mapping[str, Sequence[str]] | None, *, seconds: float = SECONDS
) -> SelfTest:
    """Score right and wrong responses with the job's own function.

    Args:
        reward: the reward's settings.
        answers: reference answers by data source, of the run's own data; None where they are not here.
        seconds: that one response may take.
    """
    name = "verifier"
    function = _function(reward)
    by_source = {source: tuple(listed) for source, listed in (answers or EXAMPLES).items()}
    try:
        scores = _tried(function, tuple(sorted(by_source.items())), seconds)
    except VerifierError as fault:
        return SelfTest(failed(name, f"{function.name} of {function.path}: {fault}"))
    levels = Levels(scores.wrong, scores.right, overlong_penalty(reward))
    count = sum(len(listed) for listed in by_source.values())
    origin = "" if answers else " (examples: the data are not here)"
    sentence = f"{count} answers of {', '.join(by_source)}{origin}: right and wrong responses told apart"
    return SelfTest(fine(name, sentence), levels, scores.keys)


def _function(reward: Reward) -> _Function:
    """Return the score function that the run will use."""
    path, name = DEFAULT
    if reward.function_path.or_else(""):
        path, name = str(reward.function_path.value), str(reward.function_name.value)
    options = reward.function_options.or_else({})
    return _Function(path, name, tuple(sorted(options.items())))


@cache  # every experiment of a machine has the same function, and starting its process takes seconds
def _tried(function: _Function, by_source: tuple[tuple[str, tuple[str, ...]], ...], seconds: float) -> _Scores:
    """Return the scores of right and of wrong responses to each answer.

    Raises:
        VerifierError: the function fails, hangs, or does not tell a right response from a wrong one.
    """
    questions = [(source, answer) for source, listed in by_source for answer in listed]
    if not questions:
        raise VerifierError("no answers to try it on")
    cases_of = [[*_right(source, answer), *_wrong(source, answer)] for source, answer in questions]
    every_case = [case for cases in cases_of for case in cases]
    results = iter(_scored(every_case, function, seconds))
    right: set[float] = set()
    wrong: set[float] = set()
    keys: set[str] = set()
    for cases in cases_of:
        scored = [next(results) for _ in cases]
        best, others = _judged(cases, scored)
        right.add(best)
        wrong |= others
        for result in scored:
            keys.update(result.keys)
    return _Scores(tuple(sorted(right)), tuple(sorted(wrong)), tuple(sorted(keys)))


def _right(source: str, answer: str) -> Iterator[Case]:
    """Yield responses with the answer, one for each form."""
    for form in FORMS:
        yield Case(source, answer, form.format(answer))


def _wrong(source: str, answer: str) -> Iterator[Case]:
    """Yield responses without an answer, with one that begins like the answer, and with a stranger's."""
    for text in ("", "?!", *(form.format(f"{answer}9") for form in FORMS)):
        yield Case(source, answer, text)
    for form in FORMS[:2]:
        for stranger in STRANGERS:
            if stranger != answer:
                yield Case(source, answer, form.format(stranger))


def _judged(cases: Sequence[Case], scored: Sequence[Scored]) -> tuple[float, set[float]]:
    """Return the score of the right answer in its best form, and those of the wrong ones.

    Args:
        cases: of one answer, the right ones first, one for each form.
        scored: what the function made of each.

    Raises:
        VerifierError: a response has no score, or a wrong one as much as the right answer.
    """
    question = f"the answer {cases[0].answer!r} of {cases[0].source}"
    scores = []
    for case, result in zip(cases, scored, strict=True):
        if result.score is None:
            raise VerifierError(f"{case.response!r} for {question}: {result.error}")
        scores.append(result.score)
    best = max(scores[: len(FORMS)])
    # A wrong response that reads like a right one (the answer 1 and "1" beside it) is no wrong response.
    wrong = {}
    for case, score in zip(cases, scores, strict=True):
        if case not in cases[: len(FORMS)]:
            wrong[case.response] = score
    worst = max(wrong, key=lambda response: wrong[response])
    if len(set(scores)) == 1:
        raise VerifierError(f"every response to {question} scores {best:g}, right or wrong")
    if wrong[worst] >= best:
        raise VerifierError(
            f"{worst!r} scores {wrong[worst]:g} for {question}, no less than the right answer's {best:g}"
        )
    return best, set(wrong.values())


def _scored(cases: Sequence[Case], function: _Function, seconds: float) -> list[Scored]:
    """Return what the function makes of each case, in one process that is killed where it takes too long."""
    context = multiprocessing.get_context("spawn")  # a fork would share this process's threads and locks
    here, there = context.Pipe()
    arguments = (there, function.path, function.name, dict(function.options))
    process = context.Process(target=serve, args=arguments, daemon=True)
    process.start()
    there.close()  # so that its end is an end here too
    try:
        greeting = _received(here, START_SECONDS, "it does not load")
        if greeting != READY:
            raise VerifierError(f"it does not load: {' '.join(str(greeting).split())}")
        results = []
        for case in cases:
            here.send(case)
            results.append(_received(here, seconds, f"no score for {case.response!r} of {case.source}"))
        return results
    finally:
        process.kill()
        process.join()
        here.close()


def _received(channel: Any, seconds: float, otherwise: str) -> Any:
    """Return what comes over the channel.

    Raises:
        VerifierError: nothing comes within the time, or the process has ended; begins with ``otherwise``.
    """
    try:
        if not channel.poll(seconds):
            raise VerifierError(f"{otherwise} within {seconds:g} s: it hangs")
        return channel.recv()
    except (EOFError, ConnectionError):
        raise VerifierError(f"{otherwise}: its process died") from None
