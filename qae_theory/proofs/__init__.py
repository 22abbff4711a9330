"""Hold the evidence for every claim about QAE's mathematics: a folder for each page of the catalogue.

Each module is about one proposition and has a ``register(ledger)``; one whose name ends in ``_ties`` compares the
proposition beside it with the shipped code. ``tools`` holds the trusted checkers, ``carriers`` what stands for many
numbers at once. This is the provider ``theory`` of the entry-point group ``qae.evidence``.
"""

from __future__ import annotations

from importlib import import_module

from qae_theory.claims.ledger import Ledger

MODULES = (
    "formal",
    "gate.eq4",
    "gate.eq4_float",
    "gate.eq4_released_code",
    "gate.gate",
    "gate.gate_nonbinary",
    "gate.gate_query_group",
    "gate.k_shares",
    "gate.sparsity_formula",
    "gate.sparsity_80",
    "gate.sparsity_monotone",
    "gate.sparsity_any_reward",
    "gate.sparsity_some_k",
    "objective.prop41_identity",
    "objective.prop41_constant",
    "objective.prop41_amplification",
    "objective.prop41_rarer_is_larger",
    "objective.prop41_token_normaliser",
    "objective.advantage_second_moment",
    "objective.masks_special_case",
    "objective.figure_4",
    "entropy_change.identity",
    "entropy_change.self_covariance",
    "entropy_change.self_covariance_max",
    "entropy_change.remainder",
    "entropy_change.safe_step",
    "entropy_change.prop42_finite_step",
    "entropy_change.ratio_box",
    "entropy_change.cross_entropy_upper",
    "entropy_change.third_order",
    "prop42.prop42_uncentred",
    "prop42.prop42_policy_gradient",
    "prop42.prop42_natural_gradient",
    "prop42.prop42_sign",
    "prop42.prop42_sampled_group",
    "prop42.sampled_sign_law",
    "neutrality.neutrality",
    "neutrality.neutrality_queries",
    "neutrality.neutrality_limit",
    "neutrality.neutrality_dip",
    "neutrality.second_order",
    "neutrality.effective_objective",
    "neutrality.loo_quantile",
    "neutrality.mc_grpo",
    "neutrality.ebpo",
    "neutrality.correlated_verifier",
    "neutrality.sequence_chain_rule",
    "pathwise.unsampled_logits",
    "pathwise.paired_ordering_law",
    "pathwise.sign_share_law",
    "pathwise.clip_sides",
    "remedies.stapo_norm_lower",
    "remedies.stapo_norm_upper",
    "remedies.clip_entropy_first_order",
    "remedies.clip_entropy_sign",
    "remedies.disco_identity",
    "remedies.noisy_verifier",
    "remedies.asymre_limit",
    "remedies.asymre_transition",
    "remedies.baseline_rates",
    "remedies.streaming_quantile",
    "remedies.subquadratic_sgd",
    "remedies.dph",
    "remedies.less_prefix",
    "remedies.positive_tokens",
    "remedies.temperature",
    "contract.contract",
    "contract.shipped_agrees",
)


def register(ledger: Ledger) -> None:
    """Add all evidence of this package to the ledger."""
    for name in MODULES:  # imported here, not above: SymPy, z3 and flint take a second
        import_module(f"{__name__}.{name}").register(ledger)
