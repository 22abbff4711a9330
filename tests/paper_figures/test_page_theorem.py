"""A claim's theorem on a page: its statement in Coq, what it rests on, and links that lead to the definitions."""

from __future__ import annotations

import re
from html import unescape

import pytest

from docs.site_build import proofs
from paper_figures.report import markdown, page_theorem
from qae_theory.formal import reader
from qae_theory.formal.tools import sources
from tests import ROOT

_TAG = re.compile(r"<[^>]*>")


def plain(page: str) -> str:
    """The text of a piece of HTML."""
    return unescape(_TAG.sub("", page))


@pytest.mark.parametrize("claim", reader.readings())
def test_the_statement_is_that_of_coq_and_folded(claim: str) -> None:
    shown = page_theorem.theorem(claim, definitions_at="")
    assert shown.startswith('<details class="theorem"><summary>')
    assert " open" not in shown.partition(">")[0]
    found = re.search(r'<pre class="coq" tabindex="0"><code>(.*?)</code></pre>', shown, re.DOTALL)
    assert found
    assert plain(found.group(1)) == reader.readings()[claim].statement
    assert "\n\n" not in shown  # Markdown would end the block of HTML there


@pytest.mark.parametrize("claim", reader.readings())
def test_links_lead_to_the_definitions(claim: str) -> None:
    places = set(re.findall(r'id="(definition-\w+)"', page_theorem.definitions()))
    shown = page_theorem.theorem(claim, definitions_at=proofs.DEFINITIONS_PAGE)
    links = re.findall(r'href="([^"]*)#(definition-\w+)"', shown)
    assert {page for page, _ in links} == {"definitions.html"}
    assert {f"definition-{name}" for name in reader.readings()[claim].definitions} == {place for _, place in links}
    assert {place for _, place in links} <= places


def test_facts_are_those_of_the_theorem() -> None:
    shown = plain(page_theorem.theorem("gate-hard", definitions_at=""))
    assert "gate_hard in qae_theory/formal/theories/gate/Gate.v" in shown
    assert "Rests onsig_forall_dec, sig_not_dec, functional_extensionality_dep" in shown
    assert "qae to advantages, expected_gain (values on a grid, floats)" in shown


def test_primitive_integers_are_one_entry() -> None:
    shown = plain(page_theorem.theorem("neutrality-queries", definitions_at=""))
    assert "Coq's primitive integers (" in shown
    assert "PrimInt63" not in shown


def test_a_claim_without_a_theorem_shows_none() -> None:
    assert page_theorem.theorem("eq4-float", definitions_at="") == ""
    assert page_theorem.theorem("no-such-claim", definitions_at="") == ""


def test_definitions_are_the_file_with_a_place_for_each_name() -> None:
    shown = page_theorem.definitions()
    assert plain(shown) == reader.definitions_source()
    assert tuple(re.findall(r'id="definition-(\w+)"', shown)) == sources.defined()


def test_the_appendix_of_the_report_holds_them() -> None:
    appendix = page_theorem.appendix()
    assert f'id="{page_theorem.DEFINITIONS}"' in appendix
    assert page_theorem.definitions() in appendix


def test_the_markdown_report_shows_the_same_folded() -> None:
    shown = markdown._theorem("gate-hard")
    assert shown.startswith("<details><summary>The theorem in Coq</summary>\n\n```coq\nforall (G : nat)")
    assert reader.readings()["gate-hard"].statement in shown
    assert "* Theorem `gate_hard` in `qae_theory/formal/theories/gate/Gate.v`" in shown
    assert "`qae` to `advantages, expected_gain` (values on a grid, floats)" in shown
    assert shown.endswith("</details>")
    assert markdown._theorem("eq4-float") == ""


def test_the_file_of_the_definitions_is_named_where_it_is() -> None:
    assert (ROOT / reader.DEFINITIONS).read_text(encoding="utf-8") == reader.definitions_source()
