"""The ledger's empirical claims: not run without logs, and supported or not as it was planted in made-up ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from llm_validation.cluster.claims import evidence
from llm_validation.cluster.claims.criteria import CLAIMS, UNDECIDABLE
from llm_validation.cluster.collect import collect as module
from llm_validation.cluster.collect.collect import collect
from llm_validation.cluster.collect.paper_rows import ROWS
from qae_theory.claims.ledger import Ledger, read_catalogue
from qae_theory.claims.model import Effort, Kind, Outcome, Role, Status, Verdict
from qae_theory.claims.run import run_evidence
from qae_theory.claims.verdict import judge
from qae_theory.runs import provenance
from tests.llm_validation.cluster.claims.fake_rows import World, failing, holding, write_row, write_world

pytestmark = pytest.mark.xdist_group("cluster-claims")  # one worker writes the rows that most of them read
LEDGER = Ledger(read_catalogue())
evidence.register(LEDGER)


def outcome(claim: str) -> Outcome:
    return run_evidence(LEDGER.find(claim, evidence.NAME), Effort(quick=True))


def verdict(claim: str) -> Verdict:
    statement = next(one for one in LEDGER.claims if one.id == claim)
    return judge(statement, [outcome(claim)]).verdict


def made(root: Path, worlds: Mapping[str, World]) -> Path:
    """All rows, collected; without what takes most of the time and is not read here."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(provenance, "installed_versions", dict)
        patched.setattr(module, "write_tables", lambda out: None)
        write_world(root / "jobs", root / "results", worlds)
    return root / "results"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("good"), holding())


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("bad"), failing())


def test_every_claim_that_needs_a_cluster_has_evidence() -> None:
    needing = {claim.id for claim in read_catalogue() if claim.needs == "cluster"}
    assert {one.claim for one in LEDGER.evidence} == needing == {*CLAIMS, *UNDECIDABLE}
    assert {(one.kind, one.role, one.requires) for one in LEDGER.evidence} == {(Kind.TRAINING, Role.FOR, ())}
    assert all(name in ROWS for claim in CLAIMS.values() for name in claim.rows)


@pytest.mark.parametrize("claim", CLAIMS)
def test_without_a_log_it_is_not_run_and_says_what_to_run(
    claim: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path))
    said = outcome(claim)
    assert said.status is Status.SKIPPED
    for name in CLAIMS[claim].rows:
        assert name in said.detail
    assert f"`qae cluster launch {CLAIMS[claim].rows[0]}`" in said.detail
    assert said.detail.endswith("then `qae cluster collect JOB_FOLDER`")
    assert verdict(claim) is Verdict.NOT_RUN


@pytest.mark.parametrize("claim", UNDECIDABLE)
def test_what_no_log_holds_stays_not_run_with_its_reason(
    claim: str, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(good))
    assert verdict(claim) is Verdict.NOT_RUN
    assert "which tokens have high entropy is in no log or dump" in outcome(claim).detail


@pytest.mark.parametrize("claim", CLAIMS)
def test_where_it_was_planted_it_is_found(claim: str, good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(good))
    said = outcome(claim)
    assert said.status is Status.PASSED, said.detail
    assert "NOT FOUND" not in said.detail
    assert all(name in said.detail for name in CLAIMS[claim].rows)
    assert verdict(claim) is Verdict.SUPPORTED


@pytest.mark.parametrize("claim", CLAIMS)
def test_control_where_it_was_not_planted_it_is_not_found_and_nothing_breaks(
    claim: str, bad: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(bad))
    said = outcome(claim)
    assert said.status is Status.NEGATIVE, said.detail
    assert "NOT FOUND" in said.detail
    assert verdict(claim) is Verdict.UNDECIDED
    for statement in evidence._statements(claim):
        assert not statement.found, statement.sentence


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_statements_control_is_rejected_on_either_data(
    claim: str, good: Path, bad: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (good, bad):
        monkeypatch.setenv("QAE_RESULTS", str(folder))
        for statement in evidence._statements(claim):
            assert not statement.control_found, statement.sentence


def test_one_row_alone_or_a_run_too_short_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path / "results"))
    base, qae = CLAIMS["figure-10"].rows
    worlds = holding()
    collect(write_row(tmp_path / "jobs", base, worlds[base]), tmp_path / "results")
    assert outcome("figure-10").detail.startswith(f"no results for {qae}: run `qae cluster launch {qae}` and then ")
    collect(write_row(tmp_path / "jobs", qae, worlds[qae], steps=120), tmp_path / "results")
    detail = f"no results for {qae} ({qae} has reached step 120 of 300): run"
    assert outcome("figure-10").detail.startswith(detail)


def test_runs_without_what_a_statement_needs_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path / "results"))
    worlds = {name: World(0.5) for name in CLAIMS["figure-2"].rows}
    write_world(tmp_path / "jobs", tmp_path / "results", worlds)
    lacking = (
        "recomputed/rollouts/anthropomorphic_words of qwen3-8b-clip-higher is not in the logs, or in too few steps"
    )
    assert outcome("figure-2").detail == lacking
    folder = write_row(tmp_path / "other", "qwen3-8b-clip-higher-qae", World(0.5))
    for path in (folder / "validation").iterdir():
        path.unlink()
    collect(folder, tmp_path / "results")
    lacking = "qwen3-8b-clip-higher-qae has no evaluation of pass@1 on AIME24 at step 300 or later"
    assert outcome("figure-10").detail == lacking
    assert verdict("figure-10") is Verdict.NOT_RUN


def test_a_tiny_model_under_a_rows_name_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path / "results"))
    name = "qwen3-8b-clip-higher-qae"
    folder = write_row(tmp_path / "jobs", name, holding()[name])
    text = (folder / "resolved.yaml").read_text().replace("Qwen/Qwen3-8B-Base", "/models/tiny-qwen3")
    (folder / "resolved.yaml").write_text(text)
    collect(folder, tmp_path / "results")
    assert outcome("figure-7").detail.startswith(f"no results for {name}: ")


def test_a_damaged_collection_breaks_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path))
    name = "qwen3-8b-clip-higher-qae"
    folder = collect(write_row(tmp_path / "jobs", name, World(0.5), questions=2), tmp_path)
    (folder / "evaluations.json").write_text("{}")
    said = outcome("figure-7")
    assert said.status is Status.BROKEN
    assert "not as the run wrote it: evaluations.json; remove the run and collect again" in said.detail
