"""Tell the ledger what the stored results of the experiments say for its claims.

The run that counts for ``qae_theory.runs.store`` among those with a shipped configuration is read, in the folder that
the environment variable ``QAE_RESULTS`` names, or in ``results``. Its analysis is computed anew from ``metrics.jsonl``.
Where there is no run, the evidence is skipped, and the reason names the command that makes one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role, Step
from qae_theory.claims.statements import Statement, all_found, any_found_in_planted
from qae_theory.runs import store
from qae_theory.runs.files import check_unchanged
from qae_theory.runs.folders import results_folder
from qae_theory.runs.stored import StoredRun

if TYPE_CHECKING:
    from simulators.experiments.base import ClaimEvidence, Experiment

AGAIN = "simulate again"

# Claim and experiment of each piece of evidence. They stand here, so that a ledger is loaded without the experiments.
SOURCES: tuple[tuple[str, str], ...] = (
    ("channels", "channels"),
    ("channels", "length"),
    ("adam-unsampled", "optimiser"),
    ("shape-entropy-rises-with-k", "k-sweep"),
    ("shape-negative-samples-lead-growth", "sign-split"),
    ("shape-negative-samples-hold-more-entropy", "sign-split"),
    ("shape-mask-ordering", "masks"),
    ("shape-sparsity-over-training", "sparsity"),
)


def register(ledger: Ledger) -> None:
    """Add a piece of evidence to the ledger for each claim that an experiment speaks for."""
    for claim, experiment in SOURCES:
        step = Step(
            says=f"What `qae simulate {experiment}` found.",
            check=partial(_check, claim, experiment),
            planted="the same computation on data from which the effect was taken, or in which it was turned round",
            control=partial(_control, claim, experiment),
        )
        evidence = Evidence(
            claim=claim,
            name=experiment,
            kind=Kind.TRAINING,
            role=Role.FOR,
            steps=(step,),
            missing=partial(_missing, experiment),
        )
        ledger.add(evidence)


def _missing(name: str, effort: Effort) -> str | None:
    """Return what the evidence lacks, and the command that makes it; None where nothing is missing."""
    del effort
    from simulators.experiments import experiment_names

    if name not in experiment_names():
        return f"no experiment {name}"
    return None if store.shipped(results_folder(), name) else f"no results: run `qae simulate {name}`"


def _check(claim: str, name: str, effort: Effort) -> Finding:
    """Return whether all statements of the stored run are found."""
    del effort
    return all_found(*_statements(claim, name, results_folder()))


def _control(claim: str, name: str, effort: Effort) -> Finding:
    """Return whether any statement is found in its planted data, where none may be."""
    del effort
    _, statements = _statements(claim, name, results_folder())
    return any_found_in_planted(statements)


@cache
def _statements(claim: str, name: str, root: Path) -> tuple[StoredRun, Sequence[Statement]]:
    """Return the stored run and its experiment's statements for the claim. Check and control of one step share them."""
    from simulators.experiments import get_experiment

    run = store.shipped(root, name)
    if run is None:
        raise ValueError(f"no results: run `qae simulate {name}`")
    experiment = get_experiment(name)
    analysis = _analysis(experiment, run)
    return run, tuple(_speaking(experiment, claim).statements(analysis))


def _analysis(experiment: Experiment, run: StoredRun) -> Mapping[str, Any]:
    """Return the analysis of a stored run, computed anew from its records, as it reads after a trip through JSON."""
    from simulators.settings import make_config
    from simulators.stored_cells import plain

    check_unchanged(run.folder, again=AGAIN)
    config = make_config(experiment, [run.config["settings"]])
    # Statements then read the same types here as from a stored analysis.
    return json.loads(json.dumps(plain(experiment.analyse(config, run.records))))


def _speaking(experiment: Experiment, claim: str) -> ClaimEvidence:
    """Return the experiment's evidence for a claim."""
    return next(evidence for evidence in experiment.claims if evidence.claim == claim)
