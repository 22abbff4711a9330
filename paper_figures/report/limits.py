"""What the report cannot say, and why: read from the ledger and from the figures' index, nothing typed by hand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from paper_figures.report.entries import Line
from paper_figures.report.pictures import Picture
from qae_theory.claims.model import Verdict
from qae_theory.claims.report import not_run_reason

_RUN = re.compile(r"run ([0-9a-f]{12}), (\w+) size(, code changed since)?")
CLUSTER = "cluster/"


@dataclass(frozen=True)
class Limit:
    """A heading, a sentence, and its items (plain text, with code between backticks)."""

    title: str
    says: str
    items: tuple[str, ...] = ()


def limits(lines: Sequence[Line], pictures: Sequence[Picture]) -> list[Limit]:
    """All of them, those without items included where it says something that there are none."""
    return [
        _not_run(lines),
        _without_data(pictures),
        _stand_ins(pictures),
        _full_scale(pictures),
        _runs([*_said_by_evidence(lines), *_said_by_panels(pictures)]),
        *_doubts(lines),
    ]


def _not_run(lines: Sequence[Line]) -> Limit:
    by_reason: dict[str, list[str]] = {}
    for line in lines:
        if line.entry.verdict is Verdict.NOT_RUN:
            by_reason.setdefault(not_run_reason(line.entry), []).append(line.entry.claim.id)
    number = sum(map(len, by_reason.values()))
    items = (f"{_codes(ids)}: {reason}" for reason, ids in by_reason.items())
    return Limit("Claims that nobody has run here", f"{number} of {len(lines)} claims.", tuple(items))


def _without_data(pictures: Sequence[Picture]) -> Limit:
    items = [
        f"`{picture.name}`, {panel['title']}: {panel['missing']}"
        for picture in pictures
        for panel in picture.panels
        if panel["missing"]
    ]
    return Limit("Panels without data of ours", f"{len(items)} of {_panels(pictures)} panels.", tuple(items))


def _stand_ins(pictures: Sequence[Picture]) -> Limit:
    """Figures by what they show in the place of what the paper shows."""
    shown = [(panel["stand_in"], picture.name) for picture in pictures for panel in picture.panels if panel["stand_in"]]
    by_stand_in: dict[str, list[str]] = {}
    for stand_in, name in shown:
        by_stand_in.setdefault(stand_in, []).append(name)
    items = (f"{_codes(dict.fromkeys(names))}: {stand_in}" for stand_in, names in by_stand_in.items())
    said = f"{len(shown)} of {_panels(pictures)} panels, each of which says so on its face."
    return Limit("Panels drawn from a stand-in", said, tuple(items))


def _full_scale(pictures: Sequence[Picture]) -> Limit:
    runs = sorted({one for picture in pictures for one in picture.sources if one.startswith(CLUSTER)})
    return Limit("Full scale", f"Runs of a cluster behind these pictures: {len(runs)}.", tuple(map(_code, runs)))


def _runs(texts: Iterable[str]) -> Limit:
    """Which of the runs that are named are small, or older than the code."""
    found = [match for text in texts for match in _RUN.finditer(text)]
    named = {match.group(1) for match in found}
    small = sorted({match.group(1) for match in found if match.group(2) == "quick"})
    old = sorted({match.group(1) for match in found if match.group(3)})
    items = [f"of quick size: {_codes(small)}"] if small else []
    items += [f"made by code that has changed since: {_codes(old)}"] if old else []
    counted = f"of quick size: {len(small)}; made by code that has changed: {len(old)}"
    said = f"Runs that are named here: {len(named)}; {counted}."
    return Limit("Small and old runs", said, tuple(items))


def _doubts(lines: Sequence[Line]) -> list[Limit]:
    items = tuple(f"`{line.entry.claim.id}`: {doubt}" for line in lines for doubt in line.doubts)
    said = f"{len(items)} differences. Run `qae verify` again."
    return [Limit("Ledger file and installed suite differ", said, items)] if items else []


def _said_by_evidence(lines: Sequence[Line]) -> list[str]:
    return [outcome.detail for line in lines for outcome in line.entry.outcomes]


def _said_by_panels(pictures: Sequence[Picture]) -> list[str]:
    return [panel["source"] for picture in pictures for panel in picture.panels]


def _panels(pictures: Sequence[Picture]) -> int:
    return sum(len(picture.panels) for picture in pictures)


def _code(text: str) -> str:
    return f"`{text}`"


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(map(_code, texts))
