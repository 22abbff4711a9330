"""Verifiers by name: ``integer``, ``choice`` and ``math``. None of them evaluates what a model wrote."""

from __future__ import annotations

from llm_validation.verifiers.base import Verifier, VerifierError
from llm_validation.verifiers.integers import ChoiceVerifier, IntegerVerifier
from llm_validation.verifiers.mathematics import MathVerifier
from llm_validation.verifiers.self_test import self_test
from qae_theory.checks import refuse

__all__ = ["Verifier", "VerifierError", "get_verifier", "self_test", "verifier_names"]

_VERIFIERS: dict[str, type[Verifier]] = {kind.name: kind for kind in (ChoiceVerifier, IntegerVerifier, MathVerifier)}


def verifier_names() -> tuple[str, ...]:
    """The verifiers that there are."""
    return tuple(_VERIFIERS)


def get_verifier(name: str) -> Verifier:
    """A new verifier of that name; close it, or use it in a ``with`` statement.

    Raises:
        ValueError: with the names that there are.
    """
    if name not in _VERIFIERS:
        refuse("verifier", name, f"one of {', '.join(verifier_names())}")
    return _VERIFIERS[name]()
