"""The evidence of this package: which stored studies count, what their lines say, and when they say nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.common.tables import PROBES_FILE, RUNS_FILE, write_table
from llm_validation.study import evidence, kept_lines
from llm_validation.study.bandit import bandit_probes
from llm_validation.study.settings import Preset, changed_config, identity, shipped_config
from qae_theory.claims.ledger import Ledger, load_ledger, read_catalogue
from qae_theory.claims.model import Answer, Effort, Kind, Outcome, Role, Status
from qae_theory.claims.run import run_evidence
from qae_theory.runs import store
from qae_theory.runs.files import file_hashes
from tests.llm_validation.study.analysis.planned import PRESETS, entries, laboratory_lines, planned_lines
from tests.llm_validation.study.analysis.synthetic import Truth, studied

FOLLOW_FILE = "follow.parquet"
RISES = "shape-entropy-rises-with-k"
STEPS = f"{RISES}@tiny-addition/adam-4updates-equal-steps"


@pytest.fixture(autouse=True)
def _no_lines_kept(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Neither in memory, nor with the code."""
    monkeypatch.setattr(kept_lines, "FOLDER", tmp_path_factory.mktemp("kept"))
    evidence._lines.cache_clear()
    yield
    evidence._lines.cache_clear()


def ledger() -> Ledger:
    made = Ledger(read_catalogue())
    evidence.register(made)
    return made


def store_study(
    root: Path,
    name: str,
    *,
    preset: Preset = "quick",
    finished: str = "2026-01",
    tables: dict[str, Any] | None = None,
    change: dict[str, Any] | None = None,
) -> Path:
    """A study's folder, finished; with its tables where these are given."""
    folder = root / "validate" / name
    folder.mkdir(parents=True)
    config = changed_config(preset, [change]) if change else shipped_config(preset)
    (folder / "config.json").write_text(json.dumps(identity(config, preset)))
    for file, table in (tables or {}).items():
        write_table(table, folder / file)
    facts = {"finished": finished, "code_version": "old", "files": file_hashes(folder)}
    (folder / "provenance.json").write_text(json.dumps(facts))
    return folder


def tables(truth: Truth) -> dict[str, Any]:
    """A study of one substrate, whose identity predicts every change."""
    found = studied(np.random.default_rng(0), truth, tasks=("tiny-addition",))
    probes = bandit_probes(("constant-0", "mean", "constant-1", "quantile-0.4"), (0.01,), probes=4, seed=0)
    probes = {**probes, "substrate": np.full(len(probes["arm"]), "tiny-addition"), "identity": probes["change"]}
    return {PROBES_FILE: probes, RUNS_FILE: found["runs"], FOLLOW_FILE: found["follow"]}


def outcome(claim: str) -> Outcome:
    return run_evidence(ledger().find(claim, evidence.NAME), Effort(quick=True))


def test_the_catalogue_has_every_planned_line_and_no_other() -> None:
    """Those of the shipped presets, where RL learns everywhere, and those of the laboratory."""
    planned = {"llm_validation": [one for preset in PRESETS for one in planned_lines(preset)]}
    planned["simulators"] = laboratory_lines()
    catalogue = [claim for claim in read_catalogue() if claim.family is not None]
    for needs, lines in planned.items():
        listed = {claim.id: claim for claim in catalogue if claim.needs == needs}
        assert set(listed) == {f"{claim}@{condition}" for claim, condition, _ in lines}
        for claim in listed.values():
            assert claim.id == f"{claim.family}@{claim.condition}"
        text = "\n".join(entries(lines, needs))
        assert all(claim.statement in text for claim in listed.values())


def test_every_claim_that_needs_this_package_has_evidence() -> None:
    made = ledger()
    needing = {claim.id for claim in read_catalogue() if claim.needs == "llm_validation"}
    other = {"eq4-torch", "phantom-advantage"}  # of the engines
    assert needing - other <= {one.claim for one in made.evidence}
    for claim in (RISES, STEPS, "ladder-qwen3"):
        one = made.find(claim, evidence.NAME)
        assert (one.kind, one.role, one.requires) == (Kind.TRAINING, Role.FOR, ("pyarrow",))


def test_a_family_has_the_laboratory_beside_the_study() -> None:
    everyone = load_ledger()  # refuses two of one name
    assert {one.name for one in everyone.evidence_for(RISES)} == {"study", "k-sweep"}
    assert all(line in {claim.id for claim in everyone.claims} for line in _headlines())


def _headlines() -> list[str]:
    return [f"{family}@{condition}" for family, condition in evidence.HEADLINES.items()]


@pytest.mark.parametrize(
    ("claim", "command"),
    [(RISES, "long"), (STEPS, "long"), ("ladder-qwen3@pretrained-sums/sgd-1update-size0.01", "pretrained")],
)
def test_without_a_study_it_is_not_there(
    claim: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path))
    one = outcome(claim)
    assert one.status is Status.SKIPPED
    assert one.detail == f"no results: run `qae validate --preset {command}`"


def test_a_line_that_is_kept_with_the_code_is_read_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path))
    monkeypatch.setattr(kept_lines, "FOLDER", Path(kept_lines.__file__).with_name("kept"))
    one = outcome("shape-entropy-collapses@tiny-addition/adam-4updates-grpo")
    assert one.status is Status.PASSED
    assert "(run f409f3682697, long size; " in one.detail
    assert one.detail.endswith("; kept)")
    assert outcome(STEPS).answer is Answer.UNDECIDED


@pytest.mark.train
def test_ones_own_study_counts_before_a_kept_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path))
    monkeypatch.setattr(kept_lines, "FOLDER", Path(kept_lines.__file__).with_name("kept"))
    store_study(tmp_path, "one", tables=tables(Truth(rises=0.5)))
    own, other = outcome(STEPS), outcome("shape-entropy-collapses@tiny-digits/adam-4updates-grpo")
    assert own.status is Status.PASSED
    assert "(run one, quick size" in own.detail
    assert "kept)" not in own.detail
    assert "long size; " in other.detail
    assert other.detail.endswith("; kept)")


@pytest.mark.train
@pytest.mark.parametrize(
    ("rises", "status", "answer"),
    [
        (0.5, Status.PASSED, None),
        (0.0, Status.NEGATIVE, Answer.ABSENT),
        (-0.5, Status.NEGATIVE, Answer.OPPOSITE),
    ],
)
def test_a_line_says_what_its_study_found(
    rises: float, status: Status, answer: Answer | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path))
    store_study(tmp_path, "one", preset="long", tables=tables(Truth(rises=rises)))
    for claim in (STEPS, RISES):  # the headline of the family is that line
        one = outcome(claim)
        assert (one.status, one.answer) == (status, answer), one.detail
        assert "(run one, long size, code changed since)" in one.detail
        assert "smallest effect 0.1, power" in one.detail
    assert outcome("ladder-qwen3@tiny-addition/sgd-1update-size0.01").status is Status.PASSED


@pytest.mark.train
def test_noise_is_undecided_and_says_what_would_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path))
    store_study(tmp_path, "one", preset="long", tables=tables(Truth(noise=0.3)))
    one = outcome(STEPS)
    assert (one.status, one.answer) == (Status.NEGATIVE, Answer.UNDECIDED)
    assert "seeds would decide" in one.detail


@pytest.mark.train
def test_a_line_comes_from_the_largest_size_that_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path))
    store_study(tmp_path, "small", preset="quick", finished="2027", tables=tables(Truth(rises=-0.5)))
    assert outcome(STEPS).answer is Answer.OPPOSITE
    store_study(tmp_path, "large", preset="long", tables=tables(Truth(rises=0.5)))
    evidence._lines.cache_clear()
    assert outcome(STEPS).status is Status.PASSED
    store_study(tmp_path, "changed", preset="long", finished="2030", change={"seeds": 2}, tables=tables(Truth()))
    evidence._lines.cache_clear()
    assert outcome(STEPS).status is Status.PASSED  # what is not shipped does not count
    assert store.shipped(tmp_path, "validate") is not None


@pytest.mark.train
def test_a_study_without_a_line_skips_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path))
    store_study(tmp_path, "one", preset="long", tables=tables(Truth()))
    assert outcome(f"{RISES}@tiny-digits/adam-4updates-equal-steps").status is Status.SKIPPED


@pytest.mark.train
def test_a_damaged_study_breaks_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path))
    folder = store_study(tmp_path, "hurt", preset="long", tables=tables(Truth()))
    path = folder / PROBES_FILE
    path.write_bytes(path.read_bytes()[:-1])
    one = outcome(STEPS)
    assert one.status is Status.BROKEN
    assert "not as the run wrote it: probes.parquet; remove the run and validate again" in one.detail
    (folder / "config.json").write_text("{")
    assert "config.json cannot be read" in outcome(STEPS).detail
