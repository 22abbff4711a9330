"""Evidence for every claim about QAE's mathematics, one module a proposition, each with a ``register(ledger)``.

``tools`` holds the trusted checkers and what the shipped functions are run on and compared with; a module that ends in
``_ties`` compares them, for a proposition beside it. Provider ``theory`` of the entry-point group ``qae.evidence``.
"""

from __future__ import annotations

from importlib import import_module

from qae_theory.claims.ledger import Ledger

MODULES = (
    "gate",
    "estimators",
    "quantile",
    "released_code",
    "sparsity",
    "objective",
    "amplification",
    "identity",
    "self_covariance",
    "remainder",
    "safe_step",
    "finite_step",
    "prop42",
    "sampled_group",
    "sampled_sign",
    "neutrality",
    "neutrality_queries",
    "neutrality_limit",
    "neutrality_dip",
    "second_order",
    "unsampled",
    "pathwise",
    "clip_sides",
    "contract",
)


def register(ledger: Ledger) -> None:
    """Add all evidence of this package to the ledger."""
    for name in MODULES:  # imported here, not above: SymPy, z3 and flint take a second
        import_module(f"{__name__}.{name}").register(ledger)
