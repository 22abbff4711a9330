"""Formulas become MathML that browsers draw; every other character stands for itself."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from qae_theory.claims.text import HtmlText, markdown_cell, markdown_plain, mathml, pieces


def test_formula_is_mathml_with_its_source() -> None:
    root = ElementTree.fromstring(mathml(r"\hat p \le 1 - K"))
    assert root.tag == "math"
    assert root.get("alttext") == r"\hat p \le 1 - K"
    assert "≤" in "".join(root.itertext())


@pytest.mark.parametrize(("latex", "text"), [(r"\mathbb{E}", "𝔼"), (r"\mathbb{R}", "ℝ"), (r"\mathbf{1}", "𝟏")])
def test_alphabets_are_unicode_because_browsers_ignore_variants(latex: str, text: str) -> None:
    made = mathml(latex)
    assert text in made
    assert "mathvariant" not in made


@pytest.mark.parametrize(("latex", "tags"), [("x'", ["mrow"]), ("x'_i", ["msub", "mrow"]), ("x^2", ["msup"])])
def test_prime_is_not_raised_twice(latex: str, tags: list[str]) -> None:
    root = ElementTree.fromstring(mathml(latex))
    found = [element.tag for element in root.iter() if element.tag not in ("math", "mi", "mo", "mn")]
    assert found == ["mrow", *tags]


@pytest.mark.parametrize("latex", [r"\nosuchcommand x", r"\frac{1}", r"a & \foo"])
def test_no_mathml_is_an_error(latex: str) -> None:
    with pytest.raises(ValueError, match="no MathML"):
        mathml(latex)


def test_long_formula_may_break_before_relations_outside_brackets() -> None:
    made = HtmlText().block(r"So $(a = b_1 + b_2 + b_3 + b_4) = c \le d$, then.")
    assert made.count("<math") == 3
    assert made.count("<wbr>") == 2
    assert "</math>,</span>" in made
    assert len(pieces(r"(a + b + c + d + e)' = f(x)^2 = g")) == 3
    assert HtmlText().block("$a = b = c$").count("<math") == 1


def test_fallback_shows_the_source_and_is_counted() -> None:
    text = HtmlText()
    assert "<code>\\nosuch &lt; 1</code>" in text.block(r"Here $\nosuch < 1$ and $x$.")
    assert text.fallbacks == [r"\nosuch < 1"]


@pytest.mark.parametrize("method", ["block", "inline", "plain"])
def test_html_is_escaped(method: str) -> None:
    made = getattr(HtmlText(), method)("<script>alert(1)</script> & <b>")
    assert "<script" not in made
    assert "<b>" not in made
    assert "&lt;script&gt;" in made


def test_plain_text_keeps_what_markdown_would_take() -> None:
    assert HtmlText().plain("a*b*c _d_ [e](f) $5 and $6") == "a*b*c _d_ [e](f) $5 and $6"
    assert "<math" in HtmlText().plain("rank $k$")
    assert "<code>m / G</code>" in HtmlText().plain("`m / G`")


@given(st.text(alphabet=st.sampled_from("ab *_[]()<>#|~\\!&-"), max_size=30))
def test_escaped_markdown_reads_as_the_text_itself(text: str) -> None:
    shown = MarkdownIt("commonmark").renderInline(markdown_plain(text))
    assert shown == MarkdownIt("zero").renderInline(" ".join(text.split()))


def test_cell_has_no_bar_that_ends_it() -> None:
    assert markdown_cell("a | b") == r"a \| b"
    assert markdown_cell("$|x|$ or\n`y`") == r"$\vert x\vert $ or `y`"
