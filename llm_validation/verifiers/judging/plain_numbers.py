r"""Plain numbers, read at once and exactly: ``-12``, ``1,234``, ``0.50``, ``3/4``, ``\frac{3}{4}``.

Most answers are such numbers. They are read here without the grammar of answers, which reads them alike.
"""

from __future__ import annotations

import re
from fractions import Fraction

# Longer numbers are compared by nobody who asks in good faith; conversion takes time quadratic in their length.
MOST_DIGITS = 400

_UNSIGNED = r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+"
_PLAIN = re.compile(rf"([+-]?)({_UNSIGNED})(?:/([0-9]+))?")
_FRACTION = re.compile(r"([+-]?)\\[dt]?frac\{([0-9]+)\}\{([0-9]+)\}")


def plain_number(text: str) -> Fraction | None:
    r"""Return the number that the text is; None if it is none, or too long.

    >>> plain_number("1,234.50"), plain_number(r"-\frac{2}{6}"), plain_number("1/0"), plain_number("2+2")
    (Fraction(2469, 2), Fraction(-1, 3), None, None)
    """
    if len(text) > MOST_DIGITS:
        return None
    found = _PLAIN.fullmatch(text) or _FRACTION.fullmatch(text)
    if found is None:
        return None
    sign, above, below = found.groups()
    denominator = int(below or "1")
    if denominator == 0:
        return None
    size = Fraction(above.replace(",", "")) / denominator
    return -size if sign == "-" else size
