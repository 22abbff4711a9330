"""Evidence of collected runs for the paper's tables and figures; skipped, with what to run, where there is none.

Only runs that are a row of the paper by name and by configuration count, in the folder that the environment variable
``QAE_RESULTS`` names, or ``results``. What counts as found is in ``claims``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

from llm_validation.cluster.claims.criteria import CLAIMS, LEAST, UNDECIDABLE, LackingError, Rows
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role, Step
from qae_theory.claims.run import NEGATIVE_CRITERION
from qae_theory.claims.statements import Statement, any_found_in_planted
from qae_theory.runs.collected import EXPERIMENT, Collected
from qae_theory.runs.folders import results_folder
from qae_theory.runs.store import collected

NAME = "cluster"


def register(ledger: Ledger) -> None:
    """Add the evidence of collected runs."""
    for claim in (*CLAIMS, *UNDECIDABLE):
        step = Step(
            says="What `qae cluster collect` found in the logs of the paper's rows.",
            check=partial(_found, claim),
            planted="the same computation on the same figures, moved to where the claim does not hold",
            control=partial(_found_in_planted, claim),
        )
        missing = partial(_missing, claim)
        ledger.add(Evidence(claim, NAME, Kind.TRAINING, Role.FOR, (step,), missing=missing))


def _missing(claim: str, effort: Effort) -> str | None:
    """Which rows are not there and how to get them; None where the claim can be decided."""
    del effort
    if claim in UNDECIDABLE:
        return UNDECIDABLE[claim]
    rows, short = _rows(claim), _short(claim)
    lacking = [name for name in CLAIMS[claim].rows if not rows[name]]
    if lacking:
        reached = f" ({'; '.join(short)})" if short else ""
        return f"no results for {', '.join(lacking)}{reached}: {_command(lacking)}"
    try:
        _statements(claim)
    except LackingError as error:
        return str(error)
    return None


def _command(names: Sequence[str]) -> str:
    launch = f"`qae cluster launch {names[0]}`"
    each = f"{launch}, and so for each of the others, " if len(names) > 1 else f"{launch} "
    return f"run {each}and then `qae cluster collect JOB_FOLDER`"


def _found(claim: str, effort: Effort) -> Finding:
    del effort
    statements = _statements(claim)
    said = "; ".join(f"{one.says} {'found' if one.found else 'NOT FOUND'}: {one.detail}" for one in statements)
    runs = "; ".join(str(run) for runs in _rows(claim).values() for run in runs)
    return Finding(bool(statements) and all(one.found for one in statements), NEGATIVE_CRITERION, f"{said} ({runs})")


def _found_in_planted(claim: str, effort: Effort) -> Finding:
    del effort
    return any_found_in_planted(_statements(claim))


def _statements(claim: str) -> list[Statement]:
    return CLAIMS[claim].statements(_rows(claim))


def _rows(claim: str) -> Rows:
    """Of each row that the claim is about, the runs that went far enough."""
    runs = _collections()
    return {name: [run for run in runs if run.row == name and run.last_step >= LEAST] for name in CLAIMS[claim].rows}


def _short(claim: str) -> list[str]:
    """Runs of these rows that have not come far enough."""
    wanted = CLAIMS[claim].rows
    runs = [run for run in _collections() if run.row in wanted and run.last_step < LEAST]
    return [f"{run.name} has reached step {run.last_step} of {LEAST}" for run in runs]


def _collections() -> Sequence[Collected]:
    root = results_folder()
    folder = root / EXPERIMENT
    names = tuple(sorted(path.name for path in folder.iterdir())) if folder.is_dir() else ()
    return _read(root, names)


@cache
def _read(root: Path, names: tuple[str, ...]) -> Sequence[Collected]:
    """``names`` makes it read again when there is another run."""
    return collected(root) if names else ()
