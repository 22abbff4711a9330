"""What this package has to show for the ledger's claims: a replay of torch, and the stored study on Qwen3.

The study with a shipped configuration that counts for ``qae_theory.runs.store`` is read, in the folder that the
environment variable ``QAE_RESULTS`` names, or ``results``. Its statistics are computed anew from its tables. Where
there is no study, or none with the runs that a claim is about, the evidence is skipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path

from llm_validation.verl_engine import eq4_torch
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role, Step
from qae_theory.claims.statements import Statement, all_found, any_found_in_planted
from qae_theory.runs import store
from qae_theory.runs.files import check_unchanged
from qae_theory.runs.folders import results_folder
from qae_theory.runs.stored import StoredRun

AGAIN = "validate again"
COMMAND = "run `qae validate`"
NAME = "qwen3"
STUDY = "validate"
CLAIMS = (
    "ladder-qwen3",
    "ordering-qwen3",
    "shape-entropy-rises-with-k",
    "shape-negative-samples-lead-growth",
    "shape-negative-samples-hold-more-entropy",
    "shape-mask-ordering",
    "shape-sparsity-over-training",
)


def register(ledger: Ledger) -> None:
    """Add the evidence of this package."""
    eq4_torch.register(ledger)
    for claim in CLAIMS:
        step = Step(
            says="What `qae validate` found on Qwen3.",
            check=partial(_found, claim),
            planted="the same computation on data from which the effect was taken, or in which it was turned round",
            control=partial(_found_in_planted, claim),
        )
        missing = partial(_missing, claim)
        ledger.add(Evidence(claim, NAME, Kind.TRAINING, Role.FOR, (step,), requires=("pyarrow",), missing=missing))


def _missing(claim: str, effort: Effort) -> str | None:
    del effort
    run = store.shipped(results_folder(), STUDY)
    if run is None:
        return f"no results: {COMMAND}"
    return None if _statements(run.folder)[claim] else f"{run} has no runs for it: {COMMAND}"


def _found(claim: str, effort: Effort) -> Finding:
    del effort
    run = _study()
    return all_found(run, _statements(run.folder)[claim])


def _found_in_planted(claim: str, effort: Effort) -> Finding:
    del effort
    return any_found_in_planted(_statements(_study().folder)[claim])


def _study() -> StoredRun:
    run = store.shipped(results_folder(), STUDY)
    if run is None:
        raise ValueError(f"no results: {COMMAND}")
    return run


@cache
def _statements(folder: Path) -> Mapping[str, Sequence[Statement]]:
    from llm_validation.common.tables import PROBES_FILE, RUNS_FILE, read_table
    from llm_validation.study.analysis.curves import statements
    from llm_validation.study.analysis.verdicts import ladder_statements, ordering_statements

    check_unchanged(folder, again=AGAIN)
    probes, runs = (read_table(folder / name) for name in (PROBES_FILE, RUNS_FILE))
    return {
        "ladder-qwen3": ladder_statements(probes),
        "ordering-qwen3": ordering_statements(probes),
        **statements(runs),
    }
