"""Ask a killer about every mutant, in the mutated tree: ``python -m tests.mutation.killers verify|pytest``.

A first child, unmutated, records which mutated functions each check calls and how long it takes. A mutant is then
shown the checks that call its function, up to the first that fails or takes far longer than it did: the agreement of
public functions with their references first, then all others, the quickest first. Of the tests, those of the mutated
modules are shown: the others call them only on the way to something else. Mutants are taken in strides, so that
a run that is stopped has seen an even sample; the result is stored as it grows.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from mutmut.mutation import trampoline

from qae_theory.proofs.contract.shipped_agrees import TIES
from qae_theory.runs.files import to_json, write_atomically
from tests.mutation.checks import NamedCheck, ask, profile
from tests.mutation.forking import TIMED_OUT, forked

SURVIVED, KILLED, UNREACHED = 0, 1, 3
STRIDE = 29
HALF_AN_HOUR = 1800.0


def main() -> int:
    """Ask the killer named on the command line about every mutant."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.killers", description=main.__doc__)
    parser.add_argument("killer", choices=("verify", "pytest"))
    parser.add_argument("result", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="take no further mutant after this time")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds of checks that a mutant is shown")
    options = parser.parse_args()
    mutants = json.loads(Path("mutants.json").read_text())
    tests = sorted(map(str, Path("tests/qae_theory").glob("test_*.py")))
    return ask(options.killer, partial(judge, mutants=mutants, options=options), tests)


def judge(checks: Sequence[NamedCheck], mutants: list[str], options: argparse.Namespace) -> None:
    """Show every mutant the checks that reach it and store the outcome."""
    for tie in TIES:
        for cell in tie.cells(True):
            cell.expected  # noqa: B018 - worked out here, once for all children
    gc.freeze()
    reached, seconds = profile(checks, _watch_trampolines, deadline=HALF_AN_HOUR)
    print(f"{options.killer}: {len(checks)} checks, {sum(seconds.values()):.0f} s without a mutant", flush=True)
    by_name = dict(checks)
    by_function: dict[str, list[str]] = {}

    def relevant(mutant: str) -> list[str]:
        function = mutant.rpartition("__mutmut_")[0]
        if function not in by_function:
            names = [name for name in by_name if function in reached[name]]
            by_function[function] = affordable(names, seconds, options.budget)
        return by_function[function]

    def child(mutant: str) -> int:
        names = relevant(mutant)
        if not names:
            return UNREACHED
        trampoline.set_mutant_under_test(mutant)
        return SURVIVED if all(in_time(name) for name in names) else KILLED

    def in_time(name: str) -> bool:
        # Of the processor's time, so that a busy machine kills no mutant; the default action of its signal ends the
        # child.
        signal.setitimer(signal.ITIMER_PROF, 5 + 5 * seconds[name])
        return by_name[name]()

    def deadline(mutant: str) -> float:
        return 300 + 50 * sum(seconds[name] for name in relevant(mutant))

    started, outcomes = time.monotonic(), dict[str, int]()
    in_strides = [mutant for offset in range(STRIDE) for mutant in mutants[offset::STRIDE]]
    taken = mutants_until(in_strides, started + 60 * options.minutes)
    for mutant, status in forked(taken, child, at_once=options.jobs, deadline=deadline):
        outcomes[mutant] = status
        if len(outcomes) % 50 == 0:
            print(f"{options.killer}: {_summary(outcomes)} after {time.monotonic() - started:.0f} s", flush=True)
            _store(outcomes, len(mutants), options.result, options.killer)
    print(f"{options.killer}: {_summary(outcomes)} after {time.monotonic() - started:.0f} s", flush=True)
    _store(outcomes, len(mutants), options.result, options.killer)


def affordable(names: list[str], seconds: Mapping[str, float], budget: float) -> list[str]:
    """Return checks in the order in which a mutant meets them, as many as the seconds of a budget allow.

    The agreement of public functions comes first, as it finds most of what is wrong everywhere.
    """
    in_order = sorted(names, key=lambda name: (not _is_agreement(name), seconds[name]))
    spent, kept = 0.0, []
    for name in in_order:
        spent += seconds[name]
        if spent > budget and kept:
            break
        kept.append(name)
    return kept


def _is_agreement(name: str) -> bool:
    return "shipped-agrees-" in name or "test_agreement.py" in name


def mutants_until(mutants: list[str], end: float) -> Iterator[str]:
    """Yield mutants until a time."""
    for mutant in mutants:
        if time.monotonic() > end:
            return
        yield mutant


def _store(outcomes: dict[str, int], total: int, result: Path, killer: str) -> None:
    def with_status(*statuses: int) -> list[str]:
        return sorted(mutant for mutant, status in outcomes.items() if status in statuses)

    content = {
        "killer": killer,
        "mutants": total,
        "tried": len(outcomes),
        "survivors": with_status(SURVIVED, UNREACHED),
        "timed_out": with_status(TIMED_OUT, -signal.SIGPROF),
    }
    write_atomically(result, to_json(content))


def _watch_trampolines(hits: set[str]) -> None:
    """Let every call of a mutated function add its name."""
    trampoline.record_trampoline_hit = lambda name, caller=None: hits.add(name)
    trampoline.set_mutant_under_test("stats")


def _summary(outcomes: dict[str, int]) -> str:
    survived = sum(status in (SURVIVED, UNREACHED) for status in outcomes.values())
    return f"{len(outcomes) - survived} of {len(outcomes)} killed"


if __name__ == "__main__":
    os.environ.pop("MUTANT_UNDER_TEST", None)
    sys.exit(main())
