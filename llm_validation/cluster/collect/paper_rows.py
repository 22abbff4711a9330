"""Rows of the paper's tables and figures that a run can be, and what must be true of a run to be one.

A run's name says which row it is meant to be; its configuration must say the same, and nothing that the row fixes may
have been overridden.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from llm_validation.cluster.collect.run_settings import RunSettings
from qae_theory.checks import quantile_level

# What a launch may change without leaving the row: places, machines, memory, logging, seed; G is open in the paper.
FREE_TABLES = (
    "cluster.",
    "trainer.",
    "ray_kwargs.",
    "hydra.",
    "global_profiler.",
    "transfer_queue.",
    "actor_rollout_ref.rollout.agent.",
)
FREE = (
    "part/cluster",
    "part/logging",
    "data.train_files",
    "data.val_files",
    "data.seed",
    "data.dataloader_num_workers",
    "reward.num_workers",
    "actor_rollout_ref.model.path",
    "actor_rollout_ref.rollout.n",
    "actor_rollout_ref.rollout.tensor_model_parallel_size",
    "actor_rollout_ref.rollout.gpu_memory_utilization",
    "actor_rollout_ref.rollout.max_num_seqs",
    "actor_rollout_ref.rollout.max_num_batched_tokens",
    "actor_rollout_ref.rollout.enforce_eager",
    "actor_rollout_ref.rollout.log_prob_max_token_len_per_gpu",
    "actor_rollout_ref.actor.ulysses_sequence_parallel_size",
    "actor_rollout_ref.actor.ppo_max_token_len_per_gpu",
    "actor_rollout_ref.actor.fsdp_config.param_offload",
    "actor_rollout_ref.actor.fsdp_config.optimizer_offload",
)
MODES = ("sync", "qae_probe")  # of trainer.v1.trainer_mode; the others train off-policy


@dataclass(frozen=True)
class Row:
    """What the name of an experiment promises. ``clip_high`` is None where the row's loss has another meaning of it."""

    model: str
    estimator: str
    k: str | None = None
    clip_high: float | None = None


def _rows() -> Iterator[tuple[str, Row]]:
    base = {"8b": "Qwen3-8B-Base", "14b": "Qwen3-14B-Base", "30b-a3b": "Qwen3-30B-A3B-Base"}
    methods = (("8b", "clip-higher", 0.28), ("8b", "clip-cov", None), ("8b", "kl-cov", None))
    for size, method, clip in (*methods, ("14b", "clip-higher", 0.28), ("30b-a3b", "gspo", None)):
        yield f"qwen3-{size}-{method}", Row(base[size], "grpo", clip_high=clip)
        yield f"qwen3-{size}-{method}-qae", Row(base[size], "qae", "0.4", clip)
    for digit in "268":
        yield f"qwen3-8b-clip-higher-qae-k0{digit}", Row(base["8b"], "qae", f"0.{digit}", 0.28)
    for prefix, clip in (("", 0.28), ("eps020-", 0.20)):
        for mask in ("pos", "neg"):
            yield f"qwen3-8b-{prefix}{mask}-mask", Row(base["8b"], f"{mask}_mask", "0.4", clip)
    yield "qwen3-8b-eps020-qae", Row(base["8b"], "qae", "0.4", 0.20)
    for digit in "0246":
        yield f"qwen3-8b-eps02{digit}", Row(base["8b"], "grpo", clip_high=float(f"0.2{digit}"))


ROWS: Mapping[str, Row] = MappingProxyType(dict(_rows()))
TABLE_1: Mapping[str, str] = MappingProxyType(
    {**{f"0.2{digit}": f"qwen3-8b-eps02{digit}" for digit in "0246"}, "0.28": "qwen3-8b-clip-higher"}
)
# Table 2's rows as paper_facts.json names them.
TABLE_2: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        (model, f"{label}{suffix}"): f"{stem}{'-qae' if suffix else ''}"
        for model, label, stem in (
            ("Qwen3-8B-Base", "Clip-Higher", "qwen3-8b-clip-higher"),
            ("Qwen3-8B-Base", "CLIP-Cov", "qwen3-8b-clip-cov"),
            ("Qwen3-8B-Base", "KL-Cov", "qwen3-8b-kl-cov"),
            ("Qwen3-30B-A3B-Base", "GSPO", "qwen3-30b-a3b-gspo"),
        )
        for suffix in ("", " + QAE")
    }
)


def unlike(name: str, settings: RunSettings, overrides: Iterable[str]) -> list[str]:
    """Why a run of this name is not the paper's row; nothing where it is, as far as its settings are known.

    >>> unlike("qwen3-8b-clip-higher", RunSettings(model="/models/tiny"), ["data.train_batch_size=8"])
    ['the model is tiny, not Qwen3-8B-Base', 'data.train_batch_size=8 changes what the row fixes']
    """
    row = ROWS.get(name)
    if row is None:
        return ["its name is not that of a row"]
    return [*_other_settings(row, settings), *_other_overrides(overrides)]


def _other_settings(row: Row, settings: RunSettings) -> Iterator[str]:
    model = settings.model and settings.model.rstrip("/").rpartition("/")[2]
    if model and model.lower() != row.model.lower():
        yield f"the model is {model}, not {row.model}"
    if settings.estimator and settings.estimator.removesuffix("_vectorized") != row.estimator:
        yield f"the estimator is {settings.estimator}, not {row.estimator}"
    if settings.k and row.k and quantile_level(settings.k) != quantile_level(row.k):
        yield f"K is {settings.k}, not {row.k}"
    if settings.clip_high is not None and row.clip_high is not None and settings.clip_high != row.clip_high:
        yield f"epsilon_high is {settings.clip_high:g}, not {row.clip_high:g}"


def _other_overrides(overrides: Iterable[str]) -> Iterator[str]:
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        mode = key == "trainer.v1.trainer_mode" and value not in MODES
        if mode or not (key in FREE or key.startswith(FREE_TABLES)):
            yield f"{override} changes what the row fixes"
