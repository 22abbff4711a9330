"""Small reports for tests, and what a test reads from the page. No test is here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from paper_figures import catalogue
from paper_figures.report import command as report_command
from tests import ROOT

STORED = ROOT / "docs" / "ledger.json"
NAMES = ("figure_4", "table_1", "zero_map")
VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "wbr"})

Record = dict[str, Any]


def stored_records() -> list[Record]:
    """The ledger that the repository keeps."""
    return list(json.loads(STORED.read_text(encoding="utf-8")))


def record(claim: str, **changes: Any) -> Record:
    """The stored record of a claim, with changes."""
    (found,) = [one for one in stored_records() if one["id"] == claim]
    return {**found, **changes}


def invoke(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path, names: Sequence[str] = NAMES) -> Result:
    """``qae report`` with a few figures only."""
    monkeypatch.setattr(catalogue, "NAMES", tuple(names))
    app = typer.Typer()
    report_command.register(app)
    return CliRunner().invoke(app, list(map(str, arguments)))


def write_ledger(path: Path, records: Sequence[Mapping[str, Any]]) -> Path:
    """A ledger file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


class Page(HTMLParser):
    """A page's elements with their attributes, and the text inside each that has an id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[tuple[str, str]] = []
        self.texts: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.elements.append((tag, found))
        if tag not in VOID:
            self.open.append((tag, found.get("id", "")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for _, name in self.open:
            if name:
                self.texts[name] = self.texts.get(name, "") + data

    def values(self, attribute: str, tag: str | None = None) -> list[str]:
        """The attribute's values, of one kind of element or of all."""
        return [found[attribute] for name, found in self.elements if attribute in found and tag in (None, name)]

    def levels(self) -> list[int]:
        """Levels of the headings, in order."""
        return [int(tag[1]) for tag, _ in self.elements if re.fullmatch("h[1-6]", tag)]


def table_verdicts(page: str) -> dict[str, str]:
    """Verdict by claim, as the ledger's table has them."""
    rows = re.findall(r'<tr class="is-[\w-]+ of-[\w-]+">.*?</tr>', page, re.DOTALL)
    return {_first(r'href="#claim-([^"]+)"', row): _first(r'class="badge [\w-]+">([^<]+)<', row) for row in rows}


def article_verdicts(page: str) -> dict[str, str]:
    """Verdict by claim, as the articles have them."""
    articles = re.findall(r'<article id="claim-([^"]+)">(.*?)</article>', page, re.DOTALL)
    return {claim: _first(r'class="badge [\w-]+">([^<]+)<', body) for claim, body in articles}


def article(page: str, claim: str) -> str:
    """A claim's article."""
    return _first(rf'<article id="claim-{claim}">(.*?)</article>', page)


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.DOTALL)
    assert found, pattern
    return found.group(1)
