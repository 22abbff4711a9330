"""Hold rules that weigh, mask or pull back sampled tokens or responses by what the policy gives them, a module each."""

from simulators.methods.token_rules import (
    ace,
    clip_cov,
    clip_range,
    disco,
    gspo,
    high_entropy,
    kl_cov,
    less,
    oar,
    stapo,
)


def register() -> None:
    """Register the rules of this folder."""
    for module in (gspo, clip_cov, kl_cov, high_entropy, clip_range, ace, stapo, oar, less, disco):
        module.register()
