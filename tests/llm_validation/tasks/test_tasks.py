"""Every task's answer against an evaluator of this file, its splits, its difficulty, and the registry."""

from __future__ import annotations

import ast
import dataclasses
import operator
import re
import string
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_validation import tasks
from llm_validation.tasks import Example, Task, get_task, load_examples, load_task, register_task, task_names
from llm_validation.tasks.base import HELD_OUT, SPLITS, draw_examples, held_out
from llm_validation.tasks.shots import NUMBERS
from llm_validation.verifiers import get_verifier, self_test

EVERY = pytest.mark.parametrize("name", task_names())
SEEDS = st.integers(0, 2**32)

_BINARY: dict[type, Callable[[int, int], int]] = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}


def arithmetic(node: Any) -> int:
    """The value of a parsed expression of +, - and * on whole numbers."""
    if isinstance(node, ast.Expression):
        return arithmetic(node.body)
    if isinstance(node, ast.Constant):
        return int(node.value)
    return _BINARY[type(node.op)](arithmetic(node.left), arithmetic(node.right))


def truth(text: str) -> bool:
    """The truth of a chain: not before and before or."""
    return any(all(_comparison(term) for term in part.split("&")) for part in text.split("|"))


def _comparison(term: str) -> bool:
    negated, a, sign, b = re.fullmatch(r"(!?)([0-9])([<>=])([0-9])", term).groups()  # type: ignore[union-attr]
    return {"<": a < b, ">": a > b, "=": a == b}[sign] != bool(negated)


def oracle(name: str, prompt: str) -> str:
    if name == "logic":
        return "T" if truth(prompt.removesuffix("?")) else "F"
    if name == "totals":
        terms = prompt.removesuffix("=").split("+")
        return "=".join(oracle("addition", "+".join(terms[:count]) + "=") for count in range(2, len(terms) + 1))
    value = arithmetic(ast.parse(prompt.removesuffix("="), mode="eval"))
    return str(value % 10 if name == "digits" else value)


@EVERY
@pytest.mark.parametrize("split", ["train", "eval"])
def test_answers_are_right(name: str, split: str) -> None:
    for example in load_examples(name, split=split, count=500, seed=1):
        assert example.answer == oracle(name, example.prompt), example


@EVERY
@given(seed=SEEDS)
def test_answers_are_right_for_any_seed(name: str, seed: int) -> None:
    example = get_task(name).make(np.random.default_rng(seed))
    assert example.answer == oracle(name, example.prompt)


def test_the_oracle_can_disagree() -> None:
    assert oracle("digits", "7+8*3=") == "1"  # 31, where (7 + 8) * 3 is 45
    assert oracle("logic", "1<2|1<2&2<1?") == "T"  # (1<2|1<2)&2<1 is false


@EVERY
def test_prompts_and_answers_fit_the_model(name: str) -> None:
    task = get_task(name)
    printable = set(string.printable) - set(string.whitespace)
    for example in load_examples(name, count=2000):
        assert len(example.prompt) < 24
        assert set(example.prompt + example.answer) <= printable
        assert len(example.answer) + 1 <= task.max_new_tokens  # the end of text is a token too


@pytest.mark.parametrize(
    ("name", "longest"),
    [("addition", "999+999="), ("addition", "0-999="), ("products", "99*999="), ("totals", "9+9+9+9+9=")],
)
def test_the_longest_answers_fit(name: str, longest: str) -> None:
    assert len(oracle(name, longest)) + 1 <= get_task(name).max_new_tokens


def test_an_enumerable_task_has_answers_of_one_character() -> None:
    enumerable = [name for name in task_names() if get_task(name).enumerable]
    assert "digits" in enumerable
    assert "addition" not in enumerable
    for name in enumerable:
        assert get_task(name).max_new_tokens == 2
        assert all(len(example.answer) == 1 for example in load_examples(name, count=1000))


@EVERY
def test_splits_share_no_prompt(name: str) -> None:
    train, evaluation = (
        {e.prompt for seed in (0, 1) for e in load_examples(name, split=split, count=2000, seed=seed)}
        for split in ("train", "eval")
    )
    assert not train & evaluation
    assert len(evaluation) >= 20  # else there is nothing to evaluate on


def test_the_split_is_the_same_on_every_machine() -> None:
    sums = [f"{n}+{n}=" for n in range(1, 9)]
    assert [prompt for prompt in sums if held_out(prompt)] == ["4+4=", "5+5=", "6+6="]
    held_out("broken \ud800")  # no text is refused


def test_about_one_prompt_in_five_is_held_out() -> None:
    count = 10_000
    share = np.mean([held_out(f"question {i}") for i in range(count)])
    # Five standard errors of a share: a hash without pattern fails once in a million choices of these texts.
    assert abs(share - 1 / HELD_OUT) < 5 * np.sqrt(0.2 * 0.8 / count)


@EVERY
def test_the_same_arguments_give_the_same_examples(name: str) -> None:
    first = load_examples(name, count=50, seed=3)
    assert first == load_examples(name, count=50, seed=3)
    assert first[:20] == load_examples(name, count=20, seed=3)
    assert first != load_examples(name, count=50, seed=4)
    assert len(load_examples(name)) == tasks.DEFAULT_COUNT


def test_digits_has_four_levels_equally_often() -> None:
    count = 8000
    rng = np.random.default_rng(0)
    shapes = Counter(re.sub("[0-9]+", "n", get_task("digits").make(rng).prompt) for _ in range(count))
    assert set(shapes) == {"n+n=", "n*n=", "n+n*n=", "n*n+n*n="}
    # Five standard errors of a share of 1/4.
    assert max(abs(n / count - 0.25) for n in shapes.values()) < 5 * np.sqrt(0.25 * 0.75 / count)


def test_addition_has_operands_of_every_length() -> None:
    lengths = {
        tuple(len(x) for x in re.split("[+-]", example.prompt.removesuffix("=")))
        for example in load_examples("addition", count=1000)
    }
    assert lengths == {(a, b) for a in (1, 2, 3) for b in (1, 2, 3)}


def test_totals_build_on_one_another() -> None:
    for example in load_examples("totals", count=200):
        first, *terms = map(int, example.prompt.removesuffix("=").split("+"))
        for term, total in zip(terms, example.answer.split("="), strict=True):
            first += term
            assert int(total) == first


def shot_oracle(name: str, line: str) -> str:
    if name == "shots:sums":
        return str(arithmetic(ast.parse(line.removesuffix("="), mode="eval")))
    one, other = line.removesuffix(":").split(", ")
    return max(one, other, key=NUMBERS.index)


@pytest.mark.parametrize("name", ["shots:sums", "shots:larger"])
def test_worked_examples_are_right_and_so_is_the_answer(name: str) -> None:
    source = load_task(name)
    for split in ("train", "eval"):
        for example in load_examples(name, split=split, count=200, seed=3):
            *worked, question = example.prompt.split("\n")
            for line in worked:
                asked, mark, answer = line.rpartition("=" if name == "shots:sums" else ": ")
                assert answer == shot_oracle(name, asked + mark.strip())
            assert len(worked) == 2
            assert example.answer == shot_oracle(name, question)
    with get_verifier(source.verifier) as verifier:
        # A base model writes a space before a word, and ends with the new line at which its response is cut.
        assert verifier([f" {example.answer}\n", f"{example.answer}{example.answer}"], [example.answer] * 2) == [1, 0]


def test_questions_after_examples_are_split_like_any_others() -> None:
    train, held = ({e.prompt for e in load_examples("shots:sums", split=split, count=2000)} for split in SPLITS)
    assert not train & held
    assert len(train | held) == 100  # all sums of two digits
    assert len(load_examples("shots:larger")) == tasks.DEFAULT_COUNT


def test_an_unknown_family_after_examples_is_told_the_names() -> None:
    for load in (load_task, load_examples):
        with pytest.raises(ValueError, match=r"source must be one of shots:larger, shots:sums; got 'shots:poems'"):
            load("shots:poems")


@pytest.mark.parametrize("comparisons", [1, 2, 3, 4])
def test_logic_is_true_half_the_time_at_every_length(comparisons: int) -> None:
    rng = np.random.default_rng(0)
    drawn = [get_task("logic").make(rng) for _ in range(8000)]
    answers = [e.answer == "T" for e in drawn if len(re.findall("[<>=]", e.prompt)) == comparisons]
    assert len(answers) > 1500
    assert abs(np.mean(answers) - 0.5) < 5 * 0.5 / np.sqrt(len(answers))  # five standard errors


@EVERY
def test_every_task_passes_the_test_of_its_verifier(name: str) -> None:
    answers = [example.answer for example in load_examples(name, count=100)]
    with get_verifier(load_task(name).verifier) as verifier:
        self_test(verifier, answers=answers)


def test_a_task_is_registered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_TASKS", dict(tasks._TASKS))
    new = dataclasses.replace(get_task("digits"), name="digits-too")
    assert register_task(new) is get_task("digits-too")
    assert "digits-too" in task_names()
    with pytest.raises(ValueError, match=r"name of a task must be a new one; got 'digits-too'"):
        register_task(new)


def test_an_unknown_task_is_told_the_names() -> None:
    with pytest.raises(ValueError, match=r"one of addition, digits, logic, products, totals; got 'digit'"):
        get_task("digit")
    for load in (load_task, load_examples):
        with pytest.raises(ValueError, match=r"source must be a task \(addition, digits.*; got 'digit'"):
            load("digit")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"split": "test"}, "split must be 'train' or 'eval'; got 'test'"),
        ({"count": 0}, "count must be an integer >= 1; got 0"),
        ({"count": True}, "count must be an integer >= 1; got True"),
        ({"seed": -1}, "seed must be an integer >= 0; got -1"),
    ],
)
def test_bad_arguments_are_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        load_examples("digits", **changed)


def test_a_family_without_a_split_says_so() -> None:
    constant = next(p for p in ("a", "b", "c", "d") if not held_out(p))
    one = Task("one", "choice", 2, True, "one question", lambda _: Example(constant, "x"))
    assert draw_examples(one, split="train", count=2, seed=0) == [Example(constant, "x")] * 2
    with pytest.raises(ValueError, match="task 'one' has too few prompts in its eval split: 0 of 1"):
        draw_examples(one, split="eval", count=1, seed=0)
