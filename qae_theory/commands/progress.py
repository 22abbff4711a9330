"""What ``qae verify`` shows while it runs: a bar on a terminal and a table at the end, one line a claim elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from qae_theory.claims.model import Claim, Entry, Evidence, Kind, Outcome, Status, Verdict

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
_WIDE = 110  # columns from which the table has evidence and seconds beside the verdicts


class Display(Protocol):
    """Define what a display is told while evidence runs."""

    def add(self, outcome: Outcome) -> None:
        """Take note of a piece of evidence that is done."""

    def judged(self, entry: Entry) -> None:
        """Take note of a claim whose evidence is all done."""


@contextmanager
def progress_display(console: Console, claims: Sequence[Claim], evidence: Sequence[Evidence]) -> Iterator[Display]:
    """Yield the display that suits the console.

    That is a bar and a table on a terminal that can move its cursor, and lines elsewhere.
    """
    if not console.is_terminal or console.is_dumb_terminal:
        yield LineDisplay(console, claims, evidence)
        return
    display = BarDisplay(console, claims, evidence)
    with display.bar:
        yield display
    console.print(display.table())


class Tally:
    """Count evidence done and registered, by claim and kind, and seconds by claim."""

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        """Start with nothing done."""
        self.total = Counter((item.claim, item.strength) for item in evidence)
        self.done: Counter[tuple[str, Kind]] = Counter()
        self.seconds: Counter[str] = Counter()
        self.wrong: set[str] = set()

    def add(self, outcome: Outcome) -> None:
        """Count one outcome; evidence that was skipped is not done."""
        self.done[outcome.claim, outcome.kind] += outcome.status is not Status.SKIPPED
        self.seconds[outcome.claim] += outcome.seconds  # type: ignore[assignment]
        if outcome.status is Status.BROKEN:
            self.wrong.add(outcome.claim)

    def kinds(self, claim_id: str) -> str:
        """Return how many pieces of each kind are done: ``symbolic proof 1/1, witness 0/2``."""
        kinds = (kind for kind in Kind if self.total[claim_id, kind])
        return ", ".join(f"{kind} {self.done[claim_id, kind]}/{self.total[claim_id, kind]}" for kind in kinds)


class LineDisplay:
    """Print one plain line for each claim to be shown, when its evidence is complete."""

    def __init__(self, console: Console, claims: Sequence[Claim], evidence: Sequence[Evidence]) -> None:
        """Print these claims' lines to this console."""
        self._console = console
        self._shown = {claim.id for claim in claims}
        self._tally = Tally(evidence)

    def add(self, outcome: Outcome) -> None:
        """Count it."""
        self._tally.add(outcome)

    def judged(self, entry: Entry) -> None:
        """Print the claim's line; one that broke is printed always."""
        name = entry.claim.id
        if name not in self._shown and not entry.problems:
            return
        mark = "BROKEN" if entry.problems else entry.verdict.value
        line = f"{mark:<25} {name} [{entry.claim.update}] {self._tally.kinds(name)}, {self._tally.seconds[name]:.1f} s"
        self._console.print(line, markup=False, soft_wrap=True)


class BarDisplay:
    """Show one bar while evidence runs, with a line for each claim that breaks; then a table of all claims."""

    def __init__(self, console: Console, claims: Sequence[Claim], evidence: Sequence[Evidence]) -> None:
        """Show these claims, none of them judged yet."""
        self._console = console
        self._claims = claims
        self._tally = Tally(evidence)
        self._with_evidence = {item.claim for item in evidence}
        self._entries: dict[str, Entry] = {}
        self.bar = Progress(
            TextColumn("evidence"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        )
        self._task = self.bar.add_task("evidence", total=len(evidence))

    def add(self, outcome: Outcome) -> None:
        """Count it and advance the bar."""
        self._tally.add(outcome)
        self.bar.advance(self._task)

    def judged(self, entry: Entry) -> None:
        """Keep the verdict for the table; name a claim that broke at once, above the bar."""
        self._entries[entry.claim.id] = entry
        if entry.problems:
            self._console.print(Text(f"BROKEN {entry.claim.id}: {entry.problems[0]}", style="bold red"))

    def table(self) -> Table:
        """Return a row for each claim: its verdict, and on a wide terminal its update, evidence and seconds."""
        wide = self._console.width >= _WIDE
        table = Table(box=None, pad_edge=False, expand=False)
        for header in ("claim", "verdict", *(("update", "evidence") if wide else ())):
            table.add_column(header, overflow="fold")
        if wide:
            table.add_column("seconds", justify="right")
        for claim in self._claims:
            cells = (Text(claim.id), self._verdict(claim))
            table.add_row(*cells, *(self._details(claim) if wide else ()))
        return table

    def _details(self, claim: Claim) -> tuple[Text, Text, Text]:
        seconds = self._tally.seconds[claim.id]
        return (
            Text(claim.update, style="dim"),
            Text(self._tally.kinds(claim.id) or f"needs {claim.needs}", style="" if self._is_known(claim) else "dim"),
            Text(f"{seconds:.1f}" if seconds else ""),
        )

    def _is_known(self, claim: Claim) -> bool:
        return claim.id in self._with_evidence

    def _verdict(self, claim: Claim) -> Text:
        if claim.id in self._tally.wrong:
            return Text("BROKEN", style="bold reverse red")
        if claim.id in self._entries:
            verdict = self._entries[claim.id].verdict
            return Text(verdict.value, style=STYLES[verdict])
        return Text("…" if self._is_known(claim) else Verdict.NOT_RUN.value, style="dim")
