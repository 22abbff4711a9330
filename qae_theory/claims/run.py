"""Run evidence: every step's check and its negative control, one after another or in worker processes.

What runs never stops the run: a check that raises has not passed. Verdicts are computed in ``verdict``.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from importlib.util import find_spec
from typing import Any

from qae_theory.claims.ledger import load_ledger
from qae_theory.claims.model import Answer, Effort, Evidence, Finding, Outcome, Status, Step, StepOutcome

# The criterion of statistical checks: one that fails by it ran properly, and found no effect.
NEGATIVE_CRITERION = "effect not found"


def run_evidence(evidence: Evidence, effort: Effort) -> Outcome:
    """Run one piece of evidence, and return its outcome.

    It stops at the first step that does not hold, and never raises: a check that does is broken evidence.
    """
    started = time.perf_counter()
    try:
        lacking = lacks(evidence, effort)
    except Exception as error:  # what it looks for may be there and unreadable
        detail = f"raised {type(error).__name__}: {str(error)[:500]}"
        return _outcome(evidence, Status.BROKEN, detail, time.perf_counter() - started, ())
    # Skipped, not broken: what is not there says nothing about the claim.
    if lacking is not None:
        return _outcome(evidence, Status.SKIPPED, lacking, 0.0, ())
    steps: list[StepOutcome] = []
    for step in evidence.steps:
        steps.append(_run_step(step, effort))
        # A later step rests on the earlier ones: after one that fails there is nothing to check.
        if not (steps[-1].finding.passed and steps[-1].control_rejected):
            break
    return _outcome(evidence, _status(steps), _detail(steps), time.perf_counter() - started, tuple(steps))


def lacks(evidence: Evidence, effort: Effort) -> str | None:
    """Return what a piece of evidence lacks here, packages or stored results; None where it can run."""
    absent = [package for package in evidence.requires if not _is_installed(package)]
    if absent:
        return f"not installed: {', '.join(absent)}"
    return evidence.missing(effort) if evidence.missing else None


def run_all(evidence: Sequence[Evidence], effort: Effort, *, jobs: int = 1) -> Generator[Outcome]:
    """Return the outcomes as they come, in any order. Workers start at the call, before the first outcome is asked for.

    Forked workers inherit the evidence with all that it imports, which costs nothing; where forking is not safe they
    load the ledger themselves. In neither case are checks pickled. Evidence that needs something prepared runs here, in
    a thread beside the workers: what is prepared waits for another program and is cached in this process.

    Args:
        evidence: what to run.
        effort: how much each check may spend.
        jobs: worker processes; with 1, everything runs in this process.

    Raises:
        BrokenProcessPool: a worker died, for want of memory, say.
    """
    if jobs == 1:
        return _one_by_one(evidence, effort)
    running = _in_workers(evidence, effort, jobs)
    next(running)  # the workers have started, and from now on closing the generator stops them
    return running


def slow_first(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Return the evidence that imports further packages before the rest: one that takes long must not be the last."""
    return sorted(evidence, key=lambda item: not item.requires)


def _one_by_one(evidence: Sequence[Evidence], effort: Effort) -> Generator[Outcome]:
    """Yield the outcomes in order, all run in this process."""
    _prepare(evidence)
    for item in evidence:
        yield run_evidence(item, effort)


def _prepare(evidence: Sequence[Evidence]) -> None:
    """Call each function that prepares something once, however many pieces of evidence share it."""
    for prepare in dict.fromkeys(item.prepare for item in evidence):
        if prepare is not None:
            prepare()


def _run_prepared(preparing: Future[None], item: Evidence, effort: Effort) -> Outcome:
    """Return an outcome once what is shared has been prepared."""
    preparing.result()  # an error of what prepares is an error of the run
    return run_evidence(item, effort)


def _in_workers(evidence: Sequence[Evidence], effort: Effort, jobs: int) -> Generator[Any]:
    """Start the workers, yield None, and then each outcome when it is there.

    The workers are stopped when the caller stops, at whatever moment that is, or when one of them dies.
    """
    pools: list[Executor] = []
    try:
        futures = _submitted(evidence, effort, jobs, pools)
        yield None
        for future in as_completed(futures):
            yield future.result()
    except BaseException:
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
        # Nobody will read what they still compute, and a slow proof would hold up the exit.
        for worker in multiprocessing.active_children():
            worker.terminate()
        raise
    for pool in pools:
        pool.shutdown()


def _submitted(evidence: Sequence[Evidence], effort: Effort, jobs: int, pools: list[Executor]) -> list[Future[Outcome]]:
    """Hand all evidence out and return what will come of it; each pool is in the list before it has a worker."""
    # Forking is safe on Linux only: other systems' libraries keep threads that a fork would break.
    fork = sys.platform == "linux"
    workers = ProcessPoolExecutor(
        max_workers=jobs,
        mp_context=multiprocessing.get_context("fork" if fork else "spawn"),
        initializer=_start_worker,
        initargs=(tuple(evidence) if fork else None,),
    )
    pools.append(workers)
    futures = [
        workers.submit(_run_by_name, item.claim, item.name, effort) for item in slow_first(evidence) if not item.prepare
    ]
    # Only after the workers: a process that has threads should not fork.
    beside = ThreadPoolExecutor(1)
    pools.append(beside)
    preparing = beside.submit(_prepare, evidence)
    return futures + [beside.submit(_run_prepared, preparing, item, effort) for item in evidence if item.prepare]


_INHERITED: dict[tuple[str, str], Evidence] = {}


def _start_worker(evidence: Sequence[Evidence] | None) -> None:
    """Leave Ctrl-C to the parent process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    items = load_ledger().evidence if evidence is None else evidence
    _INHERITED.update({(item.claim, item.name): item for item in items})


def _run_by_name(claim: str, name: str, effort: Effort) -> Outcome:
    """Return the outcome of one piece of evidence, in a worker."""
    return run_evidence(_INHERITED[claim, name], effort)


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # the parent of a dotted name
        return False


def _run_step(step: Step, effort: Effort) -> StepOutcome:
    """Return a step as it went, its check and its control run."""
    finding = _safely(step.run_check, effort)
    control = _safely(step.run_control, effort)
    # A control that fails for another reason (a time-out, an error) shows nothing about the check.
    rejected = not control.passed and control.criterion == finding.criterion
    return StepOutcome(
        says=step.says,
        planted=step.planted,
        citation=step.citation,
        where=step.where,
        finding=finding,
        control_rejected=rejected,
        control_detail=f"{control.criterion}: {control.detail}",
        generality=step.generality,
        tie=step.tie,
    )


def _safely(check: Callable[[Effort], Finding], effort: Effort) -> Finding:
    """Return a check's finding; one that raises has not passed, and not by its own criterion either."""
    try:
        return check(effort)
    except Exception as error:
        return Finding(False, f"raised {type(error).__name__}", str(error)[:500])


def _status(steps: list[StepOutcome]) -> Status:
    """Return what became of the evidence, given its steps as far as they were run."""
    if all(step.finding.passed and step.control_rejected for step in steps):
        return Status.PASSED
    last = steps[-1]
    # A control that was not rejected makes a check worthless, whatever it found.
    if last.control_rejected and last.finding.criterion == NEGATIVE_CRITERION:
        return Status.NEGATIVE
    return Status.BROKEN


def _answer(steps: Sequence[StepOutcome]) -> Answer | None:
    """Return what a step that did not find its effect says about the effect."""
    return steps[-1].finding.answer


def _detail(steps: list[StepOutcome]) -> str:
    """Return what went wrong first, or what all steps found."""
    for step in steps:
        if not step.finding.passed:
            return f"{step.says} [{step.finding.criterion}] {step.finding.detail}"
        if not step.control_rejected:
            return f"{step.says} The planted falsehood ({step.planted}) was not rejected: {step.control_detail}"
    return "; ".join(step.finding.detail for step in steps if step.finding.detail)


def _outcome(
    evidence: Evidence, status: Status, detail: str, seconds: float, steps: tuple[StepOutcome, ...]
) -> Outcome:
    return Outcome(
        claim=evidence.claim,
        name=evidence.name,
        kind=evidence.strength,
        role=evidence.role,
        status=status,
        detail=detail,
        seconds=seconds,
        where=evidence.where,
        covers_statement=evidence.covers_statement,
        steps=steps,
        answer=_answer(steps) if status is Status.NEGATIVE else None,
        witness=next((step.finding.witness for step in steps if step.finding.witness), None),
    )
