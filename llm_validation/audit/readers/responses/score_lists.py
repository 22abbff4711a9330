"""Read scores of many answers to one question: Qwen2.5-Math's ``score`` lists and NeMo-Gym's rollouts.

Qwen2.5-Math's evaluation writes a question a line with all its scores. NeMo-Gym writes an answer a line; its question
is ``_ng_task_index``. Neither has steps: these are evaluations, unless a step is given.
"""

from __future__ import annotations

from collections.abc import Iterator

from llm_validation.audit.model.chunk import NO_STEP, Chunk
from llm_validation.audit.model.entries import as_step
from llm_validation.audit.model.settings import AuditSettings
from llm_validation.audit.reading.base import ResponseReader
from llm_validation.audit.reading.building import Row, chunks_of
from llm_validation.audit.reading.head import Head
from llm_validation.audit.reading.json_lines import Tally, fields, records
from llm_validation.audit.reading.rows import step_and_reward
from llm_validation.audit.reading.tokens import number_of

_LISTS = ("score", "scores", "rewards", "is_correct", "correct")


def _scores(record: dict[str, object]) -> list[object] | None:
    for name in _LISTS:
        value = record.get(name)
        if isinstance(value, list) and value and all(isinstance(one, (bool, int, float)) for one in value):
            return value
    return None


def _is_list(head: Head) -> bool:
    return any(_scores(record) is not None for record in head.objects)


def _read_lists(head: Head, settings: AuditSettings, tally: Tally) -> Iterator[Chunk]:
    del settings
    yield from chunks_of(head.path, _rows(head, tally), tally, identity="id", role="evaluation")


def _rows(head: Head, tally: Tally) -> Iterator[Row]:
    lines = Tally()
    for line, record in enumerate(records(head, lines)):
        scores = _scores(record)
        if scores is None:
            tally.drop("a question without a list of scores")
            continue
        step = as_step(record.get("step"))
        tally.read += len(scores)
        for score in scores:
            yield Row(NO_STEP if step is None else step, number_of(score), line)
    tally.take_lines(lines)


def _is_gym(head: Head) -> bool:
    return head.any_with("_ng_task_index", "reward")


def _read_gym(head: Head, settings: AuditSettings, tally: Tally) -> Iterator[Chunk]:
    del settings
    texts = ("_ng_task_index", "_ng_rollout_index")
    for found in fields(head, tally, numbers=("step", "reward"), texts=texts):
        step, reward = step_and_reward(found, "reward", head, tally)
        rollout = found.texts["_ng_rollout_index"]
        yield Chunk(
            head.path,
            "id",
            step,
            reward,
            key=found.texts["_ng_task_index"].hashes(),
            member=rollout.hashes() if rollout.present.all() else None,
            role="evaluation",
        )


READERS = (ResponseReader("nemo-gym", _is_gym, _read_gym), ResponseReader("score-lists", _is_list, _read_lists))
