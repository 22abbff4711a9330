"""`python -m tests.qae_theory.enclosure.page FILE ...` puts figures of runs into docs/numerics.json and on its page.

Files are those that `--json` of ``tests.qae_theory.enclosure`` and of its ``widths`` wrote. What a file does not hold
stays as it was.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from qae_theory.claims.report_markdown import table
from qae_theory.runs.files import write_atomically
from tests import ROOT
from tests.qae_theory.enclosure import errors, steps
from tests.qae_theory.enclosure.run import METHODS

FIGURES, PAGE = ROOT / "docs" / "numerics.json", ROOT / "docs" / "numerics.md"
_TABLE = re.compile(r"(<!-- figures: ([a-z-]+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)
Figures = dict[str, Any]


def violations(figures: Figures) -> str:
    """Return the table of violations by kind of instances and kind of bounds."""
    names = (*METHODS, "enclosure")
    rows = [
        [kind, f"{found['instances']:,}", *(str(found["violations"][name]) for name in names)]
        for kind, found in figures["kinds"].items()
    ]
    return table(["instances", "how many", *(f"`{name}`" for name in names[:-1]), "enclosure"], rows)


def rounding(figures: Figures) -> str:
    """Return the table of the largest errors in units in the last place, with the number of values looked at."""
    kinds = figures["kinds"]
    rows = []
    for name in errors.FUNCTIONS:
        row = [f"`{name}`"]
        for found in kinds.values():
            row.append(f"{found['ulp'][name]:.0f} of {found['values'][name]:,}")
        rows.append(row)
    return table(["function", *kinds], rows)


def pooled(figures: Figures) -> str:
    """Return the table of ratios of widths over all policies and directions."""
    cells = [cell for cell in figures["widths"] if cell["policy"] == ""]
    rows = []
    for arms in dict.fromkeys(cell["arms"] for cell in cells):
        row = [f"{arms:,}"]
        for step_size in steps.STEP_SIZES:
            found = next(cell for cell in cells if (cell["arms"], cell["step_size"]) == (arms, step_size))
            row += [number(found[level]) for level in ("0.1", "0.5", "0.9")]
        rows.append(row)
    heads = [f"{level}, {name}" for name in steps.STEP_SIZES for level in ("10 %", "median", "90 %")]
    return table(["arms", *heads], rows)


def by_kind(step_size: str) -> Callable[[Figures], str]:
    """Return what makes the table of ratios of widths for one kind of step size, by policy and direction."""

    def made(figures: Figures) -> str:
        cells = [cell for cell in figures["widths"] if cell["policy"] and cell["step_size"] == step_size]
        kinds = list(dict.fromkeys((cell["policy"], cell["direction"]) for cell in cells))
        rows = []
        for arms in dict.fromkeys(cell["arms"] for cell in cells):
            here = {(cell["policy"], cell["direction"]): cell for cell in cells if cell["arms"] == arms}
            rows.append([f"{arms:,}", *(spread(here[kind]) for kind in kinds)])
        return table(["arms", *(f"{policy}, {direction}" for policy, direction in kinds)], rows)

    return made


def model(figures: Figures) -> str:
    """Return the table of ratios of widths on a language model's token logits."""
    rows = [
        [f"{row['change']:g}", f"{row['rows']} of {row['positions']}", *(number(row[x]) for x in ("0.1", "0.5", "0.9"))]
        for row in figures["model"]
    ]
    return table(["entropy moves by (nats)", "positions", "10 %", "median", "90 %"], rows)


def faults(figures: Figures) -> str:
    """Return the table of planted faults and the violations that were found."""
    return table(["planted fault", "violations"], [[name, str(n)] for name, n in figures["planted faults"].items()])


def safe_steps(figures: Figures) -> str:
    """Return the table of safe steps that were compared with their certificates."""
    found = figures["safe-steps"]
    return table(list(found), [[f"{count:,}" for count in found.values()]])


TABLES: Mapping[str, Callable[[Figures], str]] = {
    "violations": violations,
    "faults": faults,
    "rounding": rounding,
    "safe-steps": safe_steps,
    "pooled": pooled,
    "log-uniform": by_kind("log-uniform"),
    "uniform": by_kind("uniform"),
    "model": model,
}


def number(value: float) -> str:
    """Return a ratio with two digits that count, as a person reads it."""
    if value >= 1e9:
        return f"{value:.1e}".replace("e+0", "e").replace("e+", "e")
    return f"{value:.1f}" if value < 10 else f"{float(f'{value:.2g}'):,.0f}"


def spread(cell: Mapping[str, float]) -> str:
    """Return the median of a cell, with its deciles in brackets."""
    return f"{number(cell['0.5'])} ({number(cell['0.1'])} to {number(cell['0.9'])})"


def filled(page: str, figures: Figures) -> str:
    """Return the page with every table made again from the figures."""
    return _TABLE.sub(lambda found: "\n".join([found[1], TABLES[found[2]](figures), "", found[3]]), page)


def merged(figures: Figures, files: Iterable[Figures]) -> Figures:
    """Return the figures with those of the files in the place of what they name.

    Several files of one kind of instances, of runs with different seeds, are added up. Widths stay for the numbers of
    arms that no file has.
    """
    kinds: dict[str, Figures] = {}
    result = {**figures}
    for new in files:
        result |= {name: part for name, part in new.items() if name not in ("kinds", "widths")}
        if "widths" in new:
            result["widths"] = by_arms([*result.get("widths", []), *new["widths"]])
        for kind, found in new.get("kinds", {}).items():
            kinds[kind] = together(kinds[kind], found) if kind in kinds else found
    return {**result, "kinds": {**figures.get("kinds", {}), **kinds}}


def by_arms(cells: list[Figures]) -> list[Figures]:
    """Return the cells in order of their numbers of arms, the last of each kind."""
    last = {(cell["arms"], cell["step_size"], cell["policy"], cell["direction"]): cell for cell in cells}
    return sorted(last.values(), key=lambda cell: int(cell["arms"]))


def together(one: Figures, other: Figures) -> Figures:
    """Return counts of two runs on one kind of instances added up, and of errors and widths the larger ones."""
    joined: Figures = {"instances": one["instances"] + other["instances"]}
    for name in ("violations", "values", "refused"):
        joined[name] = {key: count + other[name][key] for key, count in one[name].items()}
    for name in ("ulp", "enclosure in ulp"):
        joined[name] = {key: max(value, other[name][key]) for key, value in one[name].items()}
    return joined


def main() -> int:
    """Put the figures of runs into docs/numerics.json and on its page."""
    parser = argparse.ArgumentParser(prog="python -m tests.qae_theory.enclosure.page", description=main.__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="what a run's --json wrote")
    options = parser.parse_args()
    old = json.loads(FIGURES.read_text("utf-8")) if FIGURES.exists() else {}
    figures = merged(old, [json.loads(file.read_text("utf-8")) for file in options.files])
    page = filled(PAGE.read_text("utf-8"), figures)
    write_atomically(FIGURES, json.dumps(figures, indent=1) + "\n")
    write_atomically(PAGE, page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
