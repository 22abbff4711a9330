"""What ``qae verify`` shows while it runs: a live table on a terminal, one line a claim elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
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
_FRAME_LINES = 7  # the table's header and borders, the bar, and the line of the cursor


class Display(Protocol):
    """Is told what happens."""

    def add(self, outcome: Outcome) -> None:
        """A piece of evidence is done."""

    def judged(self, entry: Entry) -> None:
        """All evidence of a claim is done."""


@contextmanager
def progress_display(console: Console, claims: Sequence[Claim], evidence: Sequence[Evidence]) -> Iterator[Display]:
    """The display that suits the console."""
    if not console.is_terminal:
        yield LineDisplay(console, evidence)
        return
    table = TableDisplay(console, claims, evidence)
    with Live(console=console, get_renderable=table.render, refresh_per_second=4, vertical_overflow="visible"):
        yield table
        table.finish()


class Tally:
    """Evidence done and registered, by claim and kind, and seconds by claim."""

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        """Nothing is done yet."""
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
        """``symbolic proof 1/1, witness 0/2``."""
        kinds = (kind for kind in Kind if self.total[claim_id, kind])
        return ", ".join(f"{kind} {self.done[claim_id, kind]}/{self.total[claim_id, kind]}" for kind in kinds)


class LineDisplay:
    """One plain line a claim, when its evidence is complete."""

    def __init__(self, console: Console, evidence: Sequence[Evidence]) -> None:
        """Print to this console."""
        self._console = console
        self._tally = Tally(evidence)

    def add(self, outcome: Outcome) -> None:
        """Count it."""
        self._tally.add(outcome)

    def judged(self, entry: Entry) -> None:
        """Print the claim's line."""
        name = entry.claim.id
        mark = "BROKEN" if entry.problems else entry.verdict.value
        line = f"{mark:<25} {name} [{entry.claim.update}] {self._tally.kinds(name)}, {self._tally.seconds[name]:.1f} s"
        self._console.print(line, markup=False, soft_wrap=True)


class TableDisplay:
    """A live table with a progress bar. While it runs it shows as many claims as the screen holds, then all."""

    def __init__(self, console: Console, claims: Sequence[Claim], evidence: Sequence[Evidence]) -> None:
        """Show these claims, none of them judged yet."""
        self._console = console
        self._claims = claims
        self._tally = Tally(evidence)
        self._with_evidence = {item.claim for item in evidence}
        self._entries: dict[str, Entry] = {}
        self._latest: list[str] = []
        self._finished = False
        self._bar = Progress(
            TextColumn("evidence"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        )
        self._task = self._bar.add_task("evidence", total=len(evidence))

    def add(self, outcome: Outcome) -> None:
        """Count it, advance the bar, and bring the claim into view."""
        self._tally.add(outcome)
        self._bar.advance(self._task)
        self._latest = [name for name in self._latest if name != outcome.claim] + [outcome.claim]

    def judged(self, entry: Entry) -> None:
        """Show the verdict."""
        self._entries[entry.claim.id] = entry

    def finish(self) -> None:
        """From now on show every claim."""
        self._finished = True

    def render(self) -> Group:
        """The table and the bar as they are now."""
        table = Table(expand=False)
        for header in ("claim", "update", "verdict", "evidence"):
            table.add_column(header, overflow="fold", no_wrap=header != "evidence")
        table.add_column("seconds", justify="right")
        for claim in self._visible():
            table.add_row(*self._row(claim))
        return Group(table, self._bar)

    def _visible(self) -> list[Claim]:
        room = max(1, self._console.height - _FRAME_LINES)
        if self._finished or len(self._claims) <= room:
            return list(self._claims)
        pending = [claim.id for claim in self._claims if self._is_pending(claim)]
        latest = self._latest[-(room - min(len(pending), room // 3)) :]
        shown = set(latest) | set([name for name in pending if name not in latest][: room - len(latest)])
        return [claim for claim in self._claims if claim.id in shown]

    def _is_pending(self, claim: Claim) -> bool:
        return claim.id in self._with_evidence and claim.id not in self._entries

    def _row(self, claim: Claim) -> tuple[Text, ...]:
        seconds = self._tally.seconds[claim.id]
        return (
            Text(claim.id),
            Text(claim.update, style="dim"),
            self._verdict(claim),
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
