"""The evidence of this package: which stored study counts, what it says, and when it says nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.common.tables import PROBES_FILE, RUNS_FILE, take, write_table
from llm_validation.study import evidence
from llm_validation.study.settings import Preset, changed_config, identity, shipped_config
from qae_theory.claims.ledger import Ledger, load_ledger, read_catalogue
from qae_theory.claims.model import Effort, Kind, Outcome, Role, Status
from qae_theory.claims.run import run_evidence
from qae_theory.runs import store
from qae_theory.runs.files import file_hashes
from qae_theory.runs.stored import StoredRun
from tests.llm_validation.study.analysis.synthetic import probes, runs
from tests.llm_validation.study.test_ordering import obedient

EFFECT: dict[str, Any] = {"rises": 1.0, "nearer": 0.2, "leads": 0.2, "negative": 0.5, "zeros": 0.8, "noise": 1e-3}


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


def good_tables() -> dict[str, Any]:
    """Every claim holds in them: the order does, and the identity says so."""
    rng = np.random.default_rng(0)
    table = obedient(rng, count=8, prompts=10)
    spread = 0.01 * rng.normal(size=len(table["change"]))
    table["change"] += spread
    for rung in ("identity", "identity_low", "identity_high"):
        table[rung] = table["change"].copy()
    return {PROBES_FILE: table, RUNS_FILE: runs(rng, **EFFECT)}


def outcome(claim: str) -> Outcome:
    return run_evidence(ledger().find(claim, evidence.NAME), Effort(quick=True))


def test_registered_beside_the_laboratory_under_a_name_of_its_own() -> None:
    found = {(one.claim, one.name): one for one in ledger().evidence}
    assert set(found) == {("eq4-torch", "rounding-leaks"), *((claim, "qwen3") for claim in evidence.CLAIMS)}
    for claim in evidence.CLAIMS:
        one = found[claim, "qwen3"]
        assert (one.kind, one.role, one.requires) == (Kind.TRAINING, Role.FOR, ("pyarrow",))
    everyone = load_ledger()  # refuses two of one name
    shapes = [claim for claim in evidence.CLAIMS if claim.startswith("shape-")]
    assert all(len({one.name for one in everyone.evidence_for(claim)}) == 2 for claim in shapes)


def test_every_claim_that_needs_this_package_has_evidence() -> None:
    needing = {claim.id for claim in read_catalogue() if claim.needs == "llm_validation"}
    assert needing <= {one.claim for one in ledger().evidence}


@pytest.mark.parametrize("claim", evidence.CLAIMS)
def test_without_a_study_it_is_not_there(claim: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path))
    assert evidence._missing(claim, Effort()) == "no results: run `qae validate`"


def test_the_full_study_counts_before_the_quick_one_and_the_new_before_the_old(tmp_path: Path) -> None:
    assert store.shipped(tmp_path, "validate") is None
    store_study(tmp_path, "other", preset="full", finished="2030", change={"seed": 1})
    assert store.shipped(tmp_path, "validate") is None  # not a shipped one
    for name, preset, finished in (("q1", "quick", "2026-01"), ("q2", "quick", "2026-09"), ("f1", "full", "2026-02")):
        folder = store_study(tmp_path, name, preset=preset, finished=finished)  # type: ignore[arg-type]
        assert store.shipped(tmp_path, "validate") == StoredRun(
            folder, "validate", preset, shipped=True, changed=True, finished=finished
        )
    store_study(tmp_path, "f0", preset="full", finished="2026-01")
    store_study(tmp_path, "q3", preset="quick", finished="2026-10")
    (tmp_path / "validate" / ".half-written").mkdir()
    found = store.shipped(tmp_path, "validate")
    assert found is not None
    assert str(found) == "run f1, full size, code changed since"


@pytest.mark.train
def test_every_claim_that_holds_is_found_with_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path))
    store_study(tmp_path, "good", tables=good_tables())
    for claim in evidence.CLAIMS:
        one = outcome(claim)
        assert one.status is Status.PASSED, (claim, one.detail)
        assert one.detail.endswith("(run good, quick size, code changed since)")
        assert any(character.isdigit() for character in one.detail)
        assert "NOT FOUND" not in one.detail


@pytest.mark.train
def test_control_what_does_not_hold_is_negative_and_never_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path))
    rng = np.random.default_rng(1)
    store_study(tmp_path, "bad", tables={PROBES_FILE: probes(rng, noise=5.0), RUNS_FILE: runs(rng, zeros=0.5)})
    for claim in evidence.CLAIMS:
        one = outcome(claim)
        assert one.status is Status.NEGATIVE, (claim, one.detail)
        assert "NOT FOUND" in one.detail


@pytest.mark.train
def test_a_study_without_the_runs_of_a_claim_skips_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path))
    tables = good_tables()
    tables[RUNS_FILE] = take(tables[RUNS_FILE], tables[RUNS_FILE]["estimator"] != "neg_mask")
    store_study(tmp_path, "small", tables=tables)
    one = outcome("shape-mask-ordering")
    assert one.status is Status.SKIPPED
    assert one.detail == "run small, quick size, code changed since has no runs for it: run `qae validate`"
    assert outcome("shape-entropy-rises-with-k").status is Status.PASSED


@pytest.mark.train
def test_a_damaged_study_breaks_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path))
    folder = store_study(tmp_path, "hurt", tables=good_tables())
    path = folder / PROBES_FILE
    path.write_bytes(path.read_bytes()[:-1])
    one = outcome("ladder-qwen3")
    assert one.status is Status.BROKEN
    assert "not as the run wrote it: probes.parquet; remove the run and validate again" in one.detail
    (folder / "config.json").write_text("{")
    assert "config.json cannot be read" in outcome("ladder-qwen3").detail
