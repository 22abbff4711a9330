"""reasoning-gym as a source: its generators, never its scorers."""

from __future__ import annotations

import re
import sys
from math import gcd

import pytest

from llm_validation.tasks import load_examples, load_task
from llm_validation.verifiers import get_verifier, self_test

NEEDS_PACKAGE = pytest.mark.train


@NEEDS_PACKAGE
def test_answers_are_right() -> None:
    for example in load_examples("gym:gcd", count=50):
        numbers = [int(n) for n in re.findall("[0-9]+", example.prompt)]
        assert example.answer == str(gcd(*numbers)), example


@NEEDS_PACKAGE
def test_splits_share_no_prompt_and_seeds_no_stream() -> None:
    drawn = {
        (split, seed): [e.prompt for e in load_examples("gym:gcd", split=split, count=100, seed=seed)]
        for split in ("train", "eval")
        for seed in (0, 1)
    }
    train, evaluation = ({*drawn[split, 0], *drawn[split, 1]} for split in ("train", "eval"))
    assert not train & evaluation
    # The package seeds question i with seed + i, so that its own seeds 0 and 1 share 99 questions of 100.
    assert len({*drawn["train", 0]} & {*drawn["train", 1]}) < 5
    assert drawn["train", 0] == [e.prompt for e in load_examples("gym:gcd", count=100, seed=0)]


@NEEDS_PACKAGE
@pytest.mark.parametrize(
    ("family", "verifier"),
    [("chain_sum", "math"), ("leg_counting", "math"), ("acre", "choice"), ("syllogism", "choice")],
)
def test_the_verifier_fits_the_answers(family: str, verifier: str) -> None:
    source = load_task(f"gym:{family}")
    assert (source.name, source.verifier, source.enumerable) == (f"gym:{family}", verifier, False)


@NEEDS_PACKAGE
@pytest.mark.parametrize("family", ["chain_sum", "acre"])
def test_its_questions_pass_the_test_of_their_verifier(family: str) -> None:
    with get_verifier(load_task(f"gym:{family}").verifier) as judge:
        self_test(judge, answers=[e.answer for e in load_examples(f"gym:{family}", count=10)])


@NEEDS_PACKAGE
@pytest.mark.parametrize("family", ["countdown", "polynomial_equations", "nonsense", ""])
def test_families_of_several_right_answers_are_refused(family: str) -> None:
    with pytest.raises(ValueError, match=f"one with a single right answer: acre, .*; got '{family}'"):
        load_examples(f"gym:{family}", count=1)


@NEEDS_PACKAGE
def test_the_scorers_are_never_called(monkeypatch: pytest.MonkeyPatch) -> None:
    from reasoning_gym.dataset import ProceduralDataset

    def scored(*_: object, **__: object) -> float:
        raise AssertionError("a scorer of reasoning-gym was called")

    monkeypatch.setattr(ProceduralDataset, "score_answer", scored)
    answers = [e.answer for e in load_examples("gym:leg_counting", count=5)]
    with get_verifier(load_task("gym:leg_counting").verifier) as judge:
        assert judge(answers, answers) == [1.0] * 5


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)  # importing it now raises ImportError
    with pytest.raises(ValueError, match=r"need the package reasoning-gym; pip install 'qae-verification\[gym\]'"):
        load_examples("gym:gcd")
