"""What a verifier is. Completions are untrusted text: they are compared and parsed, never evaluated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import ClassVar, Self

from llm_validation.verifiers.extraction import Extraction
from llm_validation.verifiers.judging.errors import VerifierError as VerifierError
from llm_validation.verifiers.judging.outcomes import Outcome
from qae_theory.checks import refuse

_OF_SCORE = {1.0: Outcome.RIGHT, 0.0: Outcome.WRONG, None: Outcome.UNSCORABLE}


class Verifier(ABC):
    """Scores completions against exact answers; a context manager, for those that hold processes.

    Attributes:
        extraction: where a completion says its answer.
    """

    name: ClassVar[str]
    extraction: Extraction = Extraction()

    def __call__(self, completions: Sequence[str], answers: Sequence[str]) -> list[float | None]:
        """Return the reward of each completion.

        Args:
            completions: Model output, of any length and content.
            answers: The exact answer of each.

        Returns:
            1.0 for right, 0.0 for wrong, None where the answer itself cannot be read: unscorable, whatever the
            completion.

        Raises:
            ValueError: for lists of different lengths, or entries that are no text.
        """
        _check(completions, answers)
        return self.score(completions, answers)

    def judge(self, completions: Sequence[str], answers: Sequence[str]) -> list[Outcome]:
        """Return what came of each completion, which tells more than its reward: unreadable, undecided, timed out.

        Args:
            completions: as in the call.
            answers: likewise.

        Raises:
            ValueError: as the call.
        """
        _check(completions, answers)
        return self.outcomes(completions, answers)

    @abstractmethod
    def score(self, completions: Sequence[str], answers: Sequence[str]) -> list[float | None]:
        """Return the rewards, of checked input."""

    def outcomes(self, completions: Sequence[str], answers: Sequence[str]) -> list[Outcome]:
        """Return the outcomes, of checked input; a verifier that knows rewards only has right, wrong and unscorable."""
        return [_OF_SCORE[score] for score in self.score(completions, answers)]

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Give back what the verifier holds; it may not be called afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check(completions: Sequence[str], answers: Sequence[str]) -> None:
    for name, texts in (("completions", completions), ("answers", answers)):
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            refuse(name, texts, "a list of strings")
    if len(completions) != len(answers):
        raise ValueError(f"answers must be as many as completions, {len(completions)}; got {len(answers)} answers")
