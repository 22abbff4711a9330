"""Start joblib's workers so that an interruption leaves no stray words on the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_VARIABLE = "PYTHONWARNINGS"
_QUIET = "ignore:resource_tracker"  # the beginning of all that it says


@contextmanager
def quiet_tracker() -> Iterator[None]:
    """Start workers within this, and the process that clears up behind them does so without a word.

    Workers that are interrupted may be gone before they have told it what they removed themselves; it then warns that
    it cannot find that, after the command has ended and said what matters.
    """
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = f"{before},{_QUIET}" if before else _QUIET
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before
