"""Record what is not audited, and why: a file whose groups are not certain, or that cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from qae_theory.arrays import Array

MOST_SIZES = 12  # named in a report; the rest is counted


@dataclass(frozen=True)
class Refusal:
    """Name a file, or steps of it, that the audit leaves out."""

    path: Path
    reason: str
    sizes: Mapping[str, int] = field(default_factory=dict)
    """How many groups were found of each size, or how many steps of each launch."""

    def record(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return {"path": str(self.path), "reason": self.reason, "sizes": dict(self.sizes)}


def sizes_found(sizes: Array) -> dict[str, int]:
    """Return how often each size occurs, the most frequent first.

    >>> sizes_found(np.array([4, 8, 4]))
    {'4': 2, '8': 1}
    """
    values, counts = np.unique(sizes, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    shown = {str(int(values[i])): int(counts[i]) for i in order[:MOST_SIZES]}
    return shown if len(order) <= MOST_SIZES else {**shown, "others": int(counts[order[MOST_SIZES:]].sum())}
