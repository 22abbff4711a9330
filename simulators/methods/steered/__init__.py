"""Hold rules that remember: levels, baselines and clip ranges that follow a schedule or a measured quantity."""

from simulators.methods.steered import adaptive_clip, k_loop, schedule, streaming_quantile, tilted_quantile


def register() -> None:
    """Register the rules of this folder."""
    for module in (schedule, k_loop, streaming_quantile, tilted_quantile, adaptive_clip):
        module.register()
