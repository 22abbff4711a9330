"""What tests of the formal proofs need: Coq, or proofs that were compiled and checked here. Without them they skip."""

from __future__ import annotations

import pytest

from qae_theory.formal.tools import coq, record


@pytest.fixture
def coq_installed() -> None:
    """Skip where Coq or a library is missing."""
    absent = coq.missing()
    if absent is not None:
        pytest.skip(absent)


@pytest.fixture
def proofs_checked(coq_installed: None) -> None:
    """Skip where these very sources were not compiled and checked: ``make formal`` does it."""
    reason = record.unavailable()
    if reason is not None:
        pytest.skip(reason)
