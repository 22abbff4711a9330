"""The two killers, run inside the mutated tree: ``python -m tests.mutation.killers verify|pytest JOBS RESULT``.

A first child, unmutated, records which mutated functions each check calls and how long it takes. A mutant is then
shown the checks that call its function, the quickest first, up to the first that fails or takes far longer than it did.
Mutants are taken in strides, so that an interrupted run has seen an even sample; the result is stored as it grows.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from mutmut.mutation import trampoline

from tests.mutation.forking import TIMED_OUT, forked

SURVIVED, KILLED, UNREACHED = 0, 1, 3
STRIDE = 7

# A named check that says whether it passed.
NamedCheck = tuple[str, Callable[[], bool]]


def main() -> int:
    """Ask the killer named on the command line about every mutant."""
    killer, jobs, result = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    mutants = json.loads(Path("mutants.json").read_text())
    if killer == "verify":
        judge(evidence_checks(), mutants, jobs, result, killer)
        return 0
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-m", "not slow", "tests/qae_theory", "tests/meta"]
    return int(pytest.main(options, plugins=[_Loop(mutants, jobs, result)]))


def evidence_checks() -> list[NamedCheck]:
    """Every piece of evidence that ``qae verify --quick`` runs."""
    from qae_theory.claims.ledger import Ledger, read_catalogue
    from qae_theory.claims.model import Effort, Evidence, Status
    from qae_theory.claims.run import run_evidence
    from qae_theory.proofs import register

    ledger = Ledger(read_catalogue())
    register(ledger)
    effort = Effort(quick=True)

    def check(evidence: Evidence) -> NamedCheck:
        return (
            f"{evidence.claim}::{evidence.name}",
            lambda: run_evidence(evidence, effort).status in (Status.PASSED, Status.SKIPPED),
        )

    return [check(evidence) for evidence in ledger.evidence]


class _Loop:
    """Pytest plug-in: collects once, then runs the items for every mutant in forked children."""

    def __init__(self, mutants: list[str], jobs: int, result: Path) -> None:
        self.mutants, self.jobs, self.result = mutants, jobs, result

    def pytest_runtestloop(self, session: Any) -> bool:
        """In place of the usual loop."""
        checks = [(item.nodeid, self._check(session, item)) for item in session.items if "__mutmut_" not in item.nodeid]
        judge(checks, self.mutants, self.jobs, self.result, "pytest")
        return True

    @staticmethod
    def _check(session: Any, item: Any) -> Callable[[], bool]:
        def run() -> bool:
            failed = session.testsfailed
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            return bool(session.testsfailed == failed)

        return run


def judge(checks: Sequence[NamedCheck], mutants: list[str], jobs: int, result: Path, killer: str) -> None:
    """Show every mutant the checks that reach it and store the outcome."""
    reached, seconds = profile(checks)
    by_name = dict(checks)

    def relevant(mutant: str) -> list[str]:
        function = mutant.rpartition("__mutmut_")[0]
        return sorted((name for name in by_name if function in reached[name]), key=seconds.__getitem__)

    def child(mutant: str) -> int:
        names = relevant(mutant)
        if not names:
            return UNREACHED
        trampoline.set_mutant_under_test(mutant)
        return SURVIVED if all(in_time(name) for name in names) else KILLED

    def in_time(name: str) -> bool:
        signal.setitimer(signal.ITIMER_REAL, 10 + 5 * seconds[name])  # its default action ends the child
        return by_name[name]()

    def deadline(mutant: str) -> float:
        return 60 + 10 * sum(seconds[name] for name in relevant(mutant))

    started, outcomes = time.monotonic(), dict[str, int]()
    in_strides = [mutant for offset in range(STRIDE) for mutant in mutants[offset::STRIDE]]
    for mutant, status in forked(in_strides, child, at_once=jobs, deadline=deadline):
        outcomes[mutant] = status
        if len(outcomes) % 50 == 0 or len(outcomes) == len(mutants):
            print(f"{killer}: {_summary(outcomes)} after {time.monotonic() - started:.0f} s", flush=True)
            _store(outcomes, len(mutants), result, killer)


def _store(outcomes: dict[str, int], total: int, result: Path, killer: str) -> None:
    def with_status(*statuses: int) -> list[str]:
        return sorted(mutant for mutant, status in outcomes.items() if status in statuses)

    content = {
        "killer": killer,
        "mutants": total,
        "tried": len(outcomes),
        "survivors": with_status(SURVIVED, UNREACHED),
        "timed_out": with_status(TIMED_OUT, -signal.SIGALRM),
    }
    result.write_text(json.dumps(content, indent=1) + "\n")


def profile(checks: Sequence[NamedCheck]) -> tuple[dict[str, set[str]], dict[str, float]]:
    """Mutated functions that each check calls, and its duration, measured in a child so that the parent stays clean."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "profile.json"
        statuses = dict(forked(["profile"], lambda _: _profile_into(store, checks), at_once=1, deadline=lambda _: 1800))
        if statuses["profile"] != 0:
            failed = store.read_text() if store.exists() else "see above"
            raise SystemExit(f"the checks do not pass without a mutant: {failed}")
        reached, seconds = json.loads(store.read_text())
    return {name: set(functions) for name, functions in reached.items()}, seconds


def _profile_into(store: Path, checks: Sequence[NamedCheck]) -> int:
    hits: set[str] = set()
    trampoline.record_trampoline_hit = lambda name, caller=None: hits.add(name)
    trampoline.set_mutant_under_test("stats")
    reached, seconds, failed = {}, {}, []
    for name, check in checks:
        hits.clear()
        started = time.perf_counter()
        if not check():
            failed.append(name)
        reached[name], seconds[name] = sorted(hits), time.perf_counter() - started
    store.write_text(json.dumps(failed if failed else [reached, seconds]))
    return 1 if failed else 0


def _summary(outcomes: dict[str, int]) -> str:
    survived = sum(status in (SURVIVED, UNREACHED) for status in outcomes.values())
    return f"{len(outcomes) - survived} of {len(outcomes)} killed"


if __name__ == "__main__":
    os.environ.pop("MUTANT_UNDER_TEST", None)
    sys.exit(main())
