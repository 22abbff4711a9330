"""Read AReaL's dump of trajectories: ``<version>/<task>.jsonl``, a file a task, one record a response.

Fields (``WorkflowExecutor``): task_id, sample_idx, seqlen, prompt_len, head_version, tail_version, reward, prompt, ...
The group is the task; its step is the version of the weights that ended its last response.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from llm_validation.audit.model.chunk import NO_STEP, Chunk
from llm_validation.audit.model.settings import AuditSettings
from llm_validation.audit.reading.base import ResponseReader
from llm_validation.audit.reading.head import Head
from llm_validation.audit.reading.json_lines import Tally, fields, hashed
from llm_validation.audit.reading.rows import counted_rewards


def _is_dump(head: Head) -> bool:
    return head.any_with("task_id", "reward") and (head.any_with("tail_version") or head.any_with("head_version"))


def _read(head: Head, settings: AuditSettings, tally: Tally) -> Iterator[Chunk]:
    del settings
    numbers = ("reward", "head_version", "tail_version", "seqlen", "prompt_len")
    parts = list(fields(head, tally, numbers=numbers, texts=("task_id",)))
    versions = [part.numbers["tail_version"] for part in parts]
    known = [version[np.isfinite(version)] for version in versions]
    last = max((float(version.max()) for version in known if len(version)), default=float(NO_STEP))
    folder = head.path.parent.name
    step = int(folder) if folder.isdigit() else max(int(last), 0)
    for part in parts:
        reward = counted_rewards(part.numbers["reward"], tally)
        tokens = part.numbers["seqlen"] - part.numbers["prompt_len"]
        columns = {"version": part.numbers["tail_version"], "tokens": tokens}
        task = part.texts["task_id"].hashes()
        yield Chunk(
            head.path,
            "id",
            np.full(part.rows, step, dtype=np.int64),
            reward,
            key=np.where(part.texts["task_id"].present, task, np.uint64(hashed(head.path.name))),
            columns={name: column for name, column in columns.items() if np.isfinite(column).any()},
        )


READERS = (ResponseReader("areal", _is_dump, _read),)
