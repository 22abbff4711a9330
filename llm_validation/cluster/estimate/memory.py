"""Bytes on one GPU in each phase of a training step, on the host and on disk, each with its formula.

Counted from verl 0.9.1's FSDP engine and from the tensors that autograd keeps (the tests count these on the model's own
code). Eager arithmetic: what ``torch.compile`` fuses away is counted as if it stayed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llm_validation.cluster.estimate.from_configuration import planned_run
from llm_validation.cluster.estimate.hardware import GIB, Gpu, gpu_named
from llm_validation.cluster.estimate.model_sizes import ModelShape
from llm_validation.cluster.estimate.planned_run import PlannedRun, PlannedTraining
from llm_validation.verl_engine.configuration.record import read

# Not from any formula. CUDA contexts of the two processes on a GPU, NCCL's buffers, fragments of the allocator.
RESERVED = 4.0 * GIB
# What vLLM keeps when it sleeps at level 2: its context and captured graphs.
ASLEEP = 2.0 * GIB
# vLLM's captured graphs and what its kernels allocate beside the cache.
GRAPHS = 1.5 * GIB
# Tokens that verl's fused output layer takes at once.
FUSED_CHUNK = 512
# Bytes of a token in a file of rollouts: about four characters.
TOKEN_TEXT = 4
# Ids, masks, log-probabilities, advantages of a token in the host's memory.
TOKEN_ON_HOST = 64


@dataclass(frozen=True)
class Part:
    """One thing that takes memory."""

    name: str
    bytes: float
    formula: str


@dataclass(frozen=True)
class Phase:
    """Everything that is there at one time."""

    name: str
    parts: tuple[Part, ...]

    @property
    def bytes(self) -> float:
        """The sum of the parts."""
        return sum(part.bytes for part in self.parts)

    @property
    def largest(self) -> Part:
        """The part that takes most."""
        return max(self.parts, key=lambda part: part.bytes)


@dataclass(frozen=True)
class Cache:
    """vLLM's cache of keys and values on one GPU."""

    bytes_per_token: int
    """On one GPU of the tensor-parallel group."""
    tokens: float
    """Tokens that a replica holds; negative where not even the weights fit."""
    full_sequences: int
    """Sequences of the longest prompt and response that fit at once."""


@dataclass(frozen=True)
class Budget:
    """Memory of a run."""

    gpu: Gpu
    phases: tuple[Phase, ...]
    """In the order of a step: generation and weight sync, in which vLLM is awake, then the actor's."""
    host: Phase
    """One node."""
    disk: Phase
    """All nodes together."""
    cache: Cache

    @property
    def tightest(self) -> Phase:
        """The phase that takes most of a GPU: what saturates first."""
        return max(self.phases, key=lambda phase: phase.bytes)

    @property
    def tightest_of_actor(self) -> Phase:
        """The same among the phases in which vLLM sleeps, whose size nobody sets by hand."""
        return max(self.phases[2:], key=lambda phase: phase.bytes)

    @property
    def starts(self) -> bool:
        """Whether vLLM starts: its cache holds one sequence of full length."""
        return self.cache.full_sequences > 0

    @property
    def problems(self) -> tuple[str, ...]:
        """Why it does not fit, a line each; none where it does."""
        over = [
            f"{phase.name} takes {phase.bytes / GIB:.1f} GiB of a GPU's {self.gpu.memory_gib:g}"
            for phase in self.phases
            if phase.bytes > self.gpu.memory
        ]
        if not self.starts:
            over.append("vLLM's cache holds no sequence of full length, and vLLM does not start")
        return tuple(over)

    @property
    def fits(self) -> bool:
        """Whether every phase fits on the GPU."""
        return not self.problems


def budget(config: Any, shape: ModelShape, *, gpu: Gpu | None = None, response_tokens: float | None = None) -> Budget:
    """The memory of a configuration; see :func:`budget_of`."""
    return budget_of(planned_run(read(config)), shape, gpu=gpu or gpu_named(), response_tokens=response_tokens)


def budget_of(settings: PlannedRun, shape: ModelShape, *, gpu: Gpu, response_tokens: float | None = None) -> Budget:
    """The memory of a run.

    Args:
        settings: the run.
        shape: the model.
        gpu: each of its GPUs.
        response_tokens: mean length for what is on the host and on disk; the longest if not given.
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
        gpu, phases, host(settings, shape, tokens), disk(settings, shape, tokens), cache(settings, shape, gpu)
    )


def billions(count: float) -> str:
    """A count of parameters as the formulas have it."""
    return f"{count / 1e9:.3g}e9"


# What training keeps


def _sharded(name: str, count: float, each: int, over: int, what: str) -> Part:
    return Part(name, count * each / over, f"{what} = {billions(count)} x {each} / {over}")


def _weights(training: PlannedTraining, shape: ModelShape) -> Part:
    return _sharded("weights, sharded", shape.parameters, training.master_bytes, training.fsdp_size, "N b / S")


def _gradients(training: PlannedTraining, shape: ModelShape) -> Part:
    if training.unsharded_gradients:
        return _sharded("gradients, whole", shape.parameters, training.master_bytes, 1, "N b")
    return _sharded("gradients, sharded", shape.parameters, training.master_bytes, training.fsdp_size, "N b / S")


def _states(training: PlannedTraining, shape: ModelShape) -> Part:
    states = training.optimiser_states * shape.parameters
    text = f"{training.optimiser_states} N b / S"
    return _sharded("optimiser states, sharded", states, training.master_bytes, training.fsdp_size, text)


def _resident(training: PlannedTraining, shape: ModelShape, *, weights: bool, states: bool) -> list[Part]:
    """What stays on the GPU or is loaded for the phase; with FSDP2's offload policy nothing does."""
    if training.offload_policy:
        return []
    parts = [_weights(training, shape)] if weights else []
    return parts + ([_states(training, shape)] if states and training.optimiser_states else [])


def _head(training: PlannedTraining, shape: ModelShape) -> int:
    """Parameters gathered with the output layer: FSDP1 keeps all outside the layers together, FSDP2 wraps each."""
    both = 1 if shape.tied or training.strategy == "fsdp2" else 2
    return both * shape.embedding


def _gathered(training: PlannedTraining, shape: ModelShape, *, layers: int, head: bool) -> Part:
    """Whole weights of the layer at work and the one fetched ahead, and of the output layer where it is there."""
    held = head or training.strategy == "fsdp"
    count = layers * shape.layer_parameters + (_head(training, shape) if held else 0)
    each = training.compute_bytes
    return Part(
        "gathered weights",
        count * each,
        f"({layers} layer{'s' if layers > 1 else ''}{' + head' if held else ''}) c = {billions(count)} x {each}",
    )


def _layer_inputs(training: PlannedTraining, shape: ModelShape) -> Part:
    """What gradient checkpointing keeps of each layer; without it, all that a layer's backward pass needs."""
    tokens, each = training.update_tokens, training.compute_bytes
    if not training.gradient_checkpointing:
        width = layer_saved(shape)
        return Part(
            "activations",
            tokens * shape.layers * width * each / 2,
            f"T L w = {tokens} x {shape.layers} x {width * each // 2}",
        )
    kept = 2 if training.activation_offload else shape.layers
    return Part(
        "layer inputs", tokens * kept * shape.hidden * each, f"T L h c = {tokens} x {kept} x {shape.hidden} x {each}"
    )


def layer_saved(shape: ModelShape) -> int:
    """Bytes for one token that a layer's backward pass needs in 16 bits: 16 h + 10 (q + k) + MLP.

    Counted on Qwen3's own code with an attention that keeps queries, keys, values and its output. MLP: 8 i, and for
    each active expert 8 i + 10 h.
    """
    return 16 * shape.hidden + 10 * (shape.query_width + shape.kv_width) + _mlp_bytes(shape, 8)


def layer_working(shape: ModelShape) -> int:
    """Bytes for one token of a layer that is recomputed and differentiated in 16 bits: 20 h + 10 (q + k) + MLP.

    Counted as :func:`layer_saved`. MLP: 12 i, and for each active expert 8 i + 10 h.
    """
    return 20 * shape.hidden + 10 * (shape.query_width + shape.kv_width) + _mlp_bytes(shape, 12)


def layer_forward(shape: ModelShape) -> int:
    """Bytes for one token of a layer's forward pass in 16 bits without gradients: 8 h + MLP, 6 i or 8 i + 10 h."""
    return 8 * shape.hidden + _mlp_bytes(shape, 6)


def _mlp_bytes(shape: ModelShape, dense: int) -> int:
    if not shape.experts:
        return dense * shape.intermediate
    return shape.active_experts * (8 * shape.intermediate + 10 * shape.hidden) + 4 * shape.experts


def _working(training: PlannedTraining, shape: ModelShape) -> Part:
    tokens, width = training.update_tokens, layer_working(shape) * training.compute_bytes // 2
    return Part("one layer at work", tokens * width, f"T w = {tokens} x {width}")


# Logits


def logit_bytes(training: PlannedTraining, *, update: bool) -> tuple[int, int, int]:
    """Bytes for each entry of a micro-batch's logits, for each of a chunk's, and tokens of a chunk.

    In units of a 16-bit number, for all tokens: the logits, 1; with their entropy, softmax and product beside them, 3;
    in the update without entropy 1, since the cross-entropy's gradient overwrites them; with entropy 7. With chunks the
    rest is 32-bit and of the chunk: 12 bytes forward; in the update autograd keeps all chunks. The fused output layer
    has chunks only: 12 bytes forward, 20 in the update. Without padding removed, verl copies the logits once more.
    """
    each = training.compute_bytes
    if training.fused_head:
        return 0, 20 if update else 12, FUSED_CHUNK
    copies, chunk_bytes, chunk = 1, 0, 0
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
    tokens = training.update_tokens if update else training.log_prob_tokens
    whole, part, chunk = logit_bytes(training, update=update)
    size = shape.vocabulary * (tokens * whole + min(chunk, tokens) * part)
    text = [f"T V {whole} = {tokens} x {shape.vocabulary} x {whole}"] if whole else []
    text += [f"chunk V {part} = {min(chunk, tokens)} x {shape.vocabulary} x {part}"] if part else []
    return Part("logits", size, " + ".join(text))


# Phases


def generation(settings: PlannedRun, shape: ModelShape, gpu: Gpu) -> Phase:
    """vLLM generates; of the actor, what is not moved to the host."""
    training = settings.training
    parts = _resident(training, shape, weights=not training.param_offload, states=not training.optimizer_offload)
    return Phase("generation", (*parts, *_vllm(settings, shape, gpu), *_always()))


def vllm_fixed(settings: PlannedRun, shape: ModelShape) -> tuple[Part, ...]:
    """What vLLM needs on a GPU before its cache: weights, and the largest step that it may be asked for."""
    rollout = settings.rollout
    weights = _sharded("vLLM, weights", shape.parameters, rollout.weight_bytes, rollout.tensor_parallel, "N b / tp")
    sampling = 3 * 4 * rollout.max_num_seqs * shape.vocabulary
    step = rollout.max_num_batched_tokens * layer_forward(shape) * rollout.weight_bytes / 2
    text = f"12 R V + T w + graphs = 12 x {rollout.max_num_seqs} x {shape.vocabulary} + ..."
    return weights, Part("vLLM, working memory", sampling + step + GRAPHS, text)


def cache(settings: PlannedRun, shape: ModelShape, gpu: Gpu) -> Cache:
    """Tokens in vLLM's cache: what its share of the GPU leaves, over the bytes of a token."""
    each = shape.kv_bytes_per_token(settings.rollout.tensor_parallel, settings.rollout.weight_bytes)
    left = settings.rollout.gpu_memory_utilization * gpu.memory - sum(p.bytes for p in vllm_fixed(settings, shape))
    return Cache(each, left / each, max(0, int(left / each // settings.max_sequence)))


def weight_sync(settings: PlannedRun, shape: ModelShape) -> Phase:
    """The new weights go to vLLM, tensor by tensor, while its cache is not yet there."""
    training, rollout = settings.training, settings.rollout
    # FSDP1 exports from the GPU only; FSDP2 fetches each tensor from where it is.
    here = training.strategy == "fsdp" or not training.param_offload
    tensor = max(shape.embedding, shape.layer_parameters if shape.experts else shape.expert)
    parts = _resident(training, shape, weights=here, states=not training.optimizer_offload)
    return Phase(
        "weight sync",
        (
            *parts,
            *vllm_fixed(settings, shape),
            Part(
                "largest tensor, whole", tensor * training.master_bytes, f"{billions(tensor)} x {training.master_bytes}"
            ),
            Part("buckets", 2.0 * rollout.bucket_bytes, "one filled, one sent"),
            *_always(),
        ),
    )


def log_probabilities(settings: PlannedRun, shape: ModelShape, gpu: Gpu) -> Phase:
    """One forward pass without gradients; verl computes the entropy of every token in it."""
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
    """The turn from forward to backward: the logits' gradient makes the output layer's."""
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
    """The output layer's gradient is reduced: right after the logits, or with FSDP1 at the very end."""
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
    """The backward pass through the last layer: recomputed, its gradient reduced."""
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
    """All weights of the shard updated at once; Adam's root of the second moment is an array of its own."""
    training = settings.training
    count = shape.parameters if training.optimiser_states and not training.offload_policy else 0
    spare = _sharded("optimiser's temporary", count, training.master_bytes, training.fsdp_size, "one array: N b / S")
    return Phase("optimiser step", (*_training_state(training, shape), spare, *_asleep(settings, shape, gpu)))


def _training_state(training: PlannedTraining, shape: ModelShape) -> list[Part]:
    if training.offload_policy:
        return []
    return [*_resident(training, shape, weights=True, states=True), _gradients(training, shape)]


def _head_gradient(training: PlannedTraining, shape: ModelShape, *, reduced: bool) -> Part:
    """FSDP1 has one gradient for all outside the layers and holds it from the logits to the end."""
    count = _head(training, shape)
    each = training.compute_bytes + (training.reduce_bytes if reduced else 0)
    text = f"head {'(c + r)' if reduced else 'c'} = {billions(count)} x {each}"
    return Part("the head's gradient, whole", float(count * each), text)


def _asleep(settings: PlannedRun, shape: ModelShape, gpu: Gpu) -> tuple[Part, ...]:
    """What vLLM holds while the actor works."""
    if settings.rollout.frees_cache:
        return (Part("vLLM, asleep", ASLEEP, "assumed"), *_always())
    return (*_vllm(settings, shape, gpu), *_always())


def _vllm(settings: PlannedRun, shape: ModelShape, gpu: Gpu) -> tuple[Part, ...]:
    """vLLM at work takes its share of the GPU, or what it needs at least where that is more."""
    share, fixed = settings.rollout.gpu_memory_utilization * gpu.memory, vllm_fixed(settings, shape)
    text = f"u M - the two above = {settings.rollout.gpu_memory_utilization:g} x {gpu.memory_gib:g} GiB - ..."
    return (*fixed, Part("vLLM, keys and values", max(0.0, share - sum(part.bytes for part in fixed)), text))


def _always() -> tuple[Part, ...]:
    return (Part("contexts, NCCL, fragments", RESERVED, "assumed"),)


# Host and disk


def host(settings: PlannedRun, shape: ModelShape, response_tokens: float) -> Phase:
    """One node's memory: what is moved there, a whole copy while the model loads, and the batch."""
    training, each = settings.training, settings.gpus_per_node
    off = training.offload_policy
    moved = [
        (training.param_offload or off, "weights, moved there", shape.parameters),
        (
            training.optimizer_offload or off,
            "optimiser states, moved there",
            training.optimiser_states * shape.parameters,
        ),
        (training.reference_model, "reference model", shape.parameters),
    ]
    parts = [
        Part(
            name,
            each * count * training.master_bytes / training.fsdp_size,
            f"{each} GPUs x N b / S = {each} x {billions(count)} x {training.master_bytes} / {training.fsdp_size}",
        )
        for there, name, count in moved
        if there and count
    ]
    # Tied weights cannot be made without memory, so every process of the node loads its own copy.
    copies = each if shape.tied else 1
    loading = copies * shape.parameters * training.master_bytes
    batch = settings.prompts * settings.responses_per_prompt * (settings.max_prompt + response_tokens) * TOKEN_ON_HOST
    return Phase(
        "host memory of a node",
        (
            *parts,
            Part(
                "loading the model",
                float(loading),
                f"{copies} x N b = {copies} x {billions(shape.parameters)} x {training.master_bytes}",
            ),
            Part("the batch", batch, f"B G (prompt + response) {TOKEN_ON_HOST}"),
        ),
    )


def disk(settings: PlannedRun, shape: ModelShape, response_tokens: float) -> Phase:
    """Shared storage that the run fills: checkpoints and dumped text."""
    each = checkpoint_bytes(settings, shape)
    kept = checkpoints_on_disk(settings)
    parts = [
        Part(
            "checkpoints", kept * each, f"{kept} x {each / GIB:.0f} GiB: N b (1 + {settings.training.optimiser_states})"
        )
    ]
    if settings.dumps_rollouts:
        responses = settings.steps * settings.prompts * settings.responses_per_prompt
        parts.append(Part("rollouts", responses * response_tokens * TOKEN_TEXT, f"steps B G response {TOKEN_TEXT}"))
    return Phase("shared storage", tuple(parts))


def checkpoint_bytes(settings: PlannedRun, shape: ModelShape) -> float:
    """One checkpoint: weights and optimiser states in the training type, and a copy in 16 bits if it is asked for."""
    each, saved = settings.training.master_bytes, settings.saved
    whole = each * (("model" in saved) + settings.training.optimiser_states * ("optimizer" in saved))
    return float(shape.parameters * (whole + (2 if "hf_model" in saved else 0)))


def checkpoints_on_disk(settings: PlannedRun) -> int:
    """Most checkpoints at once. verl removes the oldest before it saves, but never the only one.

    A counterfactual puts the state aside as one more.
    """
    aside = 1 if settings.probe.counterfactual_every else 0
    if not settings.save_every:
        return aside
    made = -(-settings.steps // settings.save_every)
    return aside + (min(made, max(2, settings.checkpoints_kept)) if settings.checkpoints_kept else made)
