"""What this package has to show for the ledger's claims."""

from __future__ import annotations

from llm_validation import eq4_torch
from qae_theory.claims.ledger import Ledger


def register(ledger: Ledger) -> None:
    """Add the evidence of this package."""
    eq4_torch.register(ledger)
