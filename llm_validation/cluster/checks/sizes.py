"""Checks of sizes against one another: batches, GPUs, lengths, and what they make of one step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llm_validation.cluster.checks.check import Check, Config, failed, fine, select, warned

_ACTOR, _ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"


def gpus(config: Config) -> int:
    """GPUs of the run."""
    return int(select(config, "trainer.nnodes", 1)) * int(select(config, "trainer.n_gpus_per_node", 1))


def check_sizes(config: Config) -> Check:
    """Batches divide into mini-batches and among the GPUs; the GPUs into the groups that share a model."""
    name = "batch sizes"
    faults = list(_faults(config))
    if faults:
        return failed(name, "; ".join(faults))
    prompts, mini, group = _sizes(config)
    updates = prompts // mini * int(select(config, f"{_ACTOR}.ppo_epochs", 1))
    shown = f"{prompts} prompts x {group} responses, {updates} update{'s' if updates > 1 else ''} a step"
    if select(config, f"{_ACTOR}.ppo_epochs", 1) == 1 and updates == 1:
        shown += ", on-policy: the ratio is 1 and nothing is clipped"
    return fine(name, f"{shown}, on {gpus(config)} GPU{'s' if gpus(config) > 1 else ''}")


def _sizes(config: Config) -> tuple[int, int, int]:
    found = (
        select(config, path) for path in ("data.train_batch_size", f"{_ACTOR}.ppo_mini_batch_size", f"{_ROLLOUT}.n")
    )
    prompts, mini, group = (int(value) for value in found)
    return prompts, mini, group


def _faults(config: Config) -> Iterator[str]:
    prompts, mini, group = _sizes(config)
    count = gpus(config)
    sequence = int(select(config, f"{_ACTOR}.ulysses_sequence_parallel_size", 1))
    tensor = int(select(config, f"{_ROLLOUT}.tensor_model_parallel_size", 1))
    node = int(select(config, "trainer.n_gpus_per_node", 1))
    yield from _indivisible("data.train_batch_size", prompts, "the mini-batch", mini)
    yield from _indivisible("the number of GPUs", count, "ulysses_sequence_parallel_size", sequence)
    yield from _indivisible("the number of GPUs", count, "tensor_model_parallel_size", tensor)
    if count % sequence == 0:
        of = f"{mini} x {group} responses of a mini-batch"
        yield from _indivisible(
            of, mini * group, "the model's copies (GPUs over sequence parallelism)", count // sequence
        )
    if tensor > node:
        yield f"tensor_model_parallel_size = {tensor} is more than a node's {node} GPUs"
    if not select(config, f"{_ACTOR}.use_dynamic_bsz", False):
        yield from _micro_faults(config, mini * group)


def _micro_faults(config: Config, responses: int) -> Iterator[str]:
    micro = select(config, f"{_ACTOR}.ppo_micro_batch_size_per_gpu")
    if micro is None:
        yield f"{_ACTOR}.ppo_micro_batch_size_per_gpu is needed without use_dynamic_bsz"
    else:
        yield from _indivisible(f"{responses} responses of a mini-batch", responses, "a micro-batch", int(micro))


def _indivisible(what: str, value: int, by_what: str, divisor: int) -> Iterator[str]:
    if divisor < 1 or value < 1 or value % divisor:
        shown = what if str(value) in what else f"{what} = {value}"
        yield f"{shown} must be a multiple of {by_what}, {divisor}"


def check_lengths(config: Config) -> Check:
    """The longest prompt and response fit where they have to."""
    name = "lengths"
    prompt, response = (int(select(config, f"data.max_{part}_length", 0)) for part in ("prompt", "response"))
    total = prompt + response
    says = f"prompts to {prompt} and responses to {response} tokens"
    limits: dict[str, Any] = {f"{_ROLLOUT}.max_model_len": select(config, f"{_ROLLOUT}.max_model_len", total)}
    if select(config, f"{_ACTOR}.use_dynamic_bsz", False):
        sequence = int(select(config, f"{_ACTOR}.ulysses_sequence_parallel_size", 1))
        limits[f"{_ACTOR}.ppo_max_token_len_per_gpu"] = sequence * int(
            select(config, f"{_ACTOR}.ppo_max_token_len_per_gpu")
        )
    short = [f"{key} holds {limit}" for key, limit in limits.items() if int(limit) < total]
    return failed(name, f"{says}, {total} together, but {'; '.join(short)}") if short else fine(name, says)


def check_logging(config: Config) -> Check:
    """`qae cluster collect` finds metrics: verl's file logger is on."""
    name, loggers = "logging", select(config, "trainer.logger", [])
    loggers = [loggers] if isinstance(loggers, str) else list(loggers)
    if "file" not in loggers:
        return failed(name, f"trainer.logger must have 'file', which `qae cluster collect` reads; got {loggers}")
    return fine(name, ", ".join(loggers))


def check_saving(config: Config) -> Check:
    """A job that dies can go on from somewhere."""
    name, every = "checkpoints", int(select(config, "trainer.save_freq", -1))
    if every < 1:
        return warned(name, f"trainer.save_freq = {every}: none is written, and a job that dies begins again")
    if select(config, f"{_ACTOR}.checkpoint.async_save", False):
        return failed(name, "async_save: verl then does not say which checkpoint is finished, and none is gone on from")
    missing = {"model", "optimizer", "extra"} - set(select(config, f"{_ACTOR}.checkpoint.save_contents", ()))
    if missing:
        return warned(name, f"without {', '.join(sorted(missing))}: a job that goes on is not the job that was killed")
    keep = select(config, "trainer.max_actor_ckpt_to_keep")
    return fine(name, f"every {every} steps, {'all' if keep is None else f'the newest {keep}'} kept")
