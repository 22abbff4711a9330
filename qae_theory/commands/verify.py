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

from qae_theory.commands.ending import FAILED, INTERRUPTED, WRONG_USAGE, complain, fail
from qae_theory.commands.places import require_file, require_folder

if TYPE_CHECKING:
    from rich.console import Console

    from qae_theory.claims.ledger import Ledger
    from qae_theory.claims.model import Claim, Effort, Entry, Outcome
    from qae_theory.commands.kept import Kept

STDOUT = "-"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(
        "verify",
        epilog="Examples: qae verify --quick | qae verify eq4-float safe-step | qae verify --all --json ledger.json",
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
    each: Annotated[
        bool, typer.Option("--all", help="Show each claim and each line by condition, with its evidence.")
    ] = False,
    listing: Annotated[bool, typer.Option("--list", help="Show the claims' ids and titles, and exit.")] = False,
) -> None:
    """Check the paper's claims and write what is proved, what holds under an assumption and what is refuted.

    What an interrupted run has checked is kept, and the same command goes on from there. Exit status: 0, also when
    claims are refuted; 1 when evidence broke or contradicts itself; 2 for wrong usage.
    """
    require_folder("verify", out)
    if json_file not in (None, STDOUT):
        require_file("verify", Path(str(json_file)), "--json")
    wanted = Wanted(tuple(claims or ()), quick=quick, seed=seed, each=each or bool(claims), listing=listing)
    raise typer.Exit(_verify(wanted, json_file, out, jobs))


@dataclass(frozen=True, kw_only=True)
class Written:
    """Paths that a run wrote."""

    run_id: str
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Wanted:
    """Hold what is to be checked and shown.

    Attributes:
        claims: ids; none stands for all.
        quick: whether checks run at their small sizes.
        seed: of everything random; None is the fixed one.
        each: whether each claim is shown with its evidence.
        listing: whether the claims are only listed.
    """

    claims: tuple[str, ...]
    quick: bool
    seed: int | None
    each: bool
    listing: bool

    @property
    def effort(self) -> Effort:
        """Return how much each check may spend."""
        from qae_theory.claims.model import Effort

        return Effort(quick=self.quick) if self.seed is None else Effort(quick=self.quick, seed=self.seed)

    @property
    def config(self) -> dict[str, Any]:
        """Return what determines the run, in JSON's types."""
        return {
            "experiment": "verify",
            "claims": sorted(set(self.claims)) or "all",
            "quick": self.effort.quick,
            "seed": self.effort.seed,
        }


def _verify(wanted: Wanted, json_file: str | None, out: Path, jobs: int | None) -> int:
    """Run what is wanted, write it and show it; return the exit status."""
    from rich.console import Console

    from qae_theory.claims import ledger as ledgers
    from qae_theory.runs.provenance import usable_cores

    console = Console(stderr=json_file == STDOUT, highlight=False)
    started = time.perf_counter()
    try:
        ledger = ledgers.load_ledger()
    except Exception as error:  # a provider's own code; whatever it raises, no verdict may be given
        complain("verify", f"evidence could not be loaded: {type(error).__name__}: {error}")
        return FAILED
    chosen = choose(ledger, wanted.claims)
    if wanted.listing:
        for claim in chosen:
            typer.echo(f"{claim.id:<42} {claim.title}")
        return 0
    if not ledger.evidence:
        complain("verify", "no evidence is registered; install the package first")
        return FAILED
    entries, written = _checked(ledger, chosen, wanted, json_file, out, jobs=jobs or usable_cores(), console=console)
    _show(console, ledger, entries, written, each=wanted.each, seconds=time.perf_counter() - started)
    return exit_status(entries)


def _checked(
    ledger: Ledger,
    claims: Sequence[Claim],
    wanted: Wanted,
    json_file: str | None,
    out: Path,
    *,
    jobs: int,
    console: Console,
) -> tuple[list[Entry], Written]:
    """Return the entries and what was written of them; end the command where that cannot be done.

    What an interrupted run of the same code has checked is taken from there, and what this one checks is kept for the
    case that it is interrupted.
    """
    from concurrent.futures.process import BrokenProcessPool

    from qae_theory.commands.kept import keeping
    from qae_theory.runs.code import code_version
    from qae_theory.runs.locks import BusyError

    started = time.perf_counter()
    kept: Kept | None = None
    try:
        with keeping(out, wanted.config, code_version(_modules())) as kept:
            entries = run_claims(ledger, claims, wanted.effort, jobs=jobs, console=console, kept=kept)
            return entries, write(entries, wanted, out, json_file, time.perf_counter() - started)
    except KeyboardInterrupt:
        done = f"; {len(kept)} pieces of evidence are kept, the same command goes on" if kept else ""
        fail("verify", f"interrupted{done}", INTERRUPTED)
    except (OSError, BrokenProcessPool, BusyError) as error:
        fail("verify", str(error), FAILED)


def choose(ledger: Ledger, claim_ids: Sequence[str]) -> list[Claim]:
    """Return the named claims in the ledger's order, or all; end the command where an id is unknown."""
    from qae_theory.runs.names import did_you_mean

    known = [claim.id for claim in ledger.claims]
    for unknown in (name for name in claim_ids if name not in known):
        allowed = "CLAIM must be the id of a claim, which `qae verify --list` shows"
        fail("verify", f"{allowed}; got {unknown!r}{did_you_mean(unknown, known)}", WRONG_USAGE)
    return [claim for claim in ledger.claims if not claim_ids or claim.id in claim_ids]


def run_claims(
    ledger: Ledger,
    claims: Sequence[Claim],
    effort: Effort,
    *,
    jobs: int,
    console: Console,
    kept: Kept | None = None,
) -> list[Entry]:
    """Run the evidence of the claims, showing it as it comes, and judge each claim when its evidence is complete.

    Args:
        ledger: all claims and their evidence.
        claims: those to judge.
        effort: how much each check may spend.
        jobs: worker processes.
        console: where the progress is shown.
        kept: what an interrupted run has checked, which is not run again, and where outcomes are kept.
    """
    from qae_theory.claims.run import run_all
    from qae_theory.claims.verdict import judge
    from qae_theory.commands.progress import progress_display

    evidence = [item for claim in claims for item in ledger.evidence_for(claim.id)]
    outcomes: dict[tuple[str, str], Outcome] = {} if kept is None else kept.of(evidence)
    if outcomes:
        console.print(f"{len(outcomes)} of {len(evidence)} pieces of evidence were checked before", markup=False)
    left = [item for item in evidence if (item.claim, item.name) not in outcomes]
    by_id = {claim.id: claim for claim in claims}

    def entry_of(claim: Claim) -> Entry:
        """Judge a claim whose evidence is all done."""
        return judge(claim, [outcomes[item.claim, item.name] for item in ledger.evidence_for(claim.id)])

    running = run_all(left, effort, jobs=max(1, min(jobs, len(left))))
    with progress_display(console, len(evidence), done=len(outcomes)) as display, closing(running):
        for outcome in running:
            outcomes[outcome.claim, outcome.name] = outcome
            if kept is not None:
                kept.add(outcome)
            display.add(outcome)
            if all((item.claim, item.name) in outcomes for item in ledger.evidence_for(outcome.claim)):
                display.judged(entry_of(by_id[outcome.claim]))
    return [entry_of(claim) for claim in claims]


def write(entries: Sequence[Entry], wanted: Wanted, out: Path, json_file: str | None, seconds: float) -> Written:
    """Write the run's folder and, if asked for, the JSON file."""
    import platform

    from qae_theory.claims import report_html, report_markdown
    from qae_theory.claims.report import RunFacts
    from qae_theory.claims.serial import ledger_records, metrics_records
    from qae_theory.runs.files import to_json, write_atomically
    from qae_theory.runs.folders import write_run
    from qae_theory.runs.provenance import git_state

    ledger_json = to_json(ledger_records(entries))
    effort = wanted.effort
    commit = (git_state() or {}).get("commit")
    with write_run(out, "verify", wanted.config, seed=effort.seed, modules=_modules()) as run:
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
    return Written(run_id=run.id, paths=tuple(paths))


def exit_status(entries: Iterable[Entry]) -> int:
    """Return 1 when anything broke or contradicts, else 0: a refuted claim is a result."""
    return int(any(entry.problems for entry in entries))


def _show(
    console: Console, ledger: Ledger, entries: Sequence[Entry], written: Written, *, each: bool, seconds: float
) -> None:
    """Print the verdicts, what would run the rest, the counts, and where the report is."""
    from rich.text import Text

    from qae_theory.commands import screen

    width = screen.width_of(console)
    shown = screen.each_line(entries, ledger.evidence, width) if each else screen.verdict_lines(entries, width)
    for line in shown:
        text = Text(line.text)
        if line.verdict is not None:
            text.stylize(screen.STYLES[line.verdict], 0, line.end)
        console.print(text, soft_wrap=True)
    for plain in [
        *screen.not_run_lines(entries, width),
        *screen.closing_lines(entries, width, seconds),
        *(f"wrote {path}" for path in written.paths),
    ]:
        console.print(plain, markup=False, soft_wrap=True)


def _modules() -> tuple[str, ...]:
    """Return the modules that the installed evidence is made of."""
    from importlib.metadata import entry_points

    from qae_theory.claims.ledger import EVIDENCE_GROUP

    return tuple(sorted({point.module for point in entry_points(group=EVIDENCE_GROUP)}))
