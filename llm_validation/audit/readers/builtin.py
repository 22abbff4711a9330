"""This package's readers, in the order in which they are asked: the narrower before the wider."""

from __future__ import annotations

from llm_validation.audit.readers.base import Reader
from llm_validation.audit.readers.responses import trl_completions, verl_dumps


def readers() -> list[Reader]:
    """Return all readers of this package."""
    modules = (verl_dumps, trl_completions)
    return [reader for module in modules for reader in module.READERS]
