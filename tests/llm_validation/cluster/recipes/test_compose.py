"""The experiments: one for each row of the paper, composed as verl composes them, and accepted by verl's own checks."""

from __future__ import annotations

import copy
import os
import re
import subprocess
import sys
from collections import Counter
from contextlib import nullcontext
from importlib.util import find_spec
from typing import Any

import pytest

from llm_validation.cluster.recipes import compose as module
from llm_validation.cluster.recipes.compose import MissingVerl, compose, config_dir, describe, experiments
from llm_validation.cluster.recipes.sources import look_up
from tests.llm_validation.cluster.composed import composed, resolved, stock

PAPER = [name for name in experiments() if name.startswith("qwen3-")]
OURS = ("quantile_k", "advantage_std", "advantage_eps", "advantage_gate", "correct_above")


def places(experiment: str) -> list[str]:
    """Where the paper shows the experiment."""
    return describe(experiment).split("; ")


def test_the_experiments_are_those_of_the_paper_and_four_more() -> None:
    assert set(experiments()) == {
        *(f"qwen3-8b-{loss}{qae}" for loss in ("clip-higher", "clip-cov", "kl-cov") for qae in ("", "-qae")),
        *(f"{model}{qae}" for model in ("qwen3-14b-clip-higher", "qwen3-30b-a3b-gspo") for qae in ("", "-qae")),
        *(f"qwen3-8b-clip-higher-qae-k0{k}" for k in "268"),
        *(f"qwen3-8b-{eps}{mask}-mask" for eps in ("", "eps020-") for mask in ("pos", "neg")),
        *(f"qwen3-8b-eps0{eps}" for eps in ("20", "20-qae", "22", "24", "26")),
        *(f"{kind}-{estimator}" for kind in ("theory", "smoke") for estimator in ("grpo", "qae")),
    }


def expected_places() -> list[str]:
    """Every row of Table 2, every epsilon of Table 1, every K of Figure 9, and both masks at both epsilons."""
    table_1 = [key for key in look_up("paper_facts:/table_1_dapo_epsilon_high") if key != "metric"]
    return [
        *(f"Table 2, {model}, {method}" for model, method, *_ in look_up("paper_facts:/table_2/rows")),
        *(f"Table 1, epsilon_high {eps}" for eps in table_1),
        *(f"Figure 9, K {k}" for k in look_up("paper_facts:/figure_9/k_values")),
        *(
            f"Figure 6{panel}, {m}-MASK at epsilon_high {eps}"
            for panel, eps in (("b", "0.28"), ("c", "0.20"))
            for m in ("POS", "NEG")
        ),
    ]


def test_each_row_of_the_paper_has_one_experiment() -> None:
    assert len(expected_places()) == 8 + 5 + 4 + 4
    found = Counter(place for name in PAPER for place in places(name))
    assert {place: found[place] for place in expected_places()} == dict.fromkeys(expected_places(), 1)
    named = {place for place in found if re.match(r"Table|Figure 9|Figure 6[bc], .*MASK", place)}
    assert named == set(expected_places())  # nothing in the files that the paper does not have


def test_every_experiment_says_what_it_is_for() -> None:
    lines = [describe(name) for name in experiments()]
    assert len(set(lines)) == len(lines)
    assert all(line[0].isupper() and "@package" not in line for line in lines)


def test_an_unknown_experiment_is_refused_with_the_list() -> None:
    for refused in (describe, compose):
        with pytest.raises(ValueError, match=r"^experiment must be one of qwen3-14b-clip-higher, .*; got 'qwen3-9b'$"):
            refused("qwen3-9b")


@pytest.mark.parametrize("missing", ["verl", "hydra"])
def test_without_verl_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == missing else find_spec("email"))
    with pytest.raises(MissingVerl, match=r"pip install 'qae-verification\[verl\]' -c constraints-verl.txt"):
        compose("qwen3-8b-clip-higher")


def test_composing_needs_verl_and_hydra() -> None:
    here = find_spec("verl") and find_spec("hydra")
    with nullcontext() if here else pytest.raises(MissingVerl):
        compose("smoke-qae")


# With verl.


@pytest.mark.verl
@pytest.mark.parametrize("experiment", experiments())
def test_verl_accepts_the_configuration(experiment: str) -> None:
    accept(composed(experiment))


@pytest.mark.verl
@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("+actor_rollout_ref.actor.clip_ratio_hi=0.3", "clip_ratio_hi"),
        ("+algorithm.filter_groups.metrics=acc", "metrics"),
        ("+actor_rollout_ref.rollout.tensor_parallel=2", "tensor_parallel"),
        ("actor_rollout_ref.actor.loss_agg_mode=tokens", "loss_agg_mode"),
        ("actor_rollout_ref.actor.use_dynamic_bsz=false", "ppo_micro_batch_size"),
        ("actor_rollout_ref.model.use_remove_padding=false", "use_remove_padding"),
        ("reward.reward_manager.name=dapper", "dapper"),
        ("reward.reward_kwargs.max_resp_len=100", "max_resp_len"),
        ("algorithm.filter_groups.max_inflight_gen_batches=0", "max_inflight_gen_batches"),
        ("algorithm.quantile_k=1.4", "quantile_k"),
        ("+algorithm.quantile_p=0.4", "quantile_p"),
        ("trainer.probe.every=-1", "every"),
    ],
)
def test_verl_refuses_a_planted_fault(override: str, complaint: str) -> None:
    config = compose("qwen3-8b-clip-higher-qae", [override])
    with pytest.raises(Exception, match=complaint):  # verl raises several types, hydra wraps them
        accept(config)


def accept(config: Any) -> None:
    """Put a configuration through every check that verl has before a worker starts."""
    from verl.trainer.ppo.reward import resolve_reward_manager_cls
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import omega_conf_to_dataclass, validate_config

    from llm_validation.verl_engine.plugin import options_of
    from llm_validation.verl_engine.trainer import probe_settings

    config = copy.deepcopy(config)
    validate_config(config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))
    assert not need_critic(config)
    assert not need_reference_policy(config)
    rollout, actor = config.actor_rollout_ref.rollout, config.actor_rollout_ref.actor
    omega_conf_to_dataclass(rollout)
    omega_conf_to_dataclass(actor)
    omega_conf_to_dataclass(without(config.algorithm, OURS))
    # verl 0.9.1 makes no dataclass of the reward's keys, nor could it: RewardManagerConfig's own check fails
    assert set(config.reward) == {*stock().reward, "reward_kwargs"}
    resolve_reward_manager_cls(config)(config, tokenizer=None, compute_score=None)
    replay_buffer(config)
    # ours, read where verl starts our estimator and our trainer
    options_of(config.algorithm)
    probe_settings(config)


def without(config: Any, keys: tuple[str, ...]) -> Any:
    """What is left for verl's dataclass: verl itself reads these keys from the mapping."""
    from omegaconf import OmegaConf

    return OmegaConf.create({key: value for key, value in config.items() if key not in keys})


def replay_buffer(config: Any) -> Any:
    """The replay buffer that verl's synchronous trainer builds from the configuration."""
    from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync

    trainer = PPOTrainerSync.__new__(PPOTrainerSync)
    trainer.config, trainer.trainer_mode = config, "sync"
    return trainer._build_replay_buffer()


@pytest.mark.verl
def test_dynamic_sampling_holds_as_many_prompts_as_the_generation_batch_of_the_script() -> None:
    buffer = replay_buffer(composed("qwen3-8b-clip-higher"))
    assert buffer.filter_groups_metric == "acc"
    assert buffer.max_inflight_gen_batches * buffer.train_batch_size == 1536
    assert replay_buffer(composed("theory-qae")).filter_groups_metric is None


@pytest.mark.verl
@pytest.mark.parametrize("experiment", experiments())
def test_the_configuration_resolves_and_is_consistent(experiment: str) -> None:
    config = composed(experiment)
    settings = resolved(config)
    missing = [key for key, value in settings.items() if value == "???"]
    assert missing == ["reward.reward_model.rollout.name"]  # verl's own, for a reward model that is not used
    assert config.trainer.experiment_name == experiment
    actor, rollout, data = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout, config.data
    assert (
        actor.ppo_max_token_len_per_gpu * actor.ulysses_sequence_parallel_size
        >= data.max_prompt_length + data.max_response_length
    )
    gpus = config.trainer.nnodes * config.trainer.n_gpus_per_node
    replicas = gpus // actor.ulysses_sequence_parallel_size
    assert replicas * actor.ulysses_sequence_parallel_size == gpus
    assert data.train_batch_size * rollout.n % replicas == 0
    assert actor.ppo_mini_batch_size * rollout.n % replicas == 0
    assert data.train_batch_size % actor.ppo_mini_batch_size == 0
    assert config.trainer.n_gpus_per_node % rollout.tensor_model_parallel_size == 0
    for key in ("default_local_dir", "rollout_data_dir", "validation_data_dir", "probe.dump_dir"):
        assert settings[f"trainer.{key}"].startswith(f"jobs/{experiment}/")


@pytest.mark.verl
@pytest.mark.parametrize("experiment", PAPER)
def test_a_row_of_the_paper_has_what_the_paper_says(experiment: str) -> None:
    config = composed(experiment)
    actor, updates = (
        config.actor_rollout_ref.actor,
        config.data.train_batch_size // config.actor_rollout_ref.actor.ppo_mini_batch_size,
    )
    gspo = "gspo" in experiment
    assert updates == look_up(
        f"paper_facts:/training/{'gspo/gradient_accumulation' if gspo else 'updates_per_rollout_batch'}"
    )
    assert actor.ppo_max_token_len_per_gpu == config.data.max_prompt_length + config.data.max_response_length
    losses = {"CLIP-Cov": "clip_cov", "KL-Cov": "kl_cov", "GSPO": "gspo"}
    for place in places(experiment):
        match place.split(", "):
            case ["Table 2" | "Figure 6a", model, method]:
                loss, _, estimator = method.partition(" + ")
                assert config.actor_rollout_ref.model.path == f"Qwen/{model}"
                assert actor.policy_loss.loss_mode == losses.get(loss, "vanilla")
                assert config.algorithm.adv_estimator == (estimator.lower() or "grpo")
                assert loss in losses or (actor.clip_ratio_low, actor.clip_ratio_high) == (0.2, 0.28)
            case ["Table 1", epsilon]:
                assert f"epsilon_high {actor.clip_ratio_high:.2f}" == epsilon
                assert config.algorithm.adv_estimator == "grpo"
            case ["Figure 9", k]:
                assert f"K {config.algorithm.quantile_k}" == k
                assert config.algorithm.adv_estimator == "qae"
            case ["Figure 6b" | "Figure 6c", panel]:
                estimator, _, epsilon = panel.partition(" at epsilon_high ")
                assert config.algorithm.adv_estimator == estimator.lower().replace("-", "_")
                assert f"{actor.clip_ratio_high:.2f}" == epsilon
            case _:
                assert re.fullmatch(r"Figures? \d+[abc]?(, \d+[abc]?)*", place)


@pytest.mark.verl
def test_the_arms_of_a_pair_differ_in_the_estimator_alone() -> None:
    pairs = [(name.removesuffix("-qae"), name) for name in experiments() if name.endswith("-qae")]
    pairs = [(mean if mean in experiments() else f"{mean}-grpo", qae) for mean, qae in pairs]
    assert len(pairs) == 8
    for mean, qae in pairs:
        left, right = (resolved(composed(name)) for name in (mean, qae))
        differing = {key for key in {*left, *right} if left.get(key) != right.get(key)}
        named_after = {key for key in differing if mean in str(left.get(key)) and qae in str(right.get(key))}
        assert differing - named_after == {"algorithm.adv_estimator"}


@pytest.mark.verl
def test_the_theory_variants_make_one_plain_step_a_batch() -> None:
    for name in ("theory-grpo", "theory-qae"):
        config = composed(name)
        optim = config.actor_rollout_ref.actor.optim
        assert config.actor_rollout_ref.actor.ppo_mini_batch_size == config.data.train_batch_size
        assert (optim.optimizer, optim.weight_decay, config.trainer.probe.every) == ("SGD", 0, 1)


@pytest.mark.verl
def test_torch_builds_the_optimiser_of_the_theory_variants() -> None:
    """The betas in verl's defaults belong to AdamW: SGD must not get them."""
    import torch
    from verl.utils.config import omega_conf_to_dataclass
    from verl.workers.config.optimizer import build_optimizer

    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = build_optimizer([weight], omega_conf_to_dataclass(composed("theory-qae").actor_rollout_ref.actor.optim))
    weight.grad = torch.full((1,), 2.0)
    optimizer.step()
    assert weight.item() == pytest.approx(1 - 0.1 * 2, abs=1e-6)  # one plain step, to float32's rounding


@pytest.mark.verl
def test_the_reward_function_is_found_by_verl() -> None:
    from verl.trainer.ppo.reward import get_custom_reward_fn

    score = get_custom_reward_fn(composed("qwen3-8b-clip-higher"))
    assert score is not None
    assert score("math_dapo", "so Answer: 7", "7")["acc"] == 1
    assert score("math_dapo", "so Answer: 8", "7")["acc"] == 0


@pytest.mark.verl
def test_overrides_reach_keys_and_parts() -> None:
    config = compose("qwen3-8b-clip-higher-qae", ["part/cluster=8x8", "data.seed=2", "cluster.job=/shared/jobs/1"])
    assert (config.trainer.nnodes, config.data.seed) == (8, 2)
    assert config.trainer.default_local_dir == "/shared/jobs/1/checkpoints"


@pytest.mark.verl
@pytest.mark.parametrize("override", ["no.such.key=1", "algorithm.quantile=0.4", "data=[", "part/loss=clip-lower"])
def test_a_bad_override_is_refused_in_one_line(override: str) -> None:
    with pytest.raises(ValueError, match=r"^overrides must be Hydra overrides") as error:
        compose("qwen3-8b-clip-higher", [override])
    assert "\n" not in str(error.value)
    assert override in str(error.value)


@pytest.mark.verl
def test_composing_imports_no_verl() -> None:
    code = "import sys; from llm_validation.cluster.recipes.compose import compose; compose('smoke-qae')"
    code += "; print('verl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


@pytest.mark.verl
def test_verls_own_command_line_composes_the_same() -> None:
    from omegaconf import OmegaConf

    overrides = ["trainer.v1.trainer_mode=sync", "data.seed=3"]
    done = command_line("qwen3-30b-a3b-gspo-qae", *overrides)
    assert done.returncode == 0, done.stderr
    printed = OmegaConf.create(done.stdout[done.stdout.index("model_engine:") :])
    assert printed == compose("qwen3-30b-a3b-gspo-qae", overrides)
    assert printed != composed("qwen3-30b-a3b-gspo-qae")


def command_line(experiment: str, *overrides: str) -> subprocess.CompletedProcess[str]:
    command = ["-m", "verl.trainer.main_ppo", "--config-dir", str(config_dir()), f"+experiment={experiment}"]
    return subprocess.run(
        [sys.executable, *command, *overrides, "--cfg", "job"], capture_output=True, text=True, env={**os.environ}
    )
