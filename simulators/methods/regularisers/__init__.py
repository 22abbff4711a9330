"""Hold rules that push on the whole policy beside the sampled tokens: entropy bonuses, penalties, constraints."""

from simulators.methods.regularisers import entropy_bonus


def register() -> None:
    """Register the rules of this folder."""
    for module in (entropy_bonus,):
        module.register()
