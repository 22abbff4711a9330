r"""The verifier of mathematical answers: exact on plain numbers, math-verify on LaTeX.

The answer of a response is what :func:`llm_validation.verifiers.boxes.claimed_answer` finds. If it and the right
answer are plain numbers, they are compared as fractions, here. Everything else goes to math-verify in a process of its
own, with a time-out that kills the process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import lru_cache, partial
from importlib.util import find_spec

from llm_validation.verifiers.base import Verifier, VerifierError
from llm_validation.verifiers.boxes import claimed_answer
from llm_validation.verifiers.numbers import plain_number
from llm_validation.verifiers.pool import WorkerPool
from llm_validation.verifiers.worker import REFUSED, RIGHT, serve
from qae_theory.checks import refuse

# What is read of a response: its end, where an answer stands. math-verify's patterns take time quadratic in it.
MOST_CHARACTERS = 1000


class MathVerifier(Verifier):
    r"""1 where the response's answer equals the right one as mathematics.

    Only the last 1,000 characters of a response count. A response that makes its process hang, crash or do what it may
    not scores 0, and is counted in ``lost``. An answer that math-verify cannot read makes its question unscorable.

    Args:
        workers: Processes; they start at the first response that is no plain number.
        seconds: Wall-clock time for one response.
    """

    name = "math"

    def __init__(self, *, workers: int = 2, seconds: float = 10.0) -> None:
        if not isinstance(workers, int) or workers < 1:
            refuse("workers", workers, "an integer >= 1")
        if not seconds > 1:
            refuse("seconds", seconds, "more than 1: starting to read takes part of a second")
        # math-verify's own alarms, in whole seconds: reading twice and comparing once fit below the hard limit.
        serve_math = partial(serve, item_seconds=max(1, int(seconds / 4)))
        self._pool = WorkerPool(workers, seconds=seconds, serve=serve_math)
        self._readable: dict[str, bool] = {}
        self.lost = 0

    def score(self, completions: Sequence[str], answers: Sequence[str]) -> list[float | None]:
        """Plain numbers first; what is left goes to the processes, each pair once."""
        pairs = [
            (completion[-MOST_CHARACTERS:], answer) for completion, answer in zip(completions, answers, strict=True)
        ]
        scores: dict[tuple[str, str], float | None] = {}
        for pair in pairs:
            if pair not in scores and (exact := _compare_numbers(*pair)) is not None:
                scores[pair] = exact
        rest = [pair for pair in dict.fromkeys(pairs) if pair not in scores]
        self._learn_readable(answer for _, answer in rest)
        scores |= {pair: None for pair in rest if not self._readable[pair[1]]}
        scores |= self._judge([pair for pair in rest if self._readable[pair[1]]])
        return [scores[pair] for pair in pairs]

    def close(self) -> None:
        """End the processes."""
        self._pool.close()

    def _learn_readable(self, answers: Iterable[str]) -> None:
        new = [answer for answer in dict.fromkeys(answers) if answer not in self._readable]
        self._readable |= {answer: True for answer in new if _right_number(answer) is not None}
        unknown = [answer for answer in new if answer not in self._readable]
        replies = self._run([(None, answer) for answer in unknown])
        self._readable |= {answer: reply == RIGHT for answer, reply in zip(unknown, replies, strict=True)}

    def _judge(self, pairs: list[tuple[str, str]]) -> dict[tuple[str, str], float]:
        replies = self._run(pairs)
        self.lost += replies.count(None) + replies.count(REFUSED)
        return {pair: float(reply == RIGHT) for pair, reply in zip(pairs, replies, strict=True)}

    def _run(self, jobs: Sequence[tuple[str | None, str]]) -> list[bytes | None]:
        if jobs and find_spec("math_verify") is None:
            raise VerifierError(
                "the verifier 'math' needs the package math-verify; pip install 'qae-verification[train]' brings it"
            )
        return self._pool.run(jobs)


@lru_cache(maxsize=4096)
def _right_number(answer: str) -> Fraction | None:
    return plain_number(claimed_answer(answer))


def _compare_numbers(completion: str, answer: str) -> float | None:
    """The score if both are plain numbers; None if that does not decide."""
    right = _right_number(answer)
    if right is None:
        return None
    found = plain_number(claimed_answer(completion))
    return None if found is None else float(found == right)
