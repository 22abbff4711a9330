"""Hold rules that remember: levels, baselines and clip ranges that follow a schedule or a measured quantity."""


def register() -> None:
    """Register the rules of this folder."""
