"""Read NeMo-RL's ``train_data_step<N>.jsonl``: one record a response, each field in a list of length 1.

Fields (``grpo.py``, written by ``log_batched_dict_as_jsonl``): content, rewards, advantages (one a token or one a
response), generation_logprobs and prev_logprobs (one a token, prompt and padding included), token_loss_mask,
input_lengths, and idx, the place in the batch. The step stands in the file's name only. Responses to a prompt stand
together; how many there are is not said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from llm_validation.audit.model.chunk import Chunk
from llm_validation.audit.model.settings import AuditSettings
from llm_validation.audit.reading.base import ResponseReader
from llm_validation.audit.reading.building import Row, chunks_of
from llm_validation.audit.reading.head import Head
from llm_validation.audit.reading.json_lines import Tally, records
from llm_validation.audit.reading.rows import step_in_name
from llm_validation.audit.reading.tokens import mismatch, number_of, one_number, token_array, unwrapped
from qae_theory.arrays import Array


def _is_train_data(head: Head) -> bool:
    if not head.any_with("rewards"):
        return False
    return any(head.any_with(name, "rewards") for name in ("generation_logprobs", "prev_logprobs", "input_lengths"))


def _read(head: Head, settings: AuditSettings, tally: Tally) -> Iterator[Chunk]:
    listed = sorted(records(head, tally), key=lambda record: number_of(record.get("idx", 0)))
    prompts = [_prompt(record) for record in listed]
    known = all(prompt is not None for prompt in prompts)
    step = step_in_name(head.path)
    rows = (_row(record, prompt, step, settings) for record, prompt in zip(listed, prompts, strict=True))
    evaluation = re.search(r"\bval", head.path.name) is not None
    yield from chunks_of(
        head.path,
        rows,
        tally,
        identity="block",
        has_prompts=known,
        role="evaluation" if evaluation else "training",
    )


def _row(record: Mapping[str, Any], prompt: Any, step: int, settings: AuditSettings) -> Row:
    mask = token_array(record.get("token_loss_mask"))
    columns: dict[str, float] = {}
    advantage = _advantage(record.get("advantages"), mask)
    if not np.isnan(advantage):
        columns["advantage"] = advantage
    rollout, train = (token_array(record.get(name)) for name in ("generation_logprobs", "prev_logprobs"))
    if rollout is not None and train is not None:
        columns |= mismatch(rollout, train, mask, settings)
    return Row(step, number_of(record.get("rewards")), prompt, columns=columns)


def _advantage(value: Any, mask: Array | None) -> float:
    """Return the advantage that all tokens share; tokens that do not count may have 0."""
    if not isinstance(unwrapped(value), list):
        return number_of(value)
    tokens = token_array(value)
    shared = one_number(tokens, mask)
    if np.isnan(shared) and mask is None and tokens is not None:
        shared = one_number(tokens[tokens != 0])
    return shared


def _prompt(record: Mapping[str, Any]) -> Any:
    """Return what the response was asked, where the record says it; None otherwise."""
    content = unwrapped(record.get("content"))
    if isinstance(content, list) and len(content) > 1:
        return content[0]
    return record.get("prompt")


READERS = (ResponseReader("nemo-rl", _is_train_data, _read),)
