"""List all readers: this package's, and those that others name in the entry-point group ``qae.readers``.

A provider is a function that returns readers. The first that recognises a file reads it; the narrower come first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import entry_points

from llm_validation.audit.reading.base import Reader
from llm_validation.audit.reading.head import Head

GROUP = "qae.readers"


class ReaderError(ValueError):
    """Say that a provider of readers does not load, or that two readers have one name."""


def all_readers() -> list[Reader]:
    """Return every reader: other packages' first, for they know their formats better.

    Raises:
        ReaderError: naming the provider or the reader.
    """
    ours, others = list[Reader](), list[Reader]()
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            provided: Iterable[Reader] = point.load()()
        except Exception as error:  # whatever another package raises
            raise ReaderError(f"readers {point.name!r} ({point.value}): {type(error).__name__}: {error}") from None
        own = point.value.startswith("llm_validation.")
        (ours if own else others).extend(provided)
    if not ours:
        from llm_validation.audit.readers.builtin import readers

        ours = readers()
    return _distinct([*others, *ours])


def recognise(head: Head, readers: Sequence[Reader]) -> Reader | None:
    """Return the reader of a file by its beginning; None if there is none."""
    return next((reader for reader in readers if reader.recognises(head)), None)


def _distinct(readers: list[Reader]) -> list[Reader]:
    names = [reader.name for reader in readers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ReaderError(f"two readers are called {', '.join(twice)}")
    return readers
