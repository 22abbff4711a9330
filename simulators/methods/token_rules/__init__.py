"""Hold rules that weigh, mask or pull back sampled tokens or responses by what the policy gives them, a module each."""

from simulators.methods.token_rules import clip_cov, gspo, high_entropy, kl_cov


def register() -> None:
    """Register the rules of this folder."""
    for module in (gspo, clip_cov, kl_cov, high_entropy):
        module.register()
