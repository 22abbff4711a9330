"""Fills the examples and tables of ``docs/audit.md`` and ``docs/audit-comparison.md``. No test is here.

``python -m tests.llm_validation.audit.page`` renews both pages: an example is the audit of a planted run, made anew; a
table is drawn from the stored figures in ``docs/audit-*.json`` (see ``planted``, ``classes`` and ``peers``). A place is
marked by ``<!-- example: NAME -->`` or ``<!-- table: NAME -->`` and ends at ``<!-- end -->``.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from llm_validation.audit.checks.registry import run_checks
from llm_validation.audit.findings.finding import Finding
from llm_validation.audit.report.remedies import remedies
from tests import ROOT
from tests.llm_validation.audit import worlds
from tests.llm_validation.audit.audited import report_of
from tests.llm_validation.audit.peers import TOOLS
from tests.llm_validation.audit.planted import PLANTED, simulated

DOCS = ROOT / "docs"
PAGES = (DOCS / "audit.md", DOCS / "audit-comparison.md")
_PLACE = re.compile(r"<!-- (example|table): ([\w-]+) -->\n.*?<!-- end -->", re.DOTALL)


def filled(text: str) -> str:
    """Return a page with every marked place made anew."""
    return _PLACE.sub(lambda place: f"<!-- {place[1]}: {place[2]} -->\n{_made(place[1], place[2])}<!-- end -->", text)


def places(text: str, kind: str) -> list[str]:
    """Return the names of the marked places of one kind."""
    return [name for found, name in _PLACE.findall(text) if found == kind]


def _made(kind: str, name: str) -> str:
    return example(name) if kind == "example" else TABLES[name]()


# Examples


def example(name: str) -> str:
    """Return what the audit says of a run in which this one thing is wrong."""
    finding = found(name)
    told = [f"{finding.severity}: {finding.id}: {finding.says}", f"changes if: {finding.changes_if}"]
    told += [f"try: {remedy.what} [{remedy.source}]" for remedy in remedies(name)]
    return "\n".join(["```text", *told, "```", ""])


def found(name: str) -> Finding:
    """Return the finding of a diagnosis in its planted run."""
    if name == "entropy-metric":
        return _entropy_metric()
    difficulty, switch, plant = PLANTED[name]
    findings, _ = run_checks(plant(simulated(1, difficulty, switch)[0]).log())
    return next(one for one in findings if one.id == name)


def _entropy_metric() -> Finding:
    """Return the finding in a run whose trainer logs another mean than that of its tokens."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        worlds.probe(folder, worlds.made(0))
        worlds.lines(folder / "log.jsonl", [{"step": s, "data": {"actor/entropy": 0.55}} for s in range(1, 5)])
        findings = report_of(folder, aggregation="token-mean").findings
    return next(one for one in findings if one.id == "entropy-metric")


# Tables


@cache
def stored(name: str) -> Any:
    """Return stored figures."""
    return json.loads((DOCS / f"audit-{name}.json").read_text(encoding="utf-8"))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def planted_table() -> str:
    """Return hits and false alarms of every check."""
    rows = []
    for one in stored("scores")["scores"]:
        others = ", ".join(f"`{name}` {count}" for name, count in sorted(one["others"].items())) or "none"
        seeds = one["seeds"]
        rows.append(
            [f"`{one['finding']}`", f"{one['hits']} of {seeds}", f"{one['false_alarms']} of {seeds}", others]
        )  # fmt: skip
    return table(["planted", "found", "false alarms in the healthy run", "other findings in the planted run"], rows)


def onset_table() -> str:
    """Return how well onsets are found, beside a plain threshold on the entropy."""
    rows = []
    for one in stored("scores")["onsets"]:
        for how, prefix in (("changepoint", ""), ("threshold on the entropy", "threshold_")):
            seeds = one["seeds"]
            rows.append(
                [
                    one["switch"],
                    how,
                    f"{one[prefix + 'hits']} of {seeds}",
                    f"{one[prefix + 'median_error']:g}",
                    f"{one[prefix + 'false_alarms']} of {seeds}",
                    f"{one[prefix + 'drifting_false_alarms']} of {seeds}",
                ]
            )
    head = ["planted", "found by", "found", "median error, steps", "false alarms, healthy", "false alarms, learns fast"]
    return table(head, rows)


def class_table() -> str:
    """Return the sizes of the classes and what is in them, for every rule at its default options."""
    rows = []
    for one in stored("classes"):
        options = one["options"]
        if options.get("std", "population") != "population" or options.get("eps", 1e-6) not in (0.0, 1e-6):
            continue
        name = one["estimator"] + (f", eps {options['eps']:g}" if options else "")
        cells = [_class_cell(one["classes"][precision]) for precision in ("float32", "4 decimals", "bfloat16")]
        rows.append([f"`{name}`", str(one["size"]), *cells])
    return table(["rule", "G", "float32", "4 decimals", "bfloat16"], rows)


def _class_cell(found_class: Mapping[str, Any]) -> str:
    parts = [" or ".join(f"`{name}`" for name in found_class["estimators"])]
    for option, label in (("eps", "eps"), ("k", "K")):
        values = found_class[option]
        if len(values) > 1:
            shown = values if option == "k" else [f"{value:g}" for value in values]
            parts.append(f"{label} {_range(shown)}")
    if len(found_class["std"]) > 1:
        parts.append(f"std {' or '.join(found_class['std'])}")
    return ", ".join(parts)


def _range(values: Sequence[str]) -> str:
    if len(values) <= 3:
        return ", ".join(values)
    ordered = sorted(values, key=float)
    return f"{ordered[0]} to {ordered[-1]}"


def peer_table() -> str:
    """Return what each tool says of runs in which one thing is wrong."""
    runs = stored("peers")["runs"]
    rows = [[one["truth"], *(_cell(one[tool]) for tool in TOOLS)] for one in runs.values()]
    return table(["what is true", *_heads()], rows)


def file_table() -> str:
    """Return what each tool says of files as their writers left them."""
    files = stored("peers")["files"]
    rows = [[f"`{name}`: {one['truth']}", *(_cell(one[tool]) for tool in TOOLS)] for name, one in files.items()]
    return table(["file, and what it is", *_heads()], rows)


def _heads() -> list[str]:
    versions = stored("peers")["versions"]
    return [f"{tool} {versions[tool]}" if tool in versions else tool for tool in TOOLS]


def _cell(text: str) -> str:
    """Return text in which nothing is taken for markup."""
    return re.sub(r"([\\|*_<>`\[\]])", r"\\\1", text)


TABLES: Mapping[str, Callable[[], str]] = {
    "planted": planted_table,
    "onsets": onset_table,
    "classes": class_table,
    "peers": peer_table,
    "files": file_table,
}


def main() -> None:
    """Renew both pages."""
    from qae_theory.runs.files import write_atomically

    for path in PAGES:
        write_atomically(path, filled(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
