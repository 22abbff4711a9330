"""Lay out what ``qae verify`` shows at its end: verdicts that fit the screen, and what would run the rest.

A claim, or a family of lines by condition, has one line. The lists of sections are folded to counts, the longest
first, until all of it fits on a few screens; ``--all`` lists everything.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from qae_theory.claims.model import Entry, Evidence, Kind, Status, Verdict
from qae_theory.claims.report import apart, by_section, counts_line, skipped_lines
from qae_theory.commands.wrapping import hanging, wrapped
from qae_theory.runs.checkout import applicable

if TYPE_CHECKING:
    from rich.console import Console

# Rows of claims and families: with the rows around them, they stay below 130 at any number of claims.
MOST_ROWS = 90
MOST_COMMANDS = 16
MOST_PROBLEMS = 8
LABEL_WIDTH = max(len(verdict.value) for verdict in Verdict)
_INDENT, _LABEL, _ID = 2, 11, 32
WIDE = 100  # columns from which there is room for titles
PLAIN_WIDTH = 100  # where no terminal says how wide it is
STYLES = {
    Verdict.PROVED: "green",
    Verdict.UNDER_ASSUMPTION: "cyan",
    Verdict.REFUTED: "red",
    Verdict.SUPPORTED: "blue",
    Verdict.ABSENT: "yellow",
    Verdict.OPPOSITE: "magenta",
    Verdict.UNDECIDED: "yellow",
    Verdict.NOT_RUN: "dim",
}
_SHORT = {Verdict.UNDER_ASSUMPTION: "conditional"}  # the others are short
_COMMAND = re.compile(r"run `((?:qae|make) [^`]+)`")
NO_COMMAND = "no command can"


@dataclass(frozen=True)
class Line:
    """Hold one line of the screen.

    Attributes:
        text: the line.
        verdict: what it begins with, if it does.
        end: where the verdict ends in the text.
    """

    text: str
    verdict: Verdict | None = None
    end: int = 0


def width_of(console: Console) -> int:
    """Return the columns of a terminal, and a fixed number elsewhere."""
    if not console.is_terminal:
        return PLAIN_WIDTH
    # Of a dumb terminal Rich does not ask the width.
    return get_terminal_size((console.width, 24)).columns if console.is_dumb_terminal else console.width


def verdict_lines(entries: Iterable[Entry], width: int, *, most: int = MOST_ROWS) -> list[Line]:
    """Return the claims with a verdict by section, one line each, and a line for each family by condition.

    Args:
        entries: the ledger.
        width: of the screen, in columns.
        most: rows that the lists may have; beyond it, the longest sections are folded to their counts.
    """
    claims, families = apart(entries)
    sections = {
        name: [entry for entry in inside if entry.verdict is not Verdict.NOT_RUN or entry.claim.id in families]
        for name, inside in by_section(claims).items()
    }
    folded = _folded(sections, most)
    lines: list[Line] = []
    for name, inside in sections.items():
        if name in folded:
            lines += [
                Line(text) for text in wrapped(f"{name}: {_counted(inside, 'claim')}: {counts_line(inside)}", width)
            ]
            continue
        rows = [row for entry in inside for row in _rows(entry, families.get(entry.claim.id, ()), width)]
        # Nothing of a section may have been run, and a heading alone would say nothing.
        lines += [Line(name), *rows] if rows else []
    return lines


def _folded(sections: Mapping[str, Sequence[Entry]], most: int) -> set[str]:
    """Return the sections that are shown as counts, the longest first, so that all rows together are few enough."""
    folded: set[str] = set()
    for name in sorted(sections, key=lambda name: -len(sections[name])):
        if sum(len(inside) + 1 for other, inside in sections.items() if other not in folded) + len(folded) <= most:
            break
        folded.add(name)
    return folded


def _rows(entry: Entry, conditions: Sequence[Entry], width: int) -> list[Line]:
    """Return the row of a claim, and that of its lines by condition where any of them has a verdict."""
    label = _SHORT.get(entry.verdict, entry.verdict.value)
    rows = []
    if entry.verdict is not Verdict.NOT_RUN:
        texts = hanging(f"{'':{_INDENT}}{label:<{_LABEL}}  ", _named(entry, width), width)
        rows += [Line(texts[0], entry.verdict, _INDENT + _LABEL), *map(Line, texts[1:])]
    decided = [line for line in conditions if line.verdict is not Verdict.NOT_RUN]
    if decided:
        whole = f"{entry.claim.id}, by condition: {counts_line(decided)}"
        rows += [Line(text) for text in hanging(" " * (_INDENT + _LABEL + 2), whole, width)]
    return rows


def each_line(entries: Iterable[Entry], evidence: Iterable[Evidence], width: int) -> list[Line]:
    """Return a line for every claim and every line by condition: verdict, update, evidence done of all, and seconds."""
    by_claim: dict[str, list[Evidence]] = {}
    for item in evidence:
        by_claim.setdefault(item.claim, []).append(item)
    lines: list[Line] = []
    for entry in entries:
        label = "BROKEN" if entry.problems else entry.verdict.value
        kinds = kinds_done(entry, by_claim.get(entry.claim.id, ())) or f"needs {entry.claim.needs}"
        seconds = sum(outcome.seconds for outcome in entry.outcomes)
        text = f"{entry.claim.id} [{entry.claim.update}] {kinds}, {seconds:.1f} s"
        texts = hanging(f"{label:<{LABEL_WIDTH}} ", text, width)
        lines += [Line(texts[0], entry.verdict, LABEL_WIDTH), *map(Line, texts[1:])]
    return lines


def kinds_done(entry: Entry, evidence: Iterable[Evidence]) -> str:
    """Return how many pieces of each kind were checked, of how many: ``symbolic proof 1/1, witness 0/2``.

    Evidence that was skipped was not checked.
    """
    total = Counter(item.strength for item in evidence)
    done = Counter(outcome.kind for outcome in entry.outcomes if outcome.status is not Status.SKIPPED)
    return ", ".join(f"{kind.value} {done[kind]}/{total[kind]}" for kind in Kind if total[kind])


def _named(entry: Entry, width: int) -> str:
    """Return a claim's id, and beside it on a wide screen as many words of its title as there is room for."""
    room = width - _INDENT - _LABEL - 2 - _ID - 2
    if width < WIDE or len(entry.claim.id) > _ID:
        return entry.claim.id
    return f"{entry.claim.id:<{_ID}}  {textwrap.shorten(entry.claim.title, room, placeholder=' …')}"


def not_run_lines(entries: Iterable[Entry], width: int) -> list[str]:
    """Return how many claims and lines by condition were not run, and for each command how many it would run."""
    waiting = [entry for entry in entries if entry.verdict is Verdict.NOT_RUN]
    if not waiting:
        return []
    by_remedy: dict[str, list[Entry]] = {}
    for entry in waiting:
        for remedy in remedies(entry):
            by_remedy.setdefault(remedy, []).append(entry)
    counts = {remedy: _claims_and_lines(those) for remedy, those in by_remedy.items()}
    lines = wrapped(f"not run: {_claims_and_lines(waiting)}. What would run them (several may be needed):", width)
    column = max(map(len, counts.values()))
    # What runs most comes first, and what nothing here can run comes last.
    order = sorted(counts, key=lambda remedy: (remedy == NO_COMMAND, -len(by_remedy[remedy])))
    for remedy in order[:MOST_COMMANDS]:
        named = f": {', '.join(entry.claim.id for entry in by_remedy[remedy][:4])}" if remedy == NO_COMMAND else ""
        lines += hanging(f"  {counts[remedy]:<{column}}  ", f"{remedy}{named}", width)
    left_out = len(counts) - MOST_COMMANDS
    return [*lines, *([f"  and {left_out} more: --all lists them"] if left_out > 0 else [])]


def remedies(entry: Entry) -> list[str]:
    """Return what would run a claim that was not run: commands, each once, or what has to be installed first."""
    skipped = [outcome.detail for outcome in entry.outcomes if outcome.status is Status.SKIPPED]
    found: dict[str, None] = {}  # a set that keeps the order
    for detail in skipped:
        command = _COMMAND.search(detail)
        if command is not None:
            found[command[1]] = None
        elif detail.startswith("not installed: "):
            found[f"install {detail.removeprefix('not installed: ')}"] = None
    if not skipped:
        found[f"evidence of {entry.claim.needs}, which is not installed"] = None
    return list(found) or [NO_COMMAND]


def closing_lines(entries: Sequence[Entry], width: int, seconds: float) -> list[str]:
    """Return the last lines: what was skipped beside other evidence, what broke, the counts and the time."""
    claims, families = apart(entries)
    conditions = [line for lines in families.values() for line in lines]
    problems = [f"PROBLEM {entry.claim.id}: {problem}" for entry in entries for problem in entry.problems]
    left_out = len(problems) - MOST_PROBLEMS
    texts = [
        *skipped_lines(entries),
        *(textwrap.shorten(problem, 400, placeholder=" ...") for problem in problems[:MOST_PROBLEMS]),
        *([f"and {left_out} problems more, in ledger.html"] if left_out > 0 else []),
        f"{_counted(claims, 'claim')}: {counts_line(claims)}",
        *([f"{_counted(conditions, 'line')} by condition: {counts_line(conditions)}"] if conditions else []),
        f"{seconds:.1f} s",
    ]
    return [line for text in texts for line in wrapped(applicable(text), width)]


def _claims_and_lines(entries: Sequence[Entry]) -> str:
    """Return ``2 claims, 18 lines``; a line is one by condition."""
    conditions = [entry for entry in entries if entry.claim.condition is not None]
    claims = [entry for entry in entries if entry.claim.condition is None]
    parts = [_counted(claims, "claim")] if claims else []
    return ", ".join([*parts, *([_counted(conditions, "line")] if conditions else [])])


def _counted(things: Sequence[object], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"
