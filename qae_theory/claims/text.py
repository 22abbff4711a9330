"""Turn the texts of the ledger into HTML and Markdown: formulas into MathML, everything else escaped.

There are two sorts of text. Prose (statements, notes, steps) is Markdown with ``$LaTeX$``. Plain text (details,
findings, witnesses) may hold ``$LaTeX$`` and code in backticks; any other character stands for itself.
"""

from __future__ import annotations

import html
import re
from typing import Any
from xml.etree import ElementTree

from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

MATHML = "http://www.w3.org/1998/Math/MathML"
# How many children each MathML element must have; a missing argument leaves one short.
_CHILDREN = {"mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "msubsup": 3, "munderover": 3}
_CODE_OR_MATH = re.compile(r"(`+[^`]+`+|\$[^$\s](?:[^$\n]*[^$\s])?\$)")
_AFTER_MATH = re.compile(r"</math></span>((?:[,.;:!?)’”]|-\w+)+)")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$])")
# Spaces around a function's name, which MathML Core would set tight.
_CLOSE = {"lspace": "0.1em", "rspace": "0.17em"}
LONG_FORMULA = 22  # characters of LaTeX: about what a phone shows on a line
_RELATIONS = frozenset("=<>≤≥≠⟺⟹⟸⇔⇒⇐→↦∼~≈≡∈∉⊂⊆∝")
_OPERATORS = frozenset("±∓×·∘∪∩∧∨")
_OPENING, _CLOSING = frozenset("([{⌊⌈"), frozenset(")]}⌋⌉")


class HtmlText:
    """Turn the ledger's texts into HTML, and keep in ``fallbacks`` the formulas that have no MathML."""

    def __init__(self) -> None:
        """Start with no fallbacks."""
        self.fallbacks: list[str] = []
        self._prose = MarkdownIt("commonmark", {"html": False}).enable("table")
        self._plain = MarkdownIt("zero", {"html": False}).enable("backticks")
        for parser in (self._prose, self._plain):
            dollarmath_plugin(parser, renderer=self._formula, allow_space=False, allow_digits=False, double_inline=True)

    def block(self, text: str) -> str:
        """Return prose as paragraphs, in a box that scrolls by itself where a formula is wider than the page."""
        return f'<div class="text">{_hold_punctuation(self._prose.render(text).strip())}</div>'

    def inline(self, text: str) -> str:
        """Return prose without a paragraph around it."""
        return _hold_punctuation(self._prose.renderInline(text))

    def plain(self, text: str) -> str:
        """Return plain text with formulas."""
        return _hold_punctuation(self._plain.renderInline(text))

    def _formula(self, latex: str, options: dict[str, Any]) -> str:
        try:
            display = bool(options.get("display_mode"))
            return (
                mathml(latex, display=True) if display else '</span><wbr><span class="math inline">'.join(pieces(latex))
            )
        # A formula without MathML is shown as it was typed, and reported: the page is still whole.
        except ValueError:
            self.fallbacks.append(latex)
            return f"<code>{html.escape(latex)}</code>"


def mathml(latex: str, *, display: bool = False) -> str:
    """Return LaTeX as a MathML element, in the subset that browsers draw (MathML Core).

    Raises:
        ValueError: the formula holds a command that has no MathML here, or lacks an argument.
    """
    return ElementTree.tostring(_convert(latex, display=display), encoding="unicode")


def pieces(latex: str) -> list[str]:
    r"""Return an inline formula as MathML elements between which a line may break; browsers break none by themselves.

    A long formula is divided before each relation that is outside brackets.

    >>> len(pieces("x = y")), len(pieces(r"f(x_1, \ldots, x_n) = g(x_1, \ldots, x_n) \le h"))
    (1, 3)
    """
    whole = _convert(latex, display=False)
    row = whole.find("mrow")
    # A short formula fits a line anywhere, and is better kept together.
    if len(latex) <= LONG_FORMULA or row is None:
        return [ElementTree.tostring(whole, encoding="unicode")]
    groups: list[list[ElementTree.Element]] = [[]]
    depth = 0
    for element in row:
        text = next(element.itertext(), "")  # of a bracket with an exponent, the bracket
        # A relation inside brackets binds closer: no line may break there.
        depth += (text in _OPENING) - (text in _CLOSING)
        if depth == 0 and groups[-1] and element.tag == "mo" and text in _RELATIONS:
            groups.append([])
        groups[-1].append(element)
    return [ElementTree.tostring(_inline(group), encoding="unicode") for group in groups]


def _inline(elements: list[ElementTree.Element]) -> ElementTree.Element:
    """Return elements as one inline formula."""
    root = ElementTree.Element("math", display="inline")
    ElementTree.SubElement(root, "mrow").extend(elements)
    return root


def _convert(latex: str, *, display: bool) -> ElementTree.Element:
    """Return LaTeX as an element tree in MathML Core, with the LaTeX as its alternative text."""
    try:
        root = ElementTree.fromstring(convert(latex, display="block" if display else "inline"))
    except Exception as error:  # the converter raises its own errors, IndexError, and what the XML parser raises
        raise ValueError(f"no MathML for {latex!r}: {error}") from error
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{MATHML}}}")
        if "\\" in (element.text or "") or len(element) != _CHILDREN.get(element.tag, len(element)):
            raise ValueError(f"no MathML for {latex!r}: unknown command, or an argument is missing")
        _to_core(element)
    root.set("alttext", latex)
    return root


def markdown_plain(text: str) -> str:
    r"""Return plain text for Markdown: code and formulas stay, other special characters are escaped.

    >>> print(markdown_plain("a*b <= `c*d` and $x_1$"))
    a\*b \<= `c*d` and $x_1$
    """
    pieces = _CODE_OR_MATH.split(" ".join(text.split()))
    return "".join(piece if i % 2 else _SPECIAL.sub(r"\\\1", piece) for i, piece in enumerate(pieces))


def markdown_cell(text: str) -> str:
    """Return prose for a cell of a Markdown table: one line, and no bar that would end the cell."""
    pieces = _CODE_OR_MATH.split(" ".join(text.split()))
    return "".join(_cell_piece(piece, math=i % 2 == 1) for i, piece in enumerate(pieces))


def _hold_punctuation(page: str) -> str:
    """Move the comma after a formula into the formula's box, which does not break: no line may begin with a comma."""
    return _AFTER_MATH.sub(r"</math>\1</span>", page)


def _cell_piece(piece: str, *, math: bool) -> str:
    """Return a piece of prose whose bars no longer end a table's cell."""
    if math and piece.startswith("$"):
        return re.sub(r"(?<!\\)\|", r"\\vert ", piece)
    return re.sub(r"(?<!\\)\|", r"\\|", piece)


def _to_core(element: ElementTree.Element) -> None:
    """Use Unicode's letters for ``mathvariant``, of which MathML Core has "normal" only; space function names."""
    _lower_primes(element)
    variant, text = element.get("mathvariant"), element.text or ""
    # Browsers ignore the attribute, and show the letters that Unicode has for it.
    if variant in _VARIANTS:
        element.text = "".join(_letter(character, variant) for character in text)
        del element.attrib["mathvariant"]
    if element.tag in ("mi", "mo") and len(text) > 1 and text.isalpha():
        element.tag = "mo"
        element.attrib.update(_CLOSE)
    elif text == "/":
        element.attrib.update(lspace="0", rspace="0")
    elif element.tag == "mi" and text in _RELATIONS | _OPERATORS:
        element.tag = "mo"


def _lower_primes(element: ElementTree.Element) -> None:
    """Lower primes, which are raised already: as exponents most fonts would raise and shrink them a second time."""
    if element.tag not in ("msup", "msubsup") or set(element[-1].text or " ") - set("′″‴"):
        return
    prime = element[-1]
    element.remove(prime)
    prime.tag = "mo"
    prime.attrib.update(lspace="0", rspace="0")
    if element.tag == "msup":
        element.tag = "mrow"
        element.append(prime)
        return
    element.tag = "msub"
    primed = ElementTree.Element("mrow")
    primed.extend([element[0], prime])
    element[0] = primed


# First code points of A, a and 0 in Unicode's mathematical alphabets; 0 where an alphabet has none.
_VARIANTS = {
    "bold": (0x1D400, 0x1D41A, 0x1D7CE),
    "double-struck": (0x1D538, 0x1D552, 0x1D7D8),
    "script": (0x1D49C, 0x1D4B6, 0),
    "sans-serif": (0x1D5A0, 0x1D5BA, 0x1D7E2),
    "monospace": (0x1D670, 0x1D68A, 0x1D7F6),
}
# Unicode had these letters before it got the alphabets, and left their places empty.
_OWN_PLACE = {("double-struck", letter): symbol for letter, symbol in zip("CHNPQRZ", "ℂℍℕℙℚℝℤ", strict=True)}


def _letter(character: str, variant: str) -> str:
    """Return a character in one of Unicode's mathematical alphabets."""
    if (variant, character) in _OWN_PLACE:
        return _OWN_PLACE[variant, character]
    for first, last, start in zip("Aa0", "Zz9", _VARIANTS[variant], strict=True):
        if start and first <= character <= last:
            return chr(start + ord(character) - ord(first))
    return character
