"""Real runs of verl's V1 trainer on a CPU: two FSDP2 ranks, a tiny Qwen3, three steps. See ``cpu_verl``.

One run has probes and a counterfactual at every step, is killed after its first checkpoint and resumed; the other is
verl's own trainer, undisturbed. They must end with the same bits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from llm_validation.verl_engine.update_probe import COUNTERFACTUAL, metrics_of
from qae_theory import advantages
from tests.llm_validation.verl_engine.cpu_verl.launched import made
from tests.llm_validation.verl_engine.cpu_verl.runs import RANKS, CpuRun

pytestmark = [pytest.mark.verl, pytest.mark.slow]

STEPS = (1, 2, 3)
K, CORRECT_ABOVE = "0.4", -0.5  # as the experiment has them
FLOAT32 = 1e-5  # relative; advantages and entropies are of order one and in float32


class Runs(NamedTuple):
    probed: CpuRun
    plain: CpuRun
    grpo: CpuRun


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    folder = tmp_path_factory.mktemp("verl")
    world = made(folder, questions=64)
    probed = CpuRun(
        world,
        folder / "probed",
        settings=[
            "trainer.probe.counterfactual_every=1",
            "actor_rollout_ref.actor.checkpoint.save_contents=[model,optimizer,extra,hf_model]",
        ],
    )
    plain = CpuRun(world, folder / "plain", module="verl.trainer.main_ppo", settings=["trainer.v1.trainer_mode=sync"])
    grpo = CpuRun(world, folder / "grpo", experiment="smoke-grpo", settings=["trainer.total_training_steps=1"])
    try:
        with ThreadPoolExecutor(2) as pool:  # most of a run is the start of its processes, one after the other
            for chain in [pool.submit(killed_and_resumed, probed), pool.submit(one_after_the_other, plain, grpo)]:
                chain.result()
        yield Runs(probed, plain, grpo)
    finally:
        for run in (probed, plain, grpo):
            run.close()


def killed_and_resumed(run: CpuRun) -> None:
    run.run_until(step=1)
    run.run()


def one_after_the_other(*runs: CpuRun) -> None:
    for run in runs:
        run.run()


def states(run: CpuRun, step: int) -> dict[str, Any]:
    """Weights, optimiser and schedule of every rank at a checkpoint, as plain values."""
    import torch

    folder = run.checkpoints / f"global_step_{step}" / "actor"
    names = [
        f"{kind}_world_size_{RANKS}_rank_{rank}.pt"
        for kind in ("model", "optim", "extra_state")
        for rank in range(RANKS)
    ]
    found = {name: plain_value(torch.load(folder / name, weights_only=False)) for name in names}
    for entry in found.values():
        entry.pop("rng", None)  # verl seeds no worker, so that two runs differ in it; nothing of a step draws from it
    return found


def plain_value(value: Any) -> Any:
    """Tensors as their bytes, sharded ones as those of this rank's part."""
    import torch

    if isinstance(value, torch.Tensor):
        local = getattr(value, "_local_tensor", value)
        return str(local.dtype), tuple(local.shape), local.detach().reshape(-1).view(torch.uint8).numpy().tobytes()
    if isinstance(value, Mapping):
        return {key: plain_value(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_value(entry) for entry in value]
    return value.tobytes() if isinstance(value, np.ndarray) else value


# Nothing of the probe changes training, and a killed run goes on


def test_killed_and_resumed_with_probes_ends_as_verls_own_trainer(runs: Runs) -> None:
    for step in STEPS:
        assert states(runs.probed, step) == states(runs.plain, step), f"step {step}"


def test_the_negative_control_of_equal_states(runs: Runs) -> None:
    assert states(runs.plain, 2) != states(runs.plain, 3)
    first, second = (states(runs.plain, step)["model_world_size_2_rank_1.pt"] for step in (2, 3))
    assert all(first[name] != second[name] for name in first)  # every shard moved


def test_both_sampled_the_same(runs: Runs) -> None:
    """Of the step after whose checkpoint the kill came, verl had not written the rollouts yet."""

    def content(run: CpuRun, step: int) -> list[tuple[Any, ...]]:
        lines = (run.folder / "rollouts" / f"{step}.jsonl").read_text().splitlines()
        return sorted((row["input"], row["output"], row["score"]) for row in map(json.loads, lines))

    for step in (2, 3):
        assert content(runs.probed, step) == content(runs.plain, step)
    assert content(runs.plain, 2) != content(runs.plain, 3)


def test_the_kill_came_between_and_verl_resumed(runs: Runs) -> None:
    assert runs.probed.attempts == 2
    assert set(runs.probed.log(1)) < set(STEPS)
    assert max(runs.probed.log(1), default=0) < 3
    assert sorted(runs.probed.log(2)) == [2, 3]
    assert "setting global step to 1" in runs.probed.output()


# What the probe says


def test_every_metric_is_in_the_log_and_follows_from_the_dump(runs: Runs) -> None:
    for step, data in runs.probed.log().items():
        again = metrics_of(runs.probed.dump(step), quantile_k=K, correct_above=CORRECT_ABOVE)
        assert {"probe/entropy/change/all", "probe/predicted/change", "probe/clip/high_share"} <= set(again)
        logged = {name: value for name, value in data.items() if name.startswith("probe/")}
        # verl averages over one part of the batch: times and divided by its size.
        expected = again | {"probe/failed": 0.0, "probe/check/entropy_gap": logged["probe/check/entropy_gap"]}
        assert logged == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_entropy_before_is_verls_own_number(runs: Runs) -> None:
    for data in [*runs.probed.log().values(), *runs.grpo.log().values()]:
        assert data["probe/entropy/before/all"] == pytest.approx(data["actor/entropy"], rel=FLOAT32)
        assert abs(data["probe/check/entropy_gap"]) < 1e-5


def test_advantages_in_the_dump_are_the_theorys(runs: Runs) -> None:
    for run, rule, other in ((runs.probed, "qae", "grpo"), (runs.grpo, "grpo", "qae")):
        options = {"k": K} if rule == "qae" else {}
        for step in run.log():
            mixed = 0
            for group in groups(run.dump(step)):
                assert len(group) == 8
                rewards = [record["reward"] for record in group]
                found = [record["advantage"] for record in group]
                assert set(rewards) <= {-1.0, 1.0}
                assert found == pytest.approx(advantages(rewards, rule, std="bessel", **options).tolist(), rel=FLOAT32)
                if len(set(rewards)) == 2:
                    mixed += 1
                    assert found != pytest.approx(advantages(rewards, other, std="bessel").tolist(), rel=FLOAT32)
            assert mixed, "no group of both outcomes: the step tests nothing"


def test_the_runs_own_arm_of_the_counterfactual_is_what_happened(runs: Runs) -> None:
    """The same update from the same state gives the same bits, also before Adam's first: the state came back whole."""
    for step in STEPS:
        for record in runs.probed.dump(step):
            assert record[COUNTERFACTUAL]["qae"] == record["entropy_after"]
    for data in runs.probed.log().values():
        change = data["probe/entropy/change/all"]
        assert data["probe/counterfactual/qae/entropy_change"] == pytest.approx(change, rel=1e-9)
        assert data["probe/counterfactual/grpo/entropy_change"] != pytest.approx(change, rel=1e-3)


def test_the_counterfactual_leaves_nothing_behind(runs: Runs) -> None:
    assert sorted(path.name for path in runs.probed.checkpoints.iterdir()) == [
        *(f"global_step_{step}" for step in STEPS),
        "latest_checkpointed_iteration.txt",
    ]


@pytest.mark.parametrize("step", STEPS[1:])
def test_log_probs_and_entropies_by_transformers_alone(runs: Runs, step: int) -> None:
    """Before: the weights of the checkpoint before the step. After: those of the checkpoint after it."""
    tokens = responses(runs, step)
    for when, checkpoint in (("before", step - 1), ("after", step)):
        weights = runs.probed.checkpoints / f"global_step_{checkpoint}" / "actor" / "huggingface"
        found = evaluated(weights, tokens)
        for record in runs.probed.dump(step):
            log_prob, entropy = found[record["key"]]
            assert record[f"log_prob_{when}"] == pytest.approx(log_prob, abs=1e-4)
            assert record[f"entropy_{when}"] == pytest.approx(entropy, abs=1e-4)


def test_the_negative_control_of_the_weights(runs: Runs) -> None:
    """The weights of before do not give the numbers of after."""
    weights = runs.probed.checkpoints / "global_step_2" / "actor" / "huggingface"
    found = evaluated(weights, responses(runs, 3))
    gaps = [abs(record["entropy_after"] - found[record["key"]][1]) for record in runs.probed.dump(3)]
    assert max(gaps) > 1e-2


def responses(runs: Runs, step: int) -> dict[str, tuple[list[int], list[int]]]:
    """Prompt and response tokens by key, from verl's dump of texts; the end of text is not in it."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(runs.probed.world.model)
    lengths = {record["key"]: record["tokens"] for record in runs.probed.dump(step)}
    found = {}
    for line in (runs.probed.folder / "rollouts" / f"{step}.jsonl").read_text().splitlines():
        row = json.loads(line)
        prompt, response = tokenizer(row["input"]).input_ids, tokenizer(row["output"]).input_ids
        end = [tokenizer.eos_token_id] * (lengths[row["uid"]] - len(response))
        assert len(end) <= 1
        found[row["uid"]] = (prompt, response + end)
    return found


def evaluated(weights: Path, tokens: Mapping[str, tuple[list[int], list[int]]]) -> dict[str, tuple[float, float]]:
    """Summed log-probability and entropy of each response."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(weights, dtype=torch.float32)
    found = {}
    for key, (prompt, response) in tokens.items():
        with torch.no_grad():
            logits = model(torch.tensor([prompt + response])).logits[0, len(prompt) - 1 : -1].double()
        scores = torch.log_softmax(logits, -1)
        taken = scores[torch.arange(len(response)), torch.tensor(response)]
        found[key] = float(taken.sum()), float(-(scores.exp() * scores).sum())
    return found


def groups(records: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    by_uid: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        by_uid.setdefault(record["uid"], []).append(record)
    assert len(by_uid) == 4
    return list(by_uid.values())
