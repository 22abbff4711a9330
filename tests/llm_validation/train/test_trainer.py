from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_validation.tasks.base import Example
from llm_validation.train.trainer import question_order
from tests import ROOT
from tests.llm_validation.train.tiny_runs import EXAMPLES, Run, prepared, rows, settings, train

pytestmark = pytest.mark.train

HERE = Path(__file__).parent
GRPO = {"std": "bessel", "eps": 1e-4}  # what TRL has
RATES = {"adamw": 1e-3, "sgd": 3e-2}
CLOCK = {"step_time", "train_runtime", "train_samples_per_second", "train_steps_per_second"}
# Penalties of thirds make rewards, means and deviations that float32 has to round.
THIRDS = {"max_length": 3, "cache": 3}


# Parity with TRL


def disagreements(stock: Run, ours: Run) -> list[str]:
    """What the two runs log differently: 1e-5 relative is what is promised.

    The loss is a difference of terms of size 1 in float32, some 70 of them: its rounding is absolute, below 1e-6.
    """
    found = []
    for number, (theirs, mine) in enumerate(zip(stock.history, ours.history, strict=True)):
        for name in theirs.keys() - CLOCK:
            slack = 1e-6 if name == "loss" else 0.0
            if not math.isclose(theirs[name], mine[name], rel_tol=1e-5, abs_tol=slack):
                found.append(f"{name} at {number}: {theirs[name]} and {mine[name]}")
    if stock.tokens != ours.tokens:
        found.append("tokens")
    return found


def grpo_settings(optimiser: str, **changes: Any) -> Any:
    return settings(
        **{"estimator": "grpo", "options": GRPO, "optimiser": optimiser, "learning_rate": RATES[optimiser]}
        | {"overlong": THIRDS}
        | changes
    )


@pytest.fixture(scope="module", params=["adamw", "sgd"])
def stock(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Run]:
    config = grpo_settings(request.param, steps=100)
    return request.param, train(config, tmp_path_factory.mktemp("stock"), stock=True)


def test_grpo_options_reproduce_the_stock_trainer(stock: tuple[str, Run], tmp_path: Path) -> None:
    ours = train(grpo_settings(stock[0], steps=100), tmp_path)
    assert len(ours.tokens) == 100
    assert disagreements(stock[1], ours) == []
    assert {"loss", "reward", "entropy", "grad_norm", "clip_ratio/region_mean"} <= stock[1].history[0].keys()
    # The run is one that could have gone apart: it learns, lengths and rewards vary, some rows are not scorable.
    rewards = [line["reward"] for line in ours.history[:-1]]
    assert np.mean(rewards[-20:]) > np.mean(rewards[:20]) + 0.05
    assert any(record["reward"] is None for records in ours.records for record in records)
    theirs, mine = (list(run.trainer._logs["advantages"]) for run in (stock[1], ours))
    # The two divide in float32 and in float64, the mean and the deviation rounded before.
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("planted", [{"std": "bessel", "eps": 1e-2}, {"std": "population", "eps": 1e-4}])
def test_a_planted_change_of_the_options_is_noticed(
    stock: tuple[str, Run], tmp_path: Path, planted: dict[str, Any]
) -> None:
    run = train(grpo_settings(stock[0], steps=5, options=planted), tmp_path)
    short = Run(None, history=[*stock[1].history[:5], run.history[-1]], tokens=run.tokens)
    found = disagreements(short, run)
    assert {line.split(" at ")[0] for line in found} >= {"loss", "grad_norm"}


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_inner_updates_and_epochs_reproduce_the_stock_trainer(optimiser: str, tmp_path: Path) -> None:
    config = grpo_settings(optimiser, steps=6, inner_updates=2, inner_epochs=2)
    stock, ours = (train(config, tmp_path, stock=other) for other in (True, False))
    assert len(ours.history) == 6 * 4 + 1
    assert disagreements(stock, ours) == []
    assert any(line.get("clip_ratio/region_mean", 0) > 0 for line in ours.history)


# Advantages from rewards, by other code in another process


def write(run: Run, path: Path) -> Path:
    lines = [{"step": step, **record} for step, records in enumerate(run.records) for record in records]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def recomputed(path: Path, estimator: str, k: str, std: str, eps: str) -> dict[str, Any]:
    command = [sys.executable, "-I", "-S", str(HERE / "brute_force.py"), str(path), estimator, k, std, eps]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize(
    ("k", "std", "eps", "changes"),
    [
        ("0.4", "population", "0.000001", {}),
        ("2/3", "bessel", "0", {"overlong": THIRDS, "signed_rewards": True}),
    ],
)
def test_advantages_follow_from_the_logged_rewards(
    k: str, std: str, eps: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    config = settings(steps=8, options={"k": k, "std": std, "eps": float(eps)}, **changes)
    run = train(config, tmp_path, examples=EXAMPLES)
    path = write(run, tmp_path / "rollouts.jsonl")
    # Rounded once to float32: half a spacing, and a millionth of it for what float64 did before.
    assert (found := recomputed(path, "qae", k, std, eps))["worst"] <= 1 + 1e-6
    assert found["groups"] == 8 * 4
    assert found["foreign"] == []
    for wrong in [("qae", "0.2", std, eps), ("qae", k, "bessel" if std == "population" else "population", eps)]:
        assert recomputed(path, *wrong)["worst"] > 1e3
    assert recomputed(path, "grpo", k, std, eps)["worst"] > 1e3
    # Both sides of the gate were seen, and a response of each kind.
    assert {record["correct"] for records in run.records for record in records} == {0.0, 1.0, None}
    signs = {np.sign(record["advantage"]) for records in run.records for record in records}
    assert signs == {-1.0, 0.0, 1.0}


def test_the_loss_gets_the_advantages_that_are_logged(tmp_path: Path) -> None:
    run = train(settings(steps=3, inner_updates=2), tmp_path)
    for records, output in zip(run.records, run.outputs, strict=True):
        assert rows(run, output) == [(row["prompt"], row["completion"], row["advantage"]) for row in records]
        assert [row["tokens"] for row in records] == output["completion_mask"].sum(1).tolist()
        assert [row["group"] for row in records] == [i // 6 for i in range(24)]
    assert list(run.trainer._logs["advantages"]) == [row["advantage"] for row in run.records[-1]]
    assert run.steps == [0, 1, 2]  # numbered by batches of rollouts, not by updates


@given(st.integers(1, 9), st.integers(1, 40), st.integers(0, 5))
def test_questions_come_in_permutations_one_after_another(questions: int, wanted: int, seed: int) -> None:
    order = question_order(questions, wanted, seed)
    assert len(order) == wanted
    for start in range(0, wanted, questions):
        part = order[start : start + questions]
        assert sorted(set(part)) == sorted(part)
    assert set(order) <= set(range(questions))
    assert order == question_order(questions, wanted + 7, seed)[:wanted]


def test_the_order_of_questions_is_random_and_fixed_by_the_seed() -> None:
    first = question_order(20, 40, 0)
    assert first[:20] != list(range(20)) != first[20:] != first[:20]
    assert first != question_order(20, 40, 1)


# Rewards that could not be had


def scripted(*batches: Sequence[float | None]) -> Callable[..., list[float | None]]:
    waiting = iter(batches)
    return lambda completions, answers: list(next(waiting))


def test_unscorable_responses_stay_out(tmp_path: Path) -> None:
    nan = math.nan
    scores = [1, 0, 0, None, 1, nan, 0, None, None, 1, None, None, None, nan, None, None]
    config = settings(steps=1, group_size=4, estimator="grpo", options={"std": "population", "eps": 0})
    run = train(config, tmp_path, verifier=scripted(scores))
    high, low = math.sqrt(2), -math.sqrt(0.5)
    wanted = [high, low, low, 0, 1, 0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    # Single precision keeps seven digits.
    np.testing.assert_allclose(run.outputs[0]["advantages"].numpy(), wanted, rtol=1e-6, atol=0)
    records = run.records[0]
    assert [record["reward"] for record in records] == [score if score in (0, 1) else None for score in scores]
    assert [record["correct"] for record in records] == [record["reward"] for record in records]
    logged = run.history[0]
    assert logged["success_rate"] == logged["reward"] == 0.5  # 3 of 6
    assert logged["unscorable_share"] == 10 / 16
    assert logged["zero_advantage_share"] == 11 / 16
    assert logged["degenerate_share"] == 2 / 4


def test_a_batch_without_any_score_changes_nothing(tmp_path: Path) -> None:
    run = prepared(settings(steps=1), tmp_path, verifier=scripted([None] * 24))
    before = [parameter.detach().clone() for parameter in run.trainer.model.parameters()]
    run.trainer.train()
    logged = run.trainer.state.log_history[0]
    assert (logged["loss"], logged["grad_norm"], logged["success_rate"]) == (0, 0, None)
    assert all((old == new).all() for old, new in zip(before, run.trainer.model.parameters(), strict=True))


@pytest.mark.parametrize(("k", "hard"), [("0.8", 3 / 4), ("0.81", 2 / 4)])
def test_shares_are_logged(k: str, hard: float, tmp_path: Path) -> None:
    """One group has just the success rate 1/5 = 1 - 0.8, and is hard; in floats 1/5 > 1 - 0.8."""
    scores = [1, 0, 0, 0, 0, *[0, 0, 0, 0, 0], *[1, 1, 1, 1, 0], *[0, 0, 0, 0, None]]
    run = train(settings(steps=1, group_size=5, options={"k": k}), tmp_path, verifier=scripted(scores))
    logged = run.history[0]
    assert logged["hard_group_share"] == hard
    assert logged["success_rate"] == 5 / 19
    assert logged["degenerate_share"] == 2 / 4
    assert logged["unscorable_share"] == pytest.approx(1 / 20, rel=1e-15)  # taken from 1


def test_scores_decide_what_is_hard_and_rewards_what_is_degenerate(tmp_path: Path) -> None:
    scores = [1, 1, 1, 0, 0, 0] * 3 + [0] * 6
    config = settings(steps=1, overlong=THIRDS, signed_rewards=True)
    logged = train(config, tmp_path, verifier=scripted(scores)).history[0]
    assert logged["hard_group_share"] == 1
    assert logged["success_rate"] == 9 / 24
    assert logged["degenerate_share"] == 0  # all wrong, but of different lengths
    assert logged["reward"] < 2 * 9 / 24 - 1


# What is refused


@pytest.mark.parametrize(
    ("changes", "examples", "says"),
    [
        ({"max_new_tokens": None}, EXAMPLES, "max_new_tokens must be a number"),
        ({}, [], "examples must be a list of at least one question"),
        ({"kl_beta": 0.1}, EXAMPLES, "kl_beta must be 0 for a model that was not loaded"),
    ],
)
def test_what_cannot_work_is_refused(
    changes: dict[str, Any], examples: list[Example], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=says):
        prepared(settings(**changes), tmp_path, examples=examples)


def test_a_batch_that_the_processes_cannot_share_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORLD_SIZE", "5")
    with pytest.raises(ValueError, match="processes must divide the 24 responses of an update"):
        prepared(settings(), tmp_path)


# Several processes


@pytest.mark.slow
def test_two_processes_share_the_batch(tmp_path: Path) -> None:
    """Three groups in two processes, so that one lies in both; with dynamic sampling four groups."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", free_port()]
    program = ["-m", "tests.llm_validation.train.two_processes", str(tmp_path)]
    done = subprocess.run([*launch, *program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    for kind, groups in (("plain", 3), ("dynamic", 4)):
        path = tmp_path / f"{kind}.jsonl"
        found = recomputed(path, "qae", "0.4", "population", "0.000001")
        assert found["worst"] <= 1 + 1e-6
        assert found["groups"] == 2 * groups
        logged = [json.loads(line) for line in path.read_text().splitlines()]
        shares = [json.loads((tmp_path / f"{kind}-{index}.json").read_text()) for index in (0, 1)]
        both = [row for step in zip(*shares, strict=True) for share in step for row in share]
        assert both == [[row["prompt"], row["completion"], row["advantage"]] for row in logged]
    scores: dict[tuple[int, int], set[float | None]] = {}
    for row in logged:  # the last, with dynamic sampling
        scores.setdefault((row["step"], row["group"]), set()).add(row["correct"])
    assert all({0.0, 1.0} <= seen for seen in scores.values())


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
