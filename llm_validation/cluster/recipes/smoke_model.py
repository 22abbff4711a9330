"""Write the model of the smoke experiments: a small preset, warmed up to answer some questions, in a folder verl loads.

A run needs both right and wrong answers in a group, which an untrained preset does not give.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from llm_validation.models.warmup import Warmup, warm_model
from qae_theory.checks import refuse

# The presets read single characters and were warmed up on bare prompts, so the chat template adds nothing to a message.
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


def write_smoke_model(
    folder: Path, *, preset: str = "tiny", task: str = "digits", success: float = 0.3, cache: Path = Path("results")
) -> Path:
    """Write a warmed-up preset with a chat template that adds nothing, whole or not at all.

    Args:
        folder: where the model is written; it must not exist.
        preset: a name of ``models.PRESETS``.
        task: the task on which the preset is trained, by supervised learning.
        success: the share of right answers, in (0, 1), at which the warm-up stops.
        cache: the folder of results, which keeps warmed-up models for the next call.

    Returns:
        The folder.

    Raises:
        ValueError: the folder exists, or no preset or task has this name.
        WarmupError: the warm-up did not reach the share of right answers.
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
    """Store the chat template with the tokenizer of a model's folder: verl applies one to every prompt."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
