"""Make the responses of a run of one format's chunks: drop what was superseded, merge outputs, form groups.

What cannot be grouped with certainty is refused, with the sizes found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from llm_validation.audit.model.chunk import NO_STEP, OPTIONAL, Chunk, Identity, missing
from llm_validation.audit.model.correctness import correctness
from llm_validation.audit.model.identity import Resolved, by_block, by_prompt, codes
from llm_validation.audit.model.refusal import Refusal, sizes_found
from llm_validation.audit.model.responses import Responses
from llm_validation.audit.model.resumes import last_of_each, still_counts
from llm_validation.audit.model.reward_columns import reward_of
from llm_validation.audit.model.settings import AuditSettings
from qae_theory.arrays import Array

# Of several outputs of one response these are added up; of the others the last output counts.
_ADDED = frozenset(OPTIONAL) - {"correct", "advantage", "truncated", "version"}


class Table(NamedTuple):
    """Hold the responses of one format, how many rows of each file are in them, and what was left out."""

    responses: Responses
    used: Mapping[Path, int]
    refusals: list[Refusal]
    notes: list[str]


class _Rows(NamedTuple):
    """Hold all rows of the chunks; ``source`` is an index of ``paths``."""

    source: Array
    step: Array
    reward: Array
    key: Array | None
    member: Array | None
    turn: Array | None
    batch: Array | None
    columns: dict[str, Array]
    components: dict[str, Array]

    def take(self, rows: Array) -> _Rows:
        """Return the rows of these indices, or of this mask."""
        named = (self.source, self.step, self.reward, self.key, self.member, self.turn, self.batch)
        tables = ({name: column[rows] for name, column in one.items()} for one in (self.columns, self.components))
        return _Rows(*(None if one is None else one[rows] for one in named), *tables)  # type: ignore[arg-type]


def make_table(name: str, chunks: Sequence[Chunk], settings: AuditSettings) -> Table:
    """Return the responses of chunks of one format.

    Args:
        name: the format.
        chunks: all of one role, in the order in which they were read.
        settings: a known group size decides where the log leaves it open.

    Raises:
        ValueError: a setting that does not fit the log.
    """
    paths = list(dict.fromkeys(chunk.path for chunk in chunks))
    identity, notes = _weakest(chunks), list[str]()
    rows = _without_superseded(_gather(chunks, paths), len(paths))
    if chunks[0].repeats:
        rows = _without_repeats(rows)
    if identity == "id" and rows.member is not None and rows.key is not None:
        rows = _merged(rows)
    rows = _in_order(rows)
    resolved = _resolve(identity, rows, settings)
    refusals = [] if resolved.reason is None else _refusals(resolved, rows, paths)
    notes += [] if resolved.note is None else [resolved.note]
    kept = resolved.group >= 0 if identity != "none" else np.ones(len(rows.step), dtype=bool)
    rows = rows.take(kept)
    # Numbered anew, since those that could not be grouped are gone.
    group = codes(resolved.group[kept]) if identity != "none" else np.full(len(rows.step), -1)
    # Stable, so that a group's responses keep the order in which they were logged.
    order = np.argsort(group, kind="stable")
    rows, group = rows.take(order), group[order]
    if chunks[0].summed:
        made = reward_of(rows.components, rows.columns.get("advantage"), group, settings.reward_weights)
        rows = rows._replace(reward=made.reward, components=made.components)
        notes += [] if made.note is None else [made.note]
    judged = correctness(rows.reward, rows.columns.get("correct"), rows.components, settings)
    responses = Responses(
        format=name,
        identity=identity,
        step=rows.step,
        group=group,
        reward=rows.reward,
        columns={**rows.columns, "correct": judged.correct},
        components=rows.components,
        role=chunks[0].role,
        has_steps=bool(len(rows.step)) and bool((rows.step != NO_STEP).any()),
        correct_from=judged.source,
    )
    counts = np.bincount(rows.source, minlength=len(paths))
    return Table(responses, {path: int(counts[i]) for i, path in enumerate(paths)}, refusals, notes)


def _weakest(chunks: Sequence[Chunk]) -> Identity:
    """Return the identity that all chunks can be held to."""
    order: tuple[Identity, ...] = ("none", "prompt", "block", "id")
    return min((chunk.identity for chunk in chunks), key=order.index)


def _gather(chunks: Sequence[Chunk], paths: Sequence[Path]) -> _Rows:
    source = np.repeat([paths.index(chunk.path) for chunk in chunks], [len(chunk) for chunk in chunks])
    batch = _named(chunks, "batch")
    if batch is not None:  # a batch is of one file
        batch = codes(source, batch)
    return _Rows(
        source,
        np.concatenate([chunk.step for chunk in chunks]),
        np.concatenate([chunk.reward for chunk in chunks]),
        _named(chunks, "key"),
        _named(chunks, "member"),
        _named(chunks, "turn"),
        batch,
        _columns(chunks, "columns", OPTIONAL),
        _columns(chunks, "components", tuple(dict.fromkeys(name for chunk in chunks for name in chunk.components))),
    )


def _named(chunks: Sequence[Chunk], name: str) -> Array | None:
    """Return a column of names that all chunks have; None where one lacks it."""
    parts = [getattr(chunk, name) for chunk in chunks]
    return None if any(part is None for part in parts) else np.concatenate(parts)


def _columns(chunks: Sequence[Chunk], kind: str, names: Sequence[str]) -> dict[str, Array]:
    """Return the columns that a chunk has; NaN for the rows of those that have not."""
    found = {}
    for name in names:
        if any(name in getattr(chunk, kind) for chunk in chunks):
            parts = [getattr(chunk, kind).get(name, None) for chunk in chunks]
            filled = [missing(len(c)) if part is None else part for c, part in zip(chunks, parts, strict=True)]
            found[name] = np.concatenate(filled).astype(np.float64, copy=False)
    return found


def _without_superseded(rows: _Rows, sources: int) -> _Rows:
    counts = np.ones(len(rows.step), dtype=bool)
    for source in range(sources):
        here = np.flatnonzero(rows.source == source)
        step = rows.step[here]
        # In one file steps go back only where a run went on from a checkpoint: what it had written beyond is
        # superseded.
        if len(step) and (np.diff(step) < 0).any():
            member = None if rows.member is None else _names(rows, here)
            counts[here] = still_counts(step, member)
    return rows if counts.all() else rows.take(counts)


def _names(rows: _Rows, here: Array) -> Array:
    """Return one name a response, from its group's and its own."""
    assert rows.member is not None
    member = rows.member[here]
    return member if rows.key is None else codes(rows.key[here], member)


def _without_repeats(rows: _Rows) -> _Rows:
    """Leave out a batch that is the same as the one of the step before: the writer logged it again."""
    if rows.batch is None or not len(rows.step):
        return rows
    edges = np.flatnonzero(np.diff(rows.batch) != 0) + 1
    parts = [slice(a, b) for a, b in zip(np.r_[0, edges], np.r_[edges, len(rows.step)], strict=True)]
    parts.sort(key=lambda part: int(rows.step[part.start]))
    keep, before = np.ones(len(rows.step), dtype=bool), b""
    for part in parts:
        now = _content(rows, part)
        keep[part] = now != before
        before = now
    return rows.take(keep)


def _content(rows: _Rows, part: slice) -> bytes:
    """Return what a batch holds besides its step."""
    columns = [rows.key, rows.member, rows.reward, *rows.columns.values(), *rows.components.values()]
    return b"".join(np.ascontiguousarray(column[part]).tobytes() for column in columns if column is not None)


def _merged(rows: _Rows) -> _Rows:
    """Make one response of its outputs, and drop what was written twice; a rollout has one vote in its group."""
    assert rows.key is not None
    assert rows.member is not None
    turn = np.zeros(len(rows.step), dtype=np.int64) if rows.turn is None else rows.turn
    rows = rows.take(last_of_each(rows.step, rows.key, rows.member, turn))
    assert rows.key is not None
    assert rows.member is not None
    response = codes(rows.step, rows.key, rows.member)
    if len(response) == (int(response.max()) + 1 if len(response) else 0):
        return rows
    turn = np.zeros(len(rows.step), dtype=np.int64) if rows.turn is None else rows.turn
    order = np.lexsort((turn, response))
    last = order[np.r_[np.diff(response[order]) != 0, True]]
    columns = {name: column[last] for name, column in rows.columns.items()}
    for name in _ADDED & set(columns):
        columns[name] = np.bincount(response, weights=rows.columns[name], minlength=len(last))
    merged = rows.take(last)._replace(columns=columns)
    return merged.take(np.argsort(last, kind="stable"))


def _in_order(rows: _Rows) -> _Rows:
    order = np.argsort(rows.step, kind="stable")
    return rows if (np.diff(order) == 1).all() else rows.take(order)


def _resolve(identity: Identity, rows: _Rows, settings: AuditSettings) -> Resolved:
    if identity == "none" or not len(rows.step):
        return Resolved(np.full(len(rows.step), -1), None, np.zeros(0, dtype=np.int64))
    if identity == "block":
        assert rows.batch is not None
        return by_block(rows.batch, rows.key, settings.group_size)
    assert rows.key is not None
    if identity == "prompt":
        return by_prompt(rows.step, rows.key, settings.group_size)
    group = codes(rows.step, rows.key)
    return Resolved(group, None, np.bincount(group))


def _refusals(resolved: Resolved, rows: _Rows, paths: Sequence[Path]) -> list[Refusal]:
    sources = np.unique(rows.source[resolved.group < 0])
    sizes = sizes_found(resolved.sizes)
    return [Refusal(paths[int(source)], resolved.reason or "", sizes) for source in sources]
