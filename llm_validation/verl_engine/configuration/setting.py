"""One setting of a run: where it stands in verl's configuration, what it may be, and what was stated there.

A part of the record is a frozen dataclass whose fields are declared by :func:`setting` and filled by
:func:`read_part`. What was not stated stays apart from every default: the default is used only by who asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Any, Generic, TypeVar

from llm_validation.verl_engine.configuration.kinds import Kind
from qae_theory.checks import refuse

T = TypeVar("T")
P = TypeVar("P")


class Missing(Enum):
    """What a lookup gives for a key that is not in the configuration, as apart from one that is null."""

    KEY = "the key is missing"


Lookup = Callable[[str], Any]  # the value at a dotted key, or Missing.KEY


@dataclass(frozen=True)
class Setting(Generic[T]):
    """A setting and the value that a configuration states for it.

    ``key`` is the dotted key, for messages too. ``kind`` says which values are allowed. ``default`` is the value of
    verl 0.9.1 where nothing is stated; None where verl has none. ``value`` is what was stated, of whatever type, and
    None for a key that is null or missing: both leave the choice to whoever reads. ``missing`` tells the two apart for
    the few readers of verl that do so.
    """

    key: str
    kind: Kind[T]
    default: T | None = None
    value: Any = None
    missing: bool = True

    @property
    def name(self) -> str:
        """Return the last word of the key."""
        return self.key.rpartition(".")[2]

    @property
    def stated(self) -> bool:
        """Return whether the configuration states a value."""
        return self.value is not None

    def or_else(self, otherwise: Any) -> Any:
        """Return the stated value as it stands, unchecked, or ``otherwise`` where none was stated."""
        return self.value if self.stated else otherwise

    def unless_missing(self, otherwise: Any) -> Any:
        """Return the value as it stands, null included, or ``otherwise`` where the key is missing."""
        return otherwise if self.missing else self.value

    def checked(self, default: T | None = None) -> T:
        """Return the stated value, or where none was stated ``default``, or else verl's own.

        Raises:
            ValueError: it is not of the setting's kind, or there is neither a value nor a default; names the key.
        """
        value = self.or_else(self.default if default is None else default)
        if not self.kind.holds(value):
            refuse(self.key, value, self.kind.allowed)
        return self.kind.converted(value)


def setting(key: str, kind: Kind[T], default: T | None = None) -> Any:
    """Declare a field of a part of the record.

    Args:
        key: the dotted key in verl's configuration.
        kind: which values are allowed.
        default: what verl 0.9.1 has where the key is missing.
    """
    return field(metadata={"declared": Setting(key, kind, default)})


def read_part(part: type[P], lookup: Lookup) -> P:
    """Return a part of the record with what the configuration states for each of its settings.

    Args:
        part: a dataclass whose fields are all declared by :func:`setting`.
        lookup: gives the value at a dotted key.
    """
    stated = {}
    for one in fields(part):  # type: ignore[arg-type]  # every part is a dataclass
        declared = one.metadata["declared"]
        value = lookup(declared.key)
        missing = value is Missing.KEY
        stated[one.name] = replace(declared, value=None if missing else value, missing=missing)
    return part(**stated)
