"""What the stored results of the experiments say for the ledger's claims.

The run with a shipped configuration that counts for ``qae_theory.runs.store`` is read, in the folder that the
environment variable ``QAE_RESULTS`` names, or ``results``. Its analysis is computed anew from ``metrics.jsonl``. Where
there is no run, the evidence is skipped, with the command that makes one.
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

# Claim and experiment of each piece of evidence, so that a ledger is loaded without loading the experiments.
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
    """Add one piece of evidence for each claim that an experiment speaks for."""
    for claim, experiment in SOURCES:
        step = Step(
            says=f"What `qae simulate {experiment}` found.",
            check=partial(_found, claim, experiment),
            planted="the same computation on data from which the effect was taken, or in which it was turned round",
            control=partial(_found_in_planted, claim, experiment),
        )
        ledger.add(Evidence(claim, experiment, Kind.TRAINING, Role.FOR, (step,), missing=partial(_missing, experiment)))


def _missing(name: str, effort: Effort) -> str | None:
    del effort
    from simulators.experiments import experiment_names

    if name not in experiment_names():
        return f"no experiment {name}"
    return None if store.shipped(results_folder(), name) else f"no results: run `qae simulate {name}`"


def _found(claim: str, name: str, effort: Effort) -> Finding:
    del effort
    return all_found(*_statements(claim, name, results_folder()))


def _found_in_planted(claim: str, name: str, effort: Effort) -> Finding:
    del effort
    _, statements = _statements(claim, name, results_folder())
    return any_found_in_planted(statements)


@cache
def _statements(claim: str, name: str, root: Path) -> tuple[StoredRun, Sequence[Statement]]:
    from simulators.experiments import get_experiment

    run = store.shipped(root, name)
    if run is None:
        raise ValueError(f"no results: run `qae simulate {name}`")
    experiment = get_experiment(name)
    analysis = _analysis(experiment, run)
    return run, tuple(_speaking(experiment, claim).statements(analysis))


def _analysis(experiment: Experiment, run: StoredRun) -> Mapping[str, Any]:
    from simulators.settings import make_config
    from simulators.sweep import plain

    check_unchanged(run.folder, again=AGAIN)
    config = make_config(experiment, [run.config["settings"]])
    # Through JSON, so that statements read the same types here as from a file.
    return json.loads(json.dumps(plain(experiment.analyse(config, run.records))))


def _speaking(experiment: Experiment, claim: str) -> ClaimEvidence:
    return next(one for one in experiment.claims if one.claim == claim)
