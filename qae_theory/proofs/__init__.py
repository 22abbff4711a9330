"""Evidence for every claim about QAE's mathematics, one module a group of claims, each with a ``register(ledger)``.

``checking`` holds the trusted checkers. Provider ``theory`` of the entry-point group ``qae.evidence``.
"""

from __future__ import annotations

from qae_theory.claims.ledger import Ledger


def register(ledger: Ledger) -> None:
    """Add all evidence of this package to the ledger."""
    from qae_theory.proofs import contract, gate  # imported late: SymPy, z3 and flint take a second

    for module in (gate, contract):
        module.register(ledger)
