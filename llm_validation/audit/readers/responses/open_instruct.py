"""Read open-instruct's ``<run>_rollouts_<shard>.jsonl``: one record a response, with its advantage.

Fields (``RolloutRecord`` in its ``rl_utils.py``): step, prompt_idx, sample_idx, prompt_tokens, response_tokens, reward,
advantage, finish_reason, dataset, ground_truth, request_info, logprobs. The group is (step, prompt_idx). Truncated
responses may have been left out after the advantages were made, so that groups are ragged.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from llm_validation.audit.model.chunk import Chunk
from llm_validation.audit.model.settings import AuditSettings
from llm_validation.audit.reading.base import ResponseReader
from llm_validation.audit.reading.head import Head
from llm_validation.audit.reading.json_lines import Tally, fields
from llm_validation.audit.reading.rows import step_and_reward

_CUT = ("length", "max_tokens", "truncated")  # vLLM's reasons for a response that ran into the limit


def _is_rollouts(head: Head) -> bool:
    return head.any_with("prompt_idx", "reward") and head.any_with("advantage", "reward")


def _read(head: Head, settings: AuditSettings, tally: Tally) -> Iterator[Chunk]:
    del settings
    numbers, texts = ("step", "reward", "advantage"), ("prompt_idx", "sample_idx", "finish_reason")
    for found in fields(head, tally, numbers=numbers, texts=texts):
        step, reward = step_and_reward(found, "reward", head, tally)
        columns = {"advantage": found.numbers["advantage"]}
        if found.has("finish_reason"):
            reason = found.texts["finish_reason"]
            cut = reason.mapped(lambda value: int(value in _CUT), 0)
            columns["truncated"] = np.where(reason.present, cut.astype(np.float64), np.nan)
        yield Chunk(
            head.path,
            "id",
            step,
            reward,
            key=found.texts["prompt_idx"].hashes(),
            member=found.texts["sample_idx"].hashes() if found.has("sample_idx") else None,
            columns=columns,
        )


READERS = (ResponseReader("open-instruct", _is_rollouts, _read),)
