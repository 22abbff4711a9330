"""Make the checks that planted faults are shown to: the evidence of ``qae verify --quick``, or the fast tests.

A killer imports once and forks a child for each fault, so pytest collects once and hands its items over as checks.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.mutation.forking import forked

# A check by its name; it returns whether it passed.
NamedCheck = tuple[str, Callable[[], bool]]
Judge = Callable[[list[NamedCheck]], None]
Profile = tuple[dict[str, set[str]], dict[str, float]]

PYTEST = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-m", "not slow")
FAST_TESTS = ("tests/qae_theory", "tests/meta")


def ask(killer: str, judge: Judge, tests: Sequence[str] = FAST_TESTS) -> int:
    """Hand the checks of a killer, ``verify`` or ``pytest``, to what judges faults; return the exit status."""
    if killer == "verify":
        judge(evidence_checks())
        return 0
    return int(pytest.main([*PYTEST, *tests], plugins=[_Loop(judge)]))


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
    """Collect once as a plug-in of pytest, and hand the items over in place of running them."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    def pytest_runtestloop(self, session: Any) -> bool:
        """Stand in for pytest's own loop."""
        # A test that is parametrised with a module's functions takes mutmut's copies of them for functions too.
        items = [item for item in session.items if "__mutmut_" not in item.nodeid]
        self.judge([(item.nodeid, self._check(session, item)) for item in items])
        return True

    @staticmethod
    def _check(session: Any, item: Any) -> Callable[[], bool]:
        def run() -> bool:
            failed = session.testsfailed
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            return bool(session.testsfailed == failed)

        return run


def profile(checks: Sequence[NamedCheck], watch: Callable[[set[str]], None], *, deadline: float) -> Profile:
    """Return the functions that each check calls and its seconds of processor time, measured where nothing is planted.

    A child measures, so that the parent stays clean.

    Args:
        checks: in any order.
        watch: lets every call of a function of interest add its name to a set, from then on.
        deadline: seconds for all checks together.

    Raises:
        SystemExit: a check fails although nothing is planted.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "profile.json"

        def child(_: str) -> int:
            return _profile_into(store, checks, watch)

        ((_, status),) = forked(["profile"], child, at_once=1, deadline=lambda _: deadline)
        if status != 0:
            failed = store.read_text() if store.exists() else "the child ended early"
            raise SystemExit(f"the checks do not pass with nothing planted: {failed}")
        reached, seconds = json.loads(store.read_text())
    return {name: set(functions) for name, functions in reached.items()}, seconds


def _profile_into(store: Path, checks: Sequence[NamedCheck], watch: Callable[[set[str]], None]) -> int:
    hits: set[str] = set()
    watch(hits)
    reached, seconds, failed = {}, {}, []
    for name, check in checks:
        hits.clear()
        started = time.process_time()
        if not check():
            failed.append(name)
        reached[name], seconds[name] = sorted(hits), time.process_time() - started
    store.write_text(json.dumps(failed if failed else [reached, seconds]))
    return 1 if failed else 0
