"""Read any JSON lines with a reward and a group's name in each: what other dumps can be converted to.

``{"step": 3, "group": "q7", "reward": 1.0, "advantage": 0.9, "tokens": 512, "truncated": false, "correct": true}``:
step, group and reward are needed, the other columns are the model's (see ``chunk.OPTIONAL``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from llm_validation.audit.model.chunk import OPTIONAL, Chunk
from llm_validation.audit.model.entries import as_number
from llm_validation.audit.model.settings import AuditSettings
from llm_validation.audit.reading.base import ResponseReader
from llm_validation.audit.reading.head import Head
from llm_validation.audit.reading.json_lines import Tally, fields
from llm_validation.audit.reading.rows import counted_rewards, steps

REWARDS = ("reward", "score", "reward_score", "final_reward")
GROUPS = ("group", "group_id", "group_index", "uid", "prompt_id", "prompt_idx", "problem_id", "question_id", "task_id")
STEPS = ("step", "global_step", "training_step", "iteration", "rollout_id")
ADVANTAGES = ("advantage", "advantages")
_PROMPTS = ("prompt", "input", "question", "query")


def _first(head: Head, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if any(record.get(name) is not None for record in head.objects)), None)


def _is_number(value: Any) -> bool:
    """Return whether a value is a number or true or false, also where a writer made text of it."""
    return value is not None and as_number(value) is not None


def _is_responses(head: Head) -> bool:
    if head.kind not in ("lines", "list"):
        return False
    reward = _first(head, REWARDS)
    has_number = any(_is_number(record.get(reward)) for record in head.objects if reward)
    return has_number and (_first(head, GROUPS) is not None or _first(head, _PROMPTS) is not None)


def _read(head: Head, settings: AuditSettings, tally: Tally) -> Iterator[Chunk]:
    del settings
    reward_name, step_name = _first(head, REWARDS) or "reward", _first(head, STEPS) or "step"
    group_name, advantage_name = _first(head, GROUPS), _first(head, ADVANTAGES) or "advantage"
    key = group_name or _first(head, _PROMPTS) or "prompt"
    numbers = list(dict.fromkeys([reward_name, step_name, advantage_name, *OPTIONAL]))
    for found in fields(head, tally, numbers=numbers, texts=(key,)):
        reward = counted_rewards(found.numbers[reward_name], tally)
        columns = {name: found.numbers[name] for name in OPTIONAL}
        columns["advantage"] = found.numbers[advantage_name]
        yield Chunk(
            head.path,
            "id" if group_name else "prompt",
            steps(found.numbers[step_name], head),
            reward,
            key=found.texts[key].hashes(),
            columns={name: column for name, column in columns.items() if np.isfinite(column).any()},
        )


READERS = (ResponseReader("responses", _is_responses, _read),)
