"""Declare the algorithm's settings: which estimator makes advantages of rewards, its options, and dynamic sampling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llm_validation.verl_engine.configuration.kinds import ANY, COUNT, FLAG
from llm_validation.verl_engine.configuration.setting import Setting, setting


@dataclass(frozen=True)
class Algorithm:
    """Settings of the table ``algorithm``."""

    estimator: Setting[Any] = setting("algorithm.adv_estimator", ANY)
    quantile_k: Setting[Any] = setting("algorithm.quantile_k", ANY)
    """K, the level of the quantile baseline."""
    advantage_std: Setting[Any] = setting("algorithm.advantage_std", ANY)
    """``population``, ``bessel`` or ``none``; where it is not stated, the estimator's own."""
    advantage_eps: Setting[Any] = setting("algorithm.advantage_eps", ANY)
    advantage_gate: Setting[Any] = setting("algorithm.advantage_gate", ANY)
    """``reward``, or ``correctness`` to work on right and wrong alone."""
    correct_above: Setting[Any] = setting("algorithm.correct_above", ANY)
    """The summed reward above which a response is right."""
    divides_by_std: Setting[Any] = setting("algorithm.norm_adv_by_std_in_grpo", ANY)
    kl_in_reward: Setting[bool] = setting("algorithm.use_kl_in_reward", FLAG, default=False)
    dynamic_sampling: Setting[bool] = setting("algorithm.filter_groups.enable", FLAG, default=False)
    filter_metric: Setting[Any] = setting("algorithm.filter_groups.metric", ANY)
    """The number by which dynamic sampling finds groups without a signal."""
    most_generated_batches: Setting[Any] = setting("algorithm.filter_groups.max_num_gen_batches", ANY)
    inflight_batches: Setting[int] = setting("algorithm.filter_groups.max_inflight_gen_batches", COUNT, default=1)
    trusts_rollout_log_probs: Setting[bool] = setting("algorithm.rollout_correction.bypass_mode", FLAG, default=False)
    """Whether the rollout's own log-probabilities stand for those of the old policy, without a pass for them."""
    table: Setting[Mapping[str, Any]] = setting("algorithm", ANY)
    """The table as a whole, which verl hands to an estimator with all that is in it."""

    @property
    def std(self) -> str | None:
        """Return the standard deviation that an advantage is divided by; None for the estimator's own.

        verl's own estimators take no other option than the switch; its GRPO divides by Bessel's, its RLOO by nothing.
        """
        is_grpo = self.estimator.value in ("grpo", "grpo_vectorized")
        is_verls_own = is_grpo or self.estimator.value in ("rloo", "rloo_vectorized")
        stated = None if is_verls_own else self.advantage_std.value
        if stated:
            return str(stated)
        if self.divides_by_std.value is False:
            return "none"
        return "bessel" if is_grpo else None
