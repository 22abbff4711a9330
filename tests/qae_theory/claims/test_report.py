"""The report: every claim, every piece of evidence, offline, and no formula left as LaTeX."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from qae_theory.claims import report_html, report_markdown
from qae_theory.claims.ledger import Ledger, load_ledger, read_catalogue
from qae_theory.claims.model import (
    Entry,
    Evidence,
    Finding,
    Generality,
    Kind,
    Outcome,
    Role,
    Status,
    StepOutcome,
    Verdict,
)
from qae_theory.claims.report import RunFacts, counts, counts_line, coverage, skipped_lines
from qae_theory.claims.verdict import judge
from tests.qae_theory.claims.samples import claim, outcome, step_outcome

FACTS = RunFacts("0123456789ab", quick=True, seed=3, seconds=1.25, python="3.11.7", commit="f" * 40)
WITNESS = {"policy $\\pi$": "(1/10, 9/10)", "a|b": "<3 & *4*"}


def entries() -> list[Entry]:
    steps = (step_outcome(r"First $\pi$."), step_outcome("Second.", citation="A. Lemma, *Journal*"))
    return [
        judge(claim("proved", note="A *note*."), [outcome(of="proved", steps=steps)]),
        judge(
            claim("refuted", section="Second section"),
            [outcome(Kind.WITNESS, Role.AGAINST, of="refuted", witness=WITNESS)],
        ),
        judge(claim("broken"), [outcome(of="broken", status=Status.BROKEN, name="sawn-off")]),
        judge(claim("later", needs="simulators"), []),
        judge(claim("odd-if", assumption="$n$ is odd."), [outcome(role=Role.UNDER, of="odd-if")]),
    ]


class Page(HTMLParser):
    """Collects tags, ids, links and the levels of headings."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.levels: list[int] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.attributes += [(tag, name) for name in found]
        if tag not in ("meta", "br", "hr", "wbr"):
            self.open.append(tag)
        if "id" in found:
            self.ids.append(found["id"])
        if "href" in found:
            self.links.append(found["href"])
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name) for name, _ in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@cache
def page() -> str:
    return report_html.render(entries(), FACTS)[0]


def test_page_is_well_formed_and_its_links_lead_somewhere() -> None:
    made = Page(page())
    assert made.open == []
    assert len(made.ids) == len(set(made.ids))
    assert made.links
    assert {link.removeprefix("#") for link in made.links} <= set(made.ids)


def test_page_needs_nothing_from_elsewhere() -> None:
    made = Page(page())
    assert not any(tag in ("script", "link", "img", "iframe") for tag, _ in made.attributes)
    assert "src" not in {name for _, name in made.attributes}
    assert "url(" not in page()
    assert "@import" not in page()


def test_headings_go_down_one_level_at_a_time() -> None:
    levels = Page(page()).levels
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_page_states_its_language_and_adapts() -> None:
    assert '<html lang="en">' in page()
    assert "width=device-width" in page()
    assert "prefers-color-scheme: dark" in page()


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_everything_is_shown(form: str) -> None:
    made = page() if form == "html" else report_markdown.render(entries(), FACTS)
    for entry in entries():
        assert entry.claim.id in made
        assert all(item.where in made and item.kind.value in made for item in entry.outcomes)
    for words in ("First", "Second", "n + n = 5", "A. Lemma", "2 + 2 = 5 fails", "sawn-off", "needs simulators"):
        assert words in made
    for words in (
        "0123456789ab",
        "seed 3",
        "Second section",
        "(1/10, 9/10)",
        "A <em>note" if form == "html" else "A *n",
    ):
        assert words in made


def test_witness_is_escaped() -> None:
    assert "&lt;3 &amp; *4*" in page()
    assert r"| a\|b | \<3 & \*4\* |" in report_markdown.render(entries(), FACTS)


def test_broken_evidence_is_open_and_says_so() -> None:
    assert re.search(r'<details class="evidence broken" open>', page())
    assert "Nothing may be concluded" in page()


def test_a_reason_for_skipping_is_said_once_for_all_claims_that_have_a_verdict_without() -> None:
    skipped = replace(outcome(Kind.FORMAL, status=Status.SKIPPED), detail="no Coq here")
    with_proof = [judge(claim(name), [skipped, outcome()]) for name in ("a", "b")]
    not_run = judge(claim("c"), [skipped])
    assert skipped_lines([*with_proof, not_run]) == ["skipped, of 2 claims with other evidence: no Coq here"]
    assert skipped_lines(with_proof[:1]) == ["skipped, of a: no Coq here"]
    assert skipped_lines([not_run]) == []


def test_results_that_are_not_there_are_one_line_with_all_commands() -> None:
    made = []
    for name, command in (
        ("a", "`qae simulate k-sweep`"),
        ("b", "`qae simulate masks`"),
        ("c", "`qae simulate masks`"),
    ):
        skipped = replace(outcome(Kind.FORMAL, status=Status.SKIPPED), detail=f"no results: run {command}")
        made.append(judge(claim(name), [skipped, outcome()]))
    both = "no results: run `qae simulate k-sweep`, `qae simulate masks`"
    assert skipped_lines(made) == [f"skipped, of 3 claims with other evidence: {both}"]
    assert skipped_lines(made[:1]) == ["skipped, of a: no results: run `qae simulate k-sweep`"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"generality": Generality.GENERAL}, "in general"),
        ({}, "on instances"),
        ({"tie": True}, "on instances: it ties a formula to the shipped code"),
        ({"citation": "A. Lemma"}, "on instances: a cited lemma, replayed"),
    ],
)
def test_each_step_says_how_much_its_check_covers(changes: dict[str, Any], words: str) -> None:
    made = replace(step_outcome("a step"), **changes)
    assert coverage(made) == words
    entry = judge(claim(), [outcome(steps=(made,))])
    facts = RunFacts("run", True, 1, 1.0, "3.11", None)
    page, _ = report_html.render([entry], facts)
    assert f"<dt>Checked</dt><dd>{words}</dd>" in page
    assert f"checked {words};" in report_markdown.render([entry], facts)


def test_counts() -> None:
    assert counts(entries()) == {
        Verdict.PROVED: 1,
        Verdict.REFUTED: 1,
        Verdict.SUPPORTED: 1,
        Verdict.UNDECIDED: 1,
        Verdict.NOT_RUN: 1,
    }
    assert counts_line([]) == "no claims"


def unrun(item: Evidence) -> Outcome:
    """An outcome with all the texts of the evidence, without the work."""
    steps = tuple(
        StepOutcome(s.says, s.planted, s.citation, s.where, Finding(True, "test", "found"), True, "test: rejected")
        for s in item.steps
    )
    return Outcome(item.claim, item.name, item.kind, item.role, Status.PASSED, "", 0.0, item.where, steps=steps)


def texts_of(ledger: Ledger) -> list[Entry]:
    return [
        Entry(line, Verdict.NOT_RUN, tuple(unrun(item) for item in ledger.evidence_for(line.id)))
        for line in ledger.claims
    ]


def test_every_formula_of_the_catalogue_is_drawn() -> None:
    lines = read_catalogue()
    made, fallbacks = report_html.render(texts_of(Ledger(lines)), FACTS)
    assert fallbacks == []
    assert made.count("<math") > len(lines) / 2
    assert len(Page(made).open) == 0


def test_every_formula_of_the_evidence_is_drawn() -> None:
    made, fallbacks = report_html.render(texts_of(load_ledger()), FACTS)
    assert fallbacks == []
    assert "$" not in re.sub(r'alttext="[^"]*"|<code>.*?</code>', "", made.partition("<main>")[2])
