"""Shows bends to a killer, each in a forked child: ``python -m tests.mutation.bends.run verify|pytest JOBS COUNT OUT``.

The parent imports once and works the plan's references out, so that a child compares at once. A bend is shown the
agreement of its own function; those that survive it, whatever else reaches the function, the quickest first, up to the
first that fails. Time never kills: a child that is not done after an hour counts as one that survived.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from qae_theory.proofs.contract.agreement.evidence import TIES
from tests.mutation.bends.bend import Bend, draw, every_bend, function_of, install, replace_code
from tests.mutation.forking import forked

KILLED, SURVIVED = 1, 0
AN_HOUR = 3600.0

# A named check that says whether it passed.
NamedCheck = tuple[str, Callable[[], bool]]


def main() -> int:
    """Show the bends to the killer that the command line names and store what became of each."""
    killer, jobs, count, out = sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    bends = [bend for tie in TIES for bend in every_bend(tie.function)] if count == "all" else draw(int(count))
    if killer == "verify":
        judge(evidence_checks(), bends, jobs, out, killer)
        return 0
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-m", "not slow"]
    folders = ["tests/qae_theory", "tests/meta"]
    return int(pytest.main([*options, *folders], plugins=[_Loop(bends, jobs, out)]))


def evidence_checks() -> list[NamedCheck]:
    """Return every piece of this package's evidence that ``qae verify --quick`` runs."""
    from qae_theory.claims.ledger import Ledger, read_catalogue
    from qae_theory.claims.model import Effort, Evidence, Status
    from qae_theory.claims.run import run_evidence
    from qae_theory.proofs import register

    ledger = Ledger(read_catalogue())
    register(ledger)
    effort = Effort(quick=True)

    def check(evidence: Evidence) -> NamedCheck:
        def passes() -> bool:
            return run_evidence(evidence, effort).status in (Status.PASSED, Status.SKIPPED)

        return f"{evidence.claim}::{evidence.name}", passes

    return [check(evidence) for evidence in ledger.evidence]


class _Loop:
    """Pytest plug-in: collects once, then shows the items to every bend in forked children."""

    def __init__(self, bends: list[Bend], jobs: int, out: Path) -> None:
        self.bends, self.jobs, self.out = bends, jobs, out

    def pytest_runtestloop(self, session: Any) -> bool:
        """In place of the usual loop."""
        checks = [(item.nodeid, self._check(session, item)) for item in session.items]
        judge(checks, self.bends, self.jobs, self.out, "pytest")
        return True

    @staticmethod
    def _check(session: Any, item: Any) -> Callable[[], bool]:
        def run() -> bool:
            failed = session.testsfailed
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            return bool(session.testsfailed == failed)

        return run


def judge(checks: Sequence[NamedCheck], bends: list[Bend], jobs: int, out: Path, killer: str) -> None:
    """Show every bend its function's own agreement; what survives, the other checks that reach the function."""
    for tie in TIES:
        for cell in tie.cells(True):
            cell.expected  # noqa: B018 - worked out here, once for all children
    gc.freeze()
    by_name, by_bend = dict(checks), {bend.name: bend for bend in bends}

    def own(bend: Bend) -> list[str]:
        marks = (f"shipped-agrees-{bend.function}::", f"says[{bend.function}]")
        return [name for name in by_name if any(mark in name for mark in marks)]

    killers = dict(shown(by_name, by_bend, own, jobs))
    print(f"{killer}: {_summary(killers)} by the agreement of their own function", flush=True)
    _store(killers, by_bend, out, killer)
    left = {name: by_bend[name] for name, check in killers.items() if check is None}
    if not left:
        return
    reached, seconds = profile(checks)
    print(f"{killer}: {len(checks)} checks, {sum(seconds.values()):.0f} s without a bend", flush=True)

    def others(bend: Bend) -> list[str]:
        names = set(by_name) - set(own(bend))
        return sorted((name for name in names if bend.function in reached[name]), key=seconds.__getitem__)

    for name, check in shown(by_name, left, others, jobs):
        killers[name] = check
        print(f"{killer}: {name}: {check or 'survives'}", flush=True)
        _store(killers, by_bend, out, killer)
    print(f"{killer}: {_summary(killers)} by all", flush=True)


def shown(
    checks: dict[str, Callable[[], bool]],
    bends: dict[str, Bend],
    relevant: Callable[[Bend], list[str]],
    jobs: int,
) -> Iterator[tuple[str, str | None]]:
    """Yield each bend with the first of its relevant checks that fails, None where none does."""
    with tempfile.TemporaryDirectory() as folder:
        places = {name: Path(folder) / str(i) for i, name in enumerate(bends)}

        def child(name: str) -> int:
            install(bends[name])
            for check in relevant(bends[name]):
                if not checks[check]():
                    places[name].write_text(check)
                    return KILLED
            return SURVIVED

        for name, _ in forked(bends, child, at_once=jobs, deadline=lambda _: AN_HOUR):
            yield name, places[name].read_text() if places[name].exists() else None


def _summary(killers: dict[str, str | None]) -> str:
    return f"{sum(check is not None for check in killers.values())} of {len(killers)} killed"


def _store(killers: dict[str, str | None], bends: dict[str, Bend], out: Path, killer: str) -> None:
    rows = []
    for name, check in killers.items():
        bend = bends[name]
        row = {"function": bend.function, "condition": bend.condition.says, "change": bend.change.says}
        rows.append({**row, "killed_by": check})
    out.mkdir(parents=True, exist_ok=True)
    (out / f"bends-{killer}.json").write_text(json.dumps(rows, indent=0) + "\n")


def profile(checks: Sequence[NamedCheck]) -> tuple[dict[str, set[str]], dict[str, float]]:
    """Return the functions that each check calls, and its duration, measured in a child: the parent stays clean."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "profile.json"
        statuses = dict(
            forked(["profile"], lambda _: _profile_into(store, checks), at_once=1, deadline=lambda _: AN_HOUR)
        )
        if statuses["profile"] != 0:
            failed = store.read_text() if store.exists() else "it ended early"
            raise SystemExit(f"the checks do not pass without a bend: {failed}")
        reached, seconds = json.loads(store.read_text())
    return {name: set(functions) for name, functions in reached.items()}, seconds


def _profile_into(store: Path, checks: Sequence[NamedCheck]) -> int:
    hits: set[str] = set()

    def noted(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def made(original: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                hits.add(name)
                return original(*args, **kwargs)

            return call

        return made

    for tie in TIES:
        replace_code(function_of(tie.function), noted(tie.function))
    reached, seconds, failed = {}, {}, []
    for name, check in checks:
        hits.clear()
        started = time.process_time()
        if not check():
            failed.append(name)
        reached[name], seconds[name] = sorted(hits), time.process_time() - started
    store.write_text(json.dumps(failed if failed else [reached, seconds]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
