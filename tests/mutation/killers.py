"""Ask a killer about every mutant, in the mutated tree: ``python -m tests.mutation.killers verify|pytest``.

A first child, unmutated, records which mutated functions each check calls and how long it takes. A mutant is then
shown the checks that call its function, up to the first that fails or takes far longer than it did: the agreement of
public functions with their references first, then all others, the quickest first. Of the tests, those of the mutated
modules are shown: the others call them only on the way to something else. Mutants are taken in strides, so that
a run that is stopped has seen an even sample; the result is stored as it grows, and a run of the same tree goes on from
it.
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
from hashlib import sha256
from pathlib import Path
from typing import Any

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
    parser.add_argument(
        "--budget",
        type=float,
        default=float("inf"),
        help="seconds of checks that a mutant is shown beside the agreement",
    )
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

    tree = digest(Path())
    started, outcomes = time.monotonic(), known_outcomes(options.result, tree, options.budget)
    in_strides = [mutant for offset in range(STRIDE) for mutant in mutants[offset::STRIDE] if mutant not in outcomes]
    taken = mutants_until(in_strides, started + 60 * options.minutes)

    def store() -> None:
        print(f"{options.killer}: {_summary(outcomes)} after {time.monotonic() - started:.0f} s", flush=True)
        found = {"killer": options.killer, "tree": tree, "budget": str(options.budget), "mutants": len(mutants)}
        write_atomically(options.result, to_json(found | listed(outcomes)))

    for mutant, status in forked(taken, child, at_once=options.jobs, deadline=deadline):
        outcomes[mutant] = status
        if len(outcomes) % 50 == 0:
            store()
    store()


def digest(tree: Path) -> str:
    """Return a hash of all code in a tree, which says whether an earlier result is of the same one."""
    found = sha256()
    for path in sorted(tree.rglob("*.py")):
        found.update(str(path).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def known_outcomes(result: Path, tree: str, budget: float) -> dict[str, int]:
    """Return what an earlier run of the same tree and budget has found; nothing where there is none."""
    if not result.exists():
        return {}
    earlier = json.loads(result.read_text())
    same = (earlier.get("tree"), earlier.get("budget")) == (tree, str(budget))
    return dict(earlier["outcomes"]) if same else {}


def affordable(names: list[str], seconds: Mapping[str, float], budget: float) -> list[str]:
    """Return checks in the order in which a mutant meets them: every agreement, and others as the budget allows.

    The agreement of public functions finds most of what is wrong everywhere, so that it comes first, and none of it is
    left out. Each kind has its quickest first.
    """
    agreements = [name for name in names if _is_agreement(name)]
    others = [name for name in names if not _is_agreement(name)]
    spent, kept = 0.0, sorted(agreements, key=seconds.__getitem__)
    for name in sorted(others, key=seconds.__getitem__):
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


def listed(outcomes: Mapping[str, int]) -> dict[str, Any]:
    """Return what a result says of outcomes: how many there are, and which mutants survive or ran out of time."""

    def with_status(*statuses: int) -> list[str]:
        return sorted(mutant for mutant, status in outcomes.items() if status in statuses)

    return {
        "tried": len(outcomes),
        "survivors": with_status(SURVIVED, UNREACHED),
        "timed_out": with_status(TIMED_OUT, -signal.SIGPROF),
        "outcomes": outcomes,
    }


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
