"""Estimate how long vLLM takes for a batch of responses.

A decoding step takes the longer of reading memory and arithmetic. A batch empties towards its end, so that its last
steps are as slow as the longest response is long. Training steps are in ``cost``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llm_validation.cluster.estimate.assumptions import Efficiency
from llm_validation.cluster.estimate.hardware import Gpu
from llm_validation.cluster.estimate.model_sizes import ModelShape
from llm_validation.cluster.estimate.workload import Lengths
from qae_theory.arrays import Array

# Points of the midpoint rule for the time in which a batch empties. Its integrand is smooth and monotone, so that the
# error is far below that of the assumptions.
POINTS = 512


@dataclass(frozen=True)
class Replica:
    """Describe one copy of vLLM.

    Attributes:
        shape: the model's sizes.
        gpu: each of its GPUs.
        efficiency: the assumptions of a case.
        tensor_parallel: GPUs that share the copy.
        max_num_seqs: vLLM's limit on responses at once.
        cache_tokens: tokens that its cache of keys and values holds.
        weight_bytes: bytes of a weight, of a key and of a value.
    """

    shape: ModelShape
    gpu: Gpu
    efficiency: Efficiency
    tensor_parallel: int
    max_num_seqs: int
    cache_tokens: float
    weight_bytes: int = 2


def step_seconds(replica: Replica, batch: Array, context: Array) -> Array:
    """Return the seconds of one decoding step.

        overhead + max((W(b) + b c kv) / (B x share), b FLOPs(c) / (F tp x share)) + 2 L all-reduces if tp > 1

    W are the bytes of weights that the step reads on one GPU, kv those of a token's keys and values, B the GPU's
    bandwidth, F its FLOPs per second and L the number of layers.

    Args:
        replica: the copy of vLLM.
        batch: b, responses in the step, any shape.
        context: c, tokens before each of them, of a shape that broadcasts with ``batch``.

    Returns:
        Seconds, of the shape of ``batch`` and ``context`` together.
    """
    shape, gpu, part = replica.shape, replica.gpu, replica.tensor_parallel
    share = replica.efficiency
    read = weights_read(replica, batch) + batch * context * shape.kv_bytes_per_token(part, replica.weight_bytes)
    # A token attends to c others: q (query width) multiplications and additions for scores, and as many for values.
    flops = batch * (2.0 * shape.matrix_parameters + 4.0 * shape.layers * shape.query_width * context)
    by_memory = read / (gpu.bandwidth * share.decode_bandwidth)
    by_arithmetic = flops / (gpu.flops * part * share.decode_arithmetic)
    together = 2 * shape.layers * share.all_reduce if part > 1 else 0.0
    return share.decode_overhead + together + np.maximum(by_memory, by_arithmetic)


def weights_read(replica: Replica, batch: Array) -> Array:
    """Return the bytes of weights that a step of ``batch`` responses reads on one GPU.

    With experts the step touches E (1 - (1 - k/E)^b) of them in expectation, where each token chooses k of E at
    random.
    """
    shape = replica.shape
    count = shape.matrix_parameters + np.zeros_like(np.asarray(batch, dtype=float))
    if shape.experts:
        touched = shape.experts * (1 - (1 - shape.active_experts / shape.experts) ** batch)
        count = count + shape.layers * (touched - shape.active_experts) * shape.expert
    return count * replica.weight_bytes / replica.tensor_parallel


def slots(replica: Replica, lengths: Lengths, prompt: float) -> float:
    """Return how many responses a replica generates at once.

    It is vLLM's own limit, or as many as its cache holds at their mean age, and at least one.
    """
    return max(1.0, min(float(replica.max_num_seqs), replica.cache_tokens / (prompt + lengths.mean_age)))


def batch_seconds(replica: Replica, responses: float, lengths: Lengths, prompt: float, *, of: float) -> float:
    """Return the expected seconds until a replica has generated its share of a batch.

    While more responses wait than there are slots c, the replica is full: (r - c) mean / c steps. Then c are left and
    end one after another, and the replica waits for the longest of all: the integral over t of P(one of all is longer
    than t) times the seconds of a step with c P(length > t) responses. The tokens add up: (r - c) mean + c mean = r
    mean.

    Args:
        replica: the copy of vLLM.
        responses: r, responses of this replica.
        lengths: the law of their lengths, in tokens.
        prompt: mean tokens of a prompt.
        of: responses of all replicas together, among which the longest is waited for.
    """
    if responses <= 0:
        return 0.0
    most = min(slots(replica, lengths, prompt), responses)
    full = (responses - most) * lengths.mean / most
    steady = full * float(step_seconds(replica, np.asarray(most), np.asarray(prompt + lengths.mean_age)))
    t = (np.arange(POINTS) + 0.5) * (lengths.most / POINTS)
    left = np.maximum(most * lengths.survival(t), min(1.0, most))  # the step that is waited for has a response in it
    steps = lengths.any_left(t, of) * step_seconds(replica, left, prompt + t)
    return steady + float(np.sum(steps)) * (lengths.most / POINTS)


def prefill_seconds(replica: Replica, prompts: float, prompt: float) -> float:
    """Return the seconds of one forward pass over the prompts' own tokens.

    Args:
        replica: the copy of vLLM.
        prompts: number of prompts.
        prompt: mean tokens of a prompt; each attends to half of them on average.
    """
    flops = prompts * prompt * replica.shape.flops_per_token(prompt / 2)
    return flops / (replica.gpu.flops * replica.tensor_parallel * replica.efficiency.decode_arithmetic)
