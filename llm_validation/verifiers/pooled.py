"""Verifiers that decide most responses at once and hand the others to processes that can be killed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from llm_validation.verifiers.base import Verifier
from llm_validation.verifiers.extraction import Extraction
from llm_validation.verifiers.judging.outcomes import Outcome, score_of
from llm_validation.verifiers.processes.pool import WorkerPool
from llm_validation.verifiers.processes.worker import OUTCOMES, Job, serve
from qae_theory.checks import refuse

Pair = tuple[str, str]


class PooledVerifier(Verifier):
    """A verifier of outcomes: one decision for each different pair of completion and answer.

    A response that makes its process hang, crash or do what it may not scores 0, and is counted in ``lost``.

    Args:
        extraction: where a completion says its answer; a regular expression is run in the processes, since it may take
            any time.
        workers: processes; they start at the first response that needs one.
        seconds: wall-clock time for one response.
    """

    def __init__(self, *, extraction: Extraction | str = "auto", workers: int = 2, seconds: float = 10.0) -> None:
        if not isinstance(workers, int) or workers < 1:
            refuse("workers", workers, "an integer >= 1")
        if not seconds > 1:
            refuse("seconds", seconds, "more than 1: starting to read takes part of a second")
        self.extraction = Extraction(extraction) if isinstance(extraction, str) else extraction
        self._pool = WorkerPool(workers, seconds=seconds, serve=serve)
        self.lost = 0

    @abstractmethod
    def decided(self, completion: str, answer: str) -> Outcome | None:
        """Return the outcome of one completion, its answer found by the extraction; None if a process has to decide."""

    @abstractmethod
    def readable(self, answer: str) -> bool:
        """Whether the right answer can be read."""

    def score(self, completions: Sequence[str], answers: Sequence[str]) -> list[float | None]:
        """Return the rewards that the outcomes stand for."""
        return [score_of(outcome) for outcome in self.outcomes(completions, answers)]

    def outcomes(self, completions: Sequence[str], answers: Sequence[str]) -> list[Outcome]:
        """Decide what can be decided at once; what is left goes to the processes, each pair once."""
        pairs = list(zip(completions, answers, strict=True))
        found: dict[Pair, Outcome] = {}
        undecided: list[Pair] = []
        for pair in dict.fromkeys(pairs):
            outcome = self._at_once(*pair)
            if outcome is None:
                undecided.append(pair)
            else:
                found[pair] = outcome
        found |= dict(zip(undecided, self._by_processes(undecided), strict=True))
        return [found[pair] for pair in pairs]

    def close(self) -> None:
        """End the processes."""
        self._pool.close()

    def _at_once(self, completion: str, answer: str) -> Outcome | None:
        if not self.extraction.is_pattern:
            return self.decided(completion, answer)
        return None if self.readable(answer) else Outcome.UNSCORABLE

    def _by_processes(self, pairs: Sequence[Pair]) -> list[Outcome]:
        replies = self._pool.run([self._job(*pair) for pair in pairs])
        outcomes = [OUTCOMES.get(reply, Outcome.TIMED_OUT) if reply else Outcome.TIMED_OUT for reply in replies]
        self.lost += outcomes.count(Outcome.TIMED_OUT)
        return outcomes

    def _job(self, completion: str, answer: str) -> Job:
        if self.extraction.is_pattern:
            return Job((), answer, self.name, self.extraction.setting, completion)
        return Job(self.extraction.claim(completion), answer, self.name)
