"""Tell whether the package lies in a checkout, whose files and targets of make installation hints may name."""

from __future__ import annotations

import re
from pathlib import Path

_CONSTRAINTS = re.compile(r" -c constraints[\w-]*\.txt")
_TARGET = re.compile(r"`(make [a-z-]+)`(?! in a clone)")
_STORED = re.compile(r"\bdocs/ledger\.json\b")


def in_checkout() -> bool:
    """Return whether the repository's own files lie beside the package."""
    return (Path(__file__).parents[2] / "constraints.txt").is_file()


def applicable(text: str) -> str:
    """Return a text whose hints apply here: a wheel has no constraint files and no docs, and make needs a clone.

    Args:
        text: as it reads in a checkout.
    """
    if in_checkout():
        return text
    return _STORED.sub("FILE", _TARGET.sub(r"`\1` in a clone", _CONSTRAINTS.sub("", text)))
