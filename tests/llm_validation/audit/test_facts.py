"""Figures that are no findings, each against a plain loop or a case that can be done by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.audit.facts import by_k, components, entropy, mass
from llm_validation.audit.facts.success import course
from qae_theory import advantages, expected_gain
from tests.llm_validation.audit import worlds
from tests.llm_validation.audit.audited import report_of

Array = np.ndarray[Any, np.dtype[Any]]
WORLD = worlds.made(2, groups=10, size=8)


def test_shares_for_each_k_are_those_of_its_advantages(tmp_path: Path) -> None:
    worlds.verl_v1(tmp_path, WORLD)
    rows = {row["k"]: row for row in by_k.table(report_of(tmp_path).log)}
    groups = WORLD.correct.reshape(-1, 8)
    for k in ("0.2", "0.4", "0.5", "0.7"):  # at .5 a success rate stands on the edge
        made = advantages(groups, "qae", k=k)
        assert rows[k]["zero"] == pytest.approx((made == 0).mean())
        assert rows[k]["positive"] == pytest.approx((made > 0).mean())
        assert rows[k]["hard"] == pytest.approx((groups.sum(axis=1) <= round(8 * (1 - float(k)), 6)).mean())
        linear = advantages(groups, "qae_linear", k=k)
        assert rows[k]["leaks"] == pytest.approx(((made == 0) != (linear == 0)).any(axis=1).mean())
        rates = (groups.sum(axis=1) + 0.5) / 9
        assert rows[k]["gain"] == pytest.approx(np.mean([float(expected_gain(p, 8, "qae", k=k)) for p in rates]))
    assert rows[None]["zero"] == pytest.approx((advantages(groups, "grpo") == 0).mean())


def test_mass_by_sign_length_and_cut(tmp_path: Path) -> None:
    tokens = np.arange(WORLD.correct.size).reshape(WORLD.correct.shape) + 1
    cut = tokens > 300
    worlds.plain(tmp_path, worlds.replace(WORLD, tokens=tokens, truncated=cut))
    found = mass.table(report_of(tmp_path).log)
    assert found is not None
    size = np.abs(WORLD.advantage)
    assert found["positive"] == pytest.approx(size[WORLD.advantage > 0].sum() / size.sum())
    assert found["truncated"] == pytest.approx(size[cut].sum() / size.sum())
    assert sum(row["positive"] + row["negative"] for row in found["by_length"]) == pytest.approx(1)
    longest = found["by_length"][-1]
    quarter = tokens > 240
    assert longest["positive"] == pytest.approx(size[quarter & (WORLD.advantage > 0)].sum() / size.sum())


def test_reward_functions_by_what_they_contribute_within_groups(tmp_path: Path) -> None:
    """Format is the same for all responses of a group: it has a mean and contributes nothing."""
    steps, groups, size = WORLD.shape
    length = -0.25 * (np.arange(size) % 2)
    for step in range(steps):
        here = [(group, i) for group in range(groups) for i in range(size)]
        record = {
            "step": [str(step + 1)] * len(here),
            "prompt": [worlds.prompt(step, group) for group, _ in here],
            "completion": ["c"] * len(here),
            "accuracy": [float(WORLD.correct[step, group, i]) for group, i in here],
            "length": [float(length[i]) for _, i in here],
            "format": [float(group % 2) for group, _ in here],
        }
        worlds.lines(tmp_path / f"{step}" / "completions.jsonl", [record])
    rows = {row["component"]: row for row in components.table(report_of(tmp_path).log)}

    def centred(values: Array) -> Array:
        return values - values.mean(axis=-1, keepdims=True)

    reward = centred(WORLD.correct + length)
    assert rows["accuracy"]["within_share"] == pytest.approx(
        (centred(WORLD.correct) * reward).sum() / (reward**2).sum()
    )
    assert rows["format"]["within_share"] == pytest.approx(0, abs=1e-12)
    assert rows["format"]["tells"] == 0
    assert rows["length"]["tells"] == 1
    assert sum(row["within_share"] for row in rows.values()) == pytest.approx(1)
    assert components.table(report_of(tmp_path, reward_weights={"accuracy": 2.0}).log)[0][
        "within_share"
    ] == pytest.approx(1)


def test_entropy_changes_are_split_by_sign_and_regime(tmp_path: Path) -> None:
    world = worlds.with_rewards(WORLD, WORLD.correct, "qae", k="0.4")
    worlds.probe(tmp_path, world)
    found = entropy.table(report_of(tmp_path, estimator="qae", k="0.4").log)
    assert found is not None
    for name in ("all", "positive", "negative", "zero", "hard", "easy"):
        assert found[name] == pytest.approx(-0.01 / 5)  # every output loses .01 nats over its five tokens
    assert found["k"] == "2/5"
    assert found["predicted_sign_agrees"] == 1


def test_changes_are_over_the_tokens_of_which_they_are_known(tmp_path: Path) -> None:
    rows = []
    for number in range(8):
        row = {"step": 1, "group": f"g{number // 4}", "reward": float(number % 2), "advantage": 1.0, "tokens": 10}
        known = {"entropy_before": 5.0, "entropy_after": 4.0, "entropy_predicted": -1.0, "clipped_high": 2.0}
        rows.append({**row, **(known if number < 4 else {})})
    worlds.lines(tmp_path / "dump.jsonl", rows)
    made = entropy.table(report_of(tmp_path).log)
    assert made is not None
    assert made["all"] == pytest.approx(-0.1)
    assert made["clipped_high"] == pytest.approx(0.2)
    assert (made["predicted_sign_agrees"], made["steps"]) == (1, 1)


def test_success_and_entropy_by_step(tmp_path: Path) -> None:
    worlds.own(tmp_path, WORLD)
    rows = [{"step": step, "entropy": 1.0 / step} for step in (2, 3, 9)]
    worlds.lines(tmp_path / "metrics.jsonl", rows)
    found = course(report_of(tmp_path).log)
    assert found.step.tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(found.success, WORLD.correct.mean(axis=(1, 2)))
    np.testing.assert_allclose(found.entropy, [np.nan, 1 / 2, 1 / 3, np.nan])
