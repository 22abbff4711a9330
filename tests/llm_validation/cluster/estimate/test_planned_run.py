"""Settings read from a configuration: verl's defaults where a key is missing, one line for what does not fit."""

from __future__ import annotations

from typing import Any

import pytest

from llm_validation.cluster.estimate.from_configuration import planned_run
from llm_validation.verl_engine.configuration.record import read
from tests.llm_validation.cluster.collect.verl_like import ACTOR, ENGINE, MODEL, ROLLOUT, config, planned


def test_reads_what_is_there() -> None:
    run = planned()
    assert (run.gpus, run.replicas, run.max_sequence, run.updates_per_step) == (8, 8, 1000, 4)
    assert run.training.fsdp_size == 8
    assert (run.training.update_tokens, run.training.log_prob_tokens) == (2000, 2000)
    assert (run.validation_every, run.save_every, run.checkpoints_kept) == (4, 3, 0)
    assert run.saved == ("model", "optimizer", "extra")


@pytest.mark.parametrize(
    ("changes", "of", "expected"),
    [
        ({ENGINE + "fsdp_size": 4}, "fsdp_size", 4),
        ({ENGINE + "fsdp_size": 64}, "fsdp_size", 8),
        ({ENGINE + "model_dtype": "bf16"}, "master_bytes", 2),
        ({ENGINE + "mixed_precision": {"param_dtype": "fp32"}}, "compute_bytes", 4),
        ({ACTOR + "optim": {"optimizer": "SGD"}}, "optimiser_states", 0),
        ({ACTOR + "entropy_coeff": 0.001}, "entropy_in_update", True),
        ({ACTOR + "calculate_entropy": True}, "entropy_in_update", True),
        ({ACTOR + "entropy_from_logits_with_chunking": True}, "entropy_chunk", 2048),
        ({ACTOR + "use_kl_loss": True}, "reference_model", True),
        ({ROLLOUT + "log_prob_max_token_len_per_gpu": 3000}, "log_prob_tokens", 3000),
        # Five full sequences of 1,000 tokens, shared by two GPUs.
        (
            {
                ACTOR + "use_dynamic_bsz": False,
                ACTOR + "ppo_micro_batch_size_per_gpu": 5,
                ROLLOUT + "log_prob_micro_batch_size_per_gpu": 3,
                ACTOR + "ulysses_sequence_parallel_size": 2,
            },
            "update_tokens",
            2500,
        ),
        ({ENGINE + "offload_policy": True}, "offload_policy", True),
        ({ENGINE + "offload_policy": True, ACTOR + "strategy": "fsdp"}, "offload_policy", False),
    ],
)
def test_training(changes: dict[str, Any], of: str, expected: Any) -> None:
    assert getattr(planned(**changes).training, of) == expected


def test_training_without_changes() -> None:
    """The negative control: nothing of the above holds by itself, but for a group as large as all GPUs."""
    run = planned().training
    assert (run.master_bytes, run.compute_bytes, run.optimiser_states) == (4, 2, 2)
    assert not any((run.entropy_in_update, run.entropy_chunk, run.reference_model, run.offload_policy))
    assert (run.log_prob_tokens, run.update_tokens) == (2000, 2000)


def test_the_probe_counts_only_with_its_trainer() -> None:
    probe = {"every": 5, "counterfactual_every": 10, "counterfactual_arms": ["grpo", "qae"]}
    assert planned(trainer__probe=probe).probe.every == 0
    ours = planned(trainer__probe=probe, trainer__v1__trainer_mode="qae_probe")
    assert (ours.probe.every, ours.probe.counterfactual_every, ours.probe.counterfactual_arms) == (5, 10, 2)
    alone = planned(trainer__probe={"counterfactual_every": 10}, trainer__v1__trainer_mode="qae_probe")
    assert (alone.probe.every, alone.probe.counterfactual_every) == (1, 0)


@pytest.mark.parametrize(("mode", "refill"), [("sync", 2), ("qae_probe", 2), ("colocate_async", 1)])
def test_refill_of_dynamic_sampling(mode: str, refill: int) -> None:
    assert planned(trainer__v1__trainer_mode=mode).refill == refill


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"trainer__nnodes": 0}, "trainer.nnodes must be an integer >= 1; got 0"),
        ({"trainer__nnodes": True}, "trainer.nnodes must be an integer >= 1; got True"),
        ({"trainer__n_gpus_per_node": -8}, "trainer.n_gpus_per_node"),
        ({"trainer__total_training_steps": None}, "trainer.total_training_steps must be an integer >= 1; got None"),
        ({ROLLOUT + "tensor_model_parallel_size": 3}, "a divisor of the number of GPUs, 2 x 4 = 8; got 3"),
        ({ACTOR + "ulysses_sequence_parallel_size": 3}, "ulysses_sequence_parallel_size must be a divisor"),
        ({ENGINE + "fsdp_size": 3}, "fsdp_size must be a divisor"),
        ({ACTOR + "ppo_max_token_len_per_gpu": 999}, ">= 1000: the longest sequence is on 1 GPU(s) at once; got 999"),
        ({ROLLOUT + "gpu_memory_utilization": 1.0}, "strictly between 0 and 1; got 1.0"),
        ({ROLLOUT + "gpu_memory_utilization": -0.5}, "strictly between 0 and 1; got -0.5"),
        ({ROLLOUT + "max_model_len": 999}, "max_model_len must be >= prompt + response = 1000; got 999"),
        ({ROLLOUT + "name": "sglang"}, "must be one of vllm; got 'sglang'"),
        ({ACTOR + "strategy": "megatron"}, "must be one of fsdp, fsdp2; got 'megatron'"),
        ({ACTOR + "ppo_mini_batch_size": 64}, "<= data.train_batch_size = 32; got 64"),
        ({MODEL + "lora_rank": 8}, "0: the plan knows full training only; got 8"),
        ({MODEL + "path": None}, "model.path must be a model's name or folder; got None"),
        ({ENGINE + "param_offload": "yes"}, "must be true or false; got 'yes'"),
        ({ACTOR + "optim": {"optimizer": "Muon"}}, "must be one of AdamW, Adam, SGD; got 'Muon'"),
    ],
)
def test_bad_settings_are_one_line(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        planned(**changes)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_enough_tokens_with_sequence_parallelism() -> None:
    """The same budget that is too small for one GPU is enough for two that share a sequence."""
    run = planned(**{ACTOR + "ppo_max_token_len_per_gpu": 999, ACTOR + "ulysses_sequence_parallel_size": 2})
    assert run.training.update_tokens == 999


def test_not_a_configuration() -> None:
    with pytest.raises(ValueError, match="config must be a configuration"):
        planned_run(read(["trainer.nnodes=1"]))


@pytest.mark.verl
def test_a_configuration_that_does_not_resolve() -> None:
    from omegaconf import OmegaConf

    broken = OmegaConf.create(config(trainer__nnodes="${nowhere}"))
    with pytest.raises(ValueError, match="does not resolve"):
        planned_run(read(broken))


@pytest.mark.verl
def test_the_same_from_omegaconf() -> None:
    from omegaconf import OmegaConf

    assert planned_run(read(OmegaConf.create(config()))) == planned()


@pytest.mark.verl
def test_defaults_are_verls_own() -> None:
    """With nothing but what verl leaves open, a key that is missing and verl's own value read the same."""
    from llm_validation.cluster.recipes.compose import compose_verl

    given = {
        "actor_rollout_ref": {"rollout": {"name": "vllm", "tensor_model_parallel_size": 2}},
        "trainer": {"total_training_steps": 7},
    }
    dynamic = "actor_rollout_ref.actor.use_dynamic_bsz=true"
    stock = compose_verl(["actor_rollout_ref.rollout.name=vllm", "trainer.total_training_steps=7", dynamic])
    given["actor_rollout_ref"]["model"] = {"path": stock.actor_rollout_ref.model.path}
    given["actor_rollout_ref"]["actor"] = {"use_dynamic_bsz": True}
    assert planned_run(read(given)) == planned_run(read(stock))
