"""verl's replay buffer with its rows in an order of their own, so that two runs make the same batches."""

from __future__ import annotations

from typing import Any

import transfer_queue as tq
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer


class OrderedReplayBuffer(ReplayBuffer):
    """By prompt and response: prompt ids are drawn at random, and responses end in any order."""

    def __init__(self, **options: Any) -> None:
        super().__init__(poll_interval=0.05, **options)

    def sample(self, *arguments: Any, **options: Any) -> Any:
        batch, metrics = super().sample(*arguments, **options)
        data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=["prompts", "responses"])
        pairs = zip(data["prompts"].unbind(), data["responses"].unbind(), strict=True)
        content = [(prompt.tolist(), response.tolist()) for prompt, response in pairs]
        batch.reorder(sorted(range(len(batch)), key=content.__getitem__))
        return batch, metrics
