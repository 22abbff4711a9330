"""The checks while a run trains: what a window says, TRL's callback in its own trainer, verl's hook on its own keys."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from llm_validation.audit.live.verl import step_metrics, watched
from llm_validation.audit.live.window import EACH_TIME, ONCE, PREFIX, Window
from llm_validation.audit.model.settings import AuditSettings
from qae_theory import advantages

SIZE, GROUPS = 8, 16


def batch(seed: int, success: tuple[float, float] = (2.0, 2.0)) -> tuple[list[str], Any, Any]:
    """Groups, rewards and GRPO's advantages of one step."""
    rng = np.random.default_rng(seed)
    reward = (rng.random((GROUPS, SIZE)) < rng.beta(*success, (GROUPS, 1))).astype(float)
    made = advantages(reward, "grpo").astype(np.float32).astype(float)
    return [f"q{group}" for group in range(GROUPS) for _ in range(SIZE)], reward.ravel(), made.ravel()


def test_a_window_speaks_when_it_is_full() -> None:
    window = Window(3, AuditSettings(estimator="grpo"))
    said = [window.add(step, *batch(step)) for step in range(1, 7)]
    assert [bool(metrics) for metrics in said] == [False, False, True, False, False, True]
    names = {f"{PREFIX}{name}" for check in (*EACH_TIME, *ONCE) for name in check.finds}
    assert names <= said[2].keys()
    assert all(said[2][name] == 0 for name in names)
    assert said[2][f"{PREFIX}groups/mixed"] > 0.5


def test_findings_become_numbers_by_their_severity() -> None:
    window = Window(1, AuditSettings(estimator="qae"))
    groups, reward, made = batch(0, success=(0.05, 5.0))
    metrics = window.add(1, groups, reward, made)
    assert metrics[f"{PREFIX}estimator-mismatch"] == 3  # critical
    assert metrics[f"{PREFIX}data-too-hard"] >= 2
    assert {finding.id for finding in window.findings} >= {"estimator-mismatch", "data-too-hard", "uniform-groups"}


def test_only_the_last_batches_count() -> None:
    window = Window(2)
    for step in (1, 2):
        hard = window.add(step, *batch(step, success=(0.05, 5.0)))
    for step in (3, 4):
        mixed = window.add(step, *batch(step))
    assert hard[f"{PREFIX}data-too-hard"] > 0
    assert mixed[f"{PREFIX}data-too-hard"] == 0


def test_a_window_of_no_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="every must be a whole number of at least 1; got 0"):
        Window(0)
    with pytest.raises(ValueError, match="every"):
        watched(object, every=0)


# verl


class Queue:
    """What verl keeps of a batch, by the field's name; nested tensors are lists of rows here."""

    def __init__(self, rows: Sequence[tuple[str, float, float, Sequence[int]]]) -> None:
        import torch

        self.keys = [key for key, *_ in rows]
        self.partition_id = "train"
        masks = [torch.tensor(mask) for *_, mask in rows]
        self.fields = {
            "uid": [key.rsplit("_", 2)[0] for key in self.keys],
            "response_mask": SimpleNamespace(unbind=lambda: masks),
            "rm_scores": SimpleNamespace(unbind=lambda: [torch.tensor([0.0, score]) for _, score, _, _ in rows]),
            "advantages": SimpleNamespace(
                unbind=lambda: [torch.full((len(mask),), made) for _, _, made, mask in rows]
            ),
        }  # fmt: skip


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    """Two rollouts of one prompt: the first right, with three outputs of which the last has no token that counts."""
    rows = [
        ("g_0_0", 1.0, 2.0, [1, 1]),
        ("g_0_1", 1.0, 2.0, [0, 1]),
        ("g_0_2", 1.0, 0.0, [0, 0]),
        ("g_1_0", 0.0, -2.0, [1, 1]),
    ]
    made = Queue(rows)
    module = ModuleType("transfer_queue")
    module.kv_batch_get = lambda keys, partition_id, select_fields: {name: made.fields[name] for name in select_fields}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "transfer_queue", module)
    return made


@pytest.mark.torch
def test_outputs_of_one_rollout_have_one_vote(queue: Queue) -> None:
    kept: dict[str, Any] = {}

    class Kept(Window):
        def add(self, step: int, groups: Any, rewards: Any, advantages: Any = None, **columns: Any) -> dict[str, float]:
            kept.update(step=step, groups=groups, rewards=rewards.tolist(), advantages=advantages.tolist())
            kept["tokens"] = columns["tokens"].tolist()
            return {}

    step_metrics(Kept(), 7, queue)
    assert kept == {"step": 7, "groups": ["g", "g"], "rewards": [1, 0], "advantages": [2, -2], "tokens": [3, 2]}


@pytest.mark.torch
def test_the_hook_looks_at_every_nth_step_and_returns_the_batch(queue: Queue) -> None:
    class Trainer:
        global_steps = 0

        def _compute_advantage(self, batch: Any, metrics: dict[str, Any]) -> Any:
            metrics["own"] = 1.0
            return batch

    trainer = watched(Trainer, every=2)()
    said = []
    for step in range(1, 5):
        trainer.global_steps, metrics = step, dict[str, Any]()
        assert trainer._compute_advantage(queue, metrics) is queue
        said.append(any(name.startswith(PREFIX) for name in metrics))
        assert metrics["own"] == 1.0
    assert said == [False, True, False, True]


@pytest.mark.torch
def test_an_audit_that_fails_does_not_stop_the_training(queue: Queue, caplog: pytest.LogCaptureFixture) -> None:
    class Trainer:
        global_steps = 1

        def _compute_advantage(self, batch: Any, metrics: dict[str, Any]) -> Any:
            return batch

    del queue.fields["uid"]
    metrics: dict[str, Any] = {}
    assert watched(Trainer, every=1)()._compute_advantage(queue, metrics) is queue
    assert metrics == {}
    assert "the audit of this step failed: KeyError" in caplog.text


@pytest.mark.verl
@pytest.mark.slow
def test_verls_own_trainer_logs_the_findings(tmp_path: Path) -> None:
    """One step of verl's loop on a CPU, with the hook in the class that it trains with."""
    from tests.llm_validation.audit.watched_verl import NAME
    from tests.llm_validation.verl_engine.cpu_verl.launched import ended, made
    from tests.llm_validation.verl_engine.cpu_verl.runs import CpuRun

    settings = [
        f"trainer.v1.trainer_mode={NAME}",
        "trainer.probe.counterfactual_every=0",
        "trainer.total_training_steps=1",
        "trainer.save_freq=-1",
    ]
    module = "tests.llm_validation.audit.watched_verl"
    world = made(tmp_path, success=0.01)
    job = ended(CpuRun(world, tmp_path / "run", settings=settings, module=module))
    (logged,) = job.log().values()
    assert logged[f"{PREFIX}groups-of-one"] == 0
    assert 0 <= logged[f"{PREFIX}zero_advantage_share"] <= 1
    shares = [logged[f"{PREFIX}groups/{name}"] for name in ("all_wrong", "mixed", "all_right")]
    assert sum(shares) == pytest.approx(1)


# TRL


@pytest.mark.train
def test_trls_own_trainer_logs_the_findings(tmp_path: Path) -> None:
    from datasets import Dataset
    from transformers.trainer_callback import PrinterCallback
    from trl import GRPOConfig, GRPOTrainer

    from llm_validation.audit.live.trl import settings_of, watch
    from llm_validation.models.presets import load_model

    model, tokenizer = load_model("arithmetic", seed=0)
    arguments = GRPOConfig(
        output_dir=str(tmp_path), max_steps=4, per_device_train_batch_size=16, num_generations=4,
        max_completion_length=4, logging_steps=1, report_to=[], use_cpu=True, bf16=False, save_strategy="no",
        disable_tqdm=True, seed=0, num_iterations=2,
    )  # fmt: skip
    trainer = GRPOTrainer(
        model=model,
        processing_class=tokenizer,
        reward_funcs=[lambda completions, **_: [0.0 for _ in completions]],  # nothing is ever right
        args=arguments,
        train_dataset=Dataset.from_list([{"prompt": f"{a}+{b}="} for a in range(3) for b in range(3)]),
    )
    window = watch(trainer, every=2)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    spoken = [log for log in trainer.state.log_history if f"{PREFIX}groups/all_wrong" in log]
    assert [log["step"] for log in spoken] == [3]  # two updates on each batch: the second batch begins at step 3
    assert spoken[0][f"{PREFIX}groups/all_wrong"] == 1
    assert spoken[0][f"{PREFIX}zero_advantage_share"] == 1
    assert {finding.id for finding in window.findings} == {"uniform-groups", "data-too-hard"}  # 2^-8 is below .0125
    known = settings_of(arguments)
    assert (known.estimator, known.std, known.eps, known.group_size) == ("grpo", "bessel", 1e-4, 4)
