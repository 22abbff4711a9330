"""Read prime-rl's ``token_exports/step_<N>/rank_<R>.jsonl``: a sequence a line, a number a token, no groups.

Fields (``TokenExporter``): step, export_step, loss_mask, advantages, rewards, inference_logprobs, trainer_logprobs,
entropy, importance_ratio, is_masked_high, is_masked_low. What it masks is its own rule, a difference of probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from llm_validation.audit.model.chunk import Chunk
from llm_validation.audit.model.entries import as_step
from llm_validation.audit.model.settings import AuditSettings
from llm_validation.audit.reading.base import ResponseReader
from llm_validation.audit.reading.building import Row, chunks_of
from llm_validation.audit.reading.head import Head
from llm_validation.audit.reading.json_lines import Tally, records
from llm_validation.audit.reading.rows import step_in_name
from llm_validation.audit.reading.tokens import mismatch, one_number, token_array
from qae_theory.arrays import Array


def _is_export(head: Head) -> bool:
    return head.any_with("inference_logprobs", "trainer_logprobs")


def _read(head: Head, settings: AuditSettings, tally: Tally) -> Iterator[Chunk]:
    rows = (_row(record, head, settings) for record in records(head, tally))
    yield from chunks_of(head.path, rows, tally, identity="none")


def _row(record: Mapping[str, Any], head: Head, settings: AuditSettings) -> Row:
    mask = token_array(record.get("loss_mask"))
    arrays = {name: token_array(record.get(name)) for name in ("inference_logprobs", "trainer_logprobs", "entropy")}
    rollout, train = arrays["inference_logprobs"], arrays["trainer_logprobs"]
    columns = {} if rollout is None or train is None else mismatch(rollout, train, mask, settings)
    columns["advantage"] = one_number(token_array(record.get("advantages")), mask)
    if arrays["entropy"] is not None:
        columns["entropy_before"] = _total(arrays["entropy"], mask)
    for side in ("high", "low"):
        clipped = token_array(record.get(f"is_masked_{side}"))
        if clipped is not None:
            columns[f"clipped_{side}"] = _total(clipped, mask)
    step = as_step(record.get("export_step", record.get("step")))
    found = step_in_name(head.path) if step is None else step
    reward = one_number(token_array(record.get("rewards")), mask)
    return Row(found, reward, columns=columns)


def _total(values: Array, mask: Array | None) -> float:
    counted = values if mask is None or len(mask) != len(values) else values[mask.astype(bool)]
    return float(np.nansum(counted))


READERS = (ResponseReader("prime-tokens", _is_export, _read),)
