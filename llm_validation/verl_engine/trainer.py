"""Extend verl's synchronous trainer by a probe: what every update did to the entropy, and what another rule would do.

``python -m llm_validation.verl_engine.trainer --config-dir ... +experiment=NAME key=value`` takes the place of
``python -m verl.trainer.main_ppo``; ``trainer.v1.trainer_mode=qae_probe`` chooses the trainer here. Nothing of the
probe changes training. The figures are computed from tokens in ``update_probe``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import ray
import transfer_queue as tq
import verl.trainer
from omegaconf import DictConfig
from tensordict import TensorDict
from transfer_queue import KVBatchMeta
from verl.protocol import DataProto
from verl.single_controller.base.decorator import Dispatch, register
from verl.trainer.main_ppo import TaskRunnerV1, run_ppo
from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY
from verl.trainer.ppo.utils import need_critic, need_reference_policy
from verl.trainer.ppo.v1.trainer_base import register_trainer
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync
from verl.trainer.ppo.v1.utils import compute_advantage_for_multi_trajectories
from verl.utils.config import validate_config
from verl.utils.debug import marked_timer
from verl.utils.device import auto_set_device
from verl.workers.engine_workers import ActorRolloutRefWorker
from verl.workers.utils.padding import response_from_nested, response_to_nested

from llm_validation.verl_engine import plugin as verl_plugin
from llm_validation.verl_engine.rollout_keys import rollouts_of
from llm_validation.verl_engine.update_probe import Response, metrics_of, records_from_tokens
from qae_theory.advantages import provided_estimators
from qae_theory.baselines import DEFAULT_K
from qae_theory.checks import quantile_level, refuse
from qae_theory.runs.files import write_atomically

TRAINER = "qae_probe"
STATE = frozenset({"model", "optimizer", "extra"})  # what a checkpoint must hold to bring a worker back
MEASURED = ("log_probs", "entropy")  # fields that a forward pass writes
SHARDED = ("fsdp", "fsdp2")


@dataclass(frozen=True)
class ProbeSettings:
    """The keys of ``trainer.probe``, checked, and what else of the configuration the probe reads."""

    every: int
    """Each step that is a multiple of it is probed; 0 means never."""
    counterfactual_every: int
    """Each step that is a multiple of it has a counterfactual: a checkpoint and, for each arm, an update."""
    arms: tuple[str, ...]
    """Estimators of the counterfactual."""
    dump_dir: Path | None
    """The folder of each step's records, ``<step>.jsonl``."""
    scratch_dir: Path
    """The folder of the counterfactual's checkpoint while it is needed; on one node it need not be shared."""
    quantile_k: Any
    correct_above: float
    clip_low: float
    clip_high: float
    clip_dual: float | None
    """The ratio beyond which verl's loss is flat for a negative advantage; None for a loss that has no such bound."""
    sequence_ratio: bool

    def probes(self, step: int) -> bool:
        """Return whether this step is measured."""
        return _due(step, self.every) or self.counters(step)

    def counters(self, step: int) -> bool:
        """Return whether this step has a counterfactual."""
        return bool(self.arms) and _due(step, self.counterfactual_every)


def probe_settings(config: DictConfig) -> ProbeSettings:
    """Return the probe's settings from the whole configuration.

    Raises:
        ValueError: the message names the key. A configuration that the probe cannot measure is refused too: a critic,
            whose advantages differ from token to token, or old log-probabilities taken from the rollout.
    """
    probe = config.trainer.get("probe") or {}
    actor = config.actor_rollout_ref.actor
    if need_critic(config):
        refuse(
            "algorithm.adv_estimator", config.algorithm.adv_estimator, "one of groups, without a critic, for the probe"
        )
    if (config.algorithm.get("rollout_correction") or {}).get("bypass_mode", False):
        refuse(
            "algorithm.rollout_correction.bypass_mode",
            True,
            "false for the probe, which needs entropies before the step",
        )
    dump, scratch = probe.get("dump_dir"), probe.get("scratch_dir")
    threshold = config.algorithm.get("correct_above")
    settings = ProbeSettings(
        every=_count("every", probe.get("every", 1)),
        counterfactual_every=_count("counterfactual_every", probe.get("counterfactual_every", 0)),
        arms=tuple(probe.get("counterfactual_arms") or ()),
        dump_dir=None if dump is None else Path(dump),
        scratch_dir=Path(scratch or Path(config.trainer.default_local_dir) / "counterfactual"),
        quantile_k=config.algorithm.get("quantile_k") or DEFAULT_K,
        correct_above=0.0 if threshold is None else float(threshold),
        clip_low=_clip(actor, "clip_ratio_low"),
        clip_high=_clip(actor, "clip_ratio_high"),
        clip_dual=_dual_clip(actor),
        sequence_ratio=actor.policy_loss.get("loss_mode") == "gspo",
    )
    quantile_level(settings.quantile_k)
    if settings.counterfactual_every:
        _check_counterfactual(settings, actor)
    return settings


def require_estimators(config: DictConfig) -> None:
    """Fail where the configured estimator, or an arm's, is not registered in this process.

    Raises:
        RuntimeError: one line with what verl swallowed, or with the estimators that there are.
    """
    if error := verl_plugin.import_error():
        raise RuntimeError(f"the plug-in did not load: {error}")
    arms = (config.trainer.get("probe") or {}).get("counterfactual_arms") or ()
    for name in (config.algorithm.adv_estimator, *arms):
        if name not in ADV_ESTIMATOR_REGISTRY:
            raise RuntimeError(
                f"no advantage estimator {name!r} in verl; there are {', '.join(sorted(ADV_ESTIMATOR_REGISTRY))}"
            )


def require_one_vote(estimator: str, keys: Sequence[str], *, setting: str = "algorithm.adv_estimator") -> None:
    """Refuse a batch in which a rollout has several outputs and the estimator would give each of them a vote.

    Args:
        estimator: the estimator's name.
        keys: names of the batch's rows, ``{group}_{rollout}_{output}``.
        setting: the key of the configuration that names the estimator.

    Raises:
        ValueError: one line that tells how many outputs there are.
    """
    ours = (*verl_plugin.ESTIMATORS, *provided_estimators())
    if estimator in ("grpo", "gae", *ours):
        return
    rollouts = rollouts_of(keys)
    if len(rollouts.final) < len(keys):
        there = f"{estimator!r} with {len(keys)} outputs of {len(rollouts.final)} rollouts"
        allowed = f"grpo or one of {', '.join(ours)}, which give a rollout one vote"
        refuse(setting, there, allowed)


class ProbeWorker(ActorRolloutRefWorker):
    """verl's worker, which can also put its whole state aside and take it back."""

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)  # type: ignore[untyped-decorator]
    def keep_state(self, folder: str) -> None:
        """Write the worker's whole state to a folder that verl's own list of checkpoints does not have.

        The state is weights, optimiser, schedule and random states. In verl's list it would push out real checkpoints.
        """
        manager = self.actor.engine.checkpoint_manager
        known, step = list(manager.previous_saved_paths), manager.previous_global_step
        self.actor.save_checkpoint(folder)
        manager.previous_saved_paths, manager.previous_global_step = known, step

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)  # type: ignore[untyped-decorator]
    def restore_state(self, folder: str) -> None:
        """Go back to the state that :meth:`keep_state` wrote."""
        self.actor.load_checkpoint(folder)

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)  # type: ignore[untyped-decorator]
    def drop_state(self, folder: str) -> None:
        """Remove the folder, on every node."""
        shutil.rmtree(folder, ignore_errors=True)


class ProbeTrainer(PPOTrainerSync):
    """``PPOTrainerSync`` that measures its updates.

    On a step that is due it keeps log-probabilities, entropies and advantages as they were before, makes verl's own
    update, takes one forward pass over the same batch, logs metrics ``probe/...`` and dumps one line per output. On a
    step with a counterfactual it does this first: it writes the state to disk and, for each arm, takes its advantages,
    verl's update and the forward pass, and takes the state back. Both are inside verl's ``timing_s/update_actor``; how
    much of it they are is in ``timing_s/probe`` and ``timing_s/counterfactual``.
    """

    def __init__(self, config: DictConfig) -> None:
        self.probe = probe_settings(config)
        super().__init__(config)

    @property
    def trainer_mode(self) -> str:
        """Return ``sync``: verl asks for it by name in a dozen places and takes other modes for asynchronous."""
        return "sync"

    @trainer_mode.setter
    def trainer_mode(self, value: str) -> None:
        """Leave the mode as it is; the configured name is that by which this class was found."""

    def _init_resource_pool_mgr(self) -> None:
        """Put :class:`ProbeWorker` in the place of verl's worker where there are counterfactuals."""
        super()._init_resource_pool_mgr()
        if not self.probe.counterfactual_every:
            return
        # A critic's worker is left alone, and so is any that is not verl's own. Ray has wrapped the class, which is
        # known by what is inside.
        for role, worker in self.role_worker_mapping.items():
            if worker.__ray_actor_class__ is ActorRolloutRefWorker:
                self.role_worker_mapping[role] = ray.remote(ProbeWorker)

    def _compute_advantage(self, batch: KVBatchMeta, metrics: dict[str, Any]) -> KVBatchMeta:
        """Compute advantages as verl does, after refusing estimators that would count outputs, an arm's too."""
        require_one_vote(self.config.algorithm.adv_estimator, batch.keys)
        for arm in self.probe.arms if self.probe.counterfactual_every else ():
            require_one_vote(arm, batch.keys, setting="trainer.probe.counterfactual_arms")
        return super()._compute_advantage(batch, metrics)

    def _update_actor(self, batch: KVBatchMeta, metrics: dict[str, Any]) -> KVBatchMeta:
        """Update the actor as verl does; on a step that is due, measure what the update did."""
        if not self.probe.probes(self.global_steps):
            return super()._update_actor(batch, metrics)
        by_arm = {}
        if self.probe.counters(self.global_steps):
            # Before the run's own update, because every arm has to start from the weights that it starts from.
            with marked_timer("counterfactual", self.timing_raw):
                by_arm = self._counterfactual(batch)
        # Read before the update: the forward pass after it writes to the same fields.
        before = _get(batch, "old_log_probs", "entropy", "advantages", "response_mask", "uid", self._rewards_name)
        batch = super()._update_actor(batch, metrics)
        with marked_timer("probe", self.timing_raw):
            after = self._measure(batch)
            self._report(metrics, list(self._responses(batch, before, after, by_arm)))
        return batch

    def _report(self, metrics: dict[str, Any], responses: Sequence[Response]) -> None:
        """Log the metrics and dump the records.

        What cannot be recorded is printed, and does not stop the training that it is about.
        """
        probe = self.probe
        try:
            records = records_from_tokens(
                responses,
                step=self.global_steps,
                clip_low=probe.clip_low,
                clip_high=probe.clip_high,
                clip_dual=probe.clip_dual,
                sequence_ratio=probe.sequence_ratio,
            )
            found = metrics_of(records, quantile_k=probe.quantile_k, correct_above=probe.correct_above)
        except ValueError as error:
            print(f"probe of step {self.global_steps} failed: {error}")
            metrics["probe/failed"] = 1.0
            return
        metrics.update(found, **{"probe/failed": 0.0})
        # verl aggregates the entropy that it logs in the way of the loss. Only a token mean is the figure of the probe,
        # so that a gap is a fault.
        if self.config.actor_rollout_ref.actor.loss_agg_mode == "token-mean":
            metrics["probe/check/entropy_gap"] = metrics["actor/entropy"] - found["probe/entropy/before/all"]
        if probe.dump_dir is not None:
            lines = (json.dumps(record, allow_nan=False) + "\n" for record in records)
            write_atomically(probe.dump_dir / f"{self.global_steps}.jsonl", "".join(lines))

    @property
    def _rewards_name(self) -> str:
        """Return the field of the rewards that the estimator saw."""
        return "token_level_rewards" if self.config.algorithm.use_kl_in_reward else "rm_scores"

    def _measure(self, batch: KVBatchMeta) -> TensorDict:
        """Return log-probabilities and entropies of the batch's responses under the workers' present weights.

        A forward pass writes them where those of before lie; those are put back.
        """
        kept = _get(batch, *MEASURED)
        # verl divides the logits by it for the old log-probabilities, and these are compared with them.
        temperature = self.config.actor_rollout_ref.rollout.temperature
        self.actor_rollout_wg.compute_log_prob(
            _copy(batch, {"calculate_entropy": True, "compute_loss": False, "temperature": temperature})
        )
        found = _get(batch, *MEASURED, "response_mask")
        _put(batch, kept)
        mask = found["response_mask"]
        return TensorDict({name: response_from_nested(found[name], mask) for name in MEASURED}, batch_size=len(batch))

    def _counterfactual(self, batch: KVBatchMeta) -> dict[str, Any]:
        """Return the entropies after each arm's update of the present state, nested ``[B, T]``.

        The state is left as it was.
        """
        folder = str(self.probe.scratch_dir)
        # An arm's advantages are put where verl's update reads them, so that the run's own are kept aside.
        own = _get(batch, "advantages", "returns")
        self.actor_rollout_wg.keep_state(folder)
        found = {}
        for arm in self.probe.arms:
            _put(batch, self._advantages(batch, arm))
            # verl writes instructions of an update into what it is given, hence the copy. The metrics are dropped: they
            # have the names of the run's own.
            super()._update_actor(_copy(batch, batch.extra_info), {})
            found[arm] = self._measure(batch)["entropy"]
            self.actor_rollout_wg.restore_state(folder)
        _put(batch, own)
        self.actor_rollout_wg.drop_state(folder)
        return found

    def _advantages(self, batch: KVBatchMeta, estimator: str) -> TensorDict:
        """Return another estimator's advantages of the batch, computed on verl's own route."""
        data = _get(batch, "uid", "response_mask", self._rewards_name)
        mask = data["response_mask"]
        proto = DataProto(batch=data.to_padded_tensor())
        # The ids are texts, which verl keeps apart from the tensors.
        proto.non_tensor_batch["uid"] = np.array(proto.batch.pop("uid").tolist(), dtype=object)
        proto.batch["token_level_rewards"] = proto.batch[self._rewards_name]
        algorithm = self.config.algorithm
        proto = compute_advantage_for_multi_trajectories(
            proto,
            batch_keys=batch.keys,
            adv_estimator=estimator,
            gamma=algorithm.gamma,
            lam=algorithm.lam,
            num_repeat=self.config.actor_rollout_ref.rollout.n,
            norm_adv_by_std_in_grpo=algorithm.get("norm_adv_by_std_in_grpo", True),
            config=algorithm,
        )
        fields = {name: response_to_nested(proto.batch[name], mask) for name in ("advantages", "returns")}
        return TensorDict(fields, batch_size=len(batch))

    def _responses(
        self, batch: KVBatchMeta, before: TensorDict, after: TensorDict, by_arm: Mapping[str, Any]
    ) -> Iterator[Response]:
        """Yield the batch's rows, without those that only fill it up."""
        measured = ("response_mask", "advantages", "old_log_probs", "entropy")
        tokens = {name: padded_rows(before[name]) for name in measured}
        later = {name: padded_rows(after[name]) for name in MEASURED}
        arms = {arm: padded_rows(entropies) for arm, entropies in by_arm.items()}
        uids, rewards = list(before["uid"]), padded_rows(before[self._rewards_name])
        for row, (key, tag) in enumerate(zip(batch.keys, batch.tags, strict=True)):
            if not tag.get("is_padding", False):
                yield Response(
                    uid=str(uids[row]),
                    key=key,
                    reward=float(rewards[row].sum()),
                    mask=tokens["response_mask"][row],
                    advantages=tokens["advantages"][row],
                    log_probs_before=tokens["old_log_probs"][row],
                    log_probs_after=later["log_probs"][row],
                    entropies_before=tokens["entropy"][row],
                    entropies_after=later["entropy"][row],
                    entropies_after_by_arm={arm: entropies[row] for arm, entropies in arms.items()},
                )


@ray.remote
class ProbeTaskRunner(TaskRunnerV1.__ray_actor_class__):
    """verl's task runner, in whose process the trainer above is registered by its name."""

    def run(self, config: DictConfig) -> None:
        """Train, after checking that the estimators are there.

        This process, perhaps on another machine, has registered nothing yet; the import does.
        """
        from llm_validation.verl_engine.trainer import require_estimators

        require_estimators(config)
        super().run(config)


@hydra.main(config_path=str(Path(verl.trainer.__path__[0]) / "config"), config_name="ppo_trainer", version_base=None)  # type: ignore[untyped-decorator]
def main(config: DictConfig) -> None:
    """Run verl's own entry point, with estimators that must be there and the probe's trainer registered."""
    auto_set_device(config)
    validate_config(config=config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))
    if not config.trainer.use_v1:
        refuse("trainer.use_v1", False, "true: QAE's trainer is one of verl's V1")
    require_estimators(config)
    # The trainer asks again in its own process; here a bad setting is refused before Ray starts and a model is loaded.
    if config.trainer.v1.trainer_mode == TRAINER:
        probe_settings(config)
    run_ppo(config, task_runner_class=ProbeTaskRunner)


def _due(step: int, every: int) -> bool:
    """Return whether something that happens every so many steps happens at this one."""
    return every > 0 and step % every == 0


def _count(key: str, value: Any) -> int:
    """Return a number of steps; 0 means never."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        refuse(f"trainer.probe.{key}", value, "an integer >= 0; 0 is never")
    return value


def _dual_clip(actor: DictConfig) -> float | None:
    """Return the bound of dual clipping; only verl's ``vanilla`` loss has it."""
    value = actor.get("clip_ratio_c")
    return float(value) if value is not None and actor.policy_loss.get("loss_mode") in (None, "vanilla") else None


def _clip(actor: DictConfig, key: str) -> float:
    """Return one side of the clip range; verl's ``clip_ratio`` stands for a side that is not stated."""
    value = actor.get(key)
    return float(actor.clip_ratio if value is None else value)


def _check_counterfactual(settings: ProbeSettings, actor: DictConfig) -> None:
    """Refuse settings under which a counterfactual could not put the state back."""
    if not settings.arms:
        refuse("trainer.probe.counterfactual_arms", [], "the names of one or more estimators, such as [grpo, qae]")
    if actor.strategy not in SHARDED:
        refuse("actor_rollout_ref.actor.strategy", actor.strategy, f"one of {', '.join(SHARDED)} for a counterfactual")
    for key in ("save_contents", "load_contents"):
        if not set(actor.checkpoint[key]) >= STATE:
            where = f"actor_rollout_ref.actor.checkpoint.{key}"
            refuse(where, list(actor.checkpoint[key]), f"with {', '.join(sorted(STATE))} for a counterfactual")


def _get(batch: KVBatchMeta, *fields: str) -> TensorDict:
    """Return fields of the batch from verl's transfer queue."""
    return tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=list(fields))


def _put(batch: KVBatchMeta, fields: TensorDict) -> None:
    """Write fields of the batch to verl's transfer queue."""
    tq.kv_batch_put(keys=batch.keys, partition_id=batch.partition_id, fields=fields)


def _copy(batch: KVBatchMeta, extra_info: Mapping[str, Any]) -> KVBatchMeta:
    """Return the same rows with other instructions to the workers."""
    return KVBatchMeta(
        keys=list(batch.keys),
        tags=batch.tags,
        partition_id=batch.partition_id,
        fields=batch.fields,
        extra_info=dict(extra_info),
    )


def padded_rows(nested: Any) -> list[Any]:
    """Return a nested tensor's rows as arrays in float32, because NumPy has no bfloat16."""
    return [row.float().numpy() for row in nested.unbind()]


# Run as `python -m`, this file is the module `__main__`: the one that everybody else imports has to do the work.
if __name__ == "__main__":
    from llm_validation.verl_engine.trainer import main as main_of_the_module

    main_of_the_module()
else:
    register_trainer(TRAINER)(ProbeTrainer)
