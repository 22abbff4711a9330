"""Read this project's own dumps: the rollouts of ``qae train``, the probe's records of verl's update.

A rollout (``llm_validation.train.rollouts.records``) has step, group, reward (null where it could not be scored),
correct, advantage, tokens. A probe's record (``verl_engine.update_probe``) has sums over the tokens of one output:
entropies before and after the update, the predicted change, clipped tokens.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from llm_validation.audit.model.chunk import Chunk
from llm_validation.audit.model.settings import AuditSettings
from llm_validation.audit.reading.base import ResponseReader
from llm_validation.audit.reading.head import Head
from llm_validation.audit.reading.json_lines import Tally, fields, hashed
from llm_validation.audit.reading.rows import step_and_reward
from llm_validation.verl_engine.rollout_keys import parts
from llm_validation.verl_engine.update_probe import REQUIRED

_SUMS = {
    "advantage": "advantage",
    "tokens": "tokens",
    "entropy_before": "entropy_before",
    "entropy_after": "entropy_after",
    "entropy_predicted": "entropy_change_predicted",
    "clipped_high": "clipped_high",
    "clipped_low": "clipped_low",
}


def _is_rollouts(head: Head) -> bool:
    return head.any_with("group", "completion", "reward", "advantage", "correct")


def _is_probe(head: Head) -> bool:
    return head.any_with(*REQUIRED)


def _read_rollouts(head: Head, settings: AuditSettings, tally: Tally) -> Iterator[Chunk]:
    del settings
    numbers = ("step", "reward", "correct", "advantage", "tokens")
    for found in fields(head, tally, numbers=numbers, texts=("group",)):
        step, reward = step_and_reward(found, "reward", head, tally)
        columns = {name: found.numbers[name] for name in ("correct", "advantage", "tokens")}
        yield Chunk(head.path, "id", step, reward, key=found.texts["group"].hashes(), columns=columns)


def _read_probe(head: Head, settings: AuditSettings, tally: Tally) -> Iterator[Chunk]:
    del settings
    numbers = ("step", "reward", *_SUMS.values())
    for found in fields(head, tally, numbers=numbers, texts=("uid", "key")):
        step, reward = step_and_reward(found, "reward", head, tally)
        key = found.texts["key"]
        named = bool(key.present.all())
        member = key.mapped(lambda value: hashed(parts(str(value)).rollout), 0) if named else None
        turn = key.mapped(lambda value: parts(str(value)).output, 0).astype(np.int64) if named else None
        yield Chunk(
            head.path,
            "id",
            step,
            reward,
            key=found.texts["uid"].hashes(),
            member=member,
            turn=turn,
            columns={name: found.numbers[stored] for name, stored in _SUMS.items()},
        )


READERS = (
    ResponseReader("qae-probe", _is_probe, _read_probe),
    ResponseReader("qae-rollouts", _is_rollouts, _read_rollouts),
)
