"""Hold rules whose advantages depend on rewards, by a module each: baselines, and what weighs the two outcomes."""

from simulators.methods.baselines import a_grae, constant, w_reinforce


def register() -> None:
    """Register the rules of this folder."""
    for module in (constant, w_reinforce, a_grae):
        module.register()
