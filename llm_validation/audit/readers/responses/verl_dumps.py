"""verl's dumps of rollouts and validations, ``<step>.jsonl`` a step, of both its trainers.

The older trainer writes input, output, score, step, the ground truth and what the reward function gave besides
(``acc``, ``pred``); rows are reordered and only the prompt's text says which belong together. The V1 trainer gives each
row a ``uid``, ``{prompt}_{rollout}_{output}``: several outputs of a rollout have one vote. A validation has ``reward``
besides ``score`` (written by ``_dump_generations`` in verl 0.9.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from llm_validation.audit.model.chunk import Chunk
from llm_validation.audit.model.settings import AuditSettings
from llm_validation.audit.readers.base import ResponseReader
from llm_validation.audit.readers.head import Head
from llm_validation.audit.readers.json_lines import Fields, Tally, Text, fields, hashed
from llm_validation.audit.readers.rows import reward_and_step

_PADDING = re.compile(r"pad[0-9a-f]{32}")  # rows with which verl fills up a batch
_NUMBERS = ("step", "score", "acc", "overlong_reward")
_ABSENT = hashed(None)


def _is_dump(head: Head) -> bool:
    return head.any_with("input", "output", "score")


def _is_validation(head: Head) -> bool:
    """Both trainers add ``reward`` to a validation's rows, and neither to a rollout's."""
    return _is_dump(head) and head.any_with("reward", "score")


def parts(uid: str) -> tuple[str, str, int]:
    """Return prompt, rollout and output of verl's ``{prompt}_{rollout}_{output}``; a plain id names a prompt.

    >>> parts("b3f_2_1"), parts("b3f")
    (('b3f', '2', 1), ('b3f', '', 0))
    """
    cut = str(uid).rsplit("_", 2)
    if len(cut) == 3 and cut[1].isdigit() and cut[2].isdigit():
        return cut[0], cut[1], int(cut[2])
    return str(uid), "", 0


def _read(head: Head, settings: AuditSettings, tally: Tally, role: str) -> Iterator[Chunk]:
    for found in fields(head, tally, numbers=_NUMBERS, texts=("uid", "input")):
        yield _chunk(head, found, tally, role)


def _chunk(head: Head, found: Fields, tally: Tally, role: str) -> Chunk:
    uid = found.texts["uid"]
    by_id = bool(uid.present.all()) and found.rows > 0
    step, reward = reward_and_step(found, "score", head, tally)
    padding = uid.mapped(lambda value: bool(_PADDING.fullmatch(parts(value)[0])), 0).astype(bool)
    tally.drop("a row that pads the batch", int(padding.sum()))
    rows = np.flatnonzero(~padding)
    columns = {} if np.isnan(found.numbers["acc"]).all() else {"correct": found.numbers["acc"][rows]}
    names = _names(uid) if by_id else None
    return Chunk(
        head.path,
        "id" if by_id else "prompt",
        step[rows],
        reward[rows],
        key=(names[0] if names else found.texts["input"].hashes())[rows],
        member=names[1][rows] if names else None,
        turn=names[2][rows] if names else None,
        columns=columns,
        role="evaluation" if role == "evaluation" else "training",
    )


def _names(uid: Text) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return hashes of prompt and rollout and the output's number; None where an id names only the prompt."""
    if any(parts(value)[1] == "" for value in uid.values):
        return (uid.hashes(), np.arange(len(uid.index), dtype=np.uint64), np.zeros(len(uid.index), dtype=np.int64))
    key = uid.mapped(lambda value: hashed(parts(value)[0]), _ABSENT)
    member = uid.mapped(lambda value: hashed(parts(value)[1]), _ABSENT)
    return key, member, uid.mapped(lambda value: parts(value)[2], 0).astype(np.int64)


READERS = (
    ResponseReader(
        "verl-validation", _is_validation, lambda head, settings, tally: _read(head, settings, tally, "evaluation")
    ),
    ResponseReader("verl-rollouts", _is_dump, lambda head, settings, tally: _read(head, settings, tally, "training")),
)
