"""Evidence passes only with every check passed and every planted falsehood rejected for the check's own reason."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial

import pytest

from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Status, Step, Verdict
from qae_theory.claims.run import NEGATIVE_CRITERION, run_all, run_evidence, slow_first
from qae_theory.claims.verdict import judge
from tests.qae_theory.claims.samples import FAILS, HOLDS, claim, evidence, finds, raises, step

QUICK = Effort(quick=True)
NOT_FOUND = partial(finds, passed=False, criterion=NEGATIVE_CRITERION, detail="interval contains 0")


def run(*steps: Step, **fields: object) -> Status:
    return run_evidence(evidence(steps=steps, **fields), QUICK).status  # type: ignore[arg-type]


def test_check_passed_and_control_rejected() -> None:
    outcome = run_evidence(evidence(), QUICK)
    assert outcome.status is Status.PASSED
    assert outcome.steps[0].control_rejected
    assert outcome.detail == "2 + 2 = 4"
    assert outcome.where.startswith("tests/qae_theory/claims/samples.py:")


@pytest.mark.parametrize(
    ("check", "control"),
    [
        (HOLDS, HOLDS),
        (FAILS, FAILS),
        (raises, FAILS),
        (HOLDS, raises),
        (raises, raises),
        (HOLDS, partial(finds, passed=False, criterion="time-out")),
        (partial(raises, error=RecursionError), FAILS),
    ],
    ids=[
        "control-not-rejected",
        "check-failed",
        "check-raised",
        "control-raised",
        "both-raised",
        "control-rejected-for-another-reason",
        "recursion",
    ],
)
def test_broken(check: object, control: object) -> None:
    assert run(step(check, control)) is Status.BROKEN


def test_broken_detail_says_why() -> None:
    failed = run_evidence(evidence(steps=(step(FAILS, FAILS),)), QUICK)
    assert "2 + 2 = 5 fails" in failed.detail
    accepted = run_evidence(evidence(steps=(step(HOLDS, HOLDS),)), QUICK)
    assert "n + n = 5" in accepted.detail
    assert "not rejected" in accepted.detail
    raised = run_evidence(evidence(steps=(step(raises, FAILS),)), QUICK)
    assert "ZeroDivisionError" in raised.detail


def test_stops_at_the_first_step_that_does_not_hold() -> None:
    outcome = run_evidence(evidence(steps=(step(), step(FAILS, FAILS), step())), QUICK)
    assert [s.finding.passed for s in outcome.steps] == [True, False]
    assert outcome.status is Status.BROKEN


def test_statistical_check_without_effect_is_negative_only_if_its_control_works() -> None:
    assert run(step(NOT_FOUND, NOT_FOUND)) is Status.NEGATIVE
    assert run(step(NOT_FOUND, HOLDS)) is Status.BROKEN
    assert run(step(NOT_FOUND, raises)) is Status.BROKEN
    assert run(step(HOLDS, NOT_FOUND)) is Status.BROKEN


@pytest.mark.parametrize("package", ["no_such_package", "no_such_package.part"])
def test_missing_package_skips_by_name(package: str) -> None:
    outcome = run_evidence(evidence(requires=("json", package), steps=(step(raises, raises),)), QUICK)
    assert outcome.status is Status.SKIPPED
    assert package in outcome.detail
    assert "json" not in outcome.detail


def test_installed_package_does_not_skip() -> None:
    assert run(step(), requires=("json",)) is Status.PASSED


def test_effort_reaches_check_and_control() -> None:
    seen: list[Effort] = []

    def record(effort: Effort, *, passed: bool) -> Finding:
        seen.append(effort)
        return finds(effort, passed=passed)

    effort = Effort(quick=True, seed=5)
    run_evidence(evidence(steps=(step(partial(record, passed=True), partial(record, passed=False)),)), effort)
    assert seen == [effort, effort]


def many() -> list[Evidence]:
    return [evidence(f"proof-{i}", steps=(step(HOLDS, HOLDS if i % 3 == 0 else FAILS),)) for i in range(12)]


@pytest.mark.parametrize("jobs", [1, 3])
def test_number_of_workers_changes_nothing(jobs: int) -> None:
    outcomes = {outcome.name: outcome.status for outcome in run_all(many(), QUICK, jobs=jobs)}
    assert outcomes == {f"proof-{i}": Status.PASSED if i % 3 else Status.BROKEN for i in range(12)}


def sleep(effort: Effort) -> Finding:
    time.sleep(60)
    return HOLDS(effort)


def test_closing_before_the_first_outcome_stops_the_workers() -> None:
    before = set(multiprocessing.active_children())
    running = run_all([evidence(steps=(step(sleep),)), evidence("second", steps=(step(sleep),))], QUICK, jobs=2)
    workers = set(multiprocessing.active_children()) - before
    assert len(workers) == 2
    running.close()
    deadline = time.monotonic() + 30
    # The pool's own thread may be the one that waits for a worker's end, and then its status is here a moment later.
    while any(worker.exitcode is None for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [worker.exitcode for worker in workers] == [-signal.SIGTERM] * 2


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_evidence_shares_is_prepared_once_and_seen_by_each_piece(jobs: int) -> None:
    prepared: list[int] = []

    def seen(effort: Effort, *, times: int) -> Finding:
        return finds(effort, passed=prepared == [os.getpid()] * times)

    def prepare() -> None:
        prepared.append(os.getpid())

    check, control = partial(seen, times=1), partial(seen, times=2)
    sharing = [replace(evidence(name, steps=(step(check, control),)), prepare=prepare) for name in ("one", "another")]
    outcomes = {one.name: one.status for one in run_all([*many(), *sharing], QUICK, jobs=jobs)}
    assert prepared == [os.getpid()]
    assert (outcomes["one"], outcomes["another"]) == (Status.PASSED, Status.PASSED)
    assert len(outcomes) == len(many()) + 2


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_what_prepares_is_an_error_of_the_run(jobs: int) -> None:
    def fail() -> None:
        raise OSError("planted")

    with pytest.raises(OSError, match="planted"):
        list(run_all([evidence(), replace(evidence("second"), prepare=fail)], QUICK, jobs=jobs))


def test_evidence_that_imports_further_packages_starts_first_and_the_order_is_kept_otherwise() -> None:
    first, second, torch = evidence("first"), evidence("second"), evidence("third", requires=("torch",))
    assert [item.name for item in slow_first([first, second, torch])] == ["third", "first", "second"]


def test_dead_worker_is_an_error_not_a_verdict() -> None:
    def die(effort: Effort) -> Finding:
        os._exit(3)

    with pytest.raises(BrokenProcessPool):
        list(run_all([evidence(steps=(step(die, FAILS),)), evidence("second")], QUICK, jobs=2))


def test_a_symbolic_proof_with_a_deciding_step_on_instances_is_a_checked_argument() -> None:
    general = step()
    on_instances = replace(general, generality=Generality.INSTANCES)
    tie, lemma = replace(on_instances, tie=True), replace(on_instances, citation="a named lemma")
    assert run_evidence(evidence(steps=(general, tie, lemma)), Effort()).kind is Kind.PROOF
    weak = run_evidence(evidence(steps=(general, on_instances)), Effort())
    assert weak.kind is Kind.ARGUMENT
    assert [one.generality for one in weak.steps] == [Generality.GENERAL, Generality.INSTANCES]
    assert judge(claim(), [weak]).verdict is Verdict.SUPPORTED
