"""What a reader is shown of the formal proofs: each claim's theorem and the definitions, from the committed texts.

Nothing is checked here and Coq is not needed; what was checked is the matter of ``qae_theory.proofs.formal``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from qae_theory.formal.tools import layout, sources, survey

# The file of the definitions, from the top of the repository.
DEFINITIONS = "qae_theory/formal/theories/Definitions.v"

# The shipped functions that each definition is compared with inside Coq, and by which of the three ties.
TIED: dict[str, tuple[str, str]] = {
    "hard": ("baselines.is_hard_group", "values on a grid"),
    "gate": ("baselines.is_hard_group", "values on a grid"),
    "quantile": ("quantile_baseline", "values on a grid"),
    "linear_quantile": ("quantile_baseline", "values on a grid"),
    "grpo": ("advantages, expected_gain", "values on a grid, floats"),
    "qae": ("advantages, expected_gain", "values on a grid, floats"),
    "qae_linear": ("advantages, expected_gain", "values on a grid, floats"),
    "pos_mask": ("advantages, expected_gain", "values on a grid, floats"),
    "neg_mask": ("advantages, expected_gain", "values on a grid, floats"),
    "dr_grpo": ("advantages, expected_gain", "values on a grid, floats"),
    "rloo": ("advantages, expected_gain", "values on a grid, floats"),
    "psr": ("advantages, expected_gain", "values on a grid, floats"),
    "nsr": ("advantages, expected_gain", "values on a grid, floats"),
    "entropy": ("entropy", "symbols, floats"),
    "self_cov": ("self_covariance", "symbols, floats"),
    "first_order": ("first_order_entropy_change", "symbols, floats"),
    "curvature": ("second_order_entropy_change", "symbols, floats"),
    "entropy_change": ("entropy_change", "floats"),
    "uncentred": ("update_direction", "symbols, floats"),
    "policy_gradient": ("update_direction", "symbols, floats"),
    "natural_gradient": ("update_direction", "symbols"),
    "sampled_group": ("update_direction", "symbols"),
    "lower_bracket": ("curvature_brackets", "floats"),
    "upper_bracket": ("curvature_brackets", "floats"),
    "gain": ("expected_gain", "floats"),
    "table_gain": ("group_expectation.gain", "symbols"),
    "binomial_mean": ("group_expectation.moments", "symbols"),
    "expected_change": ("expected_entropy_change", "floats"),
}

_COMMENT_OR_WORD = re.compile(r"\(\*.*?\*\)|\w+(?:'\w*)*", re.DOTALL)


@dataclass(frozen=True)
class Reading:
    """Hold a claim's theorem as a reader sees it.

    Attributes:
        theorem: its name.
        file: the source that proves it, from the top of the repository.
        statement: what Coq prints as its statement.
        axioms: full names of what it rests on.
        definitions: names of ``Definitions.v`` in the statement, in that file's order.
        ties: for each of them that is compared with shipped functions: the functions, and how.
    """

    theorem: str
    file: str
    statement: str
    axioms: tuple[str, ...]
    definitions: tuple[str, ...]
    ties: dict[str, tuple[str, str]]


@cache
def readings() -> dict[str, Reading]:
    """Return the theorem of each claim that has one, by the claim's id.

    Raises:
        ValueError: the committed texts do not speak of the same claims.
    """
    axioms = {claim: tuple(name.strip() for name in names) for claim, *names in _blocks(layout.AXIOMS)}
    found = {}
    for heading, *statement in _blocks(layout.STATEMENTS):
        claim, _, file = heading.partition(" ")
        if claim not in axioms:
            raise ValueError(f"{layout.AXIOMS.name} does not speak of {claim}: `make formal ARGS=--update` writes it")
        found[claim] = _reading(claim, file.strip("()"), "\n".join(statement), axioms[claim])
    return found


def definitions_source() -> str:
    """Return the text of ``Definitions.v``, which is what an outsider has to read."""
    return sources.path("Definitions").read_text(encoding="utf-8")


def with_names(code: str, name: Callable[[str], str], other: Callable[[str], str]) -> str:
    """Return a text of Coq with each name of ``Definitions.v`` outside comments replaced by ``name`` of it.

    Args:
        code: the text.
        name: makes what a defined name is shown as.
        other: makes what everything else is shown as, comments included.
    """
    known = set(sources.defined())
    parts: list[str] = []
    start = 0
    for word in _COMMENT_OR_WORD.finditer(code):
        if word.group() in known:
            parts += [other(code[start : word.start()]), name(word.group())]
            start = word.end()
    return "".join([*parts, other(code[start:])])


def _reading(claim: str, file: str, statement: str, axioms: tuple[str, ...]) -> Reading:
    definitions = tuple(survey.definitions_used(statement))
    source = sources.path(file.removesuffix(".v")).relative_to(layout.FORMAL.parents[1])
    return Reading(
        theorem=sources.theorem_name(claim),
        file=source.as_posix(),
        statement=_flush(statement),
        axioms=axioms,
        definitions=definitions,
        ties={name: TIED[name] for name in definitions if name in TIED},
    )


def _blocks(file: Path) -> list[list[str]]:
    """Return the blocks of lines of a committed text, which empty lines part."""
    return [block.splitlines() for block in file.read_text(encoding="utf-8").strip().split("\n\n")]


def _flush(statement: str) -> str:
    """Return the statement without the indentation that all of its lines share."""
    return "\n".join(line.removeprefix("  ") for line in statement.splitlines())
