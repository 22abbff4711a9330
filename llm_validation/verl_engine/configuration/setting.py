"""Describe one setting of a run: its key in verl's configuration, what it may be, and what was stated for it.

A part of the record is a frozen dataclass whose fields are declared by :func:`setting` and filled by
:func:`read_part`. What was not stated stays apart from every default: a default is used only where a caller asks for
it.
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
    """Stand for a key that is not in the configuration, which differs from one that is null."""

    KEY = "the key is missing"


Lookup = Callable[[str], Any]  # the value at a dotted key, or Missing.KEY


@dataclass(frozen=True)
class Setting(Generic[T]):
    """A setting and the value that a configuration states for it.

    Attributes:
        key: the dotted key, which messages name too.
        kind: which values are allowed.
        default: the value of verl 0.9.1 where nothing is stated; None where verl has none.
        value: what was stated, of whatever type; None for a key that is null or missing, both of which leave the
            choice to the reader.
        missing: whether the key is missing; a few readers of verl tell that from null.
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
        """Return the value as it stands, null included, or ``otherwise`` where the key is missing.

        verl's ``config.get(key, otherwise)`` does the same.
        """
        return otherwise if self.missing else self.value

    def checked(self, default: T | None = None) -> T:
        """Return the stated value, or where none was stated ``default``, or else verl's own.

        Raises:
            ValueError: the value is not of the setting's kind, or there is neither a value nor a default; the message
                names the key.
        """
        # The caller's default comes first: it may know more than verl's, such as a length of this run.
        value = self.or_else(self.default if default is None else default)
        if not self.kind.holds(value):
            refuse(self.key, value, self.kind.allowed)
        return self.kind.converted(value)


def setting(key: str, kind: Kind[T], default: T | None = None) -> Any:
    """Declare a field of a part of the record.

    Args:
        key: the dotted key in verl's configuration.
        kind: which values are allowed.
        default: the value of verl 0.9.1 where the key is missing.

    Returns:
        What ``dataclasses.field`` returns; its type is Any so that the field can be annotated as a ``Setting``.
    """
    return field(metadata={"declared": Setting(key, kind, default)})


def read_part(part: type[P], lookup: Lookup) -> P:
    """Return a part of the record with what the configuration states for each of its settings.

    Args:
        part: a dataclass whose fields are all declared by :func:`setting`.
        lookup: gives the value at a dotted key.
    """
    stated = {}
    for part_field in fields(part):  # type: ignore[arg-type]  # every part is a dataclass
        declared = part_field.metadata["declared"]
        value = lookup(declared.key)
        missing = value is Missing.KEY
        stated[part_field.name] = replace(declared, value=None if missing else value, missing=missing)
    return part(**stated)
