"""Write the bottom line and the counts of verdicts into README.md, and the table of all verdicts into docs/verdicts.md.

``python -m qae_theory.claims.readme [--check] [LEDGER_JSON]`` rewrites what is between the markers of each file and
nothing else. No verdict is computed here: counts and table are those of a ledger file. The bottom line is the text
that ``qae report`` shows too; a test holds each verdict that it names against the stored ledger.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from qae_theory.claims.ledger import read_catalogue
from qae_theory.claims.model import Kind, Role, Verdict
from qae_theory.claims.report import verdicts_line
from qae_theory.claims.report_markdown import table
from qae_theory.claims.text import markdown_cell
from qae_theory.runs.files import write_atomically

BEGIN, END = "<!-- ledger:begin -->", "<!-- ledger:end -->"
BOTTOM_LINE = "bottom_line.md"  # a file of this package
BOTTOM_BEGIN, BOTTOM_END = "<!-- bottom-line:begin -->", "<!-- bottom-line:end -->"
CITED = re.compile(r"`([\w@./-]+)`:\s+([a-z\s]+?)(?=[;)])")  # a claim with its verdict, as the bottom line names them
# The roles whose evidence a verdict rests on; one that found nothing rests on none.
_DECIDING_ROLES = {
    Verdict.PROVED: {Role.FOR},
    Verdict.REFUTED: {Role.AGAINST},
    Verdict.UNDER_ASSUMPTION: {Role.UNDER},
    Verdict.SUPPORTED: {Role.FOR, Role.UNDER},
    Verdict.ABSENT: set(),
    Verdict.OPPOSITE: set(),
    Verdict.UNDECIDED: set(),
    Verdict.NOT_RUN: set(),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write both files, or with ``--check`` say which is out of date. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m qae_theory.claims.readme",
        description="Write the counts and the table of verdicts into README.md and docs/verdicts.md.",
        epilog="Example: qae verify --json docs/ledger.json && python -m qae_theory.claims.readme",
    )
    parser.add_argument("ledger", nargs="?", type=Path, default=Path("docs/ledger.json"), metavar="LEDGER_JSON")
    parser.add_argument("--readme", type=Path, default=Path("README.md"), metavar="FILE", help="gets the counts")
    parser.add_argument("--table", type=Path, default=Path("docs/verdicts.md"), metavar="FILE", help="gets the table")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file differs")
    options = parser.parse_args(arguments)
    try:
        records = json.loads(options.ledger.read_text(encoding="utf-8"))
        # Both files are read before either is written: an error leaves both as they were.
        stale: dict[Path, str] = {}
        text = options.readme.read_text(encoding="utf-8")
        wanted = between_markers(text, counts(records))
        wanted = between_markers(wanted, bottom_line(), marks=(BOTTOM_BEGIN, BOTTOM_END))
        if wanted != text:
            stale[options.readme] = wanted
        text = options.table.read_text(encoding="utf-8")
        wanted = between_markers(text, ledger_table(records))
        if wanted != text:
            stale[options.table] = wanted
    except (OSError, ValueError, KeyError) as error:
        print(f"readme: {error}", file=sys.stderr)
        return 2
    for path, wanted in stale.items():
        if options.check:
            print(f"readme: {path} is out of date; run python -m qae_theory.claims.readme", file=sys.stderr)
        else:
            write_atomically(path, wanted)
    return int(options.check and bool(stale))


def bottom_line() -> str:
    """Return the findings for someone who trains, as a Markdown list. Claims are named as ```id`: verdict``."""
    return (files("qae_theory.claims") / BOTTOM_LINE).read_text(encoding="utf-8").strip()


def cited_verdicts(text: str) -> list[tuple[str, str]]:
    """Return the claims that a text names with their verdicts, in order: id and verdict."""
    return [(claim, " ".join(verdict.split())) for claim, verdict in CITED.findall(text)]


def between_markers(text: str, made: str, *, marks: tuple[str, str] = (BEGIN, END)) -> str:
    """Return the text with what was made put between its markers.

    Args:
        text: of a file.
        made: goes between the markers, on lines of its own.
        marks: the first and the last marker.

    Raises:
        ValueError: if the text lacks a marker, or has one twice.
    """
    begin, end = marks
    before, begin_mark, rest = text.partition(begin)
    _, end_mark, after = rest.partition(end)
    # With two pairs of markers it would be open which to write between.
    if not (begin_mark and end_mark) or text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"the text needs the lines {begin} and {end}, once each and in this order")
    return f"{before}{begin}\n{made}\n{end}{after}"


def counts(records: Sequence[Mapping[str, Any]]) -> str:
    """Return a sentence on the claims by verdict, and one on the lines by condition of families of claims."""
    claims = [record for record in records if record.get("condition") is None]
    lines = [record for record in records if record.get("condition") is not None]
    sentences = [f"{len(claims)} claims: {_by_verdict(claims)}."]
    if lines:
        sentences.append(f"{len(lines)} lines by condition: {_by_verdict(lines)}.")
    return " ".join(sentences)


def ledger_table(records: Sequence[Mapping[str, Any]]) -> str:
    """Return the counts, and a row for each claim: id, title, verdict, strongest evidence.

    Lines by condition are counted and have no row.
    """
    titles = {claim.id: " ".join(claim.title.split()) for claim in read_catalogue()}
    of_family: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        if record.get("condition") is not None:
            of_family.setdefault(record["family"], []).append(record)
    table_rows = []
    for record in records:
        if record.get("condition") is None:
            name, lines = record["id"], of_family.get(record["id"], [])
            evidence = f"{len(lines)} lines by condition: {_by_verdict(lines)}" if lines else strongest_evidence(record)
            table_rows.append([f"`{name}`", markdown_cell(titles.get(name, "")), record["verdict"], evidence])
    return f"{counts(records)}\n\n{table(['Claim', 'What it says', 'Verdict', 'Strongest evidence'], table_rows)}"


def _by_verdict(records: Sequence[Mapping[str, Any]]) -> str:
    """Return how many records have each verdict, in the order of the verdicts, as words."""
    return verdicts_line(Verdict(record["verdict"]) for record in records)


def strongest_evidence(record: Mapping[str, Any]) -> str:
    """Return the strongest kind among the passed evidence that decided the verdict.

    For an assumption its witness is named too.
    """
    verdict = Verdict(record["verdict"])
    passed = [item for item in record["evidence"] if item["passed"]]
    kinds = [Kind(item["kind"]) for item in passed if Role(item["role"]) in _DECIDING_ROLES[verdict]]
    # Kinds are in order of strength.
    strongest = next((kind.value for kind in Kind if kind in kinds), "–")
    return f"{strongest}, witness without" if verdict is Verdict.UNDER_ASSUMPTION else strongest


if __name__ == "__main__":
    sys.exit(main())
