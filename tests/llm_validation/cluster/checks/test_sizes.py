"""Checks of sizes against one another."""

from __future__ import annotations

from typing import Any

import pytest

from llm_validation.cluster.checks import sizes as module
from tests.llm_validation.cluster.collect.settings_of_runs import run

ACTOR = "actor_rollout_ref__actor__"


def test_sizes_that_divide_pass_and_say_what_a_step_is() -> None:
    check = module.check_sizes(run())
    assert (check.state, check.sentence) == ("ok", "64 prompts x 16 responses, 4 updates a step, on 8 GPUs")


def test_one_update_a_step_is_said_to_be_on_policy() -> None:
    assert "on-policy" in module.check_sizes(run(**{f"{ACTOR}ppo_mini_batch_size": 64})).sentence
    assert (
        "on-policy"
        not in module.check_sizes(run(**{f"{ACTOR}ppo_mini_batch_size": 64, f"{ACTOR}ppo_epochs": 2})).sentence
    )


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"data__train_batch_size": 65}, "data.train_batch_size = 65 must be a multiple of the mini-batch, 16"),
        ({"data__train_batch_size": 8}, "data.train_batch_size = 8 must be a multiple"),
        ({"data__train_batch_size": 0}, "data.train_batch_size = 0 must be a multiple"),
        (
            {"trainer__n_gpus_per_node": 7},
            "16 x 16 responses of a mini-batch = 256 must be a multiple of the model's copies",
        ),
        (
            {f"{ACTOR}ulysses_sequence_parallel_size": 3},
            "GPUs = 8 must be a multiple of ulysses_sequence_parallel_size, 3",
        ),
        (
            {"actor_rollout_ref__rollout__tensor_model_parallel_size": 3},
            "must be a multiple of tensor_model_parallel_size",
        ),
        (
            {"trainer__nnodes": 2, "actor_rollout_ref__rollout__tensor_model_parallel_size": 16},
            "tensor_model_parallel_size = 16 is more than a node's 8 GPUs",
        ),
        ({f"{ACTOR}use_dynamic_bsz": False}, "ppo_micro_batch_size_per_gpu is needed without use_dynamic_bsz"),
        (
            {f"{ACTOR}use_dynamic_bsz": False, f"{ACTOR}ppo_micro_batch_size_per_gpu": 3},
            "256 responses of a mini-batch must be a multiple of a micro-batch, 3",
        ),
    ],
)
def test_sizes_that_do_not_divide_fail(changes: dict[str, Any], complaint: str) -> None:
    check = module.check_sizes(run(**changes))
    assert check.state == "failed"
    assert complaint in check.sentence


def test_sequence_parallelism_makes_fewer_copies_of_the_model() -> None:
    changes = {"trainer__n_gpus_per_node": 6, "actor_rollout_ref__rollout__n": 1}
    assert module.check_sizes(run(**changes)).state == "failed"
    assert module.check_sizes(run(**changes, **{f"{ACTOR}ulysses_sequence_parallel_size": 3})).state == "ok"


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "ok"),
        ({f"{ACTOR}ppo_max_token_len_per_gpu": 127}, "failed"),
        ({f"{ACTOR}ppo_max_token_len_per_gpu": 64, f"{ACTOR}ulysses_sequence_parallel_size": 2}, "ok"),
        ({f"{ACTOR}ppo_max_token_len_per_gpu": 127, f"{ACTOR}use_dynamic_bsz": False}, "ok"),
        ({"actor_rollout_ref__rollout__max_model_len": 100}, "failed"),
    ],
)
def test_the_longest_response_fits(changes: dict[str, Any], state: str) -> None:
    assert module.check_lengths(run(**changes)).state == state
