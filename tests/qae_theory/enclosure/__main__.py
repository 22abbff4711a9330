"""`python -m tests.qae_theory.enclosure`: the long run, figures on the screen, exit status 1 on a violation."""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from tests.qae_theory.enclosure import cases
from tests.qae_theory.enclosure.run import hold, shipped


def main() -> int:
    """Run and print; how many of each kind is an option."""
    parser = argparse.ArgumentParser(prog="python -m tests.qae_theory.enclosure", description=main.__doc__)
    parser.add_argument("--adversarial", type=int, default=100_000, metavar="N")
    parser.add_argument("--ordinary", type=int, default=100_000, metavar="N")
    parser.add_argument("--vocabulary", type=int, default=300, metavar="N", help="rows of 151,936 arms")
    parser.add_argument("--seed", type=int, default=20260923)
    options = parser.parse_args()
    failures = 0
    for kind in ("adversarial", "ordinary", "vocabulary"):
        rng = np.random.default_rng(np.random.SeedSequence(options.seed, spawn_key=(len(kind),)))
        start = time.process_time()
        outcome = hold(getattr(cases, kind)(rng, getattr(options, kind)), shipped())
        failures += outcome.failures
        counts = ", ".join(f"{name} {len(found)}" for name, found in outcome.violations.items())
        print(f"{kind}: {outcome.instances} instances, violations: {counts} ({time.process_time() - start:.0f} s)")
        for name, found in outcome.violations.items():
            for z, d, eta, low, high, exact in found[:3]:
                print(f"  {name}: logits {z}, direction {d}, step {eta}: [{low}, {high}] without {exact}")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
