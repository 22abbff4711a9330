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
from simulators import agreement

if TYPE_CHECKING:
    from qae_theory.curves.outcomes import Line
    from simulators.experiments.base import ClaimEvidence, Experiment

AGAIN = "simulate again"

# Claim and experiment of each piece of evidence. They stand here, so that a ledger is loaded without the experiments.
SOURCES: tuple[tuple[str, str], ...] = (
    ("channels", "channels"),
    ("channels", "length"),
    ("adam-unsampled", "optimiser"),
)
# Experiment that has the lines of each family, and the line of the family by itself: Adam, several passes, clip-higher.
FAMILIES: Mapping[str, tuple[str, str]] = {
    "shape-entropy-rises-with-k": ("k-sweep", "bandit/adam-1e-8-16-passes-uniform-equal-steps"),
    "shape-negative-samples-lead-growth": ("sign-split", "bandit/16-passes-clip-higher-adam-1e-8-hard-grpo"),
    "shape-negative-samples-hold-more-entropy": (
        "sign-split",
        "bandit/16-passes-clip-higher-adam-1e-8-hard-grpo-level",
    ),
    "shape-mask-ordering": ("masks", "bandit/adam-1e-8-hard-qae-s-step-size-entropy"),
    "shape-sparsity-over-training": ("sparsity", "bandit/uniform-all-groups"),
}
NEEDS = "simulators"
PLANTED_SAYS = "no effect: the line's own residuals, which must not be found"


def register(ledger: Ledger) -> None:
    """Add a piece of evidence to the ledger for each claim that an experiment speaks for, and the engine's own."""
    agreement.register(ledger)
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
    for claim, line_id, experiment in _lines_of(ledger):
        step = Step(
            says=f"What `qae simulate {experiment}` found: the line `{line_id}`.",
            check=partial(_check_line, line_id, experiment),
            planted=PLANTED_SAYS,
            control=partial(_control_line, line_id, experiment),
        )
        ledger.add(
            Evidence(
                claim=claim,
                name=experiment,
                kind=Kind.TRAINING,
                role=Role.FOR,
                steps=(step,),
                missing=partial(_missing_line, line_id, experiment),
            )
        )


def _lines_of(ledger: Ledger) -> list[tuple[str, str, str]]:
    """Return claim, line and experiment of each line by condition, and of each family by itself."""
    own = []
    for claim in ledger.claims:
        if claim.needs == NEEDS and claim.family is not None:
            own.append((claim.id, claim.id, FAMILIES[claim.family][0]))
    return own + [(family, f"{family}@{place}", experiment) for family, (experiment, place) in FAMILIES.items()]


def _missing_line(line_id: str, name: str, effort: Effort) -> str | None:
    """Return what a line lacks: the stored run, or the condition in it."""
    if lacking := _missing(name, effort):
        return lacking
    run, lines = _lines(name, results_folder())
    return None if line_id in lines else f"{run} has no such line: run `qae simulate {name}`"


def _check_line(line_id: str, name: str, effort: Effort) -> Finding:
    """Return what the line says."""
    from qae_theory.curves.findings import finding_of  # loads scipy.stats, which a ledger by itself does not need

    del effort
    run, lines = _lines(name, results_folder())
    return finding_of(lines[line_id], str(run))


def _control_line(line_id: str, name: str, effort: Effort) -> Finding:
    """Return what the line says of its own residuals."""
    from qae_theory.curves.findings import control_of

    del effort
    return control_of(_lines(name, results_folder())[1][line_id])


@cache
def _lines(name: str, root: Path) -> tuple[StoredRun, Mapping[str, Line]]:
    """Return the stored run that counts, and its lines by id, computed anew."""
    from simulators.experiments import get_experiment
    from simulators.experiments.condition_lines import read_lines

    run = _counting_run(name, root)
    return run, {line.id: line for line in read_lines(_analysis(get_experiment(name), run))}


def _missing(name: str, effort: Effort) -> str | None:
    """Return what the evidence lacks, and the command that makes it; None where nothing is missing."""
    del effort
    from simulators.experiments import experiment_names

    if name not in experiment_names():
        return f"no experiment {name}"
    return None if store.shipped(results_folder(), name) else _no_results(name)


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

    run = _counting_run(name, root)
    experiment = get_experiment(name)
    analysis = _analysis(experiment, run)
    return run, tuple(_speaking(experiment, claim).statements(analysis))


def _counting_run(name: str, root: Path) -> StoredRun:
    """Return the stored run that counts for an experiment.

    Raises:
        ValueError: there is none; with the command that makes one.
    """
    run = store.shipped(root, name)
    if run is None:
        raise ValueError(_no_results(name))
    return run


def _no_results(name: str) -> str:
    """Return the reason why evidence has nothing to read, with the command that makes it."""
    return f"no results: run `qae simulate {name}`"


def _analysis(experiment: Experiment, run: StoredRun) -> Mapping[str, Any]:
    """Return the analysis of a stored run, computed anew from its records, as it reads after a trip through JSON."""
    from qae_theory.runs.plain import plain
    from simulators.settings import make_config

    check_unchanged(run.folder, again=AGAIN)
    config = make_config(experiment, [run.config["settings"]])
    # Statements then read the same types here as from a stored analysis.
    return json.loads(json.dumps(plain(experiment.analyse(config, run.records))))


def _speaking(experiment: Experiment, claim: str) -> ClaimEvidence:
    """Return the experiment's evidence for a claim."""
    return next(evidence for evidence in experiment.claims if evidence.claim == claim)
