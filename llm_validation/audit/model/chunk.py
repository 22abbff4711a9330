"""Define what a reader hands over: responses of one file as columns, in the order of the file.

Which responses form a group, which of them were superseded and which reward is a success is decided later, when all
files have been read (see ``table``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from qae_theory.arrays import Array

Identity = Literal["id", "block", "prompt", "none"]
Role = Literal["training", "evaluation"]

NO_STEP = -1

OPTIONAL = (
    "correct",  # 1, 0, or NaN where it is not known
    "advantage",  # one number a response; NaN where its tokens differ
    "tokens",  # tokens of the response that count in the loss
    "truncated",  # 1 where the response hit the limit on length
    "logp_rollout",  # sum over tokens of the sampler's log-probabilities
    "logp_train",  # the same from the trainer, before the update
    "logp_distance",  # sum over tokens of |log p_train - log p_rollout|
    "ratio_sum",  # sum over tokens of p_train / p_rollout
    "ratio_squares",  # sum over tokens of its square
    "ratio_outside",  # tokens whose ratio lies outside the clip range
    "entropy_before",  # sum over tokens of the entropy before the update, nats
    "entropy_after",  # the same after it
    "entropy_predicted",  # first-order prediction of the change, nats per unit step
    "clipped_high",  # tokens clipped above the range
    "clipped_low",  # tokens clipped below it
    "version",  # version of the weights that ended the response
)


@dataclass(frozen=True)
class Chunk:
    """Hold N responses of one file.

    ``key`` names the group (``id``) or holds the hash of the prompt's text (``prompt``, ``block``). ``member`` names
    the response within its group and ``turn`` orders several outputs of one response. ``batch`` tells apart what was
    generated together, for groups that are blocks.
    """

    path: Path
    identity: Identity
    step: Array
    """[N] of int64; ``NO_STEP`` where the file does not say."""
    reward: Array
    """[N] of float64; NaN for a response that could not be scored."""
    key: Array | None = None
    member: Array | None = None
    turn: Array | None = None
    batch: Array | None = None
    columns: Mapping[str, Array] = field(default_factory=dict)
    """[N] each, of float64, by the names of ``OPTIONAL``."""
    components: Mapping[str, Array] = field(default_factory=dict)
    """[N] each, a reward function's scores by its name."""
    summed: bool = False
    """Return whether the reward is the weighted sum of components, to be made when the groups are known."""
    role: Role = "training"
    repeats: bool = False
    """Return whether the writer logs one batch again at later steps."""

    def __post_init__(self) -> None:
        """Refuse columns of different lengths and unknown names: a reader's mistake, not the user's."""
        for name, column in {**self.columns, **self.components, "reward": self.reward}.items():
            if len(column) != len(self.step):
                raise ValueError(f"column {name!r} must have {len(self.step)} rows; got {len(column)}")
        if unknown := set(self.columns) - set(OPTIONAL):
            raise ValueError(f"columns must be some of {', '.join(OPTIONAL)}; got {', '.join(sorted(unknown))}")

    def __len__(self) -> int:
        """Return the number of responses."""
        return len(self.step)


def missing(rows: int) -> Array:
    """Return a column of NaN, ``[rows]``."""
    return np.full(rows, np.nan)
