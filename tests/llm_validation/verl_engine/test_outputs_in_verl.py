"""Rollouts with several outputs in verl's own loop on a CPU; what the probe, collect and the leaks say of them.

In each group one rollout of five is right and has seven outputs, the others are wrong and have one (verl 6228). Counted
by outputs the group would be easy, and the wrong rollouts would be pushed down instead of the right one up.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.cluster.collect.collect import collect
from qae_theory import advantages
from tests.llm_validation.verl_engine.cpu_verl.launched import launched
from tests.llm_validation.verl_engine.cpu_verl.runs import HERE

pytestmark = [pytest.mark.verl, pytest.mark.slow]

OUTPUTS, GROUP, PROMPTS = 7, 5, 4  # OUTPUTS as in cpu_verl.agent


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one step."""
    root = tmp_path_factory.mktemp("verl")
    loops = root / "loops.yaml"
    loops.write_text(f"- name: flipped\n  _target_: {HERE}.agent.FlippedAgentLoop\n")
    settings = [
        f"actor_rollout_ref.rollout.n={GROUP}",
        "actor_rollout_ref.rollout.agent.default_agent_loop=flipped",
        f"actor_rollout_ref.rollout.agent.agent_loop_config_path={loops}",
        f"actor_rollout_ref.actor.ppo_mini_batch_size={PROMPTS}",
        "actor_rollout_ref.actor.optim.lr=1e-5",
        "algorithm.correct_above=0.5",
        "trainer.probe.counterfactual_every=0",
        "trainer.total_training_steps=1",
        "trainer.save_freq=-1",
    ]
    return launched(root, settings)


def probed(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "probe" / "1.jsonl").read_text().splitlines()]


def test_every_output_is_trained_by_its_rollouts_one_vote(run: Path) -> None:
    records = probed(run)
    assert len(records) == PROMPTS * (OUTPUTS + GROUP - 1)
    scores = [1.0] + [0.0] * (GROUP - 1)
    resolved = (run / "resolved.yaml").read_text()
    std = "bessel" if "advantage_std: bessel" in resolved else "population"
    right, *wrong = advantages(np.array(scores), "qae", k="0.4", std=std)
    assert (right > 0, set(wrong)) == (True, {0.0})
    for record in records:
        assert record["advantage"] == pytest.approx(right if record["reward"] == 1 else 0.0, rel=1e-5)


def test_the_right_rollouts_become_more_likely(run: Path) -> None:
    """The update raises the log-probability of the right rollouts' tokens; counted by outputs it would not touch them.

    At this step size the rise is first order in it, and far above the 1e-6 that float32 keeps of a log-probability.
    """
    right = [record for record in probed(run) if record["reward"] == 1]
    change = sum(record["log_prob_after"] - record["log_prob_before"] for record in right)
    assert change / sum(record["tokens"] for record in right) > 1e-4


def test_the_probe_and_collect_count_rollouts(run: Path, tmp_path: Path) -> None:
    (logged,) = [json.loads(line)["data"] for line in (run / "logs" / "attempt-1.jsonl").read_text().splitlines()]
    assert logged["probe/advantage/positive_share"] == 1 / GROUP
    assert logged["probe/gate/mixed_share"] == 1
    assert "probe/entropy/change/hard" in logged
    assert "probe/entropy/change/easy" not in logged
    folder = collect(run, tmp_path)
    (line,) = [json.loads(text) for text in (folder / "metrics.jsonl").read_text().splitlines()]
    mine = {name.removeprefix("recomputed/"): value for name, value in line.items() if name.startswith("recomputed/")}
    assert mine["rollouts/responses"] == PROMPTS * GROUP
    assert mine["rollouts/success_rate"] == 1 / GROUP
    assert mine["rollouts/hard_share"] == 1
    for name in ("mixed_share", "leak_share_linear"):
        assert mine[f"rollouts/{name}"] == logged[f"probe/gate/{name}"]
    assert json.loads((folder / "findings.json").read_text()) == {"findings": []}
