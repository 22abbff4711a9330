"""Hostile completions at the verifier of mathematics: each is wrong within the time-out, and nothing is run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_validation.verifiers.mathematics import MathVerifier
from tests.llm_validation.verifiers.hostile import BOMBS, dressed, programs

SECONDS = 2.5


@pytest.fixture(scope="module")
def verifier() -> Iterator[MathVerifier]:
    with MathVerifier(workers=1, seconds=SECONDS) as made:
        yield made


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_wrong_within_the_time_out(bomb: str, verifier: MathVerifier) -> None:
    for answer in ("7", r"\sqrt{2}"):
        verifier([r"\boxed{\int_0^1 x dx}"], ["1/2"])  # a process is there
        start = time.monotonic()
        assert verifier([BOMBS[bomb]], [answer]) == [0.0]
        assert time.monotonic() - start < SECONDS + 1  # killing takes milliseconds


@pytest.mark.parametrize("kind", programs(Path()))
def test_nothing_is_run(kind: str, verifier: MathVerifier, tmp_path: Path) -> None:
    target = tmp_path / "ran"
    completions = list(dressed(programs(target)[kind]).values())
    for answer in ("7", r"\sqrt{2}"):
        assert verifier(completions, [answer] * len(completions)) == [0.0] * len(completions)
    # As answers too: a data set is no more to be trusted.
    verifier(["$x$"] * len(completions), completions)
    assert not target.exists()
