"""The model of the smoke variant: a preset of ours that answers some questions right, as a folder that verl loads."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from llm_validation.models.warmup import Warmup, warm_model
from qae_theory.checks import refuse

# The messages as they stand: a tokenizer of characters knows no chat.
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


def write_smoke_model(
    folder: Path, *, preset: str = "tiny", task: str = "digits", success: float = 0.3, cache: Path = Path("results")
) -> Path:
    """Write a warmed-up preset with a chat template that adds nothing, whole or not at all.

    Args:
        folder: new.
        preset: a name of ``models.PRESETS``.
        task: what it is trained on, supervised.
        success: share of right answers at which that ends, in (0, 1).
        cache: results folder, which keeps warm-ups.

    Returns:
        The folder.

    Raises:
        ValueError: the folder exists, or an unknown preset or task.
        WarmupError: the success was not reached.
    """
    if folder.exists():
        refuse("--out", str(folder), "a new folder")
    warm = warm_model(preset, task, Warmup(success=success), cache=cache)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        shutil.copytree(warm, partial, dirs_exist_ok=True)
        _give_template(partial)
        partial.chmod(0o755)  # mkdtemp makes it private
        os.rename(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return folder


def _give_template(folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
