"""How fast responses are scored: ten thousand ordinary ones, and the worst of the hostile ones.

The aim is at most a millisecond per ordinary response on one core, and for the worst no more than its time-out.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from llm_validation.verifiers import Outcome
from llm_validation.verifiers.mathematics import MathVerifier
from tests.llm_validation.verifiers.hostile import BOMBS

COUNT = 10_000
SECONDS = 2.0  # for one response, in the worst case
SLACK = 1.0  # seconds more: killing takes milliseconds

GOLDS = (
    "7",
    "1/2",
    r"\frac{3}{4}",
    "12",
    r"2\sqrt{3}",
    "(1,2)",
    "[0,1)",
    "x^2+1",
    "1,234",
    r"\frac{\pi}{3}",
    "B",
    "-5",
)
SAID = (
    r"We add the two and get \boxed{G}.",
    r"Thus the result is $\boxed{ G }$",
    "<think>first this, then that</think>\nThe answer is G.",
    "#### G",
)


def responses() -> tuple[list[str], list[str]]:
    """Half of them right, half with another's answer; a step of reasoning of random length before each."""
    rng = np.random.default_rng(0)
    texts, golds = [], []
    for row in range(COUNT):
        gold = GOLDS[row % len(GOLDS)]
        shown = gold if row % 2 else GOLDS[int(rng.integers(len(GOLDS)))]
        reasoning = f"Step {row}: " + "so it follows that x = y + 1. " * int(rng.integers(1, 40))
        texts.append(reasoning + SAID[row % len(SAID)].replace("G", shown))
        golds.append(gold)
    return texts, golds


def test_ordinary_responses(benchmark: Any) -> None:
    """All different, so that nothing is remembered; most are decided in this process."""
    texts, golds = responses()
    with MathVerifier() as verifier:
        outcomes = benchmark.pedantic(verifier.judge, (texts, golds), rounds=1)
    benchmark.extra_info["ms_per_response"] = round(1e3 * benchmark.stats.stats.total / COUNT, 4)
    right = sum(outcome is Outcome.RIGHT for outcome in outcomes)
    assert right >= COUNT // 2
    assert Outcome.TIMED_OUT not in outcomes
    assert Outcome.UNDECIDED not in outcomes


def test_the_worst_case(benchmark: Any) -> None:
    """Each hostile response alone, against its time-out; the slowest is named."""
    slowest: dict[str, float] = {}

    def score_all() -> None:
        with MathVerifier(workers=1, seconds=SECONDS) as verifier:
            for name, text in BOMBS.items():
                verifier([r"\boxed{\int_0^1 x dx}"], ["1/2"])  # killed by the one before, it is there again
                started = time.perf_counter()
                verifier([text], ["7"])
                slowest[name] = time.perf_counter() - started

    benchmark.pedantic(score_all, rounds=1)
    name = max(slowest, key=slowest.__getitem__)
    benchmark.extra_info["slowest"] = f"{name}: {slowest[name]:.3f} s of {SECONDS:g}"
    assert slowest[name] <= SECONDS + SLACK
