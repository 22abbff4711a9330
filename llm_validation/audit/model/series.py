"""Name the metrics that the checks ask for as the trainers name them.

A metric is listed where its meaning is certain. verl's ``actor/pg_clipfrac`` counts both sides together and its
``..._lower`` the dual clip, not the low side; EasyR1's ``..._higher`` and ``..._lower`` are the same two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from qae_theory.arrays import Array

NAMES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        # Nats a token, before the update; how it is averaged is the trainer's business.
        "entropy": (
            "probe/entropy/before/all",
            "actor/entropy",
            "actor/entropy_loss",
            "train/entropy",
            "entropy",
            "train/mean_entropy",
            "policy/entropy",
            "policy_entropy",
            "policy/policy_entropy",
            "rollout/entropy",
            "approx_entropy",
            "entropy/mean",
            "train/entropy_loss",
        ),
        "entropy_change": ("probe/entropy/change/all",),
        "length": (
            "response_length/mean",
            "train/completions/mean_length",
            "completions/mean_length",
            "completion_length",
            "train/completion_length",
            "rollout/response_lengths",
            "rollout/response_len/mean",
            "mean_gen_tokens_per_sample",
            "train/mean_gen_tokens_per_sample",
            "response_length",
            "val/sequence_lengths",
            "seq_len/completion/all/mean",
            "response/length/mean",
        ),
        "best_score": ("critic/score/max", "critic/rewards/max", "reward/max", "rollout/rewards/max", "rewards/max"),
        "reward": (
            "critic/score/mean",
            "critic/rewards/mean",
            "train/reward",
            "reward",
            "rollout/raw_reward",
            "rollout/reward",
            "reward/mean",
            "reward/all/mean",
            "reward/overall",
            "train/rewards/mean",
            "objective/scores",
            "mean_reward",
            "policy/reward",
        ),
        "success": ("success_rate", "train/success_rate", "val/correct_rate", "accuracy", "train/accuracy"),
        "zero_std_share": (
            "frac_reward_zero_std",
            "train/frac_reward_zero_std",
            "train/reward_zero_std",
            "degenerate_share",
            "val/zero_std_share",
        ),
        "clip_together": (
            "actor/pg_clipfrac",
            "actor/pg_clipfrac_higher",
            "clip_ratio/region_mean",
            "train/clip_ratio/region_mean",
            "train/clip_ratio",
            "clip_ratio",
            "train/pg_clipfrac",
            "train/ppo_clip_ratio",
            "ppo_clip_ratio",
            "policy/clipfrac_avg",
        ),
        "clip_low": ("clip_ratio/low_mean", "train/clip_ratio/low_mean"),
        "clip_high": ("clip_ratio/high_mean", "train/clip_ratio/high_mean"),
        "clip_dual": ("actor/pg_clipfrac_lower",),
        "grad_norm": ("actor/grad_norm", "grad_norm", "train/grad_norm", "optim/grad_norm"),
        "kl": ("actor/kl_loss", "kl", "train/kl", "actor/ppo_kl", "train/kl_loss", "objective/kl_avg"),
        "truncated_share": (
            "response_length/clip_ratio",
            "completions/clipped_ratio",
            "train/completions/clipped_ratio",
            "response/truncated_ratio",
            "rollout/truncated_ratio",
            "train/truncation_rate",
            "truncation_rate",
            "is_truncated/all/mean",
        ),
        "logp_gap": (
            "sampling/sampling_logp_difference/mean",
            "train/sampling/sampling_logp_difference/mean",
            "training/rollout_probs_diff_mean",
            "rollout_corr/log_ppl_abs_diff",
            "train/rollout_train_logprob_diff/mean",
            "train/train_rollout_logprob_abs_diff",
        ),
    }
)
SCALED_AS_PROBABILITY = frozenset({"training/rollout_probs_diff_mean"})


@dataclass(frozen=True)
class Steps:
    """Hold the metrics of T steps. ``metrics`` has every one under its own name."""

    step: Array
    """[T], int64, ascending."""
    metrics: Mapping[str, Array] = field(default_factory=dict)
    """[T] each; NaN where a step lacks it."""

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.step)

    def name_of(self, series: str) -> str | None:
        """Return the metric that stands for a series: of those in the log the first with a number."""
        for name in NAMES[series]:
            if name in self.metrics and np.isfinite(self.metrics[name]).any():
                return name
        return None

    def series(self, series: str) -> Array | None:
        """Return a series ``[T]``, None where the log has no metric for it."""
        name = self.name_of(series)
        return None if name is None else self.metrics[name]

    @property
    def recognised(self) -> list[str]:
        """Return the names of the series that the log has."""
        return [name for name in NAMES if self.name_of(name) is not None]


NO_STEPS = Steps(np.zeros(0, dtype=np.int64))
