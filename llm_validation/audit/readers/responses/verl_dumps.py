"""Read verl's dumps of rollouts and validations, ``<step>.jsonl`` a step, of both its trainers.

The older trainer writes input, output, score, step, the ground truth and what the reward function gave besides
(``acc``, ``pred``); rows are reordered and only the prompt's text says which belong together. The V1 trainer gives each
row a ``uid``, ``{prompt}_{rollout}_{output}``: several outputs of a rollout have one vote. A validation has ``reward``
besides ``score`` (written by ``_dump_generations`` in verl 0.9.1).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from llm_validation.audit.model.chunk import Chunk, Role
from llm_validation.audit.model.settings import AuditSettings
from llm_validation.audit.reading.base import ResponseReader
from llm_validation.audit.reading.head import Head
from llm_validation.audit.reading.json_lines import Fields, Tally, Text, fields, hashed
from llm_validation.audit.reading.rows import step_and_reward
from llm_validation.verl_engine.rollout_keys import is_padding, names_output, parts
from qae_theory.arrays import Array

_NUMBERS = ("step", "score", "acc")


def _is_dump(head: Head) -> bool:
    return head.any_with("input", "output", "score")


def _is_validation(head: Head) -> bool:
    # Both trainers add `reward` to a validation's rows, and neither to a rollout's.
    return _is_dump(head) and head.any_with("reward", "score")


def _read(head: Head, settings: AuditSettings, tally: Tally, role: Role) -> Iterator[Chunk]:
    del settings
    for found in fields(head, tally, numbers=_NUMBERS, texts=("uid", "input")):
        yield _chunk(head, found, tally, role)


def _chunk(head: Head, found: Fields, tally: Tally, role: Role) -> Chunk:
    uid = found.texts["uid"]
    by_id = bool(uid.present.all()) and found.rows > 0
    step, reward = step_and_reward(found, "score", head, tally)
    columns = {} if np.isnan(found.numbers["acc"]).all() else {"correct": found.numbers["acc"]}
    if not by_id:
        key = found.texts["input"].hashes()
        return Chunk(head.path, "prompt", step, reward, key=key, columns=columns, role=role)
    key, member, turn, padding = _names(uid)
    tally.drop("a row that pads the batch", int(padding.sum()))
    rows = np.flatnonzero(~padding)
    return Chunk(
        head.path,
        "id",
        step[rows],
        reward[rows],
        key=key[rows],
        member=member[rows],
        turn=turn[rows],
        columns={name: column[rows] for name, column in columns.items()},
        role=role,
    )


def _names(uid: Text) -> tuple[Array, Array, Array, Array]:
    """Return hashes of prompt and rollout, the output's number, and whether the row only pads the batch.

    An id without rollout and output names the prompt alone; then every row is a rollout of its own.
    """
    names = [str(value) for value in uid.values]
    split = [parts(name) for name in names]
    index = uid.index
    key = np.array([hashed(one.group) for one in split], dtype=np.uint64)[index]
    padding = np.array([is_padding(one.group) for one in split], dtype=bool)[index]
    if not all(map(names_output, names)):
        return key, np.arange(len(index), dtype=np.uint64), np.zeros(len(index), dtype=np.int64), padding
    member = np.array([hashed(one.rollout) for one in split], dtype=np.uint64)[index]
    turn = np.array([one.output for one in split], dtype=np.int64)[index]
    return key, member, turn, padding


READERS = (
    ResponseReader(
        "verl-validation", _is_validation, lambda head, settings, tally: _read(head, settings, tally, "evaluation")
    ),
    ResponseReader("verl-rollouts", _is_dump, lambda head, settings, tally: _read(head, settings, tally, "training")),
)
