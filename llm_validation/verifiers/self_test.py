"""A test of the verifier itself, run before every training run.

A verifier that scores everything zero, or everything one, trains without an error and teaches nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llm_validation.verifiers.base import Verifier, VerifierError

MOST_ANSWERS = 16  # different answers tried; more would only take longer
_STRANGERS = ("7919", "7920")  # no answer equals both

# What only math-verify can decide, so that it is tried even where all answers are plain numbers.
_MATHEMATICS = (
    (r"\boxed{\frac{\sqrt{8}}{2}}", r"\sqrt{2}", 1.0),
    ("The answer is $x^2-1$.", "(x-1)(x+1)", 1.0),
    (r"\boxed{\sqrt{8}}", r"\sqrt{2}", 0.0),
)


def self_test(verifier: Verifier, *, answers: Sequence[str]) -> None:
    """Score known right and known wrong responses to these answers.

    Right: the answer, the answer between white space and, for ``math``, in a box. Wrong: no text, text that says
    nothing, of two different numbers at least one, and for exact verifiers the answer with one digit more. ``math``
    is also tried on expressions that are no numbers.

    Args:
        verifier: The verifier to be used.
        answers: Answers of the run's own questions; the first sixteen different ones are tried.

    Raises:
        VerifierError: one line with the first response that is scored wrongly.
    """
    tried = list(dict.fromkeys(answers))[:MOST_ANSWERS]
    if not tried:
        raise VerifierError(f"verifier {verifier.name!r}: no answers to test it on")
    cases = [case for answer in tried for case in _cases(verifier.name, answer)]
    if verifier.name == "math":
        cases += _MATHEMATICS
    scores = verifier([response for response, _, _ in cases], [answer for _, answer, _ in cases])
    if len(scores) != len(cases):
        raise VerifierError(f"verifier {verifier.name!r}: {len(scores)} scores for {len(cases)} responses")
    for (response, answer, expected), score in zip(cases, scores, strict=True):
        if score != expected:
            raise VerifierError(_fault(verifier.name, response, answer, expected, score))
    for answer in tried:
        scores = verifier(list(_STRANGERS), [answer] * len(_STRANGERS))
        if 0.0 not in scores:
            both = " and ".join(_STRANGERS)
            raise VerifierError(f"verifier {verifier.name!r}: {both} score {scores} for the answer {answer!r}")


def _cases(name: str, answer: str) -> Iterator[tuple[str, str, float]]:
    """Response, answer and the score that it must get."""
    yield answer, answer, 1.0
    yield f" {answer}\n", answer, 1.0
    yield "", answer, 0.0
    yield "?!", answer, 0.0
    if name == "math":
        yield f"So it is \\boxed{{{answer}}}", answer, 1.0
    else:
        yield f"{answer}9", answer, 0.0


def _fault(name: str, response: str, answer: str, expected: float, score: float | None) -> str:
    if score is None:
        return f"verifier {name!r}: the answer {answer!r} cannot be scored"
    return f"verifier {name!r}: {response!r} must score {expected:g} for the answer {answer!r}; it scores {score:g}"
