"""The numbers that the paper prints, in one place: ``facts.toml``, and the one function that reads it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def paper_facts() -> Mapping[str, Any]:
    """Return what the paper states, table by table, as ``facts.toml`` has it.

    >>> paper_facts()["training"]["k_default"]
    0.4
    """
    return tomllib.loads((files(__name__) / "facts.toml").read_text(encoding="utf-8"))
