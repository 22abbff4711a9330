"""Check sizes against one another: batches, GPUs and lengths, and what they make of one step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llm_validation.cluster.checks.check import Check, failed, fine
from llm_validation.verl_engine.configuration.actor import Actor
from llm_validation.verl_engine.configuration.record import Configuration
from llm_validation.verl_engine.configuration.trainer import Trainer


def gpus(trainer: Trainer) -> int:
    """Return the number of GPUs of the run."""
    return int(trainer.nodes.or_else(1)) * int(trainer.gpus_per_node.or_else(1))


@dataclass(frozen=True)
class _Batch:
    """Count the prompts of a batch and of a mini-batch, and the responses to each."""

    prompts: int
    mini: int
    group: int

    @property
    def mini_batch_responses(self) -> int:
        """Return the responses of a mini-batch."""
        return self.mini * self.group


def _batch(run: Configuration) -> _Batch:
    return _Batch(
        prompts=int(run.data.prompts.value),
        mini=int(run.actor.mini_batch_prompts.value),
        group=int(run.rollout.group_size.value),
    )


def check_sizes(run: Configuration) -> Check:
    """Look whether batches divide into mini-batches and among the GPUs, and the GPUs into groups that share a model."""
    name = "batch sizes"
    faults = list(_faults(run))
    if faults:
        return failed(name, "; ".join(faults))
    batch, epochs = _batch(run), run.actor.epochs.or_else(1)
    updates = batch.prompts // batch.mini * int(epochs)
    step = f"{batch.prompts} prompts x {batch.group} responses, {updates} update{'s' if updates > 1 else ''} a step"
    if epochs == 1 and updates == 1:
        step += ", on-policy: the ratio is 1 and nothing is clipped"
    count = gpus(run.trainer)
    return fine(name, f"{step}, on {count} GPU{'s' if count > 1 else ''}")


def _faults(run: Configuration) -> Iterator[str]:
    """Yield a sentence for each size that is no multiple of what it has to be divided by."""
    batch, count = _batch(run), gpus(run.trainer)
    parallel, tensor = run.actor.sequence_parallel, run.rollout.tensor_parallel
    gpus_a_sequence, gpus_a_replica = int(parallel.or_else(1)), int(tensor.or_else(1))
    gpus_a_node = int(run.trainer.gpus_per_node.or_else(1))
    yield from _indivisible(run.data.prompts.key, batch.prompts, by="the mini-batch", divisor=batch.mini)
    yield from _indivisible("the number of GPUs", count, by=parallel.name, divisor=gpus_a_sequence)
    yield from _indivisible("the number of GPUs", count, by=tensor.name, divisor=gpus_a_replica)
    if count % gpus_a_sequence == 0:
        yield from _indivisible(
            f"{batch.mini} x {batch.group} responses of a mini-batch",
            batch.mini_batch_responses,
            by="the model's copies (GPUs over sequence parallelism)",
            divisor=count // gpus_a_sequence,
        )
    if gpus_a_replica > gpus_a_node:
        yield f"{tensor.name} = {gpus_a_replica} is more than a node's {gpus_a_node} GPUs"
    if not run.actor.dynamic_batches.or_else(False):
        yield from _micro_batch_faults(run.actor, batch.mini_batch_responses)


def _micro_batch_faults(actor: Actor, responses: int) -> Iterator[str]:
    """Yield what is wrong with micro-batches of a fixed number of sequences."""
    if not actor.micro_batch.stated:
        yield f"{actor.micro_batch.key} is needed without {actor.dynamic_batches.name}"
    else:
        yield from _indivisible(
            f"{responses} responses of a mini-batch",
            responses,
            by="a micro-batch",
            divisor=int(actor.micro_batch.value),
        )


def _indivisible(what: str, value: int, *, by: str, divisor: int) -> Iterator[str]:
    """Yield a sentence where ``value`` is no positive multiple of ``divisor``."""
    if divisor < 1 or value < 1 or value % divisor:
        shown = what if str(value) in what else f"{what} = {value}"
        yield f"{shown} must be a multiple of {by}, {divisor}"


def check_lengths(run: Configuration) -> Check:
    """Look whether the longest prompt and response fit where they have to."""
    name, actor = "lengths", run.actor
    prompt, response = int(run.data.longest_prompt.or_else(0)), int(run.data.longest_response.or_else(0))
    total = prompt + response
    lengths = f"prompts to {prompt} and responses to {response} tokens"
    room = {run.rollout.max_model_len.key: run.rollout.max_model_len.or_else(total)}
    if actor.dynamic_batches.or_else(False):
        # The GPUs that share a sequence hold it together.
        room[actor.update_tokens.key] = int(actor.sequence_parallel.or_else(1)) * int(actor.update_tokens.value)
    short = [f"{key} holds {tokens}" for key, tokens in room.items() if int(tokens) < total]
    if short:
        return failed(name, f"{lengths}, {total} together, but {'; '.join(short)}")
    return fine(name, lengths)
