"""The verifier of mathematics as a whole: right and wrong, counted apart, the same whatever the order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llm_validation.verifiers import Outcome, VerifierError, self_test
from llm_validation.verifiers.mathematics import MathVerifier

EQUAL = [
    (r"\frac{1}{2}", "50\\%"),
    ("(x-1)(x+1)", "x^2-1"),
    (r"\sqrt{8}", r"2\sqrt{2}"),
    (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}"),
    (r"\frac{1}{\sqrt{2}}", r"\frac{\sqrt 2}{2}"),
    ("x=3", "3"),
    ("3", "x=3"),
    ("2x+y=3", "4x+2y=6"),
    ("1<x<2", "(1,2)"),
    (r"\{1,2\}", r"\{2,1\}"),
    ("[0,1)", "[0,1)"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"),
    (r"\binom{5}{2}", "10"),
    ("5!", "120"),
    (r"\log_2 8", "3"),
    (r"\sin^2 x+\cos^2 x", "1"),
    (r"\int_0^1 x dx", r"\frac{1}{2}"),
    (r"\frac{d}{dx} x^2", "2x"),
    ("10^{5}", "100000"),
    (r"17\frac12", "17.5"),
    (r"\text{(A)}", "A"),
]
UNEQUAL = [
    (r"\frac{1}{2}", r"\frac{1}{3}"),
    ("x^2-1", "x^2+1"),
    (r"\sqrt{8}", r"3\sqrt{2}"),
    ("x=3", "4"),
    ("(1,2)", "(1,3)"),
    (r"\{1,2\}", r"\{1,2,3\}"),
    ("x+1", "I do not know"),
    ("x+1", ""),
    ("x", "y"),
    ("7", r"7x"),
]


@pytest.fixture(scope="module")
def verifier() -> Iterator[MathVerifier]:
    with MathVerifier(workers=1, seconds=60.0) as made:  # nothing here takes a second, unless the machine is busy
        yield made


def test_equal_mathematics_is_right(verifier: MathVerifier) -> None:
    lost = verifier.lost
    for before, after in ((r"\boxed{", "}"), ("$", "$"), ("So the final answer is $", "$.")):
        scores = verifier([f"{before}{response}{after}" for _, response in EQUAL], [answer for answer, _ in EQUAL])
        assert [pair for pair, score in zip(EQUAL, scores, strict=True) if score != 1.0] == []
    assert verifier.lost == lost  # nothing of it ran into the wall


def test_unequal_mathematics_is_wrong(verifier: MathVerifier) -> None:
    scores = verifier([response for _, response in UNEQUAL], [answer for answer, _ in UNEQUAL])
    assert scores == [0.0] * len(UNEQUAL)


def test_an_answer_that_cannot_be_read_is_unscorable(verifier: MathVerifier) -> None:
    unreadable = r"\frac{"
    assert verifier([unreadable, "7", "x", "x"], [unreadable, unreadable, "", "x"]) == [None, None, None, 1.0]


def test_scores_do_not_depend_on_order_or_repetition(verifier: MathVerifier) -> None:
    pairs = [*EQUAL[:6], *UNEQUAL[:4], *EQUAL[:6]]
    forward = verifier([response for _, response in pairs], [answer for answer, _ in pairs])
    backward = verifier([response for _, response in pairs[::-1]], [answer for answer, _ in pairs[::-1]])
    assert forward == backward[::-1] == [1.0] * 6 + [0.0] * 4 + [1.0] * 6


def test_the_whole_response_is_read(verifier: MathVerifier) -> None:
    box = r"\boxed{\sqrt{2}}"
    filler = "so x is y. " * 10_000
    assert verifier([filler + box, box + filler], [r"\sqrt{2}"] * 2) == [1.0, 1.0]


def test_an_answer_of_any_length_that_is_too_long_is_none(verifier: MathVerifier) -> None:
    assert verifier.judge([f"\\boxed{{{'7' * 3000}}}"], ["7"]) == [Outcome.UNREADABLE]


def test_it_passes_the_test_of_verifiers(verifier: MathVerifier) -> None:
    answers = ["34", "0", r"\frac{1}{2}", "0.5", "(1,2)", "x=3", r"\sqrt{2}", r"\{1,2\}", "1/2", "-7", "7919"]
    self_test(verifier, answers=answers)
    with pytest.raises(VerifierError, match="cannot be scored"):
        self_test(verifier, answers=["34", r"\frac{"])
