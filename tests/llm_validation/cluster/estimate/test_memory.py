"""Memory by hand on small numbers, against the tensors that torch keeps, and as it must grow and add up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_validation.cluster.estimate import memory
from llm_validation.cluster.estimate.from_configuration import planned_run
from llm_validation.cluster.estimate.hardware import GIB, Gpu, gpu_named
from llm_validation.cluster.estimate.memory import budget, budget_of
from llm_validation.cluster.estimate.model_sizes import SHAPES, ModelShape, shape_of
from llm_validation.cluster.estimate.planned_run import PlannedTraining
from llm_validation.verl_engine.configuration.record import read
from tests.llm_validation.cluster.collect.verl_like import ACTOR, ENGINE, MODEL, ROLLOUT, config, planned

# h 64, q 64, k 32, i 96, V 128, two layers.
SMALL = ModelShape("small", 2, 64, 4, 2, 16, 96, 128)
EXPERTS = ModelShape("experts", 2, 64, 4, 2, 16, 48, 128, experts=8, active_experts=2)
GPU = Gpu("test", 10.0, 1e12, 1e12, "")


def part(phase: memory.Phase, name: str) -> float:
    return next(one.bytes for one in phase.parts if one.name == name)


def phase(name: str, shape: ModelShape = SMALL, **changes: Any) -> memory.Phase:
    return next(one for one in budget(config(**changes), shape, gpu=GPU).phases if one.name == name)


# By hand


def test_what_training_keeps() -> None:
    """Over eight GPUs, 4 bytes a weight, 4 a gradient, 8 for Adam."""
    found = phase("optimiser step")
    assert part(found, "weights, sharded") == SMALL.parameters * 4 / 8
    assert part(found, "gradients, sharded") == SMALL.parameters * 4 / 8
    assert part(found, "optimiser states, sharded") == SMALL.parameters * 8 / 8
    assert part(found, "optimiser's temporary") == SMALL.parameters * 4 / 8
    fixed = memory.RESERVED + memory.ASLEEP
    assert found.bytes == SMALL.parameters * 20 / 8 + fixed


def test_sgd_keeps_nothing() -> None:
    found = phase("optimiser step", **{ACTOR + "optim": {"optimizer": "SGD"}})
    assert found.bytes == SMALL.parameters * 8 / 8 + memory.RESERVED + memory.ASLEEP


def test_log_probabilities() -> None:
    """One layer and the head gathered in 16 bits, one layer's forward pass, three arrays of 2,000 x 128 logits."""
    found = phase("log-probabilities")
    assert part(found, "gathered weights") == 2 * (SMALL.layer_parameters + 128 * 64)
    assert part(found, "hidden states") == 2000 * (8 * 64 + 6 * 96)
    assert part(found, "logits") == 2000 * 128 * 6


def test_update_at_the_logits() -> None:
    found = phase("update, at the logits")
    assert part(found, "layer inputs") == 2000 * 2 * 64 * 2
    assert part(found, "logits") == 2000 * 128 * 2
    assert part(found, "the head's gradient, whole") == 128 * 64 * 2


@pytest.mark.parametrize(("name", "each"), [("log-probabilities", 12), ("update, at the logits", 20)])
def test_the_fused_head_has_chunks_only(name: str, each: int) -> None:
    assert part(phase(name, **{MODEL + "use_fused_kernels": True}), "logits") == 512 * 128 * each


@pytest.mark.parametrize(("name", "copies"), [("log-probabilities", 4), ("update, at the logits", 3)])
def test_padding_costs_copies_of_the_logits(name: str, copies: int) -> None:
    assert part(phase(name, **{MODEL + "use_remove_padding": False}), "logits") == 2000 * 128 * 2 * copies


def test_update_in_a_layer() -> None:
    found = phase("update, in a layer")
    assert part(found, "gathered weights") == 2 * 2 * SMALL.layer_parameters
    assert part(found, "one layer at work") == 2000 * (20 * 64 + 10 * (64 + 32) + 12 * 96)
    assert part(found, "a layer's gradient, whole") == 6 * SMALL.layer_parameters


def test_fsdp1_holds_embedding_and_head_together() -> None:
    found = phase("update, in a layer", **{ACTOR + "strategy": "fsdp"})
    assert part(found, "gathered weights") == 2 * (2 * SMALL.layer_parameters + 2 * 128 * 64)
    assert part(found, "the head's gradient, whole") == 2 * (2 * 128 * 64)
    tied = phase("update, in a layer", replace(SMALL, tied=True), **{ACTOR + "strategy": "fsdp"})
    assert part(tied, "the head's gradient, whole") == 2 * 128 * 64


def test_generation() -> None:
    """vLLM takes half of 10 GiB; the actor's weights and Adam's states stay beside it, or do not."""
    kept = phase("generation")
    assert kept.bytes == pytest.approx(5 * GIB + SMALL.parameters * 12 / 8 + memory.RESERVED, rel=1e-12)
    moved = phase("generation", **{ENGINE + "param_offload": True, ENGINE + "optimizer_offload": True})
    assert moved.bytes == pytest.approx(5 * GIB + memory.RESERVED, rel=1e-12)


def test_cache() -> None:
    """5 GiB less weights, sampling and working memory, over 2 x 2 layers x 32 x 2 bytes a token."""
    found = budget(config(), SMALL, gpu=GPU).cache
    left = 5 * GIB - 2 * SMALL.parameters - 12 * 256 * 128 - 8192 * (8 * 64 + 6 * 96) - memory.GRAPHS
    assert found.bytes_per_token == 256
    assert found.tokens == pytest.approx(left / 256, rel=1e-12)
    assert found.full_sequences == int(left // 256 // 1000)


def test_host() -> None:
    off = {ENGINE + "param_offload": True, ENGINE + "optimizer_offload": True, ACTOR + "use_kl_loss": True}
    found = budget(config(**off), SMALL, gpu=GPU, response_tokens=900).host
    assert part(found, "weights, moved there") == 4 * SMALL.parameters * 4 / 8
    assert part(found, "optimiser states, moved there") == 4 * SMALL.parameters * 8 / 8
    assert part(found, "reference model") == 4 * SMALL.parameters * 4 / 8
    assert part(found, "loading the model") == 4 * SMALL.parameters
    assert part(found, "the batch") == 32 * 4 * 1000 * memory.TOKEN_ON_HOST
    tied = replace(SMALL, tied=True)
    assert part(budget(config(), tied, gpu=GPU).host, "loading the model") == 4 * 4 * tied.parameters


@pytest.mark.parametrize(
    ("changes", "checkpoints"),
    [
        ({}, 4),  # ten steps, one at every third and one after the last, all kept
        ({"trainer__max_actor_ckpt_to_keep": 1}, 2),  # the only one goes when the next is whole
        ({"trainer__max_actor_ckpt_to_keep": 3}, 3),
        ({"trainer__max_actor_ckpt_to_keep": 9}, 4),
        ({"trainer__save_freq": -1}, 0),
        # A counterfactual puts the state aside.
        (
            {
                "trainer__save_freq": -1,
                "trainer__v1__trainer_mode": "qae_probe",
                "trainer__probe": {"counterfactual_every": 2, "counterfactual_arms": ["grpo"]},
            },
            1,
        ),
    ],
)
def test_checkpoints_on_disk(changes: dict[str, Any], checkpoints: int) -> None:
    found = budget(config(**changes), SMALL, gpu=GPU).disk
    assert part(found, "checkpoints") == checkpoints * 12 * SMALL.parameters


def test_what_a_checkpoint_holds() -> None:
    only = config(**{ACTOR + "checkpoint": {"save_contents": ["model", "hf_model", "extra"]}})
    assert memory.checkpoint_bytes(planned_run(read(only)), SMALL) == (4 + 2) * SMALL.parameters


def test_rollouts_on_disk() -> None:
    found = budget(config(trainer__rollout_data_dir="somewhere"), SMALL, gpu=GPU, response_tokens=500).disk
    assert part(found, "rollouts") == 10 * 32 * 4 * 500 * memory.TOKEN_TEXT


def test_vllm_that_does_not_sleep_stays() -> None:
    awake = phase("optimiser step", **{ROLLOUT + "free_cache_engine": False})
    assert awake.bytes - phase("optimiser step").bytes == pytest.approx(5 * GIB - memory.ASLEEP)


def test_one_gpu_without_sharding_keeps_all() -> None:
    alone = {"trainer__nnodes": 1, "trainer__n_gpus_per_node": 1}
    assert part(phase("optimiser step", **alone), "weights, sharded") == 4 * SMALL.parameters


# Whether it fits


def test_fits_and_does_not() -> None:
    assert budget(config(), SHAPES["Qwen3-0.6B"]).fits
    tight = budget(config(), SHAPES["Qwen3-30B-A3B"])
    assert not tight.fits
    assert tight.tightest.name in " ".join(tight.problems)
    assert tight.tightest.bytes == max(one.bytes for one in tight.phases)


def test_the_edge() -> None:
    """A GPU with exactly what the tightest phase needs is enough; one byte less is not."""
    settings = planned()
    need = max(one.bytes for one in budget_of(settings, SMALL, gpu=GPU).phases[2:])
    for short, fits in ((0.0, True), (1.0, False)):
        gpu = replace(GPU, memory_gib=(need - short) / GIB)
        over = [
            line for line in budget_of(settings, SMALL, gpu=gpu).problems if "optimiser" in line or "update" in line
        ]
        assert (not over) == fits


def test_a_cache_without_room_for_one_sequence() -> None:
    found = budget(config(), SHAPES["Qwen3-8B"], gpu=gpu_named("H100", 35.0))
    assert found.cache.full_sequences == 0
    assert "vLLM does not start" in " ".join(found.problems)


@pytest.mark.parametrize("size", [0.0, -1.0, float("inf"), float("nan")])
def test_impossible_gpus(size: float) -> None:
    with pytest.raises(ValueError, match="gpu_memory must be a finite number of GiB > 0"):
        gpu_named("H100", size)


# As it must grow and add up

nodes = st.sampled_from([1, 2, 4, 8])
models = st.sampled_from(sorted(SHAPES))
flags = st.booleans()


@st.composite
def runs(draw: st.DrawFn) -> dict[str, Any]:
    return config(
        **{
            "trainer__nnodes": draw(nodes),
            ACTOR + "strategy": draw(st.sampled_from(["fsdp", "fsdp2"])),
            ACTOR + "calculate_entropy": draw(flags),
            ACTOR + "entropy_from_logits_with_chunking": draw(flags),
            ACTOR + "entropy_checkpointing": draw(flags),
            ACTOR + "ppo_max_token_len_per_gpu": draw(st.integers(1000, 50_000)),
            ENGINE + "param_offload": draw(flags),
            ENGINE + "optimizer_offload": draw(flags),
            ENGINE + "offload_policy": draw(flags),
            MODEL + "enable_gradient_checkpointing": draw(flags),
            MODEL + "use_fused_kernels": draw(flags),
            MODEL + "use_remove_padding": draw(flags),
            ROLLOUT + "free_cache_engine": draw(flags),
        }
    )


@given(run=runs(), model=models)
def test_parts_add_up_and_none_is_negative(run: dict[str, Any], model: str) -> None:
    found = budget(run, SHAPES[model])
    for one in (*found.phases, found.host, found.disk):
        assert all(part.bytes >= 0 for part in one.parts)
        assert one.bytes == pytest.approx(sum(part.bytes for part in one.parts))
        assert len({part.name for part in one.parts}) == len(one.parts)
    assert found.tightest_of_actor.bytes <= found.tightest.bytes


@given(run=runs(), model=models)
def test_more_nodes_never_take_more_of_a_gpu(run: dict[str, Any], model: str) -> None:
    more = config() | run
    more["trainer"] = run["trainer"] | {"nnodes": 2 * run["trainer"]["nnodes"]}
    for few, many in zip(budget(run, SHAPES[model]).phases, budget(more, SHAPES[model]).phases, strict=True):
        assert many.bytes <= few.bytes


@given(run=runs(), model=models, extra=st.integers(1, 50_000))
def test_more_tokens_never_take_less(run: dict[str, Any], model: str, extra: int) -> None:
    before = run["actor_rollout_ref"]["actor"]
    more = run | {
        "actor_rollout_ref": run["actor_rollout_ref"]
        | {"actor": before | {"ppo_max_token_len_per_gpu": before["ppo_max_token_len_per_gpu"] + extra}}
    }
    for few, many in zip(budget(run, SHAPES[model]).phases, budget(more, SHAPES[model]).phases, strict=True):
        assert few.bytes <= many.bytes


@given(run=runs())
def test_larger_models_take_more(run: dict[str, Any]) -> None:
    small, large = budget(run, SHAPES["Qwen3-8B"]), budget(run, SHAPES["Qwen3-14B"])
    assert all(few.bytes <= many.bytes for few, many in zip(small.phases, large.phases, strict=True))
    assert large.cache.tokens < small.cache.tokens
    assert large.disk.bytes > small.disk.bytes


# Against the tensors that torch keeps


def slope(shape: ModelShape, few: int = 8192, **options: Any) -> float:
    """Bytes for one more token, from two counts: what does not grow with tokens drops out.

    Enough tokens that the most is alive where they count, not where a weight's gradient is made.
    """
    from tests.llm_validation.verl_engine.live_tensors import body_peak

    return (body_peak(shape, 2 * few, **options) - body_peak(shape, few, **options)) / few


@pytest.mark.train
@pytest.mark.parametrize("name", ["Qwen3-1.7B", "Qwen3-8B", "Qwen3-14B"])
@pytest.mark.parametrize("layers", [2, 5])
def test_a_layer_with_gradient_checkpointing(name: str, layers: int) -> None:
    """Layer inputs and one layer at work; a thousandth for positions and normalisers, which the formula leaves out."""
    shape = replace(SHAPES[name], layers=layers)
    formula = 2 * layers * shape.hidden + memory.layer_working(shape)
    counted = slope(shape)
    assert formula <= counted <= 1.005 * formula


@pytest.mark.train
@pytest.mark.parametrize("name", ["Qwen3-1.7B", "Qwen3-8B"])
def test_a_layer_without_gradient_checkpointing(name: str) -> None:
    shape = SHAPES[name]
    two, five = (slope(replace(shape, layers=layers), checkpointing=False) for layers in (2, 5))
    formula = memory.layer_saved(shape)
    assert formula <= (five - two) / 3 <= 1.005 * formula


@pytest.mark.train
def test_a_layer_forward() -> None:
    shape = replace(SHAPES["Qwen3-8B"], layers=3)
    formula = memory.layer_forward(shape)
    assert formula <= slope(shape, gradients=False, checkpointing=False) <= 1.02 * formula


@pytest.mark.train
@pytest.mark.parametrize("active", [2, 4])
def test_a_layer_with_experts(active: int) -> None:
    """On the processor: which expert a token takes is a matter of its numbers. Indices take a little more."""
    shape = replace(EXPERTS, hidden=128, intermediate=64, active_experts=active)
    formula = 2 * 2 * shape.hidden + memory.layer_working(shape)
    assert 0.98 * formula <= slope(shape, 1024, device="cpu") <= 1.06 * formula


@pytest.mark.train
def test_a_term_left_out_is_found() -> None:
    """The negative control: without any of its terms the formula is not what torch keeps."""
    shape = replace(SHAPES["Qwen3-8B"], layers=2)
    counted = slope(shape)
    whole = 4 * shape.hidden + memory.layer_working(shape)
    for term in (4 * shape.hidden, 20 * shape.hidden, 10 * shape.kv_width, 12 * shape.intermediate):
        assert counted > 1.005 * (whole - term)


def logits(training: PlannedTraining, *, update: bool, tokens: int, vocabulary: int) -> float:
    whole, each, chunk = memory.logit_bytes(training, update=update)
    return vocabulary * (tokens * whole + min(chunk, tokens) * each)


CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "with entropy": {ACTOR + "calculate_entropy": True},
    "chunked": {ACTOR + "calculate_entropy": True, ACTOR + "entropy_from_logits_with_chunking": True},
    "chunked, recomputed": {
        ACTOR + "calculate_entropy": True,
        ACTOR + "entropy_from_logits_with_chunking": True,
        ACTOR + "entropy_checkpointing": True,
    },
}


@pytest.mark.train
@pytest.mark.parametrize("update", [False, True], ids=["log-probabilities", "update"])
@pytest.mark.parametrize("case", CASES)
def test_logits(case: str, update: bool) -> None:
    """Arrays of logits' size that are alive at once, where they are nearly all there is."""
    from tests.llm_validation.verl_engine.live_tensors import entropy_chunked, entropy_eager, head_peak

    training = planned(**CASES[case]).training
    tokens, vocabulary = 8192, 100_000
    entropy = None if update and case == "plain" else entropy_eager
    if training.entropy_chunk:
        entropy = entropy_chunked(training.entropy_chunk)
    recomputed = update and training.entropy_recomputed
    counted = head_peak(tokens, vocabulary, gradients=update, entropy=entropy, recomputed=recomputed)
    assert counted == pytest.approx(logits(training, update=update, tokens=tokens, vocabulary=vocabulary), rel=0.002)


@pytest.mark.verl
@pytest.mark.parametrize("update", [False, True], ids=["log-probabilities", "update"])
def test_verls_fused_head(update: bool) -> None:
    """Chunks of 512 tokens; the head's gradient and the chunk's part of it, which are not logits, taken off."""
    import torch
    from verl.utils.experimental.torch_functional import FusedLinearForPPO

    from tests.llm_validation.verl_engine.live_tensors import peak

    tokens, vocabulary, hidden = 2048, 100_000, 8
    states = torch.empty(tokens, hidden, dtype=torch.bfloat16, device="meta", requires_grad=update)
    head = torch.empty(vocabulary, hidden, dtype=torch.bfloat16, device="meta", requires_grad=update)
    ids = torch.zeros(tokens, dtype=torch.long, device="meta")

    def compute() -> None:
        log_probs, _ = FusedLinearForPPO()(states, head, ids)
        if update:
            log_probs.sum().backward()

    counted = peak(compute, [states, head, ids], gradients=update)
    training = planned(**{MODEL + "use_fused_kernels": True}).training
    assert counted == pytest.approx(logits(training, update=update, tokens=tokens, vocabulary=vocabulary), rel=0.01)


@pytest.mark.verl
@pytest.mark.parametrize("chunk", [None, 16])
def test_the_entropies_counted_are_verls(chunk: int | None) -> None:
    import torch
    from verl.utils.torch_functional import entropy_from_logits, entropy_from_logits_with_chunking

    from tests.llm_validation.verl_engine.live_tensors import entropy_chunked, entropy_eager

    torch.manual_seed(0)
    logits = torch.randn(40, 30)
    theirs = entropy_from_logits(logits) if chunk is None else entropy_from_logits_with_chunking(logits, chunk)
    ours = entropy_eager(logits) if chunk is None else entropy_chunked(chunk)(logits)
    assert torch.equal(ours, theirs)


def test_the_models_of_the_rows_are_known() -> None:
    for model in ("Qwen/Qwen3-8B-Base", "Qwen/Qwen3-14B-Base", "Qwen/Qwen3-30B-A3B-Base"):
        assert shape_of(model).parameters > 0
