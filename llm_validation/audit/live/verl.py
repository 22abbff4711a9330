"""Run the checks in a synchronous V1 trainer of verl: ``watched(PPOTrainerSync)`` stands for the class.

A step that is due costs one read of the batch's scores and advantages; the others cost nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from llm_validation.audit.live.guard import never_stopping
from llm_validation.audit.live.window import EVERY, Window
from llm_validation.audit.model.settings import AuditSettings
from llm_validation.verl_engine.rollout_keys import rollouts_of

_FIELDS = ("uid", "response_mask", "rm_scores", "advantages")


def watched(trainer_class: type, every: int = EVERY, settings: AuditSettings | None = None) -> type:
    """Return a subclass that checks the advantages of every ``every``-th step and logs what it finds.

    Args:
        trainer_class: one of verl's V1 trainers (0.9.1), with ``_compute_advantage(batch, metrics)``.
        every: how many steps lie between two checks; each looks at its own step's batch.
        settings: of the run, as for ``qae audit``.

    Raises:
        ValueError: ``every`` is not at least 1.
    """
    window = Window(1, settings)
    Window(every)  # refuses a wrong number now, and not in the middle of a run

    class Watched(trainer_class):
        """Run the checks behind the trainer's advantages."""

        def _compute_advantage(self, batch: Any, metrics: dict[str, Any]) -> Any:
            batch = super()._compute_advantage(batch, metrics)
            if self.global_steps % every == 0:
                with never_stopping():
                    metrics.update(step_metrics(window, self.global_steps, batch))
            return batch

    return Watched


def step_metrics(window: Window, step: int, batch: Any) -> dict[str, float]:
    """Return the metrics of one batch of verl's transfer queue; outputs of one rollout have one vote.

    A rollout's score is that of its last output, its advantage that of any output with a token that counts.

    Args:
        window: takes the batch.
        step: of the trainer.
        batch: verl's ``KVBatchMeta``, when the advantages have been put into the queue.
    """
    queue = import_module("transfer_queue")
    data = queue.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=list(_FIELDS))
    scores, advantages, masks = (data[name].unbind() for name in ("rm_scores", "advantages", "response_mask"))
    final, of_row = rollouts_of(map(str, batch.keys))
    tokens, values = np.zeros(len(final)), np.zeros(len(final))
    for row, rollout in enumerate(of_row):
        counted = masks[row].bool()
        count = int(counted.sum())
        tokens[rollout] += count
        if count:
            values[rollout] = float(advantages[row][counted][0])
    rewards = np.array([float(scores[row].sum()) for row in final])
    uids = [str(uid) for uid in data["uid"]]
    return window.add(step, [uids[row] for row in final], rewards, values, tokens=tokens)
