"""The report begins with the bottom line, and its verdicts are those of the ledger that is reported."""

from __future__ import annotations

import html
import re

from paper_figures.report.findings import findings
from qae_theory.claims.model import Verdict
from qae_theory.claims.readme import bottom_line, cited_verdicts
from qae_theory.claims.text import HtmlText

CITED = dict(cited_verdicts(bottom_line()))
VERDICTS = {claim: Verdict(verdict) for claim, verdict in CITED.items()}


def shown(page: str) -> dict[str, str]:
    """Verdict by claim, as the page links and shows them."""
    return dict(re.findall(r'<a href="#claim-([^"]+)"><code>\1</code></a> <span class="badge [\w-]+">([^<]+)<', page))


def test_every_claim_is_a_link_with_its_verdict() -> None:
    page = findings(VERDICTS, HtmlText())
    assert shown(page) == CITED
    assert page.count("<li>") == bottom_line().count("\n* ") + 1
    assert page.count("<strong>") == page.count("<li>")
    assert "`" not in page
    assert "*" not in page


def test_the_verdict_shown_is_that_of_the_ledger_at_hand() -> None:
    claim = "adam-unsampled"
    page = findings({**VERDICTS, claim: Verdict.NOT_RUN}, HtmlText())
    assert shown(page) == {**CITED, claim: "not run"}


def test_a_claim_that_the_ledger_lacks_is_no_link() -> None:
    page = findings({claim: verdict for claim, verdict in VERDICTS.items() if claim != "neutrality"}, HtmlText())
    assert "#claim-neutrality" not in page
    assert "<code>neutrality</code>" in page


def test_the_words_are_those_of_the_bottom_line() -> None:
    shown_text = html.unescape(re.sub(r"<[^>]*>", " ", findings(VERDICTS, HtmlText())))
    written = re.sub(r"[`*]", "", bottom_line())
    assert re.findall(r"\w+", shown_text) == re.findall(r"\w+", written)
