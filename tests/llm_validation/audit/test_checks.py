"""Each check alone: on the smallest log where it speaks and where it must not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.audit.checks import registry
from llm_validation.audit.checks.rewards.gate_leak import leaky_cells
from llm_validation.audit.findings.intervals import exceeds, pooled
from llm_validation.audit.model.entries import columns as step_columns
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.series import Steps
from llm_validation.audit.model.settings import AuditSettings
from tests.llm_validation.audit import worlds
from tests.llm_validation.audit.audited import audited, found, unchecked


def of(finding: str, content: dict[str, Any]) -> dict[str, Any]:
    (one,) = [entry for entry in content["findings"] if entry["id"] == finding]
    return one


def from_steps(records: dict[int, dict[str, float]], **settings: Any) -> set[str]:
    log = Log(steps=Steps(*step_columns(records)), settings=AuditSettings.model_validate(settings))
    return {finding.id for finding in registry.run_checks(log)[0]}


def test_the_ids_of_the_contract_are_all_there() -> None:
    wanted = {
        "phantom-gradient", "phantom-advantage", "gate-leak", "groups-of-one", "advantage-equals-reward",
        "estimator-mismatch", "uniform-groups", "data-too-hard", "data-too-easy", "clip-inert", "entropy-bonus-on",
        "truncation-mass", "logp-mismatch", "onset-collapse", "onset-explosion", "single-sign-mass",
        "reward-component-dead",
    }  # fmt: skip
    assert wanted <= {name for check in registry.CHECKS for name in check.finds}


def test_pooled_intervals_hold_the_share_at_their_level() -> None:
    rng = np.random.default_rng(0)
    inside = [pooled(int(rng.binomial(40, 0.3)), 40) for _ in range(400)]
    held = sum(share.low <= 0.3 <= share.high for share in inside)
    assert held >= 372  # 95 % of 400 and four standard deviations down, for an interval that holds at least 95 %
    assert not exceeds(5, 10, 0.5, 0.05)
    assert exceeds(9, 10, 0.5, 0.05)


def test_a_median_over_steps_of_one_group_is_not_what_is_said(tmp_path: Path) -> None:
    """Steps of one group each, of which .63 are uniform: 63 %, not 100 %."""
    for step in range(1, 101):
        right = 0 if step <= 63 else 2
        rows = [
            {"input": f"q{step}", "output": "x", "score": float(i < right), "step": step, "uid": f"u{step}_{i}_0"}
            for i in range(4)
        ]
        worlds.lines(tmp_path / f"{step}.jsonl", rows)
    evidence = of("uniform-groups", audited(tmp_path))["evidence"]
    assert evidence["share"] == pytest.approx(0.63)
    assert (evidence["all_wrong"], evidence["mixed"]) == (63, 37)
    assert evidence["batches_per_full_batch"] == pytest.approx(100 / 37)


def test_a_few_uniform_groups_are_no_evidence(tmp_path: Path) -> None:
    rows = [
        {"input": f"q{q}", "output": "x", "score": 0.0, "step": 1, "uid": f"u{q}_{i}_0"}
        for q in range(4)
        for i in range(4)
    ]
    worlds.lines(tmp_path / "1.jsonl", rows)
    assert "uniform-groups" not in found(audited(tmp_path))


@pytest.mark.parametrize(("size", "k", "cells"), [(8, "0.4", [5]), (16, "0.4", []), (8, "0.5", [4]), (10, "0.4", [6])])
def test_leaky_cells(size: int, k: str, cells: list[int]) -> None:
    """Position (G - 1) K lies between two responses, and these differ in a group with that many right."""
    assert leaky_cells(size, k) == cells


def test_a_leak_is_only_a_finding_where_the_rule_leaks(tmp_path: Path) -> None:
    world = worlds.made(2, groups=30, size=8)
    worlds.own(tmp_path / "linear", worlds.with_rewards(world, world.reward, "qae_linear"))
    worlds.own(tmp_path / "exact", worlds.with_rewards(world, world.reward, "qae"))
    leaking = int((world.correct.sum(axis=-1) == 5).sum())
    assert of("gate-leak", audited(tmp_path / "linear"))["evidence"]["groups"] == leaking
    assert "gate-leak" not in found(audited(tmp_path / "exact"))
    worlds.verl_v1(tmp_path / "rewards", world)
    assert "gate-leak" in unchecked(audited(tmp_path / "rewards"))
    assert "gate-leak" in found(audited(tmp_path / "rewards", estimator="qae_linear"))


def test_phantom_gradients_are_weighed_by_the_advantages_that_there_are(tmp_path: Path) -> None:
    world = worlds.made(1, groups=20)
    reward = world.correct - 0.25 * (np.arange(4) == 2)
    shaped = worlds.with_rewards(world, reward)
    worlds.own(tmp_path, shaped)
    evidence = of("phantom-gradient", audited(tmp_path))["evidence"]
    uniform = np.ptp(world.correct, axis=-1) == 0
    mass = np.abs(shaped.advantage).sum(axis=-1)
    assert evidence["groups"] == int(uniform.sum())
    assert evidence["mass_share"] == pytest.approx(mass[uniform].sum() / mass.sum())


def test_psr_means_its_advantages_in_uniform_groups(tmp_path: Path) -> None:
    world = worlds.made(1, groups=20)
    worlds.own(tmp_path, worlds.with_rewards(world, world.reward, "psr"))
    content = audited(tmp_path, estimator="psr")
    assert not {"phantom-advantage", "advantage-equals-reward", "estimator-mismatch"} & found(content)
    assert "advantage-equals-reward" in found(audited(tmp_path))


def test_a_configured_option_that_is_not_used_is_a_warning_and_another_rule_critical(tmp_path: Path) -> None:
    worlds.own(tmp_path, worlds.made(1, groups=20))
    assert of("estimator-mismatch", audited(tmp_path, estimator="grpo", std="bessel"))["severity"] == "warning"
    assert of("estimator-mismatch", audited(tmp_path, estimator="rloo"))["severity"] == "critical"
    assert "estimator-mismatch" not in found(audited(tmp_path, estimator="grpo", std="population"))


@pytest.mark.parametrize("name", ["rloo", "psr"])
def test_a_configured_divisor_that_is_not_used_is_a_warning(name: str, tmp_path: Path) -> None:
    world = worlds.made(1, groups=20)
    worlds.own(tmp_path, worlds.with_rewards(world, world.reward, name))
    for std in ("population", "batch"):
        assert of("estimator-mismatch", audited(tmp_path, estimator=name, std=std))["severity"] == "warning"
    for std in ("none", None):
        assert "estimator-mismatch" not in found(audited(tmp_path, estimator=name, **({"std": std} if std else {})))


def test_cut_off_responses_are_known_by_their_reason_or_by_the_limit(tmp_path: Path) -> None:
    world = worlds.made(1, groups=20)
    cut = replace(world, truncated=(world.correct == 0), tokens=np.where(world.correct == 0, 64, 30))
    worlds.open_instruct(tmp_path / "reasons", cut)
    worlds.own(tmp_path / "lengths", cut)
    assert "truncation-mass" in found(audited(tmp_path / "reasons"))
    assert "truncation-mass" in unchecked(audited(tmp_path / "lengths"))
    evidence = of("truncation-mass", audited(tmp_path / "lengths", max_tokens=64))["evidence"]
    assert evidence["negative_mass_share"] == pytest.approx(1)
    assert evidence["mass_share"] == pytest.approx(0.5)


def test_log_probabilities_that_disagree(tmp_path: Path) -> None:
    world = worlds.made(1)
    far = replace(
        world, logp_train=world.logp_rollout + np.random.default_rng(0).normal(0, 0.3, world.logp_train.shape)
    )
    worlds.nemo_rl(tmp_path / "near", world)
    worlds.nemo_rl(tmp_path / "far", far)
    assert "logp-mismatch" not in found(audited(tmp_path / "near"))
    evidence = of("logp-mismatch", audited(tmp_path / "far"))["evidence"]
    gap = far.logp_train - far.logp_rollout
    weight = np.exp(gap)
    assert evidence["mean_distance"] == pytest.approx(np.abs(gap).mean())
    assert evidence["effective_share"] == pytest.approx(weight.sum() ** 2 / (gap.size * (weight**2).sum()))
    assert evidence["outside_clip_share"] == pytest.approx(((weight < 0.8) | (weight > 1.28)).mean())
    wide = of("logp-mismatch", audited(tmp_path / "far", clip_low=0.9, clip_high=9.0))["evidence"]
    assert wide["outside_clip_share"] < 0.01


def test_logged_differences_are_judged_in_their_own_unit() -> None:
    assert "logp-mismatch" in from_steps({s: {"sampling/sampling_logp_difference/mean": 0.03} for s in range(5)})
    assert "logp-mismatch" not in from_steps({s: {"sampling/sampling_logp_difference/mean": 0.015} for s in range(5)})
    assert "logp-mismatch" in from_steps({s: {"training/rollout_probs_diff_mean": 0.015} for s in range(5)})


def test_clipping_is_inert_by_the_settings_or_by_its_fractions() -> None:
    never = {s: {"actor/pg_clipfrac": 0.0} for s in range(12)}
    assert "clip-inert" in from_steps(never)
    assert "clip-inert" not in from_steps(never, updates_per_batch=16)
    assert "clip-inert" not in from_steps({s: {"actor/pg_clipfrac": 0.001 * (s == 3)} for s in range(12)})
    assert "clip-inert" not in from_steps(dict(list(never.items())[:5]))


def test_the_entropy_bonus() -> None:
    rising = {s: {"entropy": 1.0 + 0.1 * s} for s in range(12)}
    assert "entropy-bonus-on" in from_steps(rising, entropy_coefficient=0.001)
    assert "entropy-bonus-on" not in from_steps(rising, entropy_coefficient=0.0)


def test_a_collapse_as_it_was_seen_once() -> None:
    """Length falls from 1,759 to 1 and the best score to its least at step 11; the entropy is flat until step 9."""
    rng = np.random.default_rng(0)
    records = {}
    for step in range(1, 25):
        gone = step >= 11
        records[step] = {
            "actor/entropy": (0.30 if step < 9 else 0.2 if not gone else 0.02) + rng.normal(0, 0.01),
            "response_length/mean": 1.0 if gone else 1759 + rng.normal(0, 60),
            "critic/score/max": -1.0 if gone else 1.0,
        }
    log = Log(steps=Steps(*step_columns(records)))
    (finding,) = [one for one in registry.run_checks(log)[0] if one.id == "onset-collapse"]
    assert finding.severity == "critical"
    assert 9 <= finding.evidence["onset"] <= 11


def test_a_run_that_gets_shorter_and_better_has_not_collapsed() -> None:
    rng = np.random.default_rng(0)
    records = {
        step: {
            "entropy": 0.5 * np.exp(-step / 40) + 0.2 + rng.normal(0, 0.01),
            "completions/mean_length": 800 - 5 * step + rng.normal(0, 20),
            "reward": 0.2 + 0.01 * step + rng.normal(0, 0.02),
        }
        for step in range(60)
    }
    assert not {"onset-collapse", "onset-explosion"} & from_steps(records)


def probed_rows(rng: np.random.Generator, step: int, *, known: bool) -> list[dict[str, Any]]:
    """Four groups of four responses; where it is known, an entropy near half a nat a token and equal probabilities."""
    rows = []
    for number in range(16):
        tokens = int(rng.integers(100, 120))
        row = {"step": step, "group": f"{step}-{number // 4}", "reward": float(rng.random() < 0.5), "tokens": tokens}
        entropy = float(rng.uniform(0.5, 0.55)) * tokens
        logs = {"entropy_before": entropy, "logp_distance": 0.05 * tokens, "ratio_sum": tokens, "ratio_squares": tokens}
        rows.append({**row, **(logs if known else {})})
    return rows


@pytest.mark.parametrize("kept", ["the first thirty", "every second"])
def test_what_is_dumped_of_some_steps_alone_is_not_zero_in_the_others(kept: str, tmp_path: Path) -> None:
    """Entropies and log-probabilities of a part of the steps: neither a collapse nor half the distance is in them."""
    rng = np.random.default_rng(0)
    rows = []
    for step in range(40):
        known = step < 30 if kept == "the first thirty" else step % 2 == 0
        rows += probed_rows(rng, step, known=known)
    content = audited(worlds.lines(tmp_path / "dump.jsonl", rows))
    assert not {"onset-collapse", "onset-explosion"} & found(content)
    assert of("logp-mismatch", content)["evidence"]["mean_distance"] == pytest.approx(0.05)


def test_dead_components_are_named(tmp_path: Path) -> None:
    world = worlds.made(1, groups=6)
    for step in range(world.shape[0]):
        rows = [(g, i) for g in range(6) for i in range(4)]
        table = {
            "step": [str(step + 1)] * len(rows),
            "prompt": [f"{step}-{g}" for g, _ in rows],
            "completion": ["c"] * len(rows),
            "accuracy": [float(world.reward[step, g, i]) for g, i in rows],
            "format": [1.0] * len(rows),
            "topic": [float(g) for g, _ in rows],
        }
        with (tmp_path / "completions.jsonl").open("a") as file:
            file.write(json.dumps(table) + "\n")
    content = audited(tmp_path)
    dead = [one["evidence"]["component"] for one in content["findings"] if one["id"] == "reward-component-dead"]
    assert dead == ["format", "topic"]


def test_checks_that_cannot_run_say_what_they_need() -> None:
    findings, lacking = registry.run_checks(Log())
    assert findings == []
    assert {one.check for one in lacking} == {check.name for check in registry.CHECKS}
    assert all(one.needs for one in lacking)
