"""Keep back the progress bars of the libraries that load models and data: a command shows one bar, its own."""

from __future__ import annotations

import os

# Read by the libraries when they are imported, and inherited by worker processes.
_SWITCHES = ("HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS", "TQDM_DISABLE")


def quiet_bars() -> None:
    """Switch the bars off in this process and in those that it starts; a user's own setting is left alone.

    This has to be called before the libraries are imported.
    """
    for switch in _SWITCHES:
        os.environ.setdefault(switch, "1")
