"""Give the ledger the evidence of collected runs for the paper's tables and figures.

Only runs that are a row of the paper by name and by configuration count, in the folder that the environment variable
``QAE_RESULTS`` names, or ``results``. Where there is none the evidence is skipped and says what to run. What counts as
found is in ``criteria``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from itertools import chain
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
    """Add the evidence of collected runs to the ledger."""
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
    """Return which rows are missing and how to get them; None where the claim can be decided."""
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
    """Return the commands that make the missing rows."""
    launch = f"`qae cluster launch {names[0]}`"
    each = f"{launch}, and so for each of the others, " if len(names) > 1 else f"{launch} "
    return f"run {each}and then `qae cluster collect JOB_FOLDER`"


def _found(claim: str, effort: Effort) -> Finding:
    """Return the finding of a claim: all of its statements hold on the collected runs."""
    del effort
    statements = _statements(claim)
    sentences = []
    for statement in statements:
        verdict = "found" if statement.found else "NOT FOUND"
        sentences.append(f"{statement.says} {verdict}: {statement.detail}")
    runs = "; ".join(map(str, chain.from_iterable(_rows(claim).values())))
    # No statement at all is no finding, although all() of nothing is true.
    passed = bool(statements) and all(statement.found for statement in statements)
    return Finding(passed, NEGATIVE_CRITERION, f"{'; '.join(sentences)} ({runs})")


def _found_in_planted(claim: str, effort: Effort) -> Finding:
    """Return whether a statement of the claim is found in its planted data, where none may be."""
    del effort
    return any_found_in_planted(_statements(claim))


def _statements(claim: str) -> list[Statement]:
    """Return the statements of a claim from the collected runs."""
    return CLAIMS[claim].statements(_rows(claim))


def _rows(claim: str) -> Rows:
    """Return the runs of each row of the claim that have reached step ``LEAST``."""
    long_enough = [run for run in _collections() if run.last_step >= LEAST]
    by_row: dict[str, list[Collected]] = {name: [] for name in CLAIMS[claim].rows}
    for run in long_enough:
        if run.row in by_row:
            by_row[run.row].append(run)
    return by_row


def _short(claim: str) -> list[str]:
    """Return one sentence for each run of these rows that has not reached step ``LEAST``."""
    wanted = CLAIMS[claim].rows
    runs = [run for run in _collections() if run.row in wanted and run.last_step < LEAST]
    return [f"{run.name} has reached step {run.last_step} of {LEAST}" for run in runs]


def _collections() -> Sequence[Collected]:
    """Return every collected run in the folder of results."""
    root = results_folder()
    folder = root / EXPERIMENT
    names = tuple(sorted(path.name for path in folder.iterdir())) if folder.is_dir() else ()
    return _read(root, names)


@cache
def _read(root: Path, names: tuple[str, ...]) -> Sequence[Collected]:
    """Read the collected runs once; ``names`` makes the cache read again when a run has been added."""
    return collected(root) if names else ()
