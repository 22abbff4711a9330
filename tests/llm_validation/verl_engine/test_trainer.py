"""The probe trainer without a cluster: settings, refusals, rows, and what a worker keeps to itself.

Real runs are in ``cluster/test_verl_runs.py``.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.verl


def composed(*overrides: str, experiment: str = "smoke-qae") -> Any:
    from llm_validation.cluster.recipes.compose import compose

    return compose(experiment, [*overrides, "trainer.probe.dump_dir=/dump", "trainer.default_local_dir=/checkpoints"])


def settings(*overrides: str) -> Any:
    from llm_validation.verl_engine.trainer import probe_settings

    return probe_settings(composed(*overrides))


# Settings


def test_settings_of_an_experiment() -> None:
    found = settings()
    assert (found.every, found.counterfactual_every, found.arms) == (1, 2, ("grpo", "qae"))
    assert (found.quantile_k, found.correct_above) == ("0.4", -0.5)
    assert (found.clip_low, found.clip_high, found.sequence_ratio) == (0.2, 0.28, False)
    assert (found.dump_dir, found.scratch_dir) == (Path("/dump"), Path("/checkpoints/counterfactual"))


def test_which_steps_are_due() -> None:
    found = settings("trainer.probe.every=4", "trainer.probe.counterfactual_every=6")
    assert [step for step in range(1, 13) if found.probes(step)] == [4, 6, 8, 12]
    assert [step for step in range(1, 13) if found.counters(step)] == [6, 12]
    never = settings("trainer.probe.every=0", "trainer.probe.counterfactual_every=0")
    assert not any(never.probes(step) for step in range(1, 13))


@pytest.mark.parametrize(
    ("experiment", "every", "sequence_ratio"),
    [("qwen3-8b-clip-higher-qae", 5, False), ("qwen3-30b-a3b-gspo", 5, True), ("theory-grpo", 1, False)],
)
def test_settings_of_other_experiments(experiment: str, every: int, sequence_ratio: bool) -> None:
    from llm_validation.verl_engine.trainer import probe_settings, require_estimators

    config = composed(experiment=experiment)
    require_estimators(config)
    found = probe_settings(config)
    assert (found.every, found.sequence_ratio) == (every, sequence_ratio)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("trainer.probe.every=-1", r"trainer\.probe\.every must be an integer >= 0"),
        ("trainer.probe.every=1.5", r"trainer\.probe\.every must be an integer"),
        ("trainer.probe.every=true", r"trainer\.probe\.every must be an integer"),
        ("trainer.probe.counterfactual_arms=[]", r"trainer\.probe\.counterfactual_arms must be the names"),
        ("algorithm.quantile_k='1'", "k must be"),
        ("algorithm.adv_estimator=gae", r"algorithm\.adv_estimator must be one of groups, without a critic"),
        (
            "algorithm.rollout_correction.bypass_mode=true",
            r"rollout_correction\.bypass_mode must be false for the probe",
        ),
        ("actor_rollout_ref.actor.strategy=veomni", r"actor\.strategy must be one of fsdp, fsdp2 for a counterfactual"),
        (
            "actor_rollout_ref.actor.checkpoint.save_contents=[model]",
            r"checkpoint\.save_contents must be with extra, model",
        ),
        ("actor_rollout_ref.actor.checkpoint.load_contents=[model,extra]", r"checkpoint\.load_contents must be with"),
    ],
)
def test_what_cannot_be_probed_is_refused(override: str, says: str) -> None:
    extra = ["critic.enable=true"] if override.endswith("gae") else []
    with pytest.raises(ValueError, match=says) as caught:
        settings(override, *extra)
    assert len(str(caught.value).splitlines()) == 1


def test_a_run_without_counterfactual_may_keep_less() -> None:
    found = settings("trainer.probe.counterfactual_every=0", "actor_rollout_ref.actor.checkpoint.save_contents=[model]")
    assert not found.counters(2)


# Estimators that must be there


def test_an_unknown_estimator_is_refused() -> None:
    from llm_validation.verl_engine.trainer import require_estimators

    for override in ("algorithm.adv_estimator=qea", "trainer.probe.counterfactual_arms=[grpo,qea]"):
        with pytest.raises(RuntimeError, match=r"no advantage estimator 'qea' in verl; there are .*grpo.*qae"):
            require_estimators(composed(override))


def test_an_error_that_verl_swallowed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from llm_validation.verl_engine import plugin as verl_plugin
    from llm_validation.verl_engine.trainer import require_estimators

    monkeypatch.setattr(verl_plugin, "import_error", lambda: "plug-in qae: ImportError: no module")
    with pytest.raises(RuntimeError, match="the plug-in did not load: plug-in qae: ImportError: no module"):
        require_estimators(composed())


def test_an_estimator_that_is_gone_stops_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before Ray, before anything that costs."""
    from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY

    from llm_validation.verl_engine import trainer as verl_trainer

    started: list[Any] = []
    monkeypatch.setattr(verl_trainer, "run_ppo", lambda *arguments, **options: started.append(options))
    run = verl_trainer.main.__wrapped__
    run(composed())
    assert started == [{"task_runner_class": verl_trainer.ProbeTaskRunner}]
    monkeypatch.delitem(ADV_ESTIMATOR_REGISTRY, "qae")
    with pytest.raises(RuntimeError, match="no advantage estimator 'qae'"):
        run(composed())
    assert len(started) == 1


def test_the_old_trainer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from llm_validation.verl_engine import trainer as verl_trainer

    monkeypatch.setattr(verl_trainer, "run_ppo", lambda *arguments, **options: pytest.fail("it started"))
    with pytest.raises(ValueError, match=r"trainer\.use_v1 must be true"):
        verl_trainer.main.__wrapped__(composed("trainer.use_v1=false"))


# The trainer's place in verl


def test_the_trainer_has_its_name_and_counts_as_synchronous() -> None:
    from verl.trainer.ppo.v1 import PPOTrainerSync, get_trainer_cls
    from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer

    from llm_validation.verl_engine.trainer import TRAINER, ProbeTrainer

    assert get_trainer_cls(TRAINER) is ProbeTrainer
    assert issubclass(ProbeTrainer, PPOTrainerSync)
    trainer = ProbeTrainer(composed())
    assert trainer.trainer_mode == "sync"
    assert type(trainer.replay_buffer) is ReplayBuffer  # another mode would get the asynchronous one
    assert trainer.parameter_sync_step == 1


@pytest.mark.parametrize(("every", "expected"), [(0, "ActorRolloutRefWorker"), (2, "ProbeWorker")])
def test_the_worker_is_verls_own_unless_it_has_to_keep_states(every: int, expected: str) -> None:
    from llm_validation.verl_engine.trainer import ProbeTrainer

    trainer = ProbeTrainer(composed(f"trainer.probe.counterfactual_every={every}"))
    trainer._init_resource_pool_mgr()
    (worker,) = trainer.role_worker_mapping.values()
    assert worker.__ray_actor_class__.__name__ == expected


def test_a_kept_state_is_none_of_the_runs_checkpoints(tmp_path: Path) -> None:
    """verl removes the oldest that it knows of: one more would push out a real one, before the next is whole."""
    from verl.utils.checkpoint.checkpoint_manager import BaseCheckpointManager

    from llm_validation.verl_engine.trainer import ProbeWorker

    real = [tmp_path / f"global_step_{step}" for step in (1, 2)]
    manager = object.__new__(BaseCheckpointManager)
    manager.previous_saved_paths, manager.previous_global_step = [], None

    def save(folder: str) -> None:
        Path(folder).mkdir()
        manager.previous_global_step = 0
        manager.register_checkpoint(folder, None)

    for path in real:
        save(str(path))
    engine = SimpleNamespace(checkpoint_manager=manager)
    worker = SimpleNamespace(actor=SimpleNamespace(engine=engine, save_checkpoint=save))
    manager.previous_global_step = 2
    ProbeWorker.keep_state(worker, str(tmp_path / "kept"))
    assert (tmp_path / "kept").is_dir()
    assert manager.previous_saved_paths == [str(path) for path in real]
    assert manager.previous_global_step == 2
    save(str(tmp_path / "aside"))  # the negative control: saved plainly, it pushes the first one out
    manager.ensure_checkpoint_capacity(3)
    assert not real[0].exists()
    ProbeWorker.drop_state(worker, str(tmp_path / "kept"))
    assert not (tmp_path / "kept").exists()


# Rows and reports


def bare(**attributes: Any) -> Any:
    """A trainer that has been through no ``__init__``."""
    from llm_validation.verl_engine.trainer import ProbeTrainer, probe_settings

    config = composed()
    trainer = object.__new__(ProbeTrainer)
    trainer.config, trainer.probe, trainer.global_steps = config, probe_settings(config), 7
    for name, value in attributes.items():
        setattr(trainer, name, value)
    return trainer


def batch() -> tuple[Any, Any, Any]:
    """Three rows of which the last fills up the batch, before and after."""
    import torch
    from transfer_queue import KVBatchMeta
    from verl.utils import tensordict_utils as tu

    def nested(*rows: list[float]) -> Any:
        return torch.nested.as_nested_tensor([torch.tensor(row) for row in rows], layout=torch.jagged)

    meta = KVBatchMeta(
        keys=["a_0_0", "a_1_0", "pad_0_0"],
        tags=[{}, {"is_padding": False}, {"is_padding": True}],
        partition_id="train",
    )
    before = tu.get_tensordict(
        {
            "uid": ["a", "a", "pad"],
            "response_mask": nested([1, 1], [1, 1, 1], [0]),
            "advantages": nested([2.0, 2.0], [0.0, 0.0, 0.0], [0.0]),
            "old_log_probs": nested([-1.0, -2.0], [-1.0, -1.0, -1.0], [-9.0]),
            "entropy": nested([1.0, 1.0], [0.5, 0.5, 0.5], [9.0]),
            "rm_scores": nested([0.0, 1.0], [0.0, 0.0, -1.0], [0.0]),
        }
    )
    after = tu.get_tensordict(
        {
            "log_probs": nested([-0.5, -2.0], [-1.0, -1.0, -1.0], [-9.0]),
            "entropy": nested([0.75, 1.0], [0.5, 0.5, 0.75], [9.0]),
        }
    )
    return meta, before, after


def test_rows_that_fill_up_a_batch_are_left_out(tmp_path: Path) -> None:
    trainer = bare()
    object.__setattr__(trainer.probe, "dump_dir", tmp_path)
    meta, before, after = batch()
    responses = list(trainer._responses(meta, before, after, {}))
    assert [response.key for response in responses] == ["a_0_0", "a_1_0"]
    metrics = {"actor/entropy": 0.7}
    trainer._report(metrics, responses)
    assert metrics["probe/entropy/before/all"] == pytest.approx(3.5 / 5)
    assert metrics["probe/entropy/change/positive"] == pytest.approx(-0.125)
    assert metrics["probe/clip/high_share"] == pytest.approx(1 / 5)  # a ratio of exp(.5)
    assert (metrics["probe/failed"], metrics["probe/check/entropy_gap"]) == (0.0, pytest.approx(0.0, abs=1e-6))
    records = [json.loads(line) for line in (tmp_path / "7.jsonl").read_text().splitlines()]
    assert [(record["uid"], record["reward"], record["step"]) for record in records] == [("a", 1.0, 7), ("a", -1.0, 7)]
    assert [path.name for path in tmp_path.iterdir()] == ["7.jsonl"]


def test_what_cannot_be_recorded_is_said_and_training_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = bare()
    object.__setattr__(trainer.probe, "dump_dir", tmp_path)
    meta, before, after = batch()
    after["entropy"].values()[0] = float("nan")
    metrics: dict[str, float] = {}
    trainer._report(metrics, list(trainer._responses(meta, before, after, {})))
    assert metrics == {"probe/failed": 1.0}
    assert "probe of step 7 failed: entropies_after of a_0_0 must be finite; got nan" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_another_aggregation_is_not_held_against_tokens() -> None:
    trainer = bare()
    trainer.config.actor_rollout_ref.actor.loss_agg_mode = "seq-mean-token-mean"
    object.__setattr__(trainer.probe, "dump_dir", None)
    meta, before, after = batch()
    metrics = {"actor/entropy": 0.9}
    trainer._report(metrics, list(trainer._responses(meta, before, after, {})))
    assert "probe/check/entropy_gap" not in metrics


def test_half_precision_becomes_numbers() -> None:
    import torch

    from llm_validation.verl_engine.trainer import padded_rows

    nested = torch.nested.as_nested_tensor([torch.ones(2), torch.ones(1)], layout=torch.jagged)
    rows = padded_rows(nested.to(torch.bfloat16))
    assert [row.tolist() for row in rows] == [[1.0, 1.0], [1.0]]


def test_run_as_a_script_the_trainer_has_one_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    """``python -m`` makes a second module of the file; verl refuses one name for two classes."""
    from verl.trainer.ppo.v1 import get_trainer_cls

    from llm_validation.verl_engine.trainer import TRAINER, ProbeTrainer

    monkeypatch.setattr(sys, "argv", ["verl_trainer", "--version"])
    with pytest.warns(RuntimeWarning, match="found in sys.modules"), pytest.raises(SystemExit):
        runpy.run_module("llm_validation.verl_engine.trainer", run_name="__main__")
    assert get_trainer_cls(TRAINER) is ProbeTrainer
