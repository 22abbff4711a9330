"""Give the ledger the evidence of this package: a replay of torch, agreement of code, and the stored studies' lines.

The studies with a shipped configuration are read in the folder that the environment variable ``QAE_RESULTS`` names, or
``results``: for each size the one that counts for ``qae_theory.runs.store``. A line is taken from the largest size
that has it. Its statistics are computed anew from the study's tables. A line that no study there has is read from those
that are kept with the code (``kept_lines``); one that is nowhere is skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from llm_validation.probe import agreement as probe_agreement
from llm_validation.train import agreement as train_agreement
from llm_validation.verl_engine import agreement as verl_agreement
from llm_validation.verl_engine import eq4_torch
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role, Step
from qae_theory.runs import store
from qae_theory.runs.files import check_unchanged
from qae_theory.runs.folders import results_folder

if TYPE_CHECKING:
    from llm_validation.study.kept_lines import Kept
    from qae_theory.curves.outcomes import Line

AGAIN = "validate again"
PLANTED_SAYS = "no effect: the line's own residuals, which must not be found"
NAME = "study"
STUDY = "validate"
TABLES = ("probes", "runs", "follow")
NEEDS = "llm_validation"
# The preset that makes a line, by the beginning of its substrate's name; "" fits every other name.
PRESETS: Mapping[str, str] = {"pretrained": "pretrained", "": "long"}
# The condition whose line stands for its whole family: the one nearest to the paper's own.
HEADLINES: Mapping[str, str] = {
    "shape-entropy-rises-with-k": "tiny-addition/adam-4updates-equal-steps",
    "shape-negative-samples-lead-growth": "tiny-addition/adam-4updates-grpo",
    "shape-negative-samples-hold-more-entropy": "tiny-addition/adam-4updates-grpo-level",
    "shape-mask-ordering": "tiny-addition/adam-4updates-entropy",
    "shape-sparsity-over-training": "tiny-addition/adam-4updates-qae-0.4-all-groups",
    "shape-qae-holds-entropy": "tiny-addition/adam-4updates-equal-success",
    "shape-entropy-collapses": "tiny-addition/adam-4updates-grpo",
    "shape-entropy-explodes": "tiny-addition/adam-4updates-grpo",
    "ladder-qwen3": "tiny-addition/sgd-1update-size0.01",
    "ordering-qwen3": "tiny-addition/sgd-1update-size0.01",
}


def register(ledger: Ledger) -> None:
    """Add the evidence of this package to the ledger."""
    for module in (eq4_torch, verl_agreement, train_agreement, probe_agreement):
        module.register(ledger)
    for claim, line_id in line_claims(ledger):
        step = Step(
            says=f"What `qae validate` found: the line `{line_id}`.",
            check=partial(_found, line_id),
            planted=PLANTED_SAYS,
            control=partial(_control, line_id),
        )
        missing = partial(_missing, line_id)
        ledger.add(
            Evidence(
                claim=claim,
                name=NAME,
                kind=Kind.TRAINING,
                role=Role.FOR,
                steps=(step,),
                requires=("pyarrow",),
                missing=missing,
            )
        )


def line_claims(ledger: Ledger) -> list[tuple[str, str]]:
    """Return the claims that a study's line speaks for, each with the line's id.

    A claim under a condition has the line of its own id; a family has the line of its headline's condition.
    """
    own = [(claim.id, claim.id) for claim in ledger.claims if claim.family is not None and claim.needs == NEEDS]
    return own + [(family, f"{family}@{condition}") for family, condition in HEADLINES.items()]


def preset_of(line_id: str) -> str:
    """Return the preset that makes a line.

    >>> preset_of("ladder-qwen3@pretrained-sums/sgd-1update"), preset_of("ladder-qwen3@tiny-digits/sgd-1update")
    ('pretrained', 'long')
    """
    substrate = line_id.partition("@")[2]
    return next(preset for start, preset in PRESETS.items() if substrate.startswith(start))


def _missing(line_id: str, effort: Effort) -> str | None:
    """Return what to run where no study has the line, neither here nor kept; None where one has it."""
    del effort
    try:
        if line_id in _lines(results_folder()):
            return None
    except ValueError:  # a damaged study: the check itself says so, and breaks
        return None
    return f"no results: run `qae validate --preset {preset_of(line_id)}`"


def _found(line_id: str, effort: Effort) -> Finding:
    """Return the finding of a line."""
    from qae_theory.curves.findings import finding_of  # loads scipy.stats, which a ledger by itself does not need

    del effort
    stored = _lines(results_folder())[line_id]
    return finding_of(stored.line, stored.source)


def _control(line_id: str, effort: Effort) -> Finding:
    """Return the finding of a line's control: its residuals without the effect."""
    from qae_theory.curves.findings import control_of

    del effort
    return control_of(_lines(results_folder())[line_id].line)


@cache
def _lines(root: Path) -> Mapping[str, Kept]:
    """Return every line of every shipped study by id; of one that several sizes have, that of the largest size."""
    from llm_validation.study.kept_lines import FOLDER, Kept, kept_lines  # loads scipy.stats

    by_id: dict[str, Kept] = {}
    shipped = [run for run in store.stored(root, STUDY) if run.shipped]
    of_size = {run.size: run for run in shipped}  # the run that counts comes last
    for run in sorted(of_size.values(), key=lambda stored: store.SIZES.index(stored.size)):
        for line in _of_folder(run.folder):
            by_id.setdefault(line.id, Kept(line, str(run)))
    return {**kept_lines(FOLDER), **by_id}


def _of_folder(folder: Path) -> list[Line]:
    """Return the lines of one study, computed from its tables, which must be as they were written."""
    from llm_validation.common.tables import read_table
    from llm_validation.study.analysis.lines import study_lines

    check_unchanged(folder, again=AGAIN)
    return study_lines({name: read_table(folder / f"{name}.parquet") for name in TABLES}).lines
