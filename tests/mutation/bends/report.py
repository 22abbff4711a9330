"""Put what became of the bends in one table: ``python -m tests.mutation.bends.report RESULTS docs/bends.csv``."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

from qae_theory.runs.files import write_atomically

KILLERS = ("verify", "pytest")
WORDS = ("function", "change", "condition")


def main() -> int:
    """Read the results of both killers and write the table, whole."""
    results, table = Path(sys.argv[1]), Path(sys.argv[2])
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for killer in KILLERS:
        path = results / f"bends-{killer}.json"
        if path.exists():
            for row in json.loads(path.read_text()):
                words = tuple(row[name] for name in WORDS)
                rows.setdefault(words, {})[killer] = row["killed_by"] or "survives"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*WORDS, *KILLERS])
    for words in sorted(rows):
        writer.writerow([*words, *(rows[words].get(killer, "not tried") for killer in KILLERS)])
    write_atomically(table, text.getvalue())
    for killer in KILLERS:
        tried = [found[killer] for found in rows.values() if killer in found]
        print(f"{killer}: {len(tried) - tried.count('survives')} of {len(tried)} killed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
