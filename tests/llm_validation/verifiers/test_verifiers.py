"""The exact verifiers, what a response's answer is, and the test of a verifier before a run."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from llm_validation.verifiers import (
    Extraction,
    Outcome,
    Scoring,
    Verifier,
    VerifierError,
    counts,
    get_verifier,
    score_of,
    self_test,
    verifier_names,
)
from llm_validation.verifiers.integers import ChoiceVerifier, IntegerVerifier, canonical_integer
from llm_validation.verifiers.judging.plain_numbers import plain_number
from llm_validation.verifiers.mathematics import MathVerifier
from llm_validation.verifiers.processes.worker import REFUSED, REPLIES
from tests.llm_validation.verifiers.hostile import BOMBS, UnsafeVerifier, dressed, programs

INTEGER, CHOICE = IntegerVerifier(), ChoiceVerifier()
EXACT = pytest.mark.parametrize("verifier", [INTEGER, CHOICE], ids=lambda v: v.name)
INTEGERS = st.integers() | st.integers(0, 10**60)
SPACE = st.text(" \t\n\r\f\v", max_size=3)


# The integer verifier.


@given(value=INTEGERS, zeros=st.integers(0, 5), before=SPACE, after=SPACE)
def test_every_notation_of_an_integer_is_right(value: int, zeros: int, before: str, after: str) -> None:
    signs = ["-"] if value < 0 else ["", "+", "-"] if value == 0 else ["", "+"]
    for sign in signs:
        response = f"{before}{sign}{'0' * zeros}{abs(value)}{after}"
        assert canonical_integer(response) == str(value)
        assert INTEGER([response], [str(value)]) == [1.0]


@given(value=INTEGERS, other=INTEGERS)
def test_another_integer_is_wrong(value: int, other: int) -> None:
    assume(value != other)
    assert INTEGER([str(other)], [str(value)]) == [0.0]


@given(value=st.integers(-999, 999), text=st.text(st.characters(), max_size=6))
@example(value=7, text="٧")
@example(value=7, text="7\u00a0")
@example(value=7, text="７")
@example(value=7, text="7.0")
@example(value=7, text="+-7")
@example(value=-7, text="- 7")
@example(value=-7, text="\u22127")
@example(value=1000, text="1_000")
@example(value=7, text="7\0")
def test_text_scores_only_if_it_reads_as_that_integer(value: int, text: str) -> None:
    # Another reader: sign and digits by membership instead of a pattern.
    stripped = text.strip(" \t\n\r\f\v")
    digits = stripped[1:] if stripped[:1] in ("+", "-") else stripped
    reads = bool(digits) and set(digits) <= set("0123456789") and int(stripped) == value
    assert INTEGER([text], [str(value)]) == [float(reads)]


@pytest.mark.parametrize("answer", ["", "x", "7.0", "1/2", "٧", "seven"])
def test_an_answer_that_is_no_integer_is_unscorable(answer: str) -> None:
    assert INTEGER([answer, "7"], [answer, answer]) == [None, None]


def test_numbers_beyond_the_conversion_limit_of_python() -> None:
    long = "1" + "7" * 10**6
    with pytest.raises(ValueError, match="limit"):
        int(long)
    assert INTEGER([long, f"+00{long}", long[:-1], f"-{long}"], [long] * 4) == [1.0, 1.0, 0.0, 0.0]


# The choice verifier.


@given(answer=st.text(min_size=1), before=SPACE, after=SPACE)
def test_a_choice_is_its_text(answer: str, before: str, after: str) -> None:
    assume(answer.strip(" \t\n\r\f\v"))
    assert CHOICE([f"{before}{answer}{after}"], [answer]) == [1.0]


@given(answer=st.sampled_from("TF"), response=st.text(max_size=3))
def test_another_text_is_wrong(answer: str, response: str) -> None:
    assume(response.strip(" \t\n\r\f\v") != answer)
    assert CHOICE([response], [answer]) == [0.0]


def test_an_empty_choice_is_unscorable() -> None:
    assert CHOICE(["", " ", "T"], ["", " ", "\n"]) == [None] * 3


# Plain numbers.


@given(value=st.fractions(max_denominator=10**6))
def test_plain_numbers_are_read_exactly(value: Fraction) -> None:
    sign, above, below = "-" if value < 0 else "", abs(value.numerator), value.denominator
    for text in (
        str(value),
        f"{sign}{above}/{below}",
        rf"{sign}\frac{{{above}}}{{{below}}}",
        f"{sign}{above:,}/{below}" if above else "0",
    ):
        assert plain_number(text) == value


@given(mantissa=st.integers(-(10**9), 10**9), places=st.integers(1, 8))
def test_decimals_are_read_exactly(mantissa: int, places: int) -> None:
    digits = f"{abs(mantissa):0{places + 1}d}"
    text = f"{'-' if mantissa < 0 else ''}{digits[:-places]}.{digits[-places:]}"
    assert plain_number(text) == Fraction(mantissa, 10**places)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1/0",
        r"\frac{1}{0}",
        "1e5",
        "--1",
        "1,23",
        "1,2345",
        "0,123",
        "2+2",
        "٧",
        "1.2.3",
        ".",
        "7" * 401,
        "nan",
    ],
)
def test_what_is_no_plain_number(text: str) -> None:
    assert plain_number(text) is None


def test_plain_numbers_need_no_process() -> None:
    with MathVerifier() as verifier:
        scores = verifier(
            ["0.50", r"\boxed{\frac{2}{4}}", "The answer is 1/2.", "$.5$", "0.51", "1,234"],
            ["1/2"] * 5 + ["1234"],
        )
        assert scores == [1.0, 1.0, 1.0, 1.0, 0.0, 1.0]
        assert verifier._pool._workers == []


# Hostile completions.


@EXACT
@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_wrong_at_once(verifier: Verifier, bomb: str) -> None:
    start = time.perf_counter()
    assert verifier([BOMBS[bomb]], ["7"]) == [0.0]
    # Two passes over a megabyte take milliseconds; anything quadratic in it takes minutes.
    assert time.perf_counter() - start < 2


@EXACT
@pytest.mark.parametrize("kind", programs(Path()))
def test_nothing_is_run(verifier: Verifier, kind: str, tmp_path: Path) -> None:
    target = tmp_path / "ran"
    completions = list(dressed(programs(target)[kind]).values())
    assert verifier(completions, ["7"] * len(completions)) == [0.0] * len(completions)
    assert not target.exists()


@pytest.mark.parametrize("kind", programs(Path()))
def test_the_programs_run_where_they_are_evaluated(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "ran"
    UnsafeVerifier()([programs(target)[kind]], ["7"])
    assert target.exists()


# The interface.


def test_verifiers_by_name() -> None:
    assert verifier_names() == ("choice", "integer", "math")
    for name in verifier_names():
        with get_verifier(name) as verifier:
            assert verifier.name == name
            assert verifier.extraction == Extraction("auto")
            assert verifier([], []) == verifier.judge([], []) == []
    with pytest.raises(ValueError, match="verifier must be one of choice, integer, math; got 'maths'"):
        get_verifier("maths")


@pytest.mark.parametrize(
    ("completions", "answers", "message"),
    [
        (["7"], ["7", "8"], "answers must be as many as completions, 1; got 2 answers"),
        ("7", ["7"], "completions must be a list of strings; got '7'"),
        ([7], ["7"], "completions must be a list of strings; got [7]"),
        (["7"], [None], "answers must be a list of strings; got [None]"),
    ],
)
def test_bad_input_is_named(completions: Sequence[str], answers: Sequence[str], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        INTEGER(completions, answers)


@pytest.mark.parametrize(
    ("options", "message"), [({"workers": 0}, "workers must be an integer >= 1"), ({"seconds": 0.5}, "seconds must be")]
)
def test_bad_options_are_named(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MathVerifier(**options)  # type: ignore[arg-type]


# Outcomes, and extraction for the exact verifiers.


@pytest.mark.parametrize(
    ("name", "completions", "answer", "outcomes"),
    [
        ("integer", ["7", "8", "seven", ""], "7", ["right", "wrong", "unreadable", "unreadable"]),
        ("integer", ["7", ""], "seven", ["unscorable", "unscorable"]),
        ("choice", ["T", "F", " "], "T", ["right", "wrong", "unreadable"]),
        ("math", [r"\boxed{7}", r"\boxed{8}", r"\boxed{?}", ""], "7", ["right", "wrong", "unreadable", "unreadable"]),
        ("math", ["f(x)", "f(y)"], "f(y)", ["undecided", "right"]),
        ("math", ["7"], r"\frac{", ["unscorable"]),
    ],
)
def test_responses_are_told_apart(name: str, completions: list[str], answer: str, outcomes: list[str]) -> None:
    with get_verifier(name) as verifier:
        found = verifier.judge(completions, [answer] * len(completions))
        assert [outcome.value for outcome in found] == outcomes
        assert verifier(completions, [answer] * len(completions)) == [score_of(outcome) for outcome in found]


def test_outcomes_are_counted() -> None:
    found = counts([Outcome.RIGHT, Outcome.WRONG, Outcome.UNDECIDED, Outcome.UNREADABLE, Outcome.TIMED_OUT])
    assert found == {
        "readable": 3,
        "right": 1,
        "wrong": 1,
        "unreadable": 1,
        "undecided": 1,
        "timed_out": 1,
        "unscorable": 0,
    }


@pytest.mark.parametrize(
    ("setting", "response"),
    [
        ("first-line", "12\n4+4=8\n"),
        ("last-line", "4+4=8\n12\n"),
        ("box", r"It is \boxed{12}."),
        ("tags", "<answer>12</answer>"),
        ("hash", "4+8\n#### 12"),
        (r"= ([0-9]+)\.", "4+8 = 12. So"),
    ],
)
@pytest.mark.parametrize("name", ["integer", "choice"])
def test_the_exact_verifiers_look_where_they_are_told(name: str, setting: str, response: str) -> None:
    """A pretrained model that continues ``7+5=`` with ``12`` and a new line is right on its first line."""
    with get_verifier(Scoring(name, Extraction(setting))) as verifier:
        assert verifier([response, response.replace("12", "13"), "12?!"], ["12"] * 3) == [1.0, 0.0, 0.0]
    with get_verifier(name) as strict:
        assert strict([response], ["12"]) == [0.0]


def test_a_regular_expression_that_never_ends_is_killed() -> None:
    with MathVerifier(extraction="((?:a+)+)b", workers=1, seconds=2.0) as verifier:
        verifier(["ab"], ["a"])  # a process is there
        start = time.monotonic()
        assert verifier.judge(["a" * 60, "ab"], ["a", "a"]) == [Outcome.TIMED_OUT, Outcome.RIGHT]
        assert time.monotonic() - start < 2.0 + 30  # a kill, and the start of another process on a busy machine
        assert verifier.lost == 1


# The test of a verifier.


class Planted(Verifier):
    """A verifier that is any function of completion and answer."""

    name = "integer"

    def __init__(self, score: Callable[[str, str], float | None]) -> None:
        self._one = score

    def score(self, completions: Sequence[str], answers: Sequence[str]) -> list[float | None]:
        return [self._one(completion, answer) for completion, answer in zip(completions, answers, strict=True)]


BROKEN: dict[str, tuple[Callable[[str, str], float | None], str]] = {
    "always zero": (lambda c, a: 0.0, "'12' must score 1 for the answer '12'; it scores 0"),
    "always one": (lambda c, a: 1.0, "'' must score 0 for the answer '12'; it scores 1"),
    "never": (lambda c, a: None, "the answer '12' cannot be scored"),
    "any number": (lambda c, a: float(c.strip().isdigit()), "'129' must score 0 for the answer '12'"),
    "any prefix": (lambda c, a: float(c.strip().startswith(a)), "'129' must score 0"),
    "anything but nothing": (lambda c, a: float(bool(c)), "'?!' must score 0"),
    "no white space": (lambda c, a: float(c == a), r"' 12\\n' must score 1"),
    "a large reward": (lambda c, a: 2 * float(c.strip() == a), "must score 1 for the answer '12'; it scores 2"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_verifier_is_caught(kind: str) -> None:
    score, message = BROKEN[kind]
    with pytest.raises(VerifierError, match=message) as caught:
        self_test(Planted(score), answers=["12", "5"])
    assert "\n" not in str(caught.value)


def test_a_verifier_of_every_four_digit_number_is_caught() -> None:
    broken = Planted(lambda c, a: float(c.strip() == a or c in ("7919", "7920")))
    with pytest.raises(VerifierError, match=r"7919 and 7920 score \[1.0, 1.0\] for the answer '12'"):
        self_test(broken, answers=["12"])


@pytest.mark.parametrize("answer", ["7919", "7920", "0", "-5"])
def test_the_strangers_may_be_answers(answer: str) -> None:
    self_test(INTEGER, answers=[answer])


@pytest.mark.parametrize(
    "reply", [*(reply for kind, reply in REPLIES.items() if kind is not Outcome.RIGHT), REFUSED, None]
)
def test_a_broken_worker_is_caught_where_all_answers_are_numbers(
    reply: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MathVerifier() as verifier:
        monkeypatch.setattr(verifier._pool, "run", lambda jobs: [reply] * len(jobs))
        with pytest.raises(VerifierError, match="verifier 'math'"):
            self_test(verifier, answers=["12", "5"])


@pytest.mark.parametrize("name", ["integer", "choice", pytest.param("math", marks=pytest.mark.slow)])
@pytest.mark.parametrize("setting", ["auto", "box", "tags", "hash", "first-line", "last-line", "is (.*?);"])
def test_every_extraction_passes_the_test_of_verifiers(name: str, setting: str) -> None:
    with get_verifier(Scoring(name, Extraction(setting))) as verifier:
        self_test(verifier, answers=["12", "5", "0"])


def test_answers_of_the_wrong_kind_are_caught() -> None:
    with pytest.raises(VerifierError, match=r"verifier 'integer': the answer 'x\+1' cannot be scored"):
        self_test(INTEGER, answers=["3", "x+1"])
    with pytest.raises(VerifierError, match="no answers to test it on"):
        self_test(INTEGER, answers=[])


def test_lost_scores_are_caught() -> None:
    class Short(Planted):
        def score(self, completions: Sequence[str], answers: Sequence[str]) -> list[float | None]:
            return [1.0]

    with pytest.raises(VerifierError, match="1 scores for 5 responses"):
        self_test(Short(lambda c, a: 1.0), answers=["12"])
