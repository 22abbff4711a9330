"""Make chunks of records of nested JSON: a reader says what one record is, the rest is the same for all.

For flat records of numbers ``json_lines.fields`` is faster; this is for lists of tokens and columns in a line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from llm_validation.audit.model.chunk import NO_STEP, OPTIONAL, Chunk, Identity, Role
from llm_validation.audit.reading.json_lines import Tally, hashed
from llm_validation.audit.reading.rows import counted_rewards, rewards
from qae_theory.arrays import Array

ROWS = 2**14  # of a chunk


@dataclass
class Row:
    """Hold one response as a reader understood it. ``key`` and ``member`` are anything that JSON holds."""

    step: int = NO_STEP
    reward: float = np.nan
    key: Any = None
    member: Any = None
    turn: int = 0
    batch: int = 0
    columns: Mapping[str, float] = field(default_factory=dict)
    components: Mapping[str, float] = field(default_factory=dict)


def chunks_of(
    path: Path,
    rows: Iterable[Row],
    tally: Tally,
    *,
    identity: Identity,
    has_members: bool = False,
    has_prompts: bool = True,
    summed: bool = False,
    repeats: bool = False,
    role: Role = "training",
) -> Iterator[Chunk]:
    """Yield chunks of rows of one file.

    Args:
        path: the file.
        rows: its responses, in order.
        tally: told of rows without a reward.
        identity: where groups come from.
        has_members: whether ``member`` names the responses.
        has_prompts: whether ``key`` is there; blocks may do without.
        summed: whether the reward is to be made of components.
        repeats: whether the writer logs one batch again.
        role: of training or of evaluation.
    """
    for part in _parts(rows):
        written = np.array([row.reward for row in part], dtype=np.float64)
        reward = rewards(written) if summed else counted_rewards(written, tally)
        yield Chunk(
            path,
            identity,
            np.array([row.step for row in part], dtype=np.int64),
            reward,
            key=_hashes(part, lambda row: row.key) if has_prompts and identity != "none" else None,
            member=_hashes(part, lambda row: row.member) if has_members else None,
            turn=np.array([row.turn for row in part], dtype=np.int64) if has_members else None,
            batch=np.array([row.batch for row in part], dtype=np.int64),
            columns=_columns(part, "columns", OPTIONAL),
            components=_columns(part, "components", list(dict.fromkeys(n for row in part for n in row.components))),
            summed=summed,
            repeats=repeats,
            role=role,
        )


def _parts(rows: Iterable[Row]) -> Iterator[list[Row]]:
    part: list[Row] = []
    for row in rows:
        part.append(row)
        if len(part) == ROWS:
            yield part
            part = []
    if part:
        yield part


def _hashes(part: list[Row], of: Callable[[Row], Any]) -> Array:
    return np.array([hashed(of(row)) for row in part], dtype=np.uint64)


def _columns(part: list[Row], kind: str, names: Iterable[str]) -> dict[str, Array]:
    found = {}
    for name in names:
        values = [getattr(row, kind).get(name, np.nan) for row in part]
        if any(name in getattr(row, kind) for row in part):
            found[name] = np.array(values, dtype=np.float64)
    return found
