"""Hold a small stored run of ``qae train`` with a leak, phantom gradients and a collapse.

It is a run of the settings in ``run/config.json``: the released code's quantile (``qae_linear``) at G = 8 and K = 0.4,
where 5 right of 8 leak; an overlong penalty, which ranks responses that are equally wrong; and a learning rate at which
the responses shrink to one token. ``qae train --config`` with these settings makes it again.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def folder() -> Path:
    """Return the folder of the stored run."""
    return Path(str(files(__name__) / "run"))
