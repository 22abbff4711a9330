"""Define what a reader is: a name, a test of a file's beginning, and a function that reads it.

Another package adds readers by an entry point in the group ``qae.readers``: a function that returns some.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from llm_validation.audit.model.chunk import Chunk
from llm_validation.audit.model.entries import Entry
from llm_validation.audit.model.settings import AuditSettings
from llm_validation.audit.reading.head import Head
from llm_validation.audit.reading.json_lines import Tally


class RefusedError(ValueError):
    """Say why a file that is recognised is not read."""


@dataclass(frozen=True)
class ResponseReader:
    """Read responses. ``recognises`` looks at the beginning of a file only."""

    name: str
    recognises: Callable[[Head], bool]
    read: Callable[[Head, AuditSettings, Tally], Iterator[Chunk]]


@dataclass(frozen=True)
class StepReader:
    """Read metrics by step. ``launches``: whether several files in a folder may be runs of their own."""

    name: str
    recognises: Callable[[Head], bool]
    read: Callable[[Head, Tally], Iterator[Entry]]
    launches: bool = False


@dataclass(frozen=True)
class SettingsReader:
    """Read what the run was asked to do."""

    name: str
    recognises: Callable[[Head], bool]
    read: Callable[[Head], AuditSettings]


Reader = ResponseReader | StepReader | SettingsReader
