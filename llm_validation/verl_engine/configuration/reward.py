"""Declare the settings of the rewards: the function that scores a response, and DAPO's penalty on overlong ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llm_validation.verl_engine.configuration.kinds import ANY
from llm_validation.verl_engine.configuration.setting import Setting, setting


@dataclass(frozen=True)
class Reward:
    """Settings of the table ``reward``; lengths in tokens."""

    function_path: Setting[Any] = setting("reward.custom_reward_function.path", ANY)
    """A file, or ``pkg://`` and a module; where it is not stated, verl's own scorers."""
    function_name: Setting[Any] = setting("reward.custom_reward_function.name", ANY)
    function_options: Setting[Any] = setting("reward.custom_reward_function.reward_kwargs", ANY)
    """Keyword arguments that the function gets with every response."""
    manager: Setting[Any] = setting("reward.reward_manager.name", ANY)
    longest_response: Setting[Any] = setting("reward.reward_kwargs.max_resp_len", ANY)
    punishes_overlong: Setting[Any] = setting("reward.reward_kwargs.overlong_buffer_cfg.enable", ANY)
    overlong_buffer: Setting[Any] = setting("reward.reward_kwargs.overlong_buffer_cfg.len", ANY)
    """Number of tokens before the longest response over which the penalty grows from 0 to the factor."""
    overlong_factor: Setting[Any] = setting("reward.reward_kwargs.overlong_buffer_cfg.penalty_factor", ANY)
