"""Estimate bytes on one GPU in each phase of a training step, on the host and on disk, each with its formula.

They are counted from verl 0.9.1's FSDP engine and from the tensors that autograd keeps (the tests count these on the
model's own code). Arithmetic is eager: what ``torch.compile`` fuses away is counted as if it stayed.

The formulas' letters: N parameters of the model, S GPUs that share one copy of them, b bytes of a stored number, c of
a gathered one, r of a gradient that is reduced, T tokens of a micro-batch on one GPU, L layers, h, q, k and i widths
(``model_sizes``), V the vocabulary, R sequences at once in vLLM, tp GPUs of a vLLM replica.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llm_validation.cluster.estimate.from_configuration import planned_run
from llm_validation.cluster.estimate.hardware import GIB, Gpu, gpu_named
from llm_validation.cluster.estimate.model_sizes import ModelShape
from llm_validation.cluster.estimate.planned_run import PlannedRun, PlannedTraining
from llm_validation.verl_engine.configuration.record import read

# CUDA contexts of the two processes on a GPU, NCCL's buffers, fragments of the allocator: assumed, from no formula.
RESERVED = 4.0 * GIB
# What vLLM keeps when it sleeps at level 2, which drops weights and cache: its context and captured graphs. Assumed.
ASLEEP = 2.0 * GIB
# vLLM's captured graphs and what its kernels allocate beside the cache. Assumed.
GRAPHS = 1.5 * GIB
# Tokens that verl's fused output layer takes at once.
FUSED_CHUNK = 512
# Bytes of a token in a file of rollouts: about four characters in English.
TOKEN_TEXT = 4
# Bytes of a token in the host's memory: ids and masks in 64 bits, log-probabilities and advantages in 32.
TOKEN_ON_HOST = 64


@dataclass(frozen=True)
class Part:
    """Name one thing that takes memory, with its size in bytes and the formula of that size."""

    name: str
    bytes: float
    formula: str


@dataclass(frozen=True)
class Phase:
    """List everything that takes memory at one time."""

    name: str
    parts: tuple[Part, ...]

    @property
    def bytes(self) -> float:
        """Return the sum of the parts in bytes."""
        return sum(part.bytes for part in self.parts)

    @property
    def largest(self) -> Part:
        """Return the part that takes most."""
        return max(self.parts, key=lambda part: part.bytes)


@dataclass(frozen=True)
class Cache:
    """Measure vLLM's cache of keys and values on one GPU.

    Attributes:
        bytes_per_token: bytes of a token on one GPU of the tensor-parallel group.
        tokens: tokens that a replica holds; negative where not even the weights fit.
        full_sequences: sequences of the longest prompt and response that fit at once.
    """

    bytes_per_token: int
    tokens: float
    full_sequences: int


@dataclass(frozen=True)
class Budget:
    """Hold the memory of a run.

    Attributes:
        gpu: each of its GPUs.
        phases: of a GPU in the order of a step: generation and weight sync, in which vLLM is awake, then the actor's.
        host: memory of one node's host.
        disk: shared storage of all nodes together.
        cache: vLLM's cache.
    """

    gpu: Gpu
    phases: tuple[Phase, ...]
    host: Phase
    disk: Phase
    cache: Cache

    @property
    def tightest(self) -> Phase:
        """Return the phase that takes most of a GPU, which is the one that runs out of memory first."""
        return max(self.phases, key=lambda phase: phase.bytes)

    @property
    def tightest_of_actor(self) -> Phase:
        """Return the phase that takes most among those in which vLLM sleeps, whose size no setting fixes."""
        return max(self.phases[2:], key=lambda phase: phase.bytes)

    @property
    def starts(self) -> bool:
        """Return whether vLLM starts: its cache must hold one sequence of full length."""
        return self.cache.full_sequences > 0

    @property
    def problems(self) -> tuple[str, ...]:
        """Return why the run does not fit, one sentence each; none where it fits."""
        sentences = []
        for phase in self.phases:
            if phase.bytes > self.gpu.memory:
                sentences.append(f"{phase.name} takes {phase.bytes / GIB:.1f} GiB of a GPU's {self.gpu.memory_gib:g}")
        if not self.starts:
            sentences.append("vLLM's cache holds no sequence of full length, and vLLM does not start")
        return tuple(sentences)

    @property
    def fits(self) -> bool:
        """Return whether every phase fits on the GPU."""
        return not self.problems


def budget(config: Any, shape: ModelShape, *, gpu: Gpu | None = None, response_tokens: float | None = None) -> Budget:
    """Return the memory of a configuration; see :func:`budget_of`.

    Args:
        config: a composed configuration, or a plain nested mapping with verl's keys.
        shape: the model's sizes.
        gpu: each of its GPUs; by default the kind of :func:`gpu_named`.
        response_tokens: mean response length for host and disk; by default the longest.

    Raises:
        ValueError: the configuration's settings do not fit together.
    """
    return budget_of(planned_run(read(config)), shape, gpu=gpu or gpu_named(), response_tokens=response_tokens)


def budget_of(settings: PlannedRun, shape: ModelShape, *, gpu: Gpu, response_tokens: float | None = None) -> Budget:
    """Return the memory of a run.

    Args:
        settings: the run's numbers.
        shape: the model's sizes.
        gpu: each of its GPUs.
        response_tokens: mean response length for what is on the host and on disk; by default the longest.
    """
    tokens = settings.max_response if response_tokens is None else response_tokens
    phases = (
        generation(settings, shape, gpu),
        weight_sync(settings, shape),
        log_probabilities(settings, shape, gpu),
        update_at_logits(settings, shape, gpu),
        update_at_head(settings, shape, gpu),
        update_in_layer(settings, shape, gpu),
        optimiser_step(settings, shape, gpu),
    )
    return Budget(
        gpu=gpu,
        phases=phases,
        host=host(settings, shape, tokens),
        disk=disk(settings, shape, tokens),
        cache=cache(settings, shape, gpu),
    )


def billions(count: float) -> str:
    """Return a count of parameters as the formulas show it, in billions."""
    return f"{count / 1e9:.3g}e9"


def _sharded(name: str, count: float, each: int, over: int, symbols: str) -> Part:
    """Return a part of ``count`` numbers of ``each`` bytes that ``over`` GPUs share."""
    return Part(name, count * each / over, f"{symbols} = {billions(count)} x {each} / {over}")


def _weights(training: PlannedTraining, shape: ModelShape) -> Part:
    """Return the stored weights, a share on each GPU."""
    return _sharded("weights, sharded", shape.parameters, training.master_bytes, training.fsdp_size, "N b / S")


def _gradients(training: PlannedTraining, shape: ModelShape) -> Part:
    """Return the gradients between micro-batches: a share on each GPU, or whole where they are reduced once."""
    if training.unsharded_gradients:
        return _sharded("gradients, whole", shape.parameters, training.master_bytes, 1, "N b")
    return _sharded("gradients, sharded", shape.parameters, training.master_bytes, training.fsdp_size, "N b / S")


def _states(training: PlannedTraining, shape: ModelShape) -> Part:
    """Return the numbers that the optimiser keeps about the weights, a share on each GPU."""
    states = training.optimiser_states * shape.parameters
    text = f"{training.optimiser_states} N b / S"
    return _sharded("optimiser states, sharded", states, training.master_bytes, training.fsdp_size, text)


def _resident(training: PlannedTraining, shape: ModelShape, *, weights: bool, states: bool) -> list[Part]:
    """Return what stays on the GPU or is loaded for the phase; with FSDP2's offload policy nothing does."""
    if training.offload_policy:
        return []
    parts = [_weights(training, shape)] if weights else []
    return parts + ([_states(training, shape)] if states and training.optimiser_states else [])


def _head(training: PlannedTraining, shape: ModelShape) -> int:
    """Return the parameters that are gathered with the output layer.

    FSDP1 keeps all parameters outside the layers together, the embedding among them; FSDP2 wraps each.
    """
    both = 1 if shape.tied or training.strategy == "fsdp2" else 2
    return both * shape.embedding


def _gathered(training: PlannedTraining, shape: ModelShape, *, layers: int, head: bool) -> Part:
    """Return the whole weights of the layers at work and fetched ahead, and of the output layer where it is there."""
    # FSDP1 frees the parameters of its outermost unit only at the end of the pass.
    held = head or training.strategy == "fsdp"
    count = layers * shape.layer_parameters + (_head(training, shape) if held else 0)
    each = training.compute_bytes
    gathered = f"({layers} layer{'s' if layers > 1 else ''}{' + head' if held else ''})"
    return Part("gathered weights", count * each, f"{gathered} c = {billions(count)} x {each}")


def _layer_inputs(training: PlannedTraining, shape: ModelShape) -> Part:
    """Return what the forward pass keeps for the backward pass.

    With gradient checkpointing it is the input of each layer; without, all that a layer's backward pass needs.
    """
    tokens, each = training.update_tokens, training.compute_bytes
    if not training.gradient_checkpointing:
        width = layer_saved(shape)
        # `layer_saved` counts 16-bit numbers; 32-bit ones take twice as much.
        size = tokens * shape.layers * width * each / 2
        return Part("activations", size, f"T L w = {tokens} x {shape.layers} x {width * each // 2}")
    # With offload two inputs are on the GPU: that of the layer at work and that fetched for the next one.
    kept = 2 if training.activation_offload else shape.layers
    size = tokens * kept * shape.hidden * each
    return Part("layer inputs", size, f"T L h c = {tokens} x {kept} x {shape.hidden} x {each}")


def layer_saved(shape: ModelShape) -> int:
    """Return the bytes per token that a layer's backward pass needs in 16 bits: 16 h + 10 (q + k) + MLP.

    MLP is 8 i, or 8 i + 10 h for each active expert. Counted on Qwen3's own code with an attention that keeps queries,
    keys, values and its output.
    """
    return 16 * shape.hidden + 10 * (shape.query_width + shape.kv_width) + _mlp_bytes(shape, 8)


def layer_working(shape: ModelShape) -> int:
    """Return the bytes per token of a layer recomputed and differentiated in 16 bits: 20 h + 10 (q + k) + MLP.

    MLP is 12 i, or 8 i + 10 h for each active expert. Counted as :func:`layer_saved`.
    """
    return 20 * shape.hidden + 10 * (shape.query_width + shape.kv_width) + _mlp_bytes(shape, 12)


def layer_forward(shape: ModelShape) -> int:
    """Return the bytes per token of a layer's forward pass in 16 bits without gradients: 8 h + MLP.

    MLP is 6 i, or 8 i + 10 h for each active expert.
    """
    return 8 * shape.hidden + _mlp_bytes(shape, 6)


def _mlp_bytes(shape: ModelShape, dense: int) -> int:
    """Return the bytes per token of the MLP: ``dense`` i, or the active experts' and the router's 4 per expert."""
    if not shape.experts:
        return dense * shape.intermediate
    return shape.active_experts * (8 * shape.intermediate + 10 * shape.hidden) + 4 * shape.experts


def _working(training: PlannedTraining, shape: ModelShape) -> Part:
    """Return the memory of one layer that is recomputed and differentiated."""
    tokens, width = training.update_tokens, layer_working(shape) * training.compute_bytes // 2
    return Part("one layer at work", tokens * width, f"T w = {tokens} x {width}")


def logit_bytes(training: PlannedTraining, *, update: bool) -> tuple[int, int, int]:
    """Return bytes per entry of a micro-batch's logits, bytes per entry of a chunk's, and tokens of a chunk.

    In units of a 16-bit number, for all tokens: the logits take 1; with their entropy, softmax and product beside them
    3; in the update without entropy 1, since the cross-entropy's gradient overwrites them; with entropy 7. With chunks
    the rest is 32-bit and of the chunk: 12 bytes forward; in the update autograd keeps all chunks. The fused output
    layer has chunks only: 12 bytes forward, 20 in the update. Where padding is not removed, verl copies the logits
    once more.

    Args:
        training: the settings of the actor's engine.
        update: whether the pass is an update, or one for log-probabilities.
    """
    each = training.compute_bytes
    if training.fused_head:
        return 0, 20 if update else 12, FUSED_CHUNK
    copies, chunk_bytes, chunk = 1, 0, 0
    # verl computes the entropy in every pass for log-probabilities, whether or not the loss has it.
    entropy = training.entropy_in_update if update else True
    if entropy and not training.entropy_chunk:
        copies = 7 if update else 3
    elif entropy:
        chunk, chunk_bytes = training.entropy_chunk, 16 if update else 12
        copies = 1
    extra = 0 if training.remove_padding else (2 if update else 1)
    kept = (11 if training.entropy_recomputed else 9) if update and entropy and training.entropy_chunk else 0
    return (copies + extra) * each + kept, chunk_bytes, chunk


def _logits(training: PlannedTraining, shape: ModelShape, *, update: bool) -> Part:
    """Return the memory of the logits of a micro-batch."""
    tokens = training.update_tokens if update else training.log_prob_tokens
    whole, part, chunk = logit_bytes(training, update=update)
    size = shape.vocabulary * (tokens * whole + min(chunk, tokens) * part)
    terms = [f"T V {whole} = {tokens} x {shape.vocabulary} x {whole}"] if whole else []
    terms += [f"chunk V {part} = {min(chunk, tokens)} x {shape.vocabulary} x {part}"] if part else []
    return Part("logits", size, " + ".join(terms))


def generation(settings: PlannedRun, shape: ModelShape, gpu: Gpu) -> Phase:
    """Return the phase in which vLLM generates; of the actor there is what is not moved to the host."""
    training = settings.training
    parts = _resident(training, shape, weights=not training.param_offload, states=not training.optimizer_offload)
    return Phase("generation", (*parts, *_vllm(settings, shape, gpu), *_always()))


def vllm_fixed(settings: PlannedRun, shape: ModelShape) -> tuple[Part, ...]:
    """Return what vLLM needs on a GPU before its cache: weights, and working memory for its largest step."""
    rollout = settings.rollout
    weights = _sharded("vLLM, weights", shape.parameters, rollout.weight_bytes, rollout.tensor_parallel, "N b / tp")
    # Sampling holds logits, their softmax and a sorted copy, in 32 bits.
    sampling = 3 * 4 * rollout.max_num_seqs * shape.vocabulary
    step = rollout.max_num_batched_tokens * layer_forward(shape) * rollout.weight_bytes / 2
    text = f"12 R V + T w + graphs = 12 x {rollout.max_num_seqs} x {shape.vocabulary} + ..."
    return weights, Part("vLLM, working memory", sampling + step + GRAPHS, text)


def cache(settings: PlannedRun, shape: ModelShape, gpu: Gpu) -> Cache:
    """Return vLLM's cache: the tokens that fit into what its share of the GPU leaves beside :func:`vllm_fixed`."""
    each = shape.kv_bytes_per_token(settings.rollout.tensor_parallel, settings.rollout.weight_bytes)
    left = settings.rollout.gpu_memory_utilization * gpu.memory - sum(p.bytes for p in vllm_fixed(settings, shape))
    full_sequences = max(0, int(left / each // settings.max_sequence))
    return Cache(bytes_per_token=each, tokens=left / each, full_sequences=full_sequences)


def weight_sync(settings: PlannedRun, shape: ModelShape) -> Phase:
    """Return the phase in which the new weights go to vLLM, tensor by tensor, before its cache is allocated again."""
    training, rollout = settings.training, settings.rollout
    # FSDP1 exports from the GPU only; FSDP2 fetches each tensor from where it is.
    here = training.strategy == "fsdp" or not training.param_offload
    tensor = max(shape.embedding, shape.layer_parameters if shape.experts else shape.expert)
    resident = _resident(training, shape, weights=here, states=not training.optimizer_offload)
    each = training.master_bytes
    sent = (
        Part("largest tensor, whole", tensor * each, f"{billions(tensor)} x {each}"),
        Part("buckets", 2.0 * rollout.bucket_bytes, "one filled, one sent"),
    )
    return Phase("weight sync", (*resident, *vllm_fixed(settings, shape), *sent, *_always()))


def log_probabilities(settings: PlannedRun, shape: ModelShape, gpu: Gpu) -> Phase:
    """Return the phase of a forward pass without gradients, in which verl computes the entropy of every token."""
    training = settings.training
    width = layer_forward(shape) * training.compute_bytes // 2
    tokens = training.log_prob_tokens
    return Phase(
        "log-probabilities",
        (
            *_resident(training, shape, weights=True, states=not training.optimizer_offload),
            _gathered(training, shape, layers=1, head=True),
            Part("hidden states", float(tokens * width), f"T w = {tokens} x {width}"),
            _logits(training, shape, update=False),
            *_asleep(settings, shape, gpu),
        ),
    )


def update_at_logits(settings: PlannedRun, shape: ModelShape, gpu: Gpu) -> Phase:
    """Return the phase in which the pass turns backward: the logits and the head's gradient are there."""
    training = settings.training
    return Phase(
        "update, at the logits",
        (
            *_training_state(training, shape),
            _gathered(training, shape, layers=1, head=True),
            _layer_inputs(training, shape),
            _logits(training, shape, update=True),
            _head_gradient(training, shape, reduced=False),
            *_asleep(settings, shape, gpu),
        ),
    )


def update_at_head(settings: PlannedRun, shape: ModelShape, gpu: Gpu) -> Phase:
    """Return the phase in which the output layer's gradient is reduced.

    With FSDP2 it follows the logits; with FSDP1 it is at the very end of the backward pass.
    """
    training = settings.training
    last = training.strategy == "fsdp"
    return Phase(
        "update, at the head",
        (
            *_training_state(training, shape),
            _gathered(training, shape, layers=1, head=True),
            *([] if last else [_layer_inputs(training, shape)]),
            _head_gradient(training, shape, reduced=True),
            *_asleep(settings, shape, gpu),
        ),
    )


def update_in_layer(settings: PlannedRun, shape: ModelShape, gpu: Gpu) -> Phase:
    """Return the phase of the backward pass through the last layer: it is recomputed, and its gradient reduced."""
    training = settings.training
    each = training.compute_bytes + training.reduce_bytes
    layer = shape.layer_parameters
    return Phase(
        "update, in a layer",
        (
            *_training_state(training, shape),
            _gathered(training, shape, layers=2, head=False),
            _layer_inputs(training, shape),
            _working(training, shape),
            Part("a layer's gradient, whole", float(layer * each), f"layer (c + r) = {billions(layer)} x {each}"),
            *([_head_gradient(training, shape, reduced=False)] if training.strategy == "fsdp" else []),
            *_asleep(settings, shape, gpu),
        ),
    )


def optimiser_step(settings: PlannedRun, shape: ModelShape, gpu: Gpu) -> Phase:
    """Return the phase in which all weights of the shard are updated at once.

    Adam's root of the second moment is an array of its own.
    """
    training = settings.training
    # With FSDP2's offload policy the step is taken on the host.
    count = shape.parameters if training.optimiser_states and not training.offload_policy else 0
    spare = _sharded("optimiser's temporary", count, training.master_bytes, training.fsdp_size, "one array: N b / S")
    return Phase("optimiser step", (*_training_state(training, shape), spare, *_asleep(settings, shape, gpu)))


def _training_state(training: PlannedTraining, shape: ModelShape) -> list[Part]:
    """Return weights, optimiser states and gradients; none of them with FSDP2's offload policy."""
    if training.offload_policy:
        return []
    return [*_resident(training, shape, weights=True, states=True), _gradients(training, shape)]


def _head_gradient(training: PlannedTraining, shape: ModelShape, *, reduced: bool) -> Part:
    """Return the whole gradient of the output layer.

    FSDP1 has one gradient for all parameters outside the layers and holds it from the logits to the end.
    """
    count = _head(training, shape)
    each = training.compute_bytes + (training.reduce_bytes if reduced else 0)
    text = f"head {'(c + r)' if reduced else 'c'} = {billions(count)} x {each}"
    return Part("the head's gradient, whole", float(count * each), text)


def _asleep(settings: PlannedRun, shape: ModelShape, gpu: Gpu) -> tuple[Part, ...]:
    """Return what vLLM holds while the actor works."""
    if settings.rollout.frees_cache:
        return (Part("vLLM, asleep", ASLEEP, "assumed"), *_always())
    return (*_vllm(settings, shape, gpu), *_always())


def _vllm(settings: PlannedRun, shape: ModelShape, gpu: Gpu) -> tuple[Part, ...]:
    """Return vLLM at work: it takes its share of the GPU, or what it needs at least where that is more."""
    share, fixed = settings.rollout.gpu_memory_utilization * gpu.memory, vllm_fixed(settings, shape)
    text = f"u M - the two above = {settings.rollout.gpu_memory_utilization:g} x {gpu.memory_gib:g} GiB - ..."
    return (*fixed, Part("vLLM, keys and values", max(0.0, share - sum(part.bytes for part in fixed)), text))


def _always() -> tuple[Part, ...]:
    """Return what no setting changes."""
    return (Part("contexts, NCCL, fragments", RESERVED, "assumed"),)


def host(settings: PlannedRun, shape: ModelShape, response_tokens: float) -> Phase:
    """Return one node's memory: what is moved there, a whole copy while the model loads, and the batch.

    Args:
        settings: the run's numbers.
        shape: the model's sizes.
        response_tokens: mean response length.
    """
    training, gpus, each = settings.training, settings.gpus_per_node, settings.training.master_bytes
    # Tied weights cannot be made without memory, so every process of the node loads its own copy.
    copies = gpus if shape.tied else 1
    loading = f"{copies} x N b = {copies} x {billions(shape.parameters)} x {each}"
    batch = settings.prompts * settings.responses_per_prompt * (settings.max_prompt + response_tokens) * TOKEN_ON_HOST
    return Phase(
        "host memory of a node",
        (
            *_moved_to_host(training, shape, gpus),
            Part("loading the model", float(copies * shape.parameters * each), loading),
            Part("the batch", batch, f"B G (prompt + response) {TOKEN_ON_HOST}"),
        ),
    )


def _moved_to_host(training: PlannedTraining, shape: ModelShape, gpus: int) -> list[Part]:
    """Return what the GPUs of a node have moved to its memory; a reference model always waits there."""
    off = training.offload_policy
    counts = {
        "weights, moved there": shape.parameters * (training.param_offload or off),
        "optimiser states, moved there": training.optimiser_states
        * shape.parameters
        * (training.optimizer_offload or off),
        "reference model": shape.parameters * training.reference_model,
    }
    parts = []
    for name, count in counts.items():
        if count:
            size = gpus * count * training.master_bytes / training.fsdp_size
            numbers = f"{gpus} x {billions(count)} x {training.master_bytes} / {training.fsdp_size}"
            parts.append(Part(name, size, f"{gpus} GPUs x N b / S = {numbers}"))
    return parts


def disk(settings: PlannedRun, shape: ModelShape, response_tokens: float) -> Phase:
    """Return the shared storage that the run fills: checkpoints and dumped text.

    Args:
        settings: the run's numbers.
        shape: the model's sizes.
        response_tokens: mean response length.
    """
    each = checkpoint_bytes(settings, shape)
    kept = checkpoints_on_disk(settings)
    formula = f"{kept} x {each / GIB:.0f} GiB: N b (1 + {settings.training.optimiser_states})"
    parts = [Part("checkpoints", kept * each, formula)]
    if settings.dumps_rollouts:
        responses = settings.steps * settings.prompts * settings.responses_per_prompt
        parts.append(Part("rollouts", responses * response_tokens * TOKEN_TEXT, f"steps B G response {TOKEN_TEXT}"))
    return Phase("shared storage", tuple(parts))


def checkpoint_bytes(settings: PlannedRun, shape: ModelShape) -> float:
    """Return the bytes of one checkpoint.

    It holds weights and optimiser states in the training type, and a copy of the weights in 16 bits if that is asked
    for.
    """
    each, saved = settings.training.master_bytes, settings.saved
    whole = each * (("model" in saved) + settings.training.optimiser_states * ("optimizer" in saved))
    return float(shape.parameters * (whole + (2 if "hf_model" in saved else 0)))


def checkpoints_on_disk(settings: PlannedRun) -> int:
    """Return the most checkpoints at once.

    verl removes the oldest before it saves, but never the only one. A counterfactual puts the state aside as one more.
    """
    aside = 1 if settings.probe.counterfactual_every else 0
    if not settings.save_every:
        return aside
    # verl always writes one after the last step, hence the rounding up.
    made = -(-settings.steps // settings.save_every)
    return aside + (min(made, max(2, settings.checkpoints_kept)) if settings.checkpoints_kept else made)
