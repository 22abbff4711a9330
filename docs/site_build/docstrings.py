"""Docstrings as Markdown: formulas, references and examples are written in them as Sphinx has it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

_MATH = re.compile(r":math:`([^`]+)`")
_ROLE = re.compile(r":(?:func|class|meth|mod|data|attr|exc):`~?([\w.]+)(?:\(\))?`")
_EXAMPLE = re.compile(r"(?:^[ \t]*>>> .*\n?(?:^[ \t]*\S.*\n?)*)", re.MULTILINE)


def as_markdown(text: str, full_name: Callable[[str], str]) -> str:
    """Return the docstring with ``$formulas$``, links where the site has the object, and examples as blocks of code.

    Args:
        text: the docstring.
        full_name: the full path of a name that is used in it.
    """
    text = _MATH.sub(lambda found: f"${' '.join(found.group(1).split())}$", text)
    text = _ROLE.sub(lambda found: _reference(found.group(1), full_name(found.group(1))), text)
    return _EXAMPLE.sub(_block, text)


def _reference(name: str, target: str) -> str:
    return f'<autoref optional identifier="{escape(target)}"><code>{escape(name)}</code></autoref>'


def _block(found: re.Match[str]) -> str:
    lines = found.group().rstrip("\n").split("\n")
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    return "\n".join([f"{indent}```pycon", *lines, f"{indent}```", ""])
