"""What is written of an audit: the terminal's summary, HTML, Markdown, JSON, and what the ledger says of remedies."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from llm_validation.audit.checks.registry import CHECKS
from llm_validation.audit.compare import compared
from llm_validation.audit.demo import folder
from llm_validation.audit.report import html, markdown, terminal
from llm_validation.audit.report.contract import record
from llm_validation.audit.report.remedies import Remedy, remedies
from llm_validation.audit.report.report import Report
from llm_validation.audit.report.schema import SCHEMA_FILE, AuditRecord, schema
from llm_validation.audit.report.verdicts import of_ledger, verdicts
from tests.llm_validation.audit import worlds
from tests.llm_validation.audit.audited import audited, report_of

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(scope="module")
def demo() -> Report:
    return report_of(folder())


@pytest.mark.parametrize("width", [60, 80, 100, 400])
def test_the_summary_keeps_to_its_width_and_to_40_lines(width: int, demo: Report) -> None:
    lines = terminal.lines(demo, compared(demo, demo), width)
    assert len(lines) <= terminal.MOST_LINES
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    for finding in demo.findings:
        assert f"{finding.severity}: {finding.id}: {finding.says}" in text


def test_remedies_are_shown_where_there_is_room(demo: Report) -> None:
    assert any(line.strip().startswith("try: ") for line in terminal.lines(demo, None, 400))
    assert not any(line.strip().startswith("try: ") for line in terminal.lines(demo, None, 60))


def test_a_summary_that_does_not_fit_is_cut_and_says_so(demo: Report) -> None:
    crowded = Report(demo.log, [*demo.findings] * 3, demo.unchecked)
    lines = terminal.lines(crowded, None, 60)
    assert len(lines) <= terminal.MOST_LINES
    assert any(line.endswith("...") for line in lines)


class Page(HTMLParser):
    """Collects what a page would load, and whether its elements are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br", "link"):
            self.open.append(tag)
        for name, value in attrs:
            # A place on the page, and an icon that is part of it, are loaded from nowhere.
            if name in ("src", "href") and not str(value).startswith(("#", "data:")):
                self.loads.append(str(value))
        self.loads += [tag] if tag in ("script", "iframe", "img") else []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [str(value) for name, value in attrs if name.endswith("href") and not str(value).startswith("#")]


def test_the_page_needs_nothing_else(demo: Report) -> None:
    page = Page()
    text = html.render(demo)
    page.feed(text)
    assert page.open == []
    assert page.loads == []
    assert re.findall(r"url\((?!#)[^)]*\)|@import", text) == []
    assert text.count("<svg") == 4
    assert html.render(demo) == text


def test_nothing_of_a_log_becomes_markup(tmp_path: Path) -> None:
    path = tmp_path / "<b>x</b> [a](b) `c` | d.jsonl"
    worlds.lines(path, [{"input": "same", "output": "x", "score": float(i % 2), "step": 1} for i in range(8)])
    report = report_of(path)
    page, text = html.render(report), markdown.render(report)
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "<b>" not in text
    assert r"\[a\](b)" in text
    (row,) = [line for line in text.splitlines() if "d.jsonl" in line and "same text" in line]
    assert len(re.findall(r"(?<!\\)\|", row)) == 4  # three cells


def test_markdown_has_a_heading_for_every_finding(demo: Report) -> None:
    headings = [line for line in markdown.render(demo).splitlines() if line.startswith("## ")]
    assert [f"## {one.severity}: {one.id}" for one in demo.findings] == headings[1 : 1 + len(demo.findings)]


def test_every_finding_has_something_to_try() -> None:
    for check in CHECKS:
        for name in check.finds:
            assert remedies(name), name


def test_the_verdicts_are_those_of_the_stored_ledger() -> None:
    """``python -m llm_validation.audit.report.verdicts`` takes them over."""
    assert verdicts() == of_ledger(), "the ledger was stored anew: `make readme` takes its verdicts over"


def test_a_remedy_says_what_the_ledger_says_and_no_more() -> None:
    assert Remedy("do it", "verl 1").record()["ledger"] is None
    assert Remedy("do it", "verl 1").shown == "do it [verl 1; ledger: no claim]"
    known = Remedy("do it", "verl 1", "neutrality")
    assert known.record()["ledger"] == verdicts()["neutrality"]
    assert verdicts()["neutrality"] in known.shown
    assert Remedy("do it", "verl 1", "no such claim").ledger == "not run"


def test_two_runs_are_compared_at_equal_success(tmp_path: Path) -> None:
    """The first loses its entropy twice as fast and learns at the same rate."""
    for name, rate in (("first", 0.02), ("second", 0.01)):
        rows = [{"step": s, "success_rate": 0.2 + 0.01 * s, "entropy": 2.0 - rate * s} for s in range(40)]
        worlds.lines(tmp_path / name / "metrics.jsonl", rows)
    one, other = (report_of(tmp_path / name) for name in ("first", "second"))
    found = compared(one, other)
    last = found["at_success"][-1]
    assert last["success"] == pytest.approx(0.59)
    assert last["entropy"] == pytest.approx([1.22, 1.61])
    assert found["entropy_per_success"] == pytest.approx([2.0, 1.0])
    assert json.loads(json.dumps(found)) == found
    assert any("compared at success 0.59" in line for line in terminal.lines(one, found, 400))


@pytest.mark.parametrize("name", ["demo", "compared", "trl", "verl", "probe", "nothing", "refused"])
def test_every_report_keeps_to_the_published_schema(name: str, demo: Report, tmp_path: Path) -> None:
    if name == "demo":
        content = record(demo)
    elif name == "compared":
        content = record(demo, compared(demo, demo))
    elif name == "probe":
        worlds.probe(tmp_path, worlds.made(0))
        content = audited(tmp_path)
    elif name == "refused":
        worlds.lines(tmp_path / "1.jsonl", [{"input": "q", "output": "x", "score": float(i)} for i in range(8)])
        content = audited(tmp_path)
    else:
        content = audited(tmp_path if name == "nothing" else FIXTURES / name)
    AuditRecord.model_validate_json(json.dumps(content, allow_nan=False))


def test_the_published_schema_is_that_of_the_code() -> None:
    """``python -m llm_validation.audit.report.schema`` writes it."""
    assert json.loads(SCHEMA_FILE.read_text(encoding="utf-8")) == schema()


def test_the_schema_refuses_what_is_not_in_the_contract(demo: Report) -> None:
    content = record(demo)
    for broken in (
        {**content, "more": 1},
        {**content, "level": "all"},
        {k: v for k, v in content.items() if k != "groups"},
    ):
        with pytest.raises(ValueError, match="validation error"):
            AuditRecord.model_validate_json(json.dumps(broken))
