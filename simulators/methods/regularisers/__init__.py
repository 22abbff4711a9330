"""Hold rules that push on the whole policy beside the sampled tokens: entropy bonuses, penalties, constraints."""

from simulators.methods.regularisers import (
    adaptive_entropy,
    aer,
    dph_rl,
    entropy_bonus,
    kl_penalty,
    trajectory_entropy,
)


def register() -> None:
    """Register the rules of this folder."""
    for module in (entropy_bonus, adaptive_entropy, aer, kl_penalty, trajectory_entropy, dph_rl):
        module.register()
