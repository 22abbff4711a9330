"""The table of verdicts in README.md, made from a ledger file.

``python -m qae_theory.claims.readme [--check] [LEDGER_JSON]`` rewrites what is between the two markers and nothing
else. Computes no verdict.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qae_theory.claims.model import Kind, Role, Verdict
from qae_theory.claims.report_markdown import table
from qae_theory.runs.files import write_atomically

BEGIN, END = "<!-- ledger:begin -->", "<!-- ledger:end -->"
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
    """Write the table, or with ``--check`` say whether it is up to date. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m qae_theory.claims.readme",
        description="Write the claims table into README.md from a ledger file.",
        epilog="Example: qae verify --json docs/ledger.json && python -m qae_theory.claims.readme",
    )
    parser.add_argument("ledger", nargs="?", type=Path, default=Path("docs/ledger.json"), metavar="LEDGER_JSON")
    parser.add_argument("--readme", type=Path, default=Path("README.md"), metavar="FILE")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the table differs")
    options = parser.parse_args(arguments)
    try:
        text = options.readme.read_text(encoding="utf-8")
        wanted = with_table(text, json.loads(options.ledger.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError) as error:
        print(f"readme: {error}", file=sys.stderr)
        return 2
    if options.check:
        return _report_difference(options.readme, same=text == wanted)
    if text != wanted:
        write_atomically(options.readme, wanted)
    return 0


def with_table(text: str, records: Sequence[Mapping[str, Any]]) -> str:
    """The text with the ledger between its markers.

    Raises:
        ValueError: the markers are not there exactly once, in order.
    """
    before, found_begin, rest = text.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not (found_begin and found_end) or text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"the text needs the lines {BEGIN} and {END}, once each and in this order")
    return f"{before}{BEGIN}\n{ledger_table(records)}\n{END}{after}"


def ledger_table(records: Sequence[Mapping[str, Any]]) -> str:
    """A line of counts and a table: claim, update, verdict, strongest evidence."""
    found = Counter(record["verdict"] for record in records)
    counts = ", ".join(f"{found[verdict]} {verdict}" for verdict in Verdict if found[verdict])
    rows = [
        [f"`{record['id']}`", record["update"], record["verdict"], strongest_evidence(record)] for record in records
    ]
    return f"{len(records)} claims: {counts}.\n\n{table(['Claim', 'Update', 'Verdict', 'Strongest evidence'], rows)}"


def strongest_evidence(record: Mapping[str, Any]) -> str:
    """The strongest kind among the passed evidence that decided the verdict; for an assumption, with its witness."""
    verdict = Verdict(record["verdict"])
    passed = [item for item in record["evidence"] if item["passed"]]
    kinds = [Kind(item["kind"]) for item in passed if Role(item["role"]) in _DECIDING_ROLES[verdict]]
    strongest = next((kind.value for kind in Kind if kind in kinds), "–")
    return f"{strongest}, witness without" if verdict is Verdict.UNDER_ASSUMPTION else strongest


def _report_difference(readme: Path, *, same: bool) -> int:
    if same:
        return 0
    print(f"readme: the table in {readme} is out of date; run python -m qae_theory.claims.readme", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
