"""`python -m tests.qae_theory.enclosure`: what is guaranteed and promised, against ball arithmetic at length."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from qae_theory.runs.files import write_atomically
from tests.qae_theory.enclosure import cases, controls, errors, safe_steps
from tests.qae_theory.enclosure.cases import Batch
from tests.qae_theory.enclosure.run import Outcome, hold, shipped, units_wide

KINDS = ("adversarial", "ordinary", "vocabulary")
SAFE_STEPS = "safe-steps"
EVERY_KIND = (*KINDS, SAFE_STEPS)
# The controls need a few thousand instances to show; more would tell no more.
CONTROL_INSTANCES = 4000


def main() -> int:
    """Hold what is guaranteed and what is promised against ball arithmetic, and print what was found.

    The exit status is 1 on a violation, on an error beyond the promise, and where a planted fault is not caught.
    """
    parser = _parser()
    options = parser.parse_args()
    for kind in options.kinds:
        if kind not in EVERY_KIND:
            parser.error(f"KIND must be one of {', '.join(EVERY_KIND)}; got {kind!r}")
    kinds = options.kinds or EVERY_KIND
    figures = {kind: look_at(kind, options) for kind in kinds if kind in KINDS}
    steps = look_at_safe_steps(options) if SAFE_STEPS in kinds else None
    caught = {name: hold_control(fault, options.seed) for name, fault in controls.FAULTS.items()}
    print("planted faults, violations found:", ", ".join(f"{name} {count}" for name, count in caught.items()))
    if options.json is not None:
        found = {"kinds": figures, "planted faults": caught} | ({} if steps is None else {SAFE_STEPS: steps})
        write_atomically(options.json, json.dumps(found, indent=1) + "\n")
    above = 0 if steps is None else steps["above the certificate"]
    return int(above > 0 or not all(map(_holds, figures.values())) or not all(caught.values()))


def look_at(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run one kind of instances, print its figures, and return them."""

    def batches(count: int) -> Iterator[Batch]:
        rng = np.random.default_rng(np.random.SeedSequence(options.seed, spawn_key=(KINDS.index(kind),)))
        drawn: Callable[..., Iterator[Batch]] = getattr(cases, kind)
        return drawn(rng, count)

    count, start = getattr(options, kind), time.process_time()
    outcome = hold(batches(count), shipped())
    error_count = options.vocabulary_errors if kind == "vocabulary" else count
    found = errors.largest(batches(error_count))
    widths = units_wide(batches(count))
    _print_violations(kind, outcome)
    for name, units in found.units.items():
        print(f"  {name}: at most {units / 2:.3g} ulp of its terms in {found.values[name]} values,", end=" ")
        print(f"{found.refused[name]} refused (promised {errors.PROMISED / 2:.0f})")
    print(
        f"  enclosure in ulp of the change: median {np.median(widths):.3g}, 99 % {np.quantile(widths, 0.99):.3g},",
        end=" ",
    )
    print(f"largest {widths.max():.3g}; {time.process_time() - start:.0f} s of CPU", flush=True)
    return {
        "instances": outcome.instances,
        "violations": {name: len(rows) for name, rows in outcome.violations.items()},
        "ulp": {name: units / 2 for name, units in found.units.items()},
        "values": found.values,
        "refused": found.refused,
        "enclosure in ulp": {f"{level:g}": float(np.quantile(widths, level)) for level in (0.5, 0.9, 0.99, 1)},
    }


def look_at_safe_steps(options: argparse.Namespace) -> dict[str, int]:
    """Hold safe steps against their certificates, print what was found, and return the counts."""
    rng = np.random.default_rng(np.random.SeedSequence(options.seed, spawn_key=(len(KINDS) + 1,)))
    found = safe_steps.hold(safe_steps.adversarial(rng, options.safe_steps))
    print(f"safe steps: {found.instances} queries; above the certificate: {len(found.above)}", flush=True)
    for query, value in found.above[:3]:
        print(f"  {query}: {value}")
    return {"instances": found.instances, "above the certificate": len(found.above)}


def hold_control(fault: controls.Fault, seed: int) -> int:
    """Return how many violations are found in the bounds with a planted fault."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(len(KINDS),)))
    with fault():
        return hold(cases.adversarial(rng, CONTROL_INSTANCES), shipped()).failures


def _holds(figures: dict[str, Any]) -> bool:
    return not any(figures["violations"].values()) and max(figures["ulp"].values()) <= errors.PROMISED / 2


def _print_violations(kind: str, outcome: Outcome) -> None:
    counts = ", ".join(f"{name} {len(rows)}" for name, rows in outcome.violations.items())
    print(f"{kind}: {outcome.instances} instances; violations: {counts}")
    for name, rows in outcome.violations.items():
        for z, d, eta, low, high, exact in islice(rows, 3):
            print(f"  {name}: logits {z}, direction {d}, step {eta}: [{low}, {high}] without {exact}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.qae_theory.enclosure", description=main.__doc__)
    parser.add_argument(
        "kinds", nargs="*", metavar="KIND", help=f"of instances: {', '.join(EVERY_KIND)}; all by default"
    )
    parser.add_argument("--adversarial", type=int, default=100_000, metavar="N")
    parser.add_argument("--ordinary", type=int, default=100_000, metavar="N")
    parser.add_argument("--vocabulary", type=int, default=300, metavar="N", help="rows of 151,936 arms")
    parser.add_argument("--vocabulary-errors", type=int, default=30, metavar="N", help="those looked at for errors")
    parser.add_argument("--safe-steps", type=int, default=100_000, metavar="N")
    parser.add_argument("--seed", type=int, default=20260923)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
