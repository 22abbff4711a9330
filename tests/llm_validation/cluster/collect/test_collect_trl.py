"""Collecting a real run: a tiny Qwen3 trained by TRL, evaluated, cut off in the middle; and TensorBoard's files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from llm_validation.cluster.claims import evidence
from llm_validation.cluster.collect.collect import collect
from llm_validation.cluster.collect.gather import gather
from llm_validation.cluster.collect.reasons import HALF_LOGGED
from llm_validation.cluster.collect.sources import find
from qae_theory.claims.ledger import Ledger, read_catalogue
from qae_theory.claims.model import Effort, Status
from qae_theory.claims.run import run_evidence
from tests.llm_validation.cluster.collect.logs.test_readers import event_file
from tests.llm_validation.train.runs import config

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders of a run and of its model's evaluation."""
    import torch

    from llm_validation.evaluate.evaluation import EvaluationConfig, evaluate
    from llm_validation.train.run import train

    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("results")
    trained = train(config(estimator="qae", options={"k": "0.6"}), out=out)
    asked = {"model": str(trained / "model"), "task": "digits", "questions": 6, "samples": 16, "max_new_tokens": 4}
    return trained, evaluate(EvaluationConfig.model_validate(asked), out=out)


def load(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def test_a_real_run_fills_a_table_of_its_own(
    runs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = collect(runs, tmp_path)
    tables = load(folder, "tables")
    (row,) = tables["other_runs"]["rows"]
    assert row["row"] == "arithmetic on digits, qae K=0.6"
    said = json.loads((runs[1] / "summary.json").read_text())["pass_at_k"]
    assert [cell["column"] for cell in row["cells"]] == ["digits pass@1", "digits pass@16"]
    for cell, k in zip(row["cells"], ("1", "16"), strict=True):
        assert cell["ours"]["estimate"] == pytest.approx(100 * said[k]["estimate"])
        assert cell["ours"]["low"] <= cell["ours"]["estimate"] <= cell["ours"]["high"]
        assert (cell["paper"], cell["steps"], cell["sources"]) == (None, [4], ["qae evaluate"])
    assert load(folder, "findings") == {"findings": []}  # what TRL logged is what its rollouts give
    dropped = load(folder, "dropped")
    assert dropped["steps"]["kept"] == "1-4"
    assert all(one["dropped"] == 0 for one in dropped["files"])
    for table in ("table_1", "table_2"):
        assert all(cell["ours"] is None for row in tables[table]["rows"] for cell in row["cells"])
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path))
    ledger = Ledger(read_catalogue())
    evidence.register(ledger)
    assert {run_evidence(one, Effort(quick=True)).status for one in ledger.evidence} == {Status.SKIPPED}


def test_a_wrong_figure_in_a_real_log_is_found(runs: tuple[Path, Path], tmp_path: Path) -> None:
    """The control of the empty list of findings above."""
    copy = tmp_path / "copy"
    shutil.copytree(runs[0], copy, ignore=shutil.ignore_patterns("checkpoints", "model"))
    records = [json.loads(line) for line in (copy / "metrics.jsonl").read_text().splitlines()]
    records[1]["hard_group_share"] = 0.123
    (copy / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    settings = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**settings, "options": {"k": "0.2"}}))
    findings = gather(find([copy])).findings
    assert (2, "hard_group_share", 0.123) in {(one.step, one.metric, one.said) for one in findings}
    assert any(one.metric.startswith("advantages of ") for one in findings)  # the rollouts are of K = 0.6


def test_a_real_run_that_was_cut_off_keeps_its_complete_steps(runs: tuple[Path, Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(runs[0], copy, ignore=shutil.ignore_patterns("checkpoints", "model"))
    rollouts = copy / "rollouts.jsonl"
    rollouts.write_bytes(rollouts.read_bytes()[:-20])
    found = gather(find([copy]))
    assert [record.step for record in found.merged.steps] == [1, 2, 3]
    assert found.not_whole == {"4": "rollouts 31 of 32 responses"}
    for account in found.accounts:
        assert account.read == account.record()["kept"] + account.record()["dropped"]


def test_event_files_are_merged_and_a_step_logged_in_part_is_dropped(tmp_path: Path) -> None:
    names = ("actor/entropy", "critic/score/mean", "val-core/aime-2024/acc/mean@32")
    event_file(tmp_path / "job" / "1", {step: dict.fromkeys(names[:2], step / 8) for step in (1, 2, 3)})
    event_file(tmp_path / "job" / "2", {3: dict.fromkeys(names, 0.5), 4: {names[0]: 0.5}})
    found = gather(find([tmp_path / "job"]))
    records = {record.step: record for record in found.merged.steps}
    assert list(records) == [1, 2, 3]
    assert records[3].metrics == dict.fromkeys(names, 0.5)
    assert [one.pass_at_k["1"]["estimate"] for one in found.evaluations] == [0.5]
    reasons = [reason["reason"] for account in found.accounts for reason in account.record()["reasons"]]
    assert HALF_LOGGED in reasons
