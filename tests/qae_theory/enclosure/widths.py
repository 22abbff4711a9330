"""`python -m tests.qae_theory.enclosure.widths`: how much narrower ``best`` is than the brackets of claim `remainder`.

The figures of docs/numerics.md; ``page`` writes them there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from qae_theory import entropy_change_bounds
from qae_theory.runs.files import write_atomically
from tests.qae_theory.enclosure import steps
from tests.qae_theory.enclosure.cases import Array

# Of each number of arms: how many rows of each policy, direction and kind of step size.
ROWS: Mapping[int, int] = {2: 500, 5: 500, 50: 500, 300: 500, 3_000: 200, 151_936: 20}
LEVELS = (0.1, 0.5, 0.9)
# What training logs show from one step to the next, in nats.
CHANGES = (0.01, 0.03, 0.1)


def ratio(logits: Array, direction: Array, step_size: float) -> float:
    """Return old width over new width: that of the brackets over that of the intersection of all bounds."""
    old, new = (entropy_change_bounds(logits, direction, step_size, method=name) for name in ("brackets", "best"))
    return float((old[1] - old[0]) / (new[1] - new[0]))


def ratios(rng: np.random.Generator, *, arms: int, rows: int, policy: str, direction: str, step_size: str) -> Array:
    """Return the ratios of independent rows of one kind, ``[rows]``."""
    result = np.empty(rows)
    for row in range(rows):
        z = steps.POLICIES[policy](rng, arms)
        d = steps.DIRECTIONS[direction](rng, z)
        result[row] = ratio(z, d, steps.STEP_SIZES[step_size](rng))
    return result


def table(rows: Mapping[int, int], *, seed: int) -> list[dict[str, Any]]:
    """Return the quantiles of each cell and of all cells of a number of arms together."""
    figures: list[dict[str, Any]] = []
    for arms, count in rows.items():
        place = list(ROWS).index(arms)  # one number of arms alone has the figures that it has among all
        for step_size in steps.STEP_SIZES:
            kind = list(steps.STEP_SIZES).index(step_size)
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(place, kind)))
            pooled: list[Array] = []
            for policy, direction in product(steps.POLICIES, steps.DIRECTIONS):
                cell = ratios(rng, arms=arms, rows=count, policy=policy, direction=direction, step_size=step_size)
                pooled.append(cell)
                figures.append(quantiles(cell, arms=arms, step_size=step_size, policy=policy, direction=direction))
            figures.append(quantiles(np.concatenate(pooled), arms=arms, step_size=step_size, policy="", direction=""))
            print(figures[-1], flush=True)
    return figures


def of_model(logits: Iterable[Array], *, seed: int) -> list[dict[str, Any]]:
    """Return, for each change of entropy, the quantiles at the step of a sampled group that makes it.

    Args:
        logits: those of one position each, ``[n]``.
        seed: of the groups.
    """
    rng = np.random.default_rng(seed)
    found: dict[float, list[float]] = {change: [] for change in CHANGES}
    positions = 0
    for z in logits:
        positions += 1
        try:
            d = steps.sampled_group(rng, z)
        except ValueError:
            continue
        for change in CHANGES:
            step_size = steps.step_that_moves(z, d, change)
            if step_size is not None:
                found[change].append(ratio(z, d, step_size))
    return [quantiles(np.array(values), change=change, positions=positions) for change, values in found.items()]


def quantiles(values: Array, **labels: Any) -> dict[str, Any]:
    """Return labels, count, median and deciles of a sample."""
    return {**labels, "rows": len(values), **{f"{level:g}": float(np.quantile(values, level)) for level in LEVELS}}


def main() -> int:
    """Compute the ratios of widths, print them, and write them to a file."""
    parser = argparse.ArgumentParser(prog="python -m tests.qae_theory.enclosure.widths", description=main.__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument(
        "--arms", type=int, nargs="+", choices=tuple(ROWS), default=tuple(ROWS), help="numbers of arms; all by default"
    )
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="a causal language model's, for token logits")
    parser.add_argument("--seed", type=int, default=20260923)
    options = parser.parse_args()
    figures: dict[str, Any] = {"widths": table({arms: ROWS[arms] for arms in options.arms}, seed=options.seed)}
    if options.model is not None:
        from tests.qae_theory.enclosure.token_logits import token_logits

        figures["model"] = of_model(token_logits(options.model), seed=options.seed)
        print(*figures["model"], sep="\n")
    if options.json is not None:
        write_atomically(options.json, json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
