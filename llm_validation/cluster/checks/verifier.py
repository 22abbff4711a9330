"""Self-test of the score function of a job: known right and wrong responses, in a process of its own.

A verifier that scores everything alike trains without an error and teaches nothing; one that hangs stops the run when
the first response makes it.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from llm_validation.cluster.checks.algorithm import Levels, overlong_penalty
from llm_validation.cluster.checks.check import Check, Config, failed, fine, select
from llm_validation.cluster.checks.score_worker import READY, Answer, Case, serve
from llm_validation.verifiers.base import VerifierError

DEFAULT = ("pkg://llm_validation.verl_plugin", "compute_score")  # verl's own function
START_SECONDS = 180.0  # importing verl takes ten, and many times that from a cold shared disk
SECONDS = 10.0  # for one response
# Where no data file is here: what DAPO-Math-17k and the AIME files hold.
EXAMPLES: Mapping[str, tuple[str, ...]] = {"math_dapo": ("34", "-7", "113")}
# Ways to give an answer that the verifiers of verl read. A right answer counts in the best of them.
FORMS = ("Answer: {}", "So it is \\boxed{{{}}}", "#### {}", "<answer>{}</answer>", "{}")
STRANGERS = ("7919", "7920")  # no answer equals both


@dataclass(frozen=True)
class Tried:
    """What the self-test found: its check, the levels of the scores, and the keys of a response's record."""

    check: Check
    levels: Levels | None = None
    keys: tuple[str, ...] | None = None


def check_verifier(config: Config, answers: Mapping[str, Sequence[str]] | None, *, seconds: float = SECONDS) -> Tried:
    """Score right and wrong responses with the job's own function.

    Args:
        config: the configuration.
        answers: reference answers by data source, of the run's own data; None where they are not here.
        seconds: that one response may take.
    """
    name = "verifier"
    path, function = (select(config, f"reward.custom_reward_function.{key}") for key in ("path", "name"))
    options = select(config, "reward.custom_reward_function.reward_kwargs", {})
    spec = (str(path), str(function)) if path else DEFAULT
    known = {source: tuple(found) for source, found in (answers or EXAMPLES).items()}
    try:
        right, wrong, keys = _tried(spec, tuple(sorted(known.items())), tuple(sorted(options.items())), seconds)
    except VerifierError as fault:
        return Tried(failed(name, f"{spec[1]} of {spec[0]}: {fault}"))
    levels = Levels(wrong, right, overlong_penalty(config))
    count = sum(map(len, known.values()))
    of = f"{count} answers of {', '.join(known)}{'' if answers else ' (examples: the data are not here)'}"
    return Tried(fine(name, f"{of}: right and wrong responses told apart"), levels, keys)


@cache  # every experiment of a machine has the same function
def _tried(
    spec: tuple[str, str],
    known: tuple[tuple[str, tuple[str, ...]], ...],
    options: tuple[tuple[str, Any], ...],
    seconds: float,
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[str, ...]]:
    """Scores of right and of wrong responses, and the record's keys."""
    groups = [(source, answer) for source, answers in known for answer in answers]
    if not groups:
        raise VerifierError("no answers to try it on")
    cases = [[*_right(source, answer), *_wrong(source, answer)] for source, answer in groups]
    answers = iter(_scores([case for group in cases for case in group], spec, dict(options), seconds))
    right, wrong, keys = set(), set(), set()
    for group, (source, answer) in zip(cases, groups, strict=True):
        found = [next(answers) for _ in group]
        best, others = _judged(group, found, source, answer)
        right.add(best)
        wrong |= others
        keys |= {key for one in found for key in one.keys}
    return tuple(sorted(right)), tuple(sorted(wrong)), tuple(sorted(keys))


def _right(source: str, answer: str) -> Iterator[Case]:
    yield from (Case(source, answer, form.format(answer)) for form in FORMS)


def _wrong(source: str, answer: str) -> Iterator[Case]:
    for text in ("", "?!", *(form.format(f"{answer}9") for form in FORMS)):
        yield Case(source, answer, text)
    for form in FORMS[:2]:
        yield from (Case(source, answer, form.format(stranger)) for stranger in STRANGERS if stranger != answer)


def _judged(cases: Sequence[Case], found: Sequence[Answer], source: str, answer: str) -> tuple[float, set[float]]:
    """The score of the right answer and those of the wrong ones."""
    for case, one in zip(cases, found, strict=True):
        if one.score is None:
            raise VerifierError(f"{case.response!r} for the answer {answer!r} of {source}: {one.error}")
    scores = [one.score for one in found if one.score is not None]
    best = max(scores[: len(FORMS)])
    wrong = {case.response: score for case, score in zip(cases, scores, strict=True) if case not in cases[: len(FORMS)]}
    worst = max(wrong, key=lambda response: wrong[response])
    if len(set(scores)) == 1:
        raise VerifierError(f"every response to the answer {answer!r} of {source} scores {best:g}, right or wrong")
    if wrong[worst] >= best:
        raise VerifierError(
            f"{worst!r} scores {wrong[worst]:g} for the answer {answer!r} of {source}, no less than the right "
            f"answer's {best:g}"
        )
    return best, set(wrong.values())


def _scores(cases: Sequence[Case], spec: tuple[str, str], options: Mapping[str, Any], seconds: float) -> list[Answer]:
    """The answer to each case, from one process, which is killed where it takes too long."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there, *spec, options), daemon=True)
    process.start()
    there.close()
    try:
        said = _received(here, START_SECONDS, "it does not load")
        if said != READY:
            raise VerifierError(f"it does not load: {' '.join(str(said).split())}")
        found = []
        for case in cases:
            here.send(case)
            found.append(_received(here, seconds, f"no score for {case.response!r} of {case.source}"))
        return found
    finally:
        process.kill()
        process.join()
        here.close()


def _received(channel: Any, seconds: float, otherwise: str) -> Any:
    try:
        if not channel.poll(seconds):
            raise VerifierError(f"{otherwise} within {seconds:g} s: it hangs")
        return channel.recv()
    except (EOFError, ConnectionError):
        raise VerifierError(f"{otherwise}: its process died") from None
