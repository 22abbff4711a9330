"""Declare the data's settings: the files of both splits, prompts of a batch, the longest prompt and response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llm_validation.verl_engine.configuration.kinds import ANY, COUNT
from llm_validation.verl_engine.configuration.setting import Setting, setting


@dataclass(frozen=True)
class Data:
    """Settings of the table ``data``; lengths in tokens."""

    train_files: Setting[Any] = setting("data.train_files", ANY)
    """A path or a list of paths."""
    val_files: Setting[Any] = setting("data.val_files", ANY)
    prompt_key: Setting[Any] = setting("data.prompt_key", ANY)
    """The name of the column that holds the prompt."""
    prompts: Setting[int] = setting("data.train_batch_size", COUNT, default=1024)
    """Prompts of a training batch."""
    longest_prompt: Setting[int] = setting("data.max_prompt_length", COUNT, default=512)
    longest_response: Setting[int] = setting("data.max_response_length", COUNT, default=512)
