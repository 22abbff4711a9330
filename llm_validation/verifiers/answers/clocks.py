"""Times of day: ``5:30 PM``, ``17:30``, ``5 p.m.``, ``noon``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from llm_validation.verifiers.answers.kinds import Clock
from llm_validation.verifiers.reading.tokens import Token

_TIME = re.compile(
    r"(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9]))?)?"
    r"(?P<half>[ap]\.?m\.?)?(?:o'clock)?(?P<half_again>[ap]\.?m\.?)?",
    re.IGNORECASE,
)
_WORDS = {"noon": Clock(12, 0, "pm"), "midnight": Clock(12, 0, "am")}
_LONGEST = 14  # tokens


def clock_of(tokens: Sequence[Token]) -> Clock | None:
    """Return the time of day that the tokens are; None if they are none.

    A number alone is none: there must be minutes or a half of the day.
    """
    if len(tokens) > _LONGEST:
        return None
    text = "".join(token.text for token in tokens)
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    half = found["half"] or found["half_again"]
    hour = int(found["hour"])
    if hour > (12 if half else 24) or (half and hour == 0):
        return None
    if found["minute"] is None and half is None:
        return None
    seconds = 60 * int(found["minute"] or 0) + int(found["second"] or 0)
    return Clock(hour, seconds, None if half is None else half.lower().replace(".", ""))


def same_time(left: Clock, right: Clock) -> bool:
    """Whether two times agree; a half of the day that only one side says does not count.

    >>> same_time(Clock(17, 0, None), Clock(5, 0, "pm")), same_time(Clock(5, 0, "am"), Clock(5, 0, "pm"))
    (True, False)
    """
    if left.half is not None and right.half is not None:
        return _since_midnight(left) == _since_midnight(right)
    if (left.hour, left.seconds) == (right.hour, right.seconds):
        return True
    return (left.half or right.half) is not None and _since_midnight(left) == _since_midnight(right)


def _since_midnight(time: Clock) -> int:
    """Return the seconds since midnight, of a clock of 24 hours where no half is said."""
    if time.half is None:
        return 3600 * time.hour + time.seconds
    return 3600 * (time.hour % 12 + (12 if time.half == "pm" else 0)) + time.seconds
