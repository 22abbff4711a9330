"""GPU hours by hand, against a step-by-step play of a batch, and as they must grow and add up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_validation.cluster.estimate.assumptions import CASES, REASONS, efficiency
from llm_validation.cluster.estimate.cost import PHASES, Cost, cost_of, gpu_hours, seconds
from llm_validation.cluster.estimate.decoding import (
    Replica,
    batch_seconds,
    prefill_seconds,
    slots,
    step_seconds,
    weights_read,
)
from llm_validation.cluster.estimate.from_configuration import planned_run
from llm_validation.cluster.estimate.hardware import Gpu, gpu_named
from llm_validation.cluster.estimate.model_sizes import SHAPES, ModelShape
from llm_validation.cluster.estimate.workload import Lengths
from llm_validation.verl_engine.configuration.record import read
from tests.llm_validation.cluster.collect.verl_like import ACTOR, ENGINE, MODEL, ROLLOUT, config, planned

SMALL = ModelShape("small", 2, 64, 4, 2, 16, 96, 128)
EXPERTS = ModelShape("experts", 2, 64, 4, 2, 16, 48, 128, experts=8, active_experts=2)
# A GPU of round numbers: 1e9 FLOPs and 1e6 bytes a second, and room for everything.
GPU = Gpu("round", 64.0, 1e9, 1e6, "")
# Everything at its full speed and nothing beside it.
IDEAL: dict[str, float] = {
    "arithmetic": 1.0,
    "experts_slowdown": 1.0,
    "decode_bandwidth": 1.0,
    "decode_arithmetic": 1.0,
    "decode_overhead": 0.0,
    "all_reduce": 0.0,
    "network_inside": 1e300,
    "network_between": 1e300,
    "step_overhead": 0.0,
    "storage": 1e300,
    "cut_share": 0.0,
    "prompt_tokens": 0.0,
}
# As many tokens at a time as a batch has, so that the network term is one gathering of the model.
ROOMY = {ACTOR + "ppo_max_token_len_per_gpu": 10**9, "trainer__test_freq": -1, "trainer__val_before_train": False}


def ideal(
    response_tokens: float = 450.0, shape: ModelShape = SMALL, changes: dict[str, Any] | None = None, **given: float
) -> Cost:
    settings = planned(**(ROOMY | {"trainer__save_freq": -1} | (changes or {})))
    return cost_of(settings, shape, gpu=GPU, response_tokens=response_tokens, **(IDEAL | given))


def replica(**changes: Any) -> Replica:
    return replace(Replica(SMALL, GPU, efficiency("central", **IDEAL), 1, 4, 1e9), **changes)


# Decoding


def test_a_decoding_step_by_hand() -> None:
    """Reading the weights and two caches of ten tokens, 256 bytes a token; more than the arithmetic takes."""
    read_bytes = 2 * SMALL.matrix_parameters + 2 * 10 * 256
    assert float(step_seconds(replica(), np.asarray(2.0), np.asarray(10.0))) == pytest.approx(read_bytes / 1e6)
    fast_memory = replica(gpu=replace(GPU, bandwidth=1e12))
    flops = 2 * SMALL.flops_per_token(10)
    assert float(step_seconds(fast_memory, np.asarray(2.0), np.asarray(10.0))) == pytest.approx(flops / 1e9)


def test_overhead_and_all_reduce() -> None:
    slow = efficiency("central", **(IDEAL | {"decode_overhead": 3.0, "all_reduce": 0.25}))
    one = float(step_seconds(replica(efficiency=slow), np.asarray(1.0), np.asarray(0.0)))
    assert one == pytest.approx(3 + 2 * SMALL.matrix_parameters / 1e6)
    two = float(step_seconds(replica(efficiency=slow, tensor_parallel=2), np.asarray(1.0), np.asarray(0.0)))
    assert two == pytest.approx(3 + 2 * 2 * 0.25 + SMALL.matrix_parameters / 1e6)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_experts_that_a_step_touches(batch: int) -> None:
    """The mean over draws of two of eight experts for each response, counted."""
    rng = np.random.default_rng(3)
    touched = [len(set(np.concatenate([rng.choice(8, 2, replace=False) for _ in range(batch)]))) for _ in range(4000)]
    rest = EXPERTS.matrix_parameters - EXPERTS.layers * 2 * EXPERTS.expert
    expected = 2 * (rest + EXPERTS.layers * np.mean(touched) * EXPERTS.expert)
    error = 5 * 2 * EXPERTS.layers * EXPERTS.expert * np.std(touched) / 4000**0.5
    assert float(weights_read(replica(shape=EXPERTS), np.asarray(float(batch)))) == pytest.approx(
        expected, abs=error + 1e-9
    )


def test_one_response_touches_its_own_experts() -> None:
    assert float(weights_read(replica(shape=EXPERTS), np.asarray(1.0))) == 2 * EXPERTS.matrix_parameters


def test_slots() -> None:
    law = Lengths(500.0, 1000.0)
    assert slots(replica(), law, 0.0) == 4
    assert slots(replica(cache_tokens=1000.0), law, 0.0) == pytest.approx(3)  # mean age 1000 / 3
    assert slots(replica(cache_tokens=1000.0), law, 1000 / 6) == pytest.approx(2)
    assert slots(replica(cache_tokens=1.0), law, 0.0) == 1


def played(one: Replica, lengths: np.ndarray[Any, Any], at_once: int, prompt: float) -> float:
    """A replica, token by token: a response that ends makes room for the next."""
    waiting = [int(length) for length in lengths]
    running: list[list[int]] = []
    time = 0.0
    while waiting or running:
        while waiting and len(running) < at_once:
            running.append([waiting.pop(), 0])
        context = prompt + np.mean([age for _, age in running])
        time += float(step_seconds(one, np.asarray(float(len(running))), np.asarray(context)))
        for response in running:
            response[1] += 1
        running = [response for response in running if response[1] < response[0]]
    return time


@pytest.mark.parametrize("count", [40, 400])
@pytest.mark.parametrize("mean", [20.0, 60.0])
def test_a_batch_against_a_play_of_it(count: int, mean: float) -> None:
    """Five standard errors, and 6% for a tail that starts with new responses here, with the rest of old ones there."""
    law, one = Lengths(mean, 200.0), replica(max_num_seqs=40)
    rng = np.random.default_rng(5)
    u = rng.random((40, count))
    times = [played(one, lengths, 40, 10.0) for lengths in np.maximum(1, np.round(200 * (1 - u ** (1 / law.exponent))))]
    error = 5 * np.std(times) / len(times) ** 0.5 + 0.06 * np.mean(times)
    assert batch_seconds(one, count, law, 10.0, of=count) == pytest.approx(np.mean(times), abs=error)


def test_the_play_knows_waiting() -> None:
    """The negative control: without the responses that wait, the formula is far from the play."""
    law, one = Lengths(60.0, 200.0), replica(max_num_seqs=40)
    rng = np.random.default_rng(5)
    lengths = np.maximum(1, 200 * (1 - rng.random(400) ** (1 / law.exponent)))
    assert batch_seconds(one, 40, law, 10.0, of=40) < 0.5 * played(one, lengths, 40, 10.0)


def test_equal_lengths_are_plain_waves() -> None:
    """Eight responses of 100 tokens, four at once, no caches: two waves of 100 steps."""
    free = replica(shape=replace(SMALL, kv_heads=1, head_dim=1))
    step = float(step_seconds(free, np.asarray(4.0), np.asarray(50.0)))
    assert batch_seconds(free, 8, Lengths(100.0, 100.0), 0.0, of=8) == pytest.approx(200 * step, rel=1e-3)
    assert batch_seconds(free, 0, Lengths(100.0, 100.0), 0.0, of=8) == 0


def test_prefill() -> None:
    assert prefill_seconds(replica(), 3, 20.0) == pytest.approx(60 * SMALL.flops_per_token(10) / 1e9)


# A training step


def test_update_and_log_probabilities_by_hand() -> None:
    """128 responses of 450 tokens on eight GPUs of 1e9 FLOPs; uniform lengths up to 900, so E[s^2] = 270,000."""
    matrices = 2 * SMALL.matrix_parameters * 128 * 450
    attention = 2 * 2 * 64 * 128 * 270_000
    forward = (matrices + attention) / (8 * 1e9)
    phases = ideal().central.phases
    assert phases["log-probabilities"] == pytest.approx(forward)
    assert phases["update"] == pytest.approx(4 * forward)  # forward, twice that backward, and once again
    assert phases["other"] == 0


@pytest.mark.parametrize(
    ("changes", "phase", "factor"),
    [
        ({MODEL + "enable_gradient_checkpointing": False}, "update", 3 / 4),
        ({ACTOR + "ppo_epochs": 2}, "update", 2),
        ({ACTOR + "use_kl_loss": True}, "log-probabilities", 2),
        ({"algorithm__rollout_correction": {"bypass_mode": True}}, "log-probabilities", 0),
        ({"trainer__nnodes": 4}, "update", 1 / 2),
    ],
)
def test_what_a_setting_multiplies(changes: dict[str, Any], phase: str, factor: float) -> None:
    assert ideal(changes=changes).central.phases[phase] == pytest.approx(factor * ideal().central.phases[phase])


def test_the_network_is_the_floor() -> None:
    """Four mini-batches, each one micro-batch: the model gathered twice in 16 bits, its gradient reduced in 32."""
    phases = ideal(network_between=1.0).central.phases
    assert phases["update"] == pytest.approx(4 * SMALL.parameters * 8)
    assert phases["log-probabilities"] == pytest.approx(SMALL.parameters * 2)
    inside = ideal(network_between=1.0, network_inside=1e300, changes={ENGINE + "fsdp_size": 4}).central.phases
    assert inside["update"] == ideal().central.phases["update"]
    alone = {"trainer__nnodes": 1, "trainer__n_gpus_per_node": 1}
    found = ideal(network_inside=1.0, changes=alone).central.phases["update"]
    assert found == pytest.approx(8 * ideal().central.phases["update"])


def test_more_micro_batches_gather_more() -> None:
    """128 x 450 tokens on eight GPUs in four mini-batches: 1,800 each, two micro-batches of 1,000 tokens."""
    changes = {ACTOR + "ppo_max_token_len_per_gpu": 1000}
    found = ideal(network_between=1.0, changes=changes).central.phases["update"]
    assert found == pytest.approx(4 * 2 * SMALL.parameters * 8)


def test_experts_slow_the_arithmetic() -> None:
    assert ideal(shape=EXPERTS, experts_slowdown=3.0).central.phases["update"] == pytest.approx(
        3 * ideal(shape=EXPERTS).central.phases["update"]
    )
    assert ideal(experts_slowdown=3.0).central.phases == ideal().central.phases


def test_dynamic_sampling_generates_more() -> None:
    """Uniform difficulty and groups of four: q = 2/5, so 5/3 groups and 2/3 more for verl's refill."""
    cost = ideal(changes={"algorithm__filter_groups__enable": True}, success_shape=1.0)
    assert cost.central.groups_per_kept == pytest.approx(5 / 3 + 2 / 3)
    assert cost.central.phases["generation"] > ideal().central.phases["generation"]
    assert cost.central.phases["update"] == ideal().central.phases["update"]
    assert ideal().central.groups_per_kept == 1


@pytest.mark.parametrize(
    ("changes", "at_once"),
    [
        ({}, 128 / 8),  # all that a replica has
        ({ROLLOUT + "max_num_seqs": 5}, 5),
        ({ROLLOUT + "tensor_model_parallel_size": 2}, 128 / 4),
        # Uniform difficulty, groups of four: 7/3 groups for one that is kept.
        ({"algorithm__filter_groups__enable": True}, 128 / 8 * 7 / 3),
    ],
)
def test_at_once(changes: dict[str, Any], at_once: float) -> None:
    assert ideal(changes=changes, success_shape=1.0).central.at_once == pytest.approx(at_once)


def test_a_prompt_is_read_once_for_its_group() -> None:
    """With four responses a prompt: without prefix caching each response reads it again."""
    shared, each = (
        ideal(changes={ROLLOUT + "enable_prefix_caching": caching}, prompt_tokens=80.0).central.phases["generation"]
        for caching in (True, False)
    )
    assert each - shared == pytest.approx(prefill_seconds(replica(), 3 * 32 / 8, 80.0))


def test_the_probe_is_one_pass_more() -> None:
    """Ten steps: probes at 4 and 8, and at 5 and 10 for the counterfactual there; two arms, the state kept once."""
    probe = {"every": 4, "counterfactual_every": 5, "counterfactual_arms": ["grpo", "qae"]}
    changes = {"trainer__probe": probe, "trainer__v1__trainer_mode": "qae_probe"}
    phases, bytes_ = ideal(changes=changes, storage=1e9).central.phases, 12 * SMALL.parameters
    assert phases["probe"] == pytest.approx(4 * phases["log-probabilities"] / 10)
    arm = phases["update"] + phases["log-probabilities"] + bytes_ / 1e9
    assert phases["counterfactual"] == pytest.approx(2 * (2 * arm + bytes_ / 1e9) / 10)


@pytest.mark.parametrize(
    ("every", "other", "probes"), [(1, 10, 10), (5, 10, 2), (5, 0, 2), (0, 5, 2), (3, 2, 7), (0, 0, 0)]
)
def test_steps_with_a_probe(every: int, other: int, probes: int) -> None:
    """Counted one by one, the last of the ten included."""
    probe = {"every": every, "counterfactual_every": other, "counterfactual_arms": ["grpo"]}
    changes = {"trainer__probe": probe, "trainer__v1__trainer_mode": "qae_probe"}
    due = [step for step in range(1, 11) if (every and step % every == 0) or (other and step % other == 0)]
    assert len(due) == probes
    phases = ideal(changes=changes).central.phases
    assert phases["probe"] == pytest.approx(probes * phases["log-probabilities"] / 10)


def test_checkpoints() -> None:
    """Ten steps, one checkpoint at every third and one at the end."""
    phases = ideal(changes={"trainer__save_freq": 3}, storage=1e3).central.phases
    assert phases["checkpoints"] == pytest.approx(4 * 12 * SMALL.parameters / 1e3 / 10)


@pytest.mark.parametrize(("every", "first", "times"), [(4, True, 4), (4, False, 3), (-1, True, 1), (-1, False, 0)])
def test_validations(every: int, first: bool, times: int) -> None:
    """After steps 4, 8 and 10, and perhaps before the first."""
    changes = {"trainer__test_freq": every, "trainer__val_before_train": first}
    once = ideal(changes={"trainer__test_freq": -1, "trainer__val_before_train": True}).central.phases["validation"]
    assert ideal(changes=changes).central.phases["validation"] == pytest.approx(times * once)
    assert once > 0


def test_gpu_hours() -> None:
    central = ideal().central
    assert central.gpu_hours == pytest.approx(sum(central.phases.values()) * 10 * 8 / 3600)
    assert central.hours == pytest.approx(central.gpu_hours / 8)
    assert set(central.phases) == set(PHASES)


def test_the_cases_are_one_where_nothing_is_assumed() -> None:
    cost = ideal(success_shape=1.0, questions=1.0)
    assert cost.gpu_hours[0] == cost.gpu_hours[1] == cost.gpu_hours[2]


# As it must grow

models = st.sampled_from(sorted(SHAPES))
big = gpu_named("H200", 2000.0)


def paper_like(**changes: Any) -> dict[str, Any]:
    return config(
        **{
            "data__train_batch_size": 128,
            "data__max_response_length": 4096,
            "algorithm__filter_groups__enable": True,
            ACTOR + "ppo_max_token_len_per_gpu": 8192,
            **changes,
        }
    )


@given(model=models, share=st.floats(0.01, 1.0))
def test_the_interval_is_in_order(model: str, share: float) -> None:
    cheap, central, dear = gpu_hours(paper_like(), SHAPES[model], gpu=big, response_tokens=share * 4096).gpu_hours
    assert 0 < cheap < central < dear


# From two nodes on: one node has the faster network inside it alone.
@given(model=models, nodes=st.sampled_from([2, 4, 8]), case=st.sampled_from(CASES))
def test_more_nodes_save_time_and_cost_gpu_hours(model: str, nodes: int, case: str) -> None:
    few, many = (
        seconds(planned_run(read(paper_like(trainer__nnodes=count))), SHAPES[model], big, case, 1000.0)
        for count in (nodes, 2 * nodes)
    )
    assert many.step <= few.step
    assert many.gpu_hours >= few.gpu_hours * (1 - 1e-9)


@given(model=models, tokens=st.floats(50, 2000), case=st.sampled_from(CASES))
def test_longer_responses_cost_more(model: str, tokens: float, case: str) -> None:
    run = planned_run(read(paper_like()))
    short, long = (seconds(run, SHAPES[model], big, case, length) for length in (tokens, 2 * tokens))
    assert all(long.phases[name] >= short.phases[name] for name in PHASES)
    assert long.gpu_hours > short.gpu_hours


@given(tokens=st.floats(50, 4000), case=st.sampled_from(CASES))
def test_larger_models_cost_more(tokens: float, case: str) -> None:
    run = planned_run(read(paper_like()))
    hours = [
        seconds(run, SHAPES[name], big, case, tokens).gpu_hours for name in ("Qwen3-1.7B", "Qwen3-8B", "Qwen3-14B")
    ]
    assert hours == sorted(hours)


@given(prompts=st.integers(1, 8))
def test_larger_batches_cost_more(prompts: int) -> None:
    few, many = (
        gpu_hours(paper_like(data__train_batch_size=32 * count), SHAPES["Qwen3-8B"], gpu=big, response_tokens=500)
        for count in (prompts, prompts + 1)
    )
    assert many.central.gpu_hours > few.central.gpu_hours


# Assumptions


def test_each_assumption_is_ordered_by_its_cost() -> None:
    """Moving one assumption alone from its cheap to its dear value makes none of these runs cheaper, and one dearer."""
    parallel = {ROLLOUT + "tensor_model_parallel_size": 2, "trainer__save_freq": 1}
    runs = [
        planned_run(read(paper_like(**parallel))),
        planned_run(read(paper_like(**parallel, **{ENGINE + "fsdp_size": 4, ACTOR + "ppo_mini_batch_size": 1}))),
        planned_run(
            read(
                paper_like(
                    **parallel, **{ACTOR + "ppo_max_token_len_per_gpu": 10**6, ACTOR + "ppo_mini_batch_size": 128}
                )
            )
        ),
    ]
    for name, reason in REASONS.items():
        ordered = []
        for run in runs:
            for model in ("Qwen3-8B", "Qwen3-30B-A3B"):
                cheap, dear = (
                    cost_of(run, SHAPES[model], gpu=big, **{name: value}).central.gpu_hours
                    for value in (reason.cheap, reason.dear)
                )
                assert cheap <= dear, name
                ordered.append(cheap < dear)
        assert any(ordered) == (reason.cheap != reason.dear), name


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"speed": 1.0}, "assumption must be one of arithmetic"),
        ({"arithmetic": 0.0}, "arithmetic must be a number > 0 and <= 1; got 0.0"),
        ({"arithmetic": 1.5}, "arithmetic must be a number > 0 and <= 1; got 1.5"),
        ({"storage": float("inf")}, "storage must be a number > 0; got inf"),
        ({"step_overhead": -1.0}, "step_overhead must be a number >= 0; got -1.0"),
        ({"storage": float("nan")}, "storage must be a number > 0; got nan"),
    ],
)
def test_bad_assumptions(given: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        efficiency("central", **given)
    assert says in str(caught.value)


def test_bad_case() -> None:
    with pytest.raises(ValueError, match="case must be one of cheap, central, dear"):
        efficiency("best")


def test_no_room_for_vllm() -> None:
    with pytest.raises(ValueError, match="enough for vLLM's weights"):
        gpu_hours(config(), SHAPES["Qwen3-8B"], gpu=gpu_named("H100", 20.0), response_tokens=500)
