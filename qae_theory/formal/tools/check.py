"""Check the Coq proofs from end to end: ``python -m qae_theory.formal.tools.check``.

Scans the sources, compiles them, surveys statements and axioms, compiles the pins and their negative controls, holds
the definitions against the shipped Python, lets ``coqchk`` read the compiled modules, and writes ``checked.json``.
``--update`` writes ``statements.txt``, ``axioms.txt`` and the pins first; without it they must be what is committed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from qae_theory.formal.tools import build, coq, layout, pins, record, scan, sources, survey, ties

_UPDATE = "python -m qae_theory.formal.tools.check --update"


def main(arguments: list[str] | None = None) -> int:
    """Run every check, and return the exit status: 0 if all passed, 1 if one failed, 2 if Coq is missing."""
    options = _parser().parse_args(arguments)
    # Missing Coq is no failure of the proofs; it has an exit status of its own.
    absent = coq.missing()
    if absent is not None:
        print(absent, file=sys.stderr)
        print(record.without_coq(), file=sys.stderr)
        return 2
    start = time.monotonic()
    try:
        _run(options)
    except (coq.CheckError, ValueError) as failure:
        print(f"FAILED: {failure}", file=sys.stderr)
        return 1
    # Last of all: a note of a run that failed half-way would say too much.
    record.write_passed()
    written = record.write(coq.version())
    print(f"all passed in {time.monotonic() - start:.0f} s with Coq {written.coq}; {layout.CHECKED.name} is written")
    return 0


def _run(options: argparse.Namespace) -> None:
    _stage("scan", _scan)
    _stage("compile", lambda: _compile(options.jobs))
    theorems, without = sources.claim_theorems()
    if without and not options.partial:
        raise coq.CheckError(f"these claims have no theorem: {', '.join(without)}")
    if options.update:
        _stage("new pins", lambda: _new_pins(theorems))
    _stage("statements and axioms", lambda: _survey(theorems, write=options.update, jobs=options.jobs))
    # Independent of one another, and each runs one program at a time.
    stages: list[tuple[str, Callable[[], str]]] = [
        ("ties", ties.check),
        ("coqchk", lambda: record.check_compiled(libraries=options.libraries)),
        ("pins", lambda: _pins(theorems)),
        ("controls", _controls),
    ]
    with ThreadPoolExecutor(options.jobs) as pool:
        for stage in [pool.submit(_stage, name, work) for name, work in stages]:
            stage.result()


def _stage(name: str, work: Callable[[], str]) -> None:
    """Run one stage, and print its name, how long it took and what it said."""
    start = time.monotonic()
    said = work()
    print(f"{name:22} {time.monotonic() - start:6.1f} s   {said}", flush=True)


def _scan() -> str:
    """Scan the sources for what leaves something unproved, after the scan has found its planted gaps."""
    # A scan that misses a planted gap says nothing about the sources.
    failed = scan.failed_controls()
    if failed:
        raise coq.CheckError(f"the scan is wrong about: {'; '.join(failed)}")
    findings = scan.scan_all()
    if findings:
        raise coq.CheckError("; ".join(map(str, findings)))
    return f"{len(sources.modules())} files leave nothing open; {len(scan.PLANTED)} planted gaps were found"


def _compile(jobs: int) -> str:
    """Compile what is stale, and say how much that was."""
    seconds = build.compile_all(jobs=jobs)
    slowest = max(seconds, key=lambda module: seconds[module], default=None)
    return f"{len(seconds)} of {len(sources.modules())} files" + (
        f", slowest {slowest} with {seconds[slowest]:.0f} s" if slowest else ""
    )


def _survey(theorems: dict[str, sources.Theorem], *, write: bool, jobs: int) -> str:
    """Ask Coq for each theorem's statement and axioms, and compare them with what is committed."""
    # A list that lets a planted axiom through says nothing about the theorems.
    failed = survey.failed_controls()
    if failed:
        raise coq.CheckError(f"the list of allowed axioms is wrong about {', '.join(failed)}")
    surveyed = survey.survey(theorems, jobs=jobs)
    faults = [f"{each.claim} uses {', '.join(each.forbidden)}" for each in surveyed if each.forbidden]
    # A statement may use the notions of one file only, which a reader can check.
    faults += [
        f"{each.claim} speaks of {', '.join(each.outside_definitions)}" for each in surveyed if each.outside_definitions
    ]
    if faults:
        raise coq.CheckError("; ".join(faults))
    for file, text in (
        (layout.STATEMENTS, survey.statements_text(surveyed)),
        (layout.AXIOMS, survey.axioms_text(surveyed)),
    ):
        _write_or_compare(file, text, write=write)
    return f"{len(surveyed)} theorems, all within the allowed axioms"


def _write_or_compare(file: Path, text: str, *, write: bool) -> None:
    """Write a committed result, or check that it is what Coq says now."""
    if write:
        file.write_text(text, encoding="utf-8")
    elif not file.is_file() or file.read_text(encoding="utf-8") != text:
        raise coq.CheckError(f"{file.name} is not what Coq says now: {_UPDATE}")


def _new_pins(theorems: dict[str, sources.Theorem]) -> str:
    """Write the pins and the changed pins from the sources."""
    changes = pins.find_changes(theorems)
    layout.PINS.write_text(pins.pins_text(theorems), encoding="utf-8")
    layout.CHANGED_PINS.write_text(pins.changed_pins_text(theorems, changes), encoding="utf-8")
    return f"{len(changes)} theorems"


def _pins(theorems: dict[str, sources.Theorem]) -> str:
    """Check that each theorem still has the pinned statement, and that each changed one is refused."""
    # White space aside: an editor may break the lines of the committed file otherwise.
    if not layout.PINS.is_file() or layout.PINS.read_text(encoding="utf-8").split() != pins.pins_text(theorems).split():
        raise coq.CheckError(f"{layout.PINS.name} does not pin the statements of the sources: {_UPDATE}")
    pins.check_pins()
    refused = pins.check_changed_pins(theorems)
    return f"{len(theorems)} statements pinned, {refused} changed ones refused"


def _controls() -> str:
    """Say how many planted falsehoods are refuted as theorems, in one file or more.

    Each theorem of these files is a control.
    """
    names = [name for name in sources.theorems() if name.startswith("control_")]
    files = [module for module in sources.modules() if module.startswith("Controls")]
    # A check that no falsehood can fail is none.
    if not names or not files:
        raise coq.CheckError("no planted falsehood is refuted")
    return f"{len(names)} planted falsehoods refuted, in {len(files)} files"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m qae_theory.formal.tools.check", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write statements, axioms and pins before the checks")
    parser.add_argument("--partial", action="store_true", help="let claims be without a theorem")
    parser.add_argument(
        "--libraries", action="store_true", help="let coqchk read Coq's libraries too, all but Interval.Tactic"
    )
    parser.add_argument("--jobs", type=int, default=2, help="programs of Coq that run at a time")
    return parser


if __name__ == "__main__":
    sys.exit(main())
