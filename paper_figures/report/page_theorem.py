"""Show a claim's theorem: its statement in Coq, folded, with axioms, definitions and the ties to the shipped code."""

from __future__ import annotations

import re
from html import escape

from paper_figures.report.html import folded
from qae_theory.formal import reader
from qae_theory.formal.tools.survey import INTEGERS

DEFINITIONS = "formal-definitions"
_DEFINED = re.compile(r'\b(Definition|Fixpoint|Inductive) <a href="#definition-(\w+)">\w+</a>')
APPENDIX = "The file Definitions.v as it is: nothing else is used in a statement but Coq's libraries."
USES = "What the statements in Coq are made of"


def theorem(claim: str, *, definitions_at: str) -> str:
    """Return the theorem of a claim as HTML; nothing for a claim without one.

    Args:
        claim: its id.
        definitions_at: address of the page that shows the definitions; empty on that page itself.
    """
    found = reader.readings().get(claim)
    if found is None:
        return ""
    listed = {
        "Theorem": f"<code>{escape(found.theorem)}</code> in <code>{escape(found.file)}</code>",
        "Rests on": _axioms(found.axioms),
        "Definitions": ", ".join(_link(name, definitions_at) for name in found.definitions),
        "Tied to the code": "; ".join(_tie(name, *tie, definitions_at) for name, tie in found.ties.items()),
    }
    facts = "".join(f"<div><dt>{label}</dt><dd>{content}</dd></div>" for label, content in listed.items())
    statement = coq(found.statement, definitions_at=definitions_at)
    return (
        f'<details class="theorem"><summary><span class="kind">The theorem in Coq</span>: what it says, rests on and '
        f'is tied to</summary>{statement}<dl class="facts">{facts}</dl></details>'
    )


def coq(code: str, *, definitions_at: str) -> str:
    """Return a text of Coq as a block of code in which each defined name leads to its definition."""
    linked = reader.with_names(code, lambda name: _link(name, definitions_at, bare=True), escape)
    return f'<pre class="coq" tabindex="0"><code>{linked}</code></pre>'


def definitions() -> str:
    """Return ``Definitions.v`` as a block of code, in which each name stands where links to it lead."""
    code = coq(reader.definitions_source(), definitions_at="")
    return _DEFINED.sub(r'\1 <b id="definition-\2">\2</b>', code)


def appendix() -> str:
    """Return the section of the report that holds the definitions."""
    return (
        f'<section aria-labelledby="{DEFINITIONS}"><h2 id="{DEFINITIONS}">{USES}</h2>'
        f"{folded(APPENDIX, definitions())}</section>"
    )


def _axioms(names: tuple[str, ...]) -> str:
    """Return the axioms by name; Coq's primitive integers, which files of decimals compute with, as one entry."""
    primitive = [name for name in names if name.startswith(INTEGERS)]
    shown = [f"<code>{escape(name.rpartition('.')[2])}</code>" for name in names if name not in primitive]
    if primitive:
        shown.append(f"Coq's primitive integers ({len(primitive)} operations and laws)")
    return ", ".join(shown) or "no axiom"


def _link(name: str, definitions_at: str, *, bare: bool = False) -> str:
    """Return a link to a definition; ``bare`` inside a block of code."""
    inside = escape(name) if bare else f"<code>{escape(name)}</code>"
    return f'<a href="{escape(definitions_at)}#definition-{escape(name)}">{inside}</a>'


def _tie(name: str, functions: str, how: str, definitions_at: str) -> str:
    return f"{_link(name, definitions_at)} to <code>{escape(functions)}</code> ({escape(how)})"
