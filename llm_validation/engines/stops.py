"""Texts that end a response: a new line after the answer to a few-shot prompt, say.

A response keeps the token that completes the first of them, as it keeps an end of text; its text ends before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qae_theory.checks import refuse

_MARGIN = 4  # tokens more than a stop has characters: some tokens decode to nothing, or to part of a character


def checked_stops(stop: object) -> tuple[str, ...]:
    """Return the stop strings.

    Raises:
        ValueError: they are no list of strings, or one is empty.
    """
    if isinstance(stop, str) or not isinstance(stop, Sequence) or not all(isinstance(s, str) and s for s in stop):
        refuse("stop", stop, "a list of strings of at least one character")
    return tuple(stop)


def unescaped(text: str) -> str:
    r"""Return a stop string as it was meant on a command line, where ``\n`` is a new line and ``\t`` a tabulator.

    >>> unescaped(r"\n\nQ:") == "\n\nQ:"
    True
    """
    return text.replace("\\n", "\n").replace("\\t", "\t")


def before_stop(text: str, stop: Sequence[str]) -> str:
    r"""Return the text up to the first of the stop strings in it.

    >>> before_stop("12\n4+4=8", ["\n"])
    '12'
    """
    places = [place for place in (text.find(one) for one in stop) if place >= 0]
    return text[: min(places)] if places else text


def tokens_to_stop(tokenizer: Any, token_ids: Sequence[int], stop: Sequence[str]) -> int | None:
    """Return how many tokens there are up to the one that completes a stop string; None if none does."""
    if not stop or not _has_stop(tokenizer, token_ids, stop):
        return None
    low, high = 0, len(token_ids)  # the text of the first `high` tokens has one, that of the first `low` has not
    while high - low > 1:
        middle = (low + high) // 2
        if _has_stop(tokenizer, token_ids[:middle], stop):
            high = middle
        else:
            low = middle
    return high


def ends_with_stop(tokenizer: Any, token_ids: Sequence[int], stop: Sequence[str]) -> bool:
    """Return whether the last token completed a stop string, looking only as far back as one can reach."""
    reach = max(map(len, stop), default=0) + _MARGIN
    return _has_stop(tokenizer, token_ids[-reach:], stop)


def stop_tokens_of(tokenizer: Any, stop: Sequence[str]) -> list[int]:
    """Return the tokens whose own text has a stop string in it: each of them ends a response by itself."""
    if not stop:
        return []
    texts = tokenizer.batch_decode([[token] for token in range(len(tokenizer))], skip_special_tokens=True)
    return [token for token, text in enumerate(texts) if any(one in text for one in stop)]


def _has_stop(tokenizer: Any, token_ids: Sequence[int], stop: Sequence[str]) -> bool:
    text: str = tokenizer.decode(list(token_ids), skip_special_tokens=True)
    return any(one in text for one in stop)
