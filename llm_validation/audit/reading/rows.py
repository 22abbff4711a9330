"""Return steps and rewards of responses, from fields or from a file's place."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from llm_validation.audit.model.chunk import NO_STEP
from llm_validation.audit.reading.head import Head
from llm_validation.audit.reading.json_lines import Fields, Tally
from qae_theory.arrays import Array
from qae_theory.checks import LARGEST_REWARD


def step_in_name(path: Path) -> int:
    """Return the step that a file or one of its two nearest folders is named after; ``NO_STEP`` if none is.

    >>> [step_in_name(Path(name)) for name in ("train_data_step12.jsonl", "rollouts/step_3/rank_0.jsonl", "7.jsonl.gz")]
    [12, 3, 7]
    """
    bare = path.name.split(".jsonl")[0].split(".json")[0].split(".parquet")[0].lower()
    for name in (bare, path.parent.name.lower(), path.parent.parent.name.lower()):
        explicit = re.search(r"step[_.\-]?(\d+)", name)
        if explicit:
            return int(explicit[1])
    return int(bare) if bare.isdigit() else NO_STEP


def steps(values: Array, head: Head) -> Array:
    """Return steps as whole numbers, ``[N]``; those that a record lacks are the file's own.

    Args:
        values: ``[N]`` of float64.
        head: of the file, whose name may say the step.
    """
    known = np.isfinite(values) & (values >= 0) & (values == np.floor(values))
    return np.where(known, np.where(known, values, 0), step_in_name(head.path)).astype(np.int64)


def rewards(values: Array) -> Array:
    """Return rewards ``[N]``; NaN for those that are not finite or beyond what arithmetic holds."""
    return np.where(np.isfinite(values) & (np.abs(values) < LARGEST_REWARD), values, np.nan)


def counted_rewards(values: Array, tally: Tally) -> Array:
    """Return rewards ``[N]`` as :func:`rewards` does, and count those that could not be read."""
    found = rewards(values)
    tally.unscored += int(np.isnan(found).sum())
    return found


def step_and_reward(found: Fields, name: str, head: Head, tally: Tally) -> tuple[Array, Array]:
    """Return steps and rewards of a block, ``[N]`` both, and count the rewards that could not be read.

    Args:
        found: fields of the block, ``step`` and the rewards among them.
        name: of the field that holds the rewards.
        head: of the file, whose name may say the step.
        tally: told of the rewards that could not be read.
    """
    return steps(found.numbers["step"], head), counted_rewards(found.numbers[name], tally)
