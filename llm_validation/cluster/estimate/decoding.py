"""How long vLLM takes for a batch of responses: a step's bytes and FLOPs, and a batch that empties towards its end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llm_validation.cluster.estimate.assumptions import Efficiency
from llm_validation.cluster.estimate.hardware import Gpu
from llm_validation.cluster.estimate.model_sizes import ModelShape
from llm_validation.cluster.estimate.workload import Lengths
from qae_theory.arrays import Array

# Points of the integral over the time in which a batch empties; its integrand is smooth and monotone.
POINTS = 512


@dataclass(frozen=True)
class Replica:
    """One copy of vLLM: the model on ``tensor_parallel`` GPUs, at most ``slots`` responses at once."""

    shape: ModelShape
    gpu: Gpu
    efficiency: Efficiency
    tensor_parallel: int
    max_num_seqs: int
    cache_tokens: float
    weight_bytes: int = 2


def step_seconds(replica: Replica, batch: Array, context: Array) -> Array:
    """Seconds of one decoding step of ``batch`` responses with ``context`` tokens each before them.

    overhead + max((W(b) + b c kv) / (B x share), b FLOPs(c) / (F tp x share)) + 2 L all-reduces if tp > 1, where W are
    the bytes of the weights that the step reads on one GPU. With experts, the step touches E (1 - (1 - k/E)^b) of them.
    """
    shape, gpu, part = replica.shape, replica.gpu, replica.tensor_parallel
    share = replica.efficiency
    read = weights_read(replica, batch) + batch * context * shape.kv_bytes_per_token(part, replica.weight_bytes)
    flops = batch * (2.0 * shape.matrix_parameters + 4.0 * shape.layers * shape.query_width * context)
    by_memory = read / (gpu.bandwidth * share.decode_bandwidth)
    by_arithmetic = flops / (gpu.flops * part * share.decode_arithmetic)
    together = 2 * shape.layers * share.all_reduce if part > 1 else 0.0
    return share.decode_overhead + together + np.maximum(by_memory, by_arithmetic)


def weights_read(replica: Replica, batch: Array) -> Array:
    """Bytes of weights that a step reads on one GPU."""
    shape = replica.shape
    count = shape.matrix_parameters + np.zeros_like(np.asarray(batch, dtype=float))
    if shape.experts:
        touched = shape.experts * (1 - (1 - shape.active_experts / shape.experts) ** batch)
        count = count + shape.layers * (touched - shape.active_experts) * shape.expert
    return count * replica.weight_bytes / replica.tensor_parallel


def slots(replica: Replica, lengths: Lengths, prompt: float) -> float:
    """Responses at once: vLLM's own limit, or as many as its cache holds at their mean age."""
    return max(1.0, min(float(replica.max_num_seqs), replica.cache_tokens / (prompt + lengths.mean_age)))


def batch_seconds(replica: Replica, responses: float, lengths: Lengths, prompt: float, *, of: float) -> float:
    """Seconds until a replica has generated its ``responses``, of ``of`` in all replicas, in expectation.

    While more wait than there are slots the replica is full: (r - c) mean / c steps. Then c are left and end one after
    another, and the replica waits for the longest of all: the integral over t of P(one of all is longer than t) times a
    step with c P(length > t) responses. Tokens: (r - c) mean + c mean = r mean.
    """
    if responses <= 0:
        return 0.0
    most = min(slots(replica, lengths, prompt), responses)
    full = (responses - most) * lengths.mean / most
    steady = full * float(step_seconds(replica, np.asarray(most), np.asarray(prompt + lengths.mean_age)))
    t = (np.arange(POINTS) + 0.5) * (lengths.most / POINTS)
    left = np.maximum(most * lengths.survival(t), min(1.0, most))
    steps = lengths.any_left(t, of) * step_seconds(replica, left, prompt + t)
    return steady + float(np.sum(steps)) * (lengths.most / POINTS)


def prefill_seconds(replica: Replica, prompts: float, prompt: float) -> float:
    """Seconds for the prompts' own tokens: one forward pass."""
    flops = prompts * prompt * replica.shape.flops_per_token(prompt / 2)
    return flops / (replica.gpu.flops * replica.tensor_parallel * replica.efficiency.decode_arithmetic)
