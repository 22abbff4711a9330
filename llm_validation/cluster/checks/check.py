"""Say what a check found, in one of the four ways in which it can end; the checks stand in the modules beside this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """Say what was found of one thing that was looked at before a run.

    ``passed`` false ends the run before it begins. ``warning`` marks what a person should read and may want all the
    same. ``sentence`` tells what was found, on one line.
    """

    name: str
    passed: bool
    warning: bool
    sentence: str

    @property
    def state(self) -> str:
        """Return how the check ended in one word: ``failed``, ``warning`` or ``ok``."""
        if not self.passed:
            return "failed"
        return "warning" if self.warning else "ok"

    def to_json(self) -> dict[str, Any]:
        """Return the check as a JSON object."""
        return {
            "name": self.name,
            "passed": self.passed,
            "warning": self.warning,
            "says": self.sentence,
            "state": self.state,
        }


def fine(name: str, sentence: str) -> Check:
    """Return a check that is passed."""
    return Check(name, passed=True, warning=False, sentence=_one_line(sentence))


def warned(name: str, sentence: str) -> Check:
    """Return a check that is passed with a warning."""
    return Check(name, passed=True, warning=True, sentence=_one_line(sentence))


def failed(name: str, sentence: str) -> Check:
    """Return a check that is not passed."""
    return Check(name, passed=False, warning=False, sentence=_one_line(sentence))


def absent(name: str, sentence: str, *, strict: bool) -> Check:
    """Return a check of something that is not on this machine.

    Where the job runs (``strict``) that is a failure; where it is only prepared, a warning.
    """
    return failed(name, sentence) if strict else warned(name, f"not here: {sentence}")


def _one_line(text: str) -> str:
    # Messages of other packages can hold line breaks, and a report has one line a check.
    return " ".join(text.split())
