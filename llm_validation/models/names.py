"""Refuse a model's name that can be none, before packages are loaded and a network is asked."""

from __future__ import annotations

import re
from pathlib import Path

from llm_validation.models.presets import PRESETS
from llm_validation.models.pretrained import PRETRAINED
from qae_theory.checks import refuse

HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def require_model(source: str) -> None:
    """Refuse what is no preset, no packaged model, no folder and no name on a model hub.

    Args:
        source: what ``models.presets.load_model`` takes.

    Raises:
        ValueError: with the names that there are.
    """
    known = (*PRESETS, *PRETRAINED)
    if source not in known and not Path(source).is_dir() and not HUB_NAME.fullmatch(source):
        refuse("model", source, f"a preset ({', '.join(known)}), a checkpoint's folder, or owner/name of a model hub")
