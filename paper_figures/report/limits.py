"""Say what the report cannot say, and why: read from the ledger and from the figures' index, nothing typed by hand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from paper_figures.report.entries import LedgerLine
from paper_figures.report.pictures import Picture
from qae_theory.claims.model import Verdict
from qae_theory.claims.report import not_run_reason

_RUN = re.compile(r"run ([0-9a-f]{12}), (\w+) size(, code changed since)?")
CLUSTER = "cluster/"


@dataclass(frozen=True)
class Limit:
    """A heading, a sentence, and items (plain text, with code between backticks)."""

    title: str
    sentence: str
    items: tuple[str, ...] = ()


def limits(ledger_lines: Sequence[LedgerLine], pictures: Sequence[Picture]) -> list[Limit]:
    """Return all limits, also those without items where it says something that there are none."""
    return [
        _not_run(ledger_lines),
        _without_data(pictures),
        _stand_ins(pictures),
        _full_scale(pictures),
        _runs([*_evidence_texts(ledger_lines), *_panel_texts(pictures)]),
        *_doubts(ledger_lines),
    ]


def _not_run(ledger_lines: Sequence[LedgerLine]) -> Limit:
    """Return the claims without evidence, grouped by what they lack."""
    by_reason: dict[str, list[str]] = {}
    for line in ledger_lines:
        if line.entry.verdict is Verdict.NOT_RUN:
            by_reason.setdefault(not_run_reason(line.entry), []).append(line.entry.claim.id)
    number = sum(map(len, by_reason.values()))
    items = (f"{_codes(ids)}: {reason}" for reason, ids in by_reason.items())
    return Limit("Claims that nobody has run here", f"{number} of {len(ledger_lines)} claims.", tuple(items))


def _without_data(pictures: Sequence[Picture]) -> Limit:
    """Return the panels that were drawn without data of ours, and what makes the data."""
    items = []
    for picture in pictures:
        missing = [panel for panel in picture.panels if panel["missing"]]
        items += [f"`{picture.name}`, {panel['title']}: {panel['missing']}" for panel in missing]
    return Limit("Panels without data of ours", f"{len(items)} of {_panels(pictures)} panels.", tuple(items))


def _stand_ins(pictures: Sequence[Picture]) -> Limit:
    """Return the figures by what they show in the place of what the paper shows."""
    by_stand_in: dict[str, list[str]] = {}
    for picture in pictures:
        for panel in picture.panels:
            if panel["stand_in"]:
                by_stand_in.setdefault(panel["stand_in"], []).append(picture.name)
    items = (f"{_codes(dict.fromkeys(names))}: {stand_in}" for stand_in, names in by_stand_in.items())
    count = sum(map(len, by_stand_in.values()))
    sentence = f"{count} of {_panels(pictures)} panels, each of which says so on its face."
    return Limit("Panels drawn from a stand-in", sentence, tuple(items))


def _full_scale(pictures: Sequence[Picture]) -> Limit:
    """Return the runs of a cluster that are behind the pictures."""
    sources = chain.from_iterable(picture.sources for picture in pictures)
    runs = sorted({source for source in sources if source.startswith(CLUSTER)})
    return Limit("Full scale", f"Runs of a cluster behind these pictures: {len(runs)}.", tuple(map(_code, runs)))


def _runs(texts: Iterable[str]) -> Limit:
    """Return which of the runs that are named in the texts are small, or older than the code."""
    mentions = list(chain.from_iterable(map(_RUN.finditer, texts)))
    # A run may be named by several claims and panels; it counts once.
    named = {mention.group(1) for mention in mentions}
    small = sorted({mention.group(1) for mention in mentions if mention.group(2) == "quick"})
    old = sorted({mention.group(1) for mention in mentions if mention.group(3)})
    items = [f"of quick size: {_codes(small)}"] if small else []
    items += [f"made by code that has changed since: {_codes(old)}"] if old else []
    counted = f"of quick size: {len(small)}; made by code that has changed: {len(old)}"
    sentence = f"Runs that are named here: {len(named)}; {counted}."
    return Limit("Small and old runs", sentence, tuple(items))


def _doubts(ledger_lines: Sequence[LedgerLine]) -> list[Limit]:
    """Return where the ledger file and the installed suite differ, if they do."""
    items = []
    for line in ledger_lines:
        items += [f"`{line.entry.claim.id}`: {doubt}" for doubt in line.doubts]
    sentence = f"{len(items)} differences. Run `qae verify` again."
    return [Limit("Ledger file and installed suite differ", sentence, tuple(items))] if items else []


def _evidence_texts(ledger_lines: Sequence[LedgerLine]) -> list[str]:
    outcomes = chain.from_iterable(line.entry.outcomes for line in ledger_lines)
    return [outcome.detail for outcome in outcomes]


def _panel_texts(pictures: Sequence[Picture]) -> list[str]:
    panels = chain.from_iterable(picture.panels for picture in pictures)
    return [panel["source"] for panel in panels]


def _panels(pictures: Sequence[Picture]) -> int:
    return sum(len(picture.panels) for picture in pictures)


def _code(text: str) -> str:
    return f"`{text}`"


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(map(_code, texts))
