"""``qae verify``: run the evidence, judge the claims, write the ledger."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qae_theory.commands.ending import INTERRUPTED, complain, fail

if TYPE_CHECKING:
    from rich.console import Console

    from qae_theory.claims.ledger import Ledger
    from qae_theory.claims.model import Claim, Effort, Entry

STDOUT = "-"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(
        "verify",
        epilog="Examples: qae verify | qae verify eq4-float prop42-uncentred --quick | qae verify --json ledger.json",
    )(verify)


def verify(
    claims: Annotated[
        list[str] | None, typer.Argument(metavar="CLAIM", help="Claim ids; all claims if none is given.")
    ] = None,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write the ledger as JSON; - is standard output.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller sizes; every claim, the same verdicts.")] = False,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Results folder.")] = Path("results"),
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Seed of everything random; a fixed one if not given.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Worker processes; one a core if not given.")
    ] = None,
) -> None:
    """Check the paper's claims and write what is proved, what holds under an assumption and what is refuted.

    Exit status: 0, also when claims are refuted; 1 when evidence broke or contradicts itself; 2 for wrong usage.
    """
    if out.exists() and not out.is_dir():
        raise typer.BadParameter(f"{str(out)!r} is a file; a folder is needed", param_hint="--out")
    if json_file not in (None, STDOUT) and Path(str(json_file)).is_dir():
        raise typer.BadParameter(f"{json_file!r} is a folder; a file is needed", param_hint="--json")
    try:
        raise typer.Exit(_verify(claims or [], json_file, quick, out, seed, jobs))
    except KeyboardInterrupt:
        fail("verify", "interrupted", INTERRUPTED)


@dataclass(frozen=True)
class Written:
    """Paths that a run wrote."""

    run_id: str
    paths: tuple[Path, ...]


def _verify(
    claim_ids: Sequence[str], json_file: str | None, quick: bool, out: Path, seed: int | None, jobs: int | None
) -> int:
    from concurrent.futures.process import BrokenProcessPool

    from rich.console import Console

    from qae_theory.claims import ledger as ledgers
    from qae_theory.claims.model import Effort
    from qae_theory.runs.provenance import usable_cores

    console = Console(stderr=json_file == STDOUT, highlight=False)
    started = time.perf_counter()
    try:
        ledger = ledgers.load_ledger()
    except Exception as error:  # a provider's own code; whatever it raises, no verdict may be given
        complain("verify", f"evidence could not be loaded: {type(error).__name__}: {error}")
        return 1
    if not ledger.evidence:
        complain("verify", "no evidence is registered; install the package first")
        return 1
    chosen = choose(ledger, claim_ids)
    effort = Effort(quick=quick) if seed is None else Effort(quick=quick, seed=seed)
    try:
        entries = run_claims(ledger, chosen, effort, jobs=jobs or usable_cores(), console=console)
        written = write(entries, effort, claim_ids, out, json_file, time.perf_counter() - started)
    except (OSError, BrokenProcessPool) as error:
        complain("verify", str(error))
        return 1
    _summarise(console, entries, written, time.perf_counter() - started)
    return exit_status(entries)


def choose(ledger: Ledger, claim_ids: Sequence[str]) -> list[Claim]:
    """Return the named claims in the ledger's order, or all.

    Raises:
        typer.BadParameter: an id is unknown; the message lists close matches and all ids.
    """
    from difflib import get_close_matches

    known = [claim.id for claim in ledger.claims]
    for unknown in (name for name in claim_ids if name not in known):
        close = get_close_matches(unknown, known)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise typer.BadParameter(f"no claim {unknown!r}; {hint}Claims: {', '.join(known)}", param_hint="CLAIM")
    return [claim for claim in ledger.claims if not claim_ids or claim.id in claim_ids]


def run_claims(ledger: Ledger, claims: Sequence[Claim], effort: Effort, *, jobs: int, console: Console) -> list[Entry]:
    """Run the evidence of the claims, showing it as it comes, and judge each claim when its evidence is complete."""
    from qae_theory.claims.report import apart
    from qae_theory.claims.run import run_all
    from qae_theory.claims.verdict import judge
    from qae_theory.commands.progress import progress_display

    evidence = [item for claim in claims for item in ledger.evidence_for(claim.id)]
    outcomes: dict[tuple[str, str], Any] = {}
    entries = {claim.id: judge(claim, ()) for claim in claims}
    running = run_all(evidence, effort, jobs=max(1, min(jobs, len(evidence))))
    # Lines by condition are counted with their family, where it is there, and have no row of their own.
    shown = [entry.claim for entry in apart(entries.values())[0]]
    with progress_display(console, shown, evidence) as display, closing(running):
        for outcome in running:
            outcomes[outcome.claim, outcome.name] = outcome
            display.add(outcome)
            wanted = ledger.evidence_for(outcome.claim)
            if all((item.claim, item.name) in outcomes for item in wanted):
                claim = entries[outcome.claim].claim
                entries[claim.id] = judge(claim, [outcomes[item.claim, item.name] for item in wanted])
                display.judged(entries[claim.id])
    return list(entries.values())


def write(
    entries: Sequence[Entry],
    effort: Effort,
    claim_ids: Sequence[str],
    out: Path,
    json_file: str | None,
    seconds: float,
) -> Written:
    """Write the run's folder and, if asked for, the JSON file."""
    import platform

    from qae_theory.claims import report_html, report_markdown
    from qae_theory.claims.report import RunFacts
    from qae_theory.claims.serial import ledger_records, metrics_records
    from qae_theory.runs.files import to_json, write_atomically
    from qae_theory.runs.folders import write_run
    from qae_theory.runs.provenance import git_state

    ledger_json = to_json(ledger_records(entries))
    config = {
        "experiment": "verify",
        "claims": sorted(set(claim_ids)) or "all",
        "quick": effort.quick,
        "seed": effort.seed,
    }
    commit = (git_state() or {}).get("commit")
    with write_run(out, "verify", config, seed=effort.seed, modules=_modules()) as run:
        facts = RunFacts(run.id, effort.quick, effort.seed, seconds, platform.python_version(), commit)
        page, fallbacks = report_html.render(entries, facts)
        run.append_metrics(metrics_records(entries))
        run.write("ledger.json", ledger_json)
        run.write("ledger.md", report_markdown.render(entries, facts))
        run.write("ledger.html", page)
    for latex in fallbacks:
        complain("verify", f"formula shown as LaTeX in the report: {latex}")
    paths = [run.folder / name for name in ("ledger.html", "ledger.md", "ledger.json")]
    if json_file == STDOUT:
        sys.stdout.write(ledger_json)
    elif json_file is not None:
        write_atomically(Path(json_file), ledger_json)
        paths.append(Path(json_file))
    return Written(run.id, tuple(paths))


def exit_status(entries: Iterable[Entry]) -> int:
    """Return 1 when anything broke or contradicts, else 0: a refuted claim is a result."""
    return int(any(entry.problems for entry in entries))


def summary(entries: Sequence[Entry], seconds: float) -> list[str]:
    """Return the summary of a run: counts of claims and lines, what was not run or skipped and why, problems, time."""
    from qae_theory.claims.model import Verdict
    from qae_theory.claims.report import apart, counts_line, named, not_run_reason, skipped_lines

    by_reason: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.verdict is Verdict.NOT_RUN:
            by_reason.setdefault(not_run_reason(entry), []).append(entry)
    claims, families = apart(entries)
    return [
        f"{len(claims)} claims: {counts_line(claims)}",
        *(f"{len(lines)} lines by condition of {name}: {counts_line(lines)}" for name, lines in families.items()),
        *(f"not run, {reason}: {named(without)}" for reason, without in by_reason.items()),
        *skipped_lines(entries),
        *(f"PROBLEM {entry.claim.id}: {problem}" for entry in entries for problem in entry.problems),
        f"{seconds:.1f} s",
    ]


def _summarise(console: Console, entries: Sequence[Entry], written: Written, seconds: float) -> None:
    for line in [*summary(entries, seconds), *(f"wrote {path}" for path in written.paths)]:
        console.print(line, markup=False, soft_wrap=True)


def _modules() -> tuple[str, ...]:
    """Return the modules that the installed evidence is made of."""
    from importlib.metadata import entry_points

    from qae_theory.claims.ledger import EVIDENCE_GROUP

    return tuple(sorted({point.module for point in entry_points(group=EVIDENCE_GROUP)}))
