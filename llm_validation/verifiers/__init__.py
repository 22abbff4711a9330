"""Verifiers by name: ``integer``, ``choice`` and ``math``. None of them evaluates what a model wrote."""

from __future__ import annotations

from typing import NamedTuple

from llm_validation.verifiers.base import Verifier, VerifierError
from llm_validation.verifiers.extraction import EXTRACTIONS, Extraction
from llm_validation.verifiers.integers import ChoiceVerifier, IntegerVerifier
from llm_validation.verifiers.judging.outcomes import Outcome, counts, score_of
from llm_validation.verifiers.mathematics import MathVerifier
from llm_validation.verifiers.pooled import PooledVerifier
from llm_validation.verifiers.self_test import self_test, unreadable_answers
from qae_theory.checks import refuse

__all__ = [
    "EXTRACTIONS",
    "Extraction",
    "Outcome",
    "Scoring",
    "Verifier",
    "VerifierError",
    "counts",
    "get_verifier",
    "score_of",
    "self_test",
    "unreadable_answers",
    "verifier_names",
]

_VERIFIERS: dict[str, type[PooledVerifier]] = {
    kind.name: kind for kind in (ChoiceVerifier, IntegerVerifier, MathVerifier)
}


class Scoring(NamedTuple):
    """How responses are scored, wherever they are.

    Attributes:
        verifier: what compares answers, by its name.
        extraction: where a response says its answer.
    """

    verifier: str
    extraction: Extraction = Extraction()


def verifier_names() -> tuple[str, ...]:
    """Return the verifiers that there are."""
    return tuple(_VERIFIERS)


def get_verifier(scoring: str | Scoring) -> Verifier:
    """Return a new verifier; close it, or use it in a ``with`` statement.

    Args:
        scoring: the name of a verifier, which then looks for answers by ``auto``; or name and extraction.

    Raises:
        ValueError: with the names that there are.
    """
    name, extraction = (scoring, Extraction()) if isinstance(scoring, str) else scoring
    if name not in _VERIFIERS:
        refuse("verifier", name, f"one of {', '.join(verifier_names())}")
    return _VERIFIERS[name](extraction=extraction)
