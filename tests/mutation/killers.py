"""Ask a killer about every mutant, in the mutated tree: ``python -m tests.mutation.killers verify|pytest JOBS RESULT``.

A first child, unmutated, records which mutated functions each check calls and how long it takes. A mutant is then
shown the checks that call its function, the quickest first, up to the first that fails or takes far longer than it did.
Mutants are taken in strides, so that an interrupted run has seen an even sample; the result is stored as it grows.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mutmut.mutation import trampoline

from qae_theory.runs.files import to_json, write_atomically
from tests.mutation.checks import NamedCheck, ask, profile
from tests.mutation.forking import TIMED_OUT, forked

SURVIVED, KILLED, UNREACHED = 0, 1, 3
STRIDE = 7
HALF_AN_HOUR = 1800.0


def main() -> int:
    """Ask the killer named on the command line about every mutant."""
    killer, jobs, result = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    mutants = json.loads(Path("mutants.json").read_text())
    return ask(killer, partial(judge, mutants=mutants, jobs=jobs, result=result, killer=killer))


def judge(checks: Sequence[NamedCheck], mutants: list[str], jobs: int, result: Path, killer: str) -> None:
    """Show every mutant the checks that reach it and store the outcome."""
    reached, seconds = profile(checks, _watch_trampolines, deadline=HALF_AN_HOUR)
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
