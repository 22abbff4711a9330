"""What a check says, and how checks read a configuration. The checks themselves are in ``check_*.py``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at before a run.

    ``passed`` false ends the run before it begins; ``warning`` marks what a person should read and may want; ``says``
    is one line.
    """

    name: str
    passed: bool
    warning: bool
    says: str

    @property
    def state(self) -> str:
        """One word for a table."""
        return "failed" if not self.passed else "warning" if self.warning else "ok"

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {**asdict(self), "state": self.state}


def fine(name: str, says: str) -> Check:
    """A check that is passed."""
    return Check(name, passed=True, warning=False, says=_line(says))


def warned(name: str, says: str) -> Check:
    """A check that is passed with a warning."""
    return Check(name, passed=True, warning=True, says=_line(says))


def failed(name: str, says: str) -> Check:
    """A check that is not passed."""
    return Check(name, passed=False, warning=False, says=_line(says))


def absent(name: str, says: str, *, strict: bool) -> Check:
    """Something is not on this machine: a failure where the job runs, a warning where it is only prepared."""
    return failed(name, says) if strict else warned(name, f"not here: {says}")


def select(config: Config, path: str, default: Any = None) -> Any:
    """The value at a dotted path; the default where there is none, or where it is null.

    >>> select({"a": {"b": 1}}, "a.b"), select({"a": None}, "a.b", 2)
    (1, 2)
    """
    value: Any = config
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return default if value is None else value


def _line(text: str) -> str:
    return " ".join(text.split())
