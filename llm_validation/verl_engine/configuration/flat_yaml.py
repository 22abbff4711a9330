"""Read the scalars of a YAML file of nested mappings by dotted key, without a YAML reader.

The base install has none, and a few scalars are all that a logged run's configuration is read for. Lists and long
texts are passed over, and no interpolation but ``${a.b}`` is resolved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

Scalar = str | float | bool | None

_LINE = re.compile(r"""( *)(['"]?)([\w./+-]+)\2:(?:\s+(.*?))?\s*""")  # YAML 1.1 quotes the key n: it means false
_REFERENCE = re.compile(r"\$\{([\w.]+)\}")
_NUMBER = re.compile(r"[+-]?[\d.]+(e[+-]?\d+)?", re.IGNORECASE)
_WORDS_OF_YAML = {"": None, "null": None, "~": None, "true": True, "false": False}
# A value may name another that names a third. A ring of names has no end; after so many it is left as it stands.
_LONGEST_CHAIN = 8


def read_scalars(path: Path) -> dict[str, Scalar]:
    """Return the scalars of a YAML file; see :func:`flat_scalars`.

    Raises:
        OSError: the file cannot be read.
    """
    return flat_scalars(path.read_text(encoding="utf-8", errors="replace"))


def flat_scalars(text: str) -> dict[str, Scalar]:
    r"""Return the scalars of YAML text by dotted key, with ``${a.b}`` replaced by what it names.

    Args:
        text: YAML with one ``key: value`` a line, nested by indentation.

    >>> flat_scalars("a:\n  b: 1.0e-06\n  c: '0.4'\n  d: ${a.b}\n  e:\n  - 1\n  f: null\n")
    {'a.b': 1e-06, 'a.c': '0.4', 'a.d': 1e-06, 'a.e': None, 'a.f': None}
    """
    by_path: dict[str, Scalar] = {}
    above: list[tuple[int, str]] = []  # indentation and key of the mappings that are open at this line
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        indent, key, value = len(match[1]), match[3], match[4] or ""
        while above and above[-1][0] >= indent:
            above.pop()
        path = ".".join([*(name for _, name in above), key])
        above.append((indent, key))
        by_path[path] = _scalar(value)
    # A mapping's own line has an empty value and looks like a null; its children tell that it is none.
    parents = {key.rpartition(".")[0] for key in by_path}
    leaves = {key: value for key, value in by_path.items() if key not in parents}
    return {key: _resolved(value, leaves) for key, value in leaves.items()}


def _scalar(text: str) -> Scalar:
    """Return what a value's text means; text of no other meaning is itself."""
    if text[:1] in ("'", '"') and text[-1:] == text[:1] and len(text) > 1:
        return text[1:-1].replace("''", "'") if text[0] == "'" else text[1:-1]
    if text in _WORDS_OF_YAML:
        return _WORDS_OF_YAML[text]
    try:
        return float(text) if _NUMBER.fullmatch(text) else text
    except ValueError:  # digits and points that are no number, such as a version 1.2.3
        return text


def _resolved(value: Scalar, leaves: Mapping[str, Scalar]) -> Scalar:
    """Return the value that a chain of references ends in; one that names an unknown key is returned as it stands."""
    for _ in range(_LONGEST_CHAIN):
        match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
        if match is None or match[1] not in leaves:
            return value
        value = leaves[match[1]]
    return value
