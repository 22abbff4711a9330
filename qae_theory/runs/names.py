"""Find the name that was meant: the one helper behind every "did you mean" of the commands."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Two letters of three that changed places still find the name.
_CLOSE_ENOUGH = 0.65
_MOST = 3
_REFUSAL = re.compile(r" must be (?P<allowed>.+); got '(?P<value>[^']*)'(?: \(and \d+ more\))?$")
_SEPARATORS = re.compile(r"[,()|;]| or | one of |^one of ")


def close_names(value: str, known: Iterable[str]) -> list[str]:
    """Return the known names that a value resembles, the closest first; at most three.

    Capitals, and whether words are joined by ``-``, ``_`` or nothing, make no difference.

    Args:
        value: what was written.
        known: the names that there are.

    >>> close_names("EQ4_FLOAT", ["eq4-float", "eq4-threshold"])
    ['eq4-float']
    """
    from difflib import get_close_matches  # only where something went wrong

    by_letters: dict[str, str] = {}
    for name in known:
        by_letters.setdefault(_letters(name), name)
    if _letters(value) in by_letters:
        return [by_letters[_letters(value)]]
    close = get_close_matches(_letters(value), by_letters, n=_MOST, cutoff=_CLOSE_ENOUGH)
    return [by_letters[letters] for letters in close]


def did_you_mean(value: str, known: Iterable[str]) -> str:
    """Return ``; did you mean a or b?``, or nothing where no known name is close."""
    close = close_names(value, known)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def with_hint(message: str) -> str:
    """Return a refusal with the name that was meant behind it, where what is allowed lists one that is close.

    A refusal has the form ``ARGUMENT must be ALLOWED; got VALUE``. Every other message is returned as it is.

    >>> with_hint("estimator must be one of grpo, qae; got 'gpro'")
    "estimator must be one of grpo, qae; got 'gpro'; did you mean grpo?"
    """
    refusal = _REFUSAL.search(message)
    if refusal is None:
        return message
    listed = (part.strip(" '\"") for part in _SEPARATORS.split(refusal["allowed"]))
    # A piece with a space in it is part of a sentence and no name.
    return message + did_you_mean(refusal["value"], [name for name in listed if name and " " not in name])


def _letters(name: str) -> str:
    return re.sub(r"[\s_-]", "", name.casefold())
