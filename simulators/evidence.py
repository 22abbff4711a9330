"""What the stored results of the experiments say for the ledger's claims.

The newest finished run of the shipped configuration counts, a full one before a quick one, in the folder that the
environment variable ``QAE_RESULTS`` names, or ``results``. Its analysis is computed anew from ``metrics.jsonl``. Where
there is no run, the evidence is skipped, with the command that makes one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role, Step
from qae_theory.claims.run import NEGATIVE_CRITERION

if TYPE_CHECKING:
    from simulators.experiments.base import ClaimEvidence, Experiment, Statement

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


class StoredRun(NamedTuple):
    """A finished run's folder, whether it is of the quick size, and whether the code has changed since."""

    folder: Path
    quick: bool
    changed: bool


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


def results_folder() -> Path:
    """Where results are looked for."""
    return Path(os.environ.get("QAE_RESULTS", "results"))


def stored_run(name: str, root: Path) -> StoredRun | None:
    """The run that counts, if there is one."""
    runs = [(folder, facts) for folder, facts in _finished(root / name) if _is_shipped(name, facts["config"])]
    if not runs:
        return None
    folder, facts = max(runs, key=lambda run: (not run[1]["config"]["quick"], run[1]["provenance"]["finished"]))
    return StoredRun(folder, facts["config"]["quick"], facts["provenance"]["code_version"] != _code_version())


def _missing(name: str, effort: Effort) -> str | None:
    del effort
    from simulators.experiments import experiment_names

    if name not in experiment_names():
        return f"no experiment {name}"
    return None if stored_run(name, results_folder()) else f"no results: run `qae simulate {name}`"


def _found(claim: str, name: str, effort: Effort) -> Finding:
    del effort
    run, statements = _statements(claim, name, results_folder())
    said = "; ".join(f"{one.says} {'found' if one.found else 'NOT FOUND'}: {one.detail}" for one in statements)
    size = "quick" if run.quick else "full"
    since = ", code changed since" if run.changed else ""
    detail = f"{said} (run {run.folder.name}, {size} size{since})"
    return Finding(bool(statements) and all(one.found for one in statements), NEGATIVE_CRITERION, detail)


def _found_in_planted(claim: str, name: str, effort: Effort) -> Finding:
    """Rejected only if no statement is found in its planted data."""
    del effort
    _, statements = _statements(claim, name, results_folder())
    wrong = [one for one in statements if one.control_found]
    shown = wrong or statements
    detail = "; ".join(f"{one.planted}: {one.control_detail}" for one in shown)
    return Finding(bool(wrong), NEGATIVE_CRITERION, detail)


@cache
def _statements(claim: str, name: str, root: Path) -> tuple[StoredRun, Sequence[Statement]]:
    from simulators.experiments import get_experiment

    run = stored_run(name, root)
    if run is None:
        raise ValueError(f"no results: run `qae simulate {name}`")
    experiment = get_experiment(name)
    analysis = _analysis(experiment, run.folder)
    return run, tuple(_speaking(experiment, claim).statements(analysis))


def _analysis(experiment: Experiment, folder: Path) -> Mapping[str, Any]:
    from qae_theory.results import changed_files
    from simulators.configuration import make_config
    from simulators.sweep import plain

    changed = changed_files(folder)
    if changed:
        names = ", ".join(changed)
        raise ValueError(f"{folder}: not as the run wrote it: {names}; remove the run and simulate again")
    config = make_config(experiment, [_read_json(folder / "config.json")["settings"]])
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    # Through JSON, so that statements read the same types here as from a file.
    return json.loads(json.dumps(plain(experiment.analyse(config, records))))


def _speaking(experiment: Experiment, claim: str) -> ClaimEvidence:
    return next(one for one in experiment.claims if one.claim == claim)


def _finished(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Complete run folders with their configuration and provenance; half-written ones start with a dot."""
    found = []
    for run in sorted(folder.iterdir()) if folder.is_dir() else ():
        if run.name.startswith(".") or not run.is_dir():
            continue
        facts = {name: _read_json(run / f"{name}.json") for name in ("config", "provenance")}
        found.append((run, facts))
    return found


def _is_shipped(name: str, stored: Mapping[str, Any]) -> bool:
    """Whether a run's configuration is the shipped one of its size."""
    from simulators.configuration import identity, shipped_config
    from simulators.experiments import get_experiment

    experiment, quick = get_experiment(name), bool(stored["quick"])
    wanted = identity(experiment, shipped_config(experiment, quick=quick), quick=quick)
    return bool(json.loads(json.dumps(wanted)) == stored)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}; remove the run and simulate again") from None
    return content


@cache
def _code_version() -> str:
    from qae_theory.results import code_version
    from simulators.configuration import PACKAGES

    return code_version(PACKAGES)
