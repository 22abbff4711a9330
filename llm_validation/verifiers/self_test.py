"""A test of the verifier itself, run before every training run.

A verifier that scores everything zero, or everything one, trains without an error and teaches nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llm_validation.verifiers.base import Verifier, VerifierError
from llm_validation.verifiers.extraction import Extraction

MOST_ANSWERS = 16  # different answers tried; more would only take longer
_STRANGERS = ("7919", "7920")  # no answer equals both

# What only the grammar of answers can decide, and what only a worker can, so that both are tried even where all answers
# are plain numbers.
_MATHEMATICS = (
    (r"\frac{\sqrt{8}}{2}", r"\sqrt{2}", 1.0),
    ("x^2-1", "(x-1)(x+1)", 1.0),
    (r"\sqrt{8}", r"\sqrt{2}", 0.0),
    (r"\int_0^1 2x dx", "1", 1.0),
)


def unreadable_answers(verifier: Verifier, answers: Sequence[str]) -> list[str]:
    """Return the answers that the verifier cannot read, each once: their questions are unscorable."""
    different = list(dict.fromkeys(answers))
    scores = verifier([""] * len(different), different)
    return [answer for answer, score in zip(different, scores, strict=True) if score is None]


def self_test(verifier: Verifier, *, answers: Sequence[str]) -> None:
    """Score known right and known wrong responses to these answers, in the form that the extraction looks for.

    Right: the answer, with white space around it and, for ``math``, in a box. Wrong: no text, text that says nothing,
    of two different numbers at least one, and for exact verifiers the answer with one digit more. ``math`` is also
    tried on expressions that are no numbers. Of a regular expression no right response is known: only the wrong ones
    are tried.

    Args:
        verifier: The verifier to be used.
        answers: Answers of the run's own questions; the first sixteen different ones are tried.

    Raises:
        VerifierError: one line with the first response that is scored wrongly.
    """
    tried = list(dict.fromkeys(answers))[:MOST_ANSWERS]
    if not tried:
        raise VerifierError(f"verifier {verifier.name!r}: no answers to test it on")
    extraction = verifier.extraction if isinstance(verifier, Verifier) else Extraction()
    cases = [case for answer in tried for case in _cases(verifier.name, answer, extraction)]
    if verifier.name == "math":
        cases += _mathematics(extraction)
    scores = verifier([response for response, _, _ in cases], [answer for _, answer, _ in cases])
    if len(scores) != len(cases):
        raise VerifierError(f"verifier {verifier.name!r}: {len(scores)} scores for {len(cases)} responses")
    for (response, answer, expected), score in zip(cases, scores, strict=True):
        if score != expected:
            raise VerifierError(_fault(verifier.name, response, answer, expected, score))
    for answer in tried:
        strangers = [extraction.stated(text) or text for text in _STRANGERS]
        scores = verifier(strangers, [answer] * len(strangers))
        if 0.0 not in scores:
            both = " and ".join(_STRANGERS)
            raise VerifierError(f"verifier {verifier.name!r}: {both} score {scores} for the answer {answer!r}")


def _cases(name: str, answer: str, extraction: Extraction) -> Iterator[tuple[str, str, float]]:
    """Yield response, answer and the score that it must get."""
    stated = extraction.stated(answer)
    if stated is not None:
        yield stated, answer, 1.0
        yield f" {stated}\n", answer, 1.0
    yield "", answer, 0.0
    yield "?!", answer, 0.0
    longer = extraction.stated(f"{answer}9")
    if name == "math" and extraction.setting in ("auto", "box"):
        yield f"So it is \\boxed{{{answer}}}", answer, 1.0
    elif name != "math" and longer is not None:
        yield longer, answer, 0.0


def _mathematics(extraction: Extraction) -> list[tuple[str, str, float]]:
    cases = []
    for response, answer, expected in _MATHEMATICS:
        stated = extraction.stated(response)
        if stated is not None:
            cases.append((stated, answer, expected))
    return cases


def _fault(name: str, response: str, answer: str, expected: float, score: float | None) -> str:
    if score is None:
        return f"verifier {name!r}: the answer {answer!r} cannot be scored"
    return f"verifier {name!r}: {response!r} must score {expected:g} for the answer {answer!r}; it scores {score:g}"
