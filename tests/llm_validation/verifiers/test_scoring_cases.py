"""Every case of the field, and cases of this suite's own by kind: response, right answer, right score."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_validation.verifiers import Extraction, Outcome, Scoring, Verifier, get_verifier, score_of
from llm_validation.verifiers.judging.outcomes import counts

DATA = Path(__file__).parent / "data"


def cases(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


FIELD, KINDS = cases("scoring.jsonl"), cases("kinds.jsonl")


def label(case: dict[str, Any]) -> str:
    return f"{case.get('kind', '')} {case['response']} for {case['gold']}"


@pytest.fixture(scope="module")
def verifiers() -> Iterator[dict[str, Verifier]]:
    """One verifier for each extraction; processes start where a case needs one."""
    made = {
        setting: get_verifier(Scoring("math", Extraction(setting)))
        for setting in {case.get("extraction", "auto") for case in KINDS}
    }
    yield made
    for verifier in made.values():
        verifier.close()


@pytest.mark.parametrize("case", FIELD, ids=label)
def test_a_case_of_the_field(case: dict[str, Any], verifiers: dict[str, Verifier]) -> None:
    assert verifiers["auto"]([case["response"]], [case["gold"]]) == [case["score"]]


@pytest.mark.parametrize("case", KINDS, ids=label)
def test_a_case_of_this_suite(case: dict[str, Any], verifiers: dict[str, Verifier]) -> None:
    verifier = verifiers[case.get("extraction", "auto")]
    assert verifier([case["response"]], [case["gold"]]) == [case["score"]]


def test_each_kind_has_five_cases_of_its_own() -> None:
    kinds = Counter(case["kind"] for case in KINDS)
    assert min(kinds.values()) >= 5
    assert len(kinds) >= 25


def test_right_cases_are_decided_and_wrong_ones_shown_to_be_wrong(verifiers: dict[str, Verifier]) -> None:
    """Score 0 is no guess: hardly any of the cases is left undecided."""
    field = [case for case in (*FIELD, *KINDS) if "extraction" not in case]
    outcomes = verifiers["auto"].judge([case["response"] for case in field], [case["gold"] for case in field])
    assert [score_of(outcome) for outcome in outcomes] == [case["score"] for case in field]
    found = counts(outcomes)
    assert found["timed_out"] == 0
    assert found["undecided"] <= 2  # f(x) and f(y), of which nothing is known
    assert found["unreadable"] >= 10
    assert found["unscorable"] == sum(case["score"] is None for case in field)
    assert sum(found.values()) - found["readable"] == len(field)


# The same answer in the forms that responses have, for answers of every kind.

ANSWERS = (
    "7",
    r"\sqrt{2}",
    r"\frac{1}{2}",
    "(1,2)",
    "[0,1)",
    "x+1",
    "B",
    r"\text{Monday}",
    "1,234",
    "-5",
    r"\{1,2\}",
    r"5\text{ cm}",
    r"50\%",
    r"\pi",
    "x=3",
    "3:4",
    "2,3",
    r"\emptyset",
    "x>1",
    r"(-\infty,2)\cup(3,\infty)",
    "1010_2",
    "5:30 PM",
    r"\begin{pmatrix}1&2\\3&4\end{pmatrix}",
    "1e-3",
    r"\pm 2",
    r"\text{no solution}",
    "yes",
    "ACB",
    r"\$5",
    r"90^\circ",
    r"\text{(C)}",
    r"3\frac12",
)
STATED = (
    r"so \boxed{G}.",
    r"\[ \boxed{ G } \]",
    r"\boxed {G}",
    "\\boxed\n{G}",
    "boxed{G}",
    r"\boxed{\color{red}{G}}",
    r"\boxed{\text{The answer is } G}",
    r"\boxed{G \quad \text{(as } n \to \infty)}",
    r"\boxed{G.}",
    r"\boxed{8} then \boxed{G}",
    r"\boxed{G} and \boxed{G}",
    "<think>...</think><answer>G</answer>",
    r"<answer>\boxed{G}</answer>",
    r"<think>maybe \boxed{99}</think> The final answer is $G$.",
    "```\nG\n```",
    "答案：G",
    "Final answer = G",
    "The answer is:\n\nG",
    "The answer is $G$. I am sure of this answer.",
    "**Answer:** G",
    "**Final Answer**\n\n\\[\nG\n\\]",
    "So $G$ is the answer.",
    "The final answer is $\\boxed{G}$. I hope it is correct.",
    "#### G",
    "Some steps.\n\n$$G$$",
    "G",
)
NOT_STATED = (
    r"so \boxed{G}. Wait, let me redo it: \boxed{",
    r"so \boxed{G}. Wait, \boxed{???}",
    r"so \boxed{G}. Wait, \boxed{1000000000000",
    r"\boxed{G}. Hmm, \boxed{}",
    r"\boxed{99}, \boxed{G}",
    r"\boxed{99} or \boxed{G}",
    r"x\boxed{98}, \boxed{99}, \boxed{G}",
    r"\boxed{G}. No: the answer is \boxed{\text{undefined}}",
    r"\boxed{G} then \boxed{99}",
    r"<think>\boxed{G}</think>",
    "<think>The answer is G",
    r"The answer is $G$. No, it is \boxed{99}.",
    "<answer>G</answer> No: <answer>99</answer>",
    r"\boxed{99 \text{ or } G}",
    "",
)


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_is_found_in_every_form(answer: str, verifiers: dict[str, Verifier]) -> None:
    responses = [form.replace("G", answer) for form in STATED]
    scores = verifiers["auto"](responses, [answer] * len(responses))
    assert [form for form, score in zip(STATED, scores, strict=True) if score != 1.0] == []


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_does_not_stand_is_not_found(answer: str, verifiers: dict[str, Verifier]) -> None:
    responses = [form.replace("G", answer) for form in NOT_STATED]
    outcomes = verifiers["auto"].judge(responses, [answer] * len(responses))
    found = [form for form, outcome in zip(NOT_STATED, outcomes, strict=True) if outcome is Outcome.RIGHT]
    assert found == []
