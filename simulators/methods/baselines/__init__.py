"""Hold rules whose advantages depend on rewards, by a module each: baselines, and what weighs the two outcomes."""

from simulators.methods.baselines import (
    a_grae,
    asymre,
    constant,
    graded_qae,
    grpo_lambda,
    mc_grpo,
    noisy_verifier,
    quantiles,
    shrinkage,
    w_reinforce,
)


def register() -> None:
    """Register the rules of this folder."""
    for module in (constant, w_reinforce, a_grae, asymre, mc_grpo, shrinkage, quantiles, graded_qae, noisy_verifier):
        module.register()
    grpo_lambda.register()
