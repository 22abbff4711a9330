"""Make the numbers of a planned run from the record of its configuration, checked singly and against one another."""

from __future__ import annotations

from llm_validation.cluster.estimate.planned_run import PlannedProbe, PlannedRollout, PlannedRun, PlannedTraining
from llm_validation.verl_engine.configuration.actor import OPTIMISER_STATES
from llm_validation.verl_engine.configuration.kinds import BYTES
from llm_validation.verl_engine.configuration.model import Model
from llm_validation.verl_engine.configuration.record import Configuration
from llm_validation.verl_engine.configuration.rollout import Rollout
from llm_validation.verl_engine.configuration.setting import Setting
from llm_validation.verl_engine.configuration.trainer import PROBE_MODE
from qae_theory.checks import refuse

# verl's replay buffer of the synchronous trainer, and the probe's trainer with it, asks for two new prompts for each
# group it throws away; that of the asynchronous trainers for one.
SYNCHRONOUS_MODES = ("sync", PROBE_MODE)


def planned_run(configuration: Configuration) -> PlannedRun:
    """Return the numbers of a run.

    Args:
        configuration: the record of its settings.

    Raises:
        ValueError: a setting that decides memory or time is missing, of the wrong type, or does not fit the others;
            the message names its key.
    """
    run = _numbers(configuration)
    _check_sizes(run, configuration)
    return run


def _numbers(configuration: Configuration) -> PlannedRun:
    """Return the numbers of a run, each checked by itself."""
    actor, algorithm, data = configuration.actor, configuration.algorithm, configuration.data
    rollout, trainer = configuration.rollout, configuration.trainer
    nodes, gpus_per_node = trainer.nodes.checked(), trainer.gpus_per_node.checked()
    max_prompt, max_response = data.longest_prompt.checked(), data.longest_response.checked()
    prompts = data.prompts.checked()
    mode = trainer.mode.checked()
    return PlannedRun(
        model=_model(configuration.model),
        nodes=nodes,
        gpus_per_node=gpus_per_node,
        prompts=prompts,
        responses_per_prompt=rollout.group_size.checked(),
        mini_batch_prompts=actor.mini_batch_prompts.checked(),
        ppo_epochs=actor.epochs.checked(),
        max_prompt=max_prompt,
        max_response=max_response,
        steps=trainer.steps.checked(),
        dynamic_sampling=algorithm.dynamic_sampling.checked(),
        refill=2 if mode in SYNCHRONOUS_MODES else 1,
        inflight_batches=algorithm.inflight_batches.checked(),
        prefix_caching=rollout.prefix_caching.checked(),
        validation_every=max(0, trainer.validation_every.checked()),
        validation_first=trainer.validation_first.checked(),
        validation_samples=rollout.validation_samples.checked(),
        save_every=max(0, trainer.save_every.checked()),
        checkpoints_kept=max(0, trainer.checkpoints_kept.checked()),
        saved=actor.saved.checked(),
        dumps_rollouts=trainer.rollout_dir.stated,
        dumps_validation=trainer.validation_dir.stated,
        training=_training(configuration, gpus=nodes * gpus_per_node, sequence=max_prompt + max_response),
        rollout=_rollout(rollout, sequence=max_prompt + max_response),
        probe=_probe(configuration) if mode == PROBE_MODE else PlannedProbe(0, 0, 0),
    )


def _model(model: Model) -> str:
    """Return the model's name; with LoRA other numbers of weights are stored, gathered and trained."""
    path = model.path.checked()
    for rank in (model.lora_rank, model.lora_table_rank):
        if rank.checked():
            refuse(rank.key, rank.value, "0: the plan knows full training only")
    return path


def _training(configuration: Configuration, *, gpus: int, sequence: int) -> PlannedTraining:
    """Return the numbers of the actor's training engine.

    Args:
        configuration: the record of the run's settings.
        gpus: GPUs of the run.
        sequence: tokens of the longest prompt and response together.
    """
    actor, model, algorithm = configuration.actor, configuration.model, configuration.algorithm
    strategy = actor.strategy.checked()
    size = actor.fsdp_size.checked()
    parallel = actor.sequence_parallel.checked()
    optimiser = actor.optimiser.checked()
    dynamic = actor.dynamic_batches.checked()
    # With a coefficient of 0 the loss has no entropy term; verl may compute the entropy all the same, to log it.
    has_entropy_loss = actor.entropy_coefficient.checked() != 0
    chunked = actor.chunked_entropy.checked()
    return PlannedTraining(
        strategy=strategy,
        # verl takes -1, 0 and whatever is larger than the run for all of its GPUs.
        fsdp_size=gpus if size <= 0 or size >= gpus else size,
        sequence_parallel=parallel,
        master_bytes=BYTES[actor.stored_type.checked()],
        compute_bytes=BYTES[actor.compute_type.checked()],
        reduce_bytes=BYTES[actor.reduce_type.checked()],
        optimiser_states=OPTIMISER_STATES[optimiser],
        param_offload=actor.param_offload.checked(),
        optimizer_offload=actor.optimizer_offload.checked(),
        offload_policy=strategy == "fsdp2" and actor.offload_policy.checked(),  # FSDP1 does not know it
        gradient_checkpointing=model.gradient_checkpointing.checked(),
        activation_offload=model.activation_offload.checked(),
        unsharded_gradients=actor.unsharded_gradients.checked(),
        remove_padding=model.remove_padding.checked(),
        fused_head=model.fused_head.checked(),
        entropy_in_update=has_entropy_loss or actor.computes_entropy.checked(),
        entropy_chunk=actor.entropy_chunk.checked() if chunked else 0,
        entropy_recomputed=actor.entropy_recomputed.checked(),
        update_tokens=(
            actor.update_tokens.checked() if dynamic else _full_sequences(actor.micro_batch, sequence, parallel)
        ),
        log_prob_tokens=(
            configuration.rollout.log_prob_tokens.checked(default=actor.update_tokens.checked())
            if dynamic
            else _full_sequences(configuration.rollout.log_prob_micro_batch, sequence, parallel)
        ),
        dynamic_batches=dynamic,
        reference_model=actor.kl_loss.checked() or algorithm.kl_in_reward.checked(),
        recomputes_log_probs=not algorithm.trusts_rollout_log_probs.checked(),
    )


def _full_sequences(micro_batch: Setting[int], sequence: int, parallel: int) -> int:
    """Return the tokens per GPU of a micro-batch of full-length sequences, each shared by ``parallel`` GPUs."""
    return -(-micro_batch.checked() * sequence // parallel)


def _rollout(rollout: Rollout, *, sequence: int) -> PlannedRollout:
    """Return the numbers of vLLM; other engines and data parallelism inside a replica are refused."""
    if rollout.data_parallel.checked() != 1:
        refuse(rollout.data_parallel.key, rollout.data_parallel.value, "1 for a plan")
    rollout.engine.checked()  # the formulas are of vLLM
    return PlannedRollout(
        tensor_parallel=rollout.tensor_parallel.checked(),
        gpu_memory_utilization=rollout.gpu_memory_utilization.checked(),
        max_num_seqs=rollout.max_num_seqs.checked(),
        max_num_batched_tokens=rollout.max_num_batched_tokens.checked(),
        max_model_len=rollout.max_model_len.checked(default=sequence),
        weight_bytes=BYTES[rollout.number_type.checked()],
        bucket_bytes=rollout.bucket_megabytes.checked() << 20,
        frees_cache=rollout.frees_cache.checked(),
    )


def _probe(configuration: Configuration) -> PlannedProbe:
    """Return the intervals and arms of the probe."""
    probe = configuration.probe
    arms = len(probe.arms.checked())
    # Without arms there is nothing to do at a counterfactual step, and the trainer does none.
    counterfactual_every = probe.counterfactual_every.checked() if arms else 0
    return PlannedProbe(probe.every.checked(), counterfactual_every, arms)


def _check_sizes(run: PlannedRun, configuration: Configuration) -> None:
    """Refuse sizes that verl itself would refuse on the cluster, after everything has been loaded."""
    actor, rollout = configuration.actor, configuration.rollout
    _check_divides_gpus(run, rollout.tensor_parallel, run.rollout.tensor_parallel)
    _check_divides_gpus(run, actor.sequence_parallel, run.training.sequence_parallel)
    _check_divides_gpus(run, actor.fsdp_size, run.training.fsdp_size)
    _check_holds_a_sequence(run, actor.update_tokens, run.training.update_tokens)
    _check_holds_a_sequence(run, rollout.log_prob_tokens, run.training.log_prob_tokens)
    if run.rollout.max_model_len < run.max_sequence:
        refuse(rollout.max_model_len.key, run.rollout.max_model_len, f">= prompt + response = {run.max_sequence}")
    if run.mini_batch_prompts > run.prompts:
        batch = configuration.data.prompts
        refuse(actor.mini_batch_prompts.key, run.mini_batch_prompts, f"<= {batch.key} = {run.prompts}")


def _check_divides_gpus(run: PlannedRun, setting: Setting[int], size: int) -> None:
    """Refuse a group of GPUs whose size does not divide the run's."""
    if run.gpus % size:
        product = f"{run.nodes} x {run.gpus_per_node} = {run.gpus}"
        refuse(setting.key, size, f"a divisor of the number of GPUs, {product}")


def _check_holds_a_sequence(run: PlannedRun, setting: Setting[int], tokens: int) -> None:
    """Refuse a budget of tokens in which the longest sequence does not fit: verl never cuts a sequence."""
    parallel = run.training.sequence_parallel
    least = -(-run.max_sequence // parallel)  # rounded up: sequence parallelism pads to equal parts
    if run.training.dynamic_batches and tokens < least:
        refuse(setting.key, tokens, f">= {least}: the longest sequence is on {parallel} GPU(s) at once")
