"""Tell whether the packages that a command needs are installed, and if not, how to get them, in one line."""

from __future__ import annotations

from importlib.util import find_spec

TRAIN = ("torch", "transformers", "trl", "accelerate", "datasets")


def missing_line() -> str | None:
    """Return what to install before training or probing; None where all is there."""
    missing = [name for name in TRAIN if find_spec(name) is None]
    if not missing:
        return None
    how = "pip install -c constraints.txt 'qae-verification[train]', or `make validate` in a clone"
    return f"{', '.join(missing)} not installed; {how}"
