"""List the rows of the paper's tables and figures that a run can be, and say what a run must be to be one.

A run's name tells which row it is meant to be. Its configuration must be the same, and nothing that the row fixes may
have been overridden.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from llm_validation.cluster.collect.logs.run_settings import RunSettings

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
MODE_KEY = "trainer.v1.trainer_mode"
MODES = ("sync", "qae_probe")  # the other modes train off-policy

_MODELS = {"8b": "Qwen3-8B-Base", "14b": "Qwen3-14B-Base", "30b-a3b": "Qwen3-30B-A3B-Base"}


@dataclass(frozen=True)
class Row:
    """Hold what the name of an experiment promises.

    ``k`` is None where no rule of the row has one, ``clip_high`` where the row's loss has another meaning of it.
    """

    model: str
    estimator: str
    k: str | None = None
    clip_high: float | None = None

    @property
    def level(self) -> Fraction | None:
        """Return K as a rational; None where the row has none."""
        return None if self.k is None else Fraction(self.k)


def _rows() -> Iterator[tuple[str, Row]]:
    """Yield the rows of the paper's tables and figures by the names of their experiments."""
    small = _MODELS["8b"]
    # Table 2 and Figs. 5, 10 and 11: each method with the mean and with QAE's quantile.
    for size, method, clip in (
        ("8b", "clip-higher", 0.28),
        ("8b", "clip-cov", None),
        ("8b", "kl-cov", None),
        ("14b", "clip-higher", 0.28),
        ("30b-a3b", "gspo", None),
    ):
        yield f"qwen3-{size}-{method}", Row(_MODELS[size], "grpo", clip_high=clip)
        yield f"qwen3-{size}-{method}-qae", Row(_MODELS[size], "qae", "0.4", clip)
    # Fig. 9: the sweep of K.
    for digit in "268":
        yield f"qwen3-8b-clip-higher-qae-k0{digit}", Row(small, "qae", f"0.{digit}", 0.28)
    # Fig. 6: the masks, under weak and under strong clipping.
    for prefix, clip in (("", 0.28), ("eps020-", 0.20)):
        for mask in ("pos", "neg"):
            yield f"qwen3-8b-{prefix}{mask}-mask", Row(small, f"{mask}_mask", "0.4", clip)
    yield "qwen3-8b-eps020-qae", Row(small, "qae", "0.4", 0.20)
    # Table 1: epsilon_high under DAPO.
    for digit in "0246":
        yield f"qwen3-8b-eps02{digit}", Row(small, "grpo", clip_high=float(f"0.2{digit}"))


def _table_2() -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the experiments of Table 2's rows, by model and method as the paper's facts name them."""
    for model, method, stem in (
        (_MODELS["8b"], "Clip-Higher", "qwen3-8b-clip-higher"),
        (_MODELS["8b"], "CLIP-Cov", "qwen3-8b-clip-cov"),
        (_MODELS["8b"], "KL-Cov", "qwen3-8b-kl-cov"),
        (_MODELS["30b-a3b"], "GSPO", "qwen3-30b-a3b-gspo"),
    ):
        yield (model, method), stem
        yield (model, f"{method} + QAE"), f"{stem}-qae"


ROWS: Mapping[str, Row] = MappingProxyType(dict(_rows()))
# Experiments of Table 1, by epsilon_high.
TABLE_1: Mapping[str, str] = MappingProxyType(
    {**{f"0.2{digit}": f"qwen3-8b-eps02{digit}" for digit in "0246"}, "0.28": "qwen3-8b-clip-higher"}
)
TABLE_2: Mapping[tuple[str, str], str] = MappingProxyType(dict(_table_2()))


def unlike(name: str, settings: RunSettings, overrides: Iterable[str]) -> list[str]:
    """Return why a run of this name is not the paper's row; nothing where it is, as far as its settings are known.

    Args:
        name: of the experiment.
        settings: of the run.
        overrides: Hydra overrides that it was launched with.

    Raises:
        ValueError: the run's K is not in (0, 1).

    >>> unlike("qwen3-8b-clip-higher", RunSettings(model="/models/tiny"), ["data.train_batch_size=8"])
    ['the model is tiny, not Qwen3-8B-Base', 'data.train_batch_size=8 changes what the row fixes']
    """
    row = ROWS.get(name)
    if row is None:
        return ["its name is not that of a row"]
    return [*_other_settings(row, settings), *_other_overrides(overrides)]


def _other_settings(row: Row, settings: RunSettings) -> Iterator[str]:
    """Yield what is configured otherwise than in the row; a setting that is not known is not held against a run."""
    model = settings.model and settings.model.rstrip("/").rpartition("/")[2]
    if model and model.lower() != row.model.lower():
        yield f"the model is {model}, not {row.model}"
    if settings.estimator and settings.estimator.removesuffix("_vectorized") != row.estimator:
        yield f"the estimator is {settings.estimator}, not {row.estimator}"
    if settings.k and row.k and settings.level != row.level:
        yield f"K is {settings.k}, not {row.k}"
    if settings.clip_high is not None and row.clip_high is not None and settings.clip_high != row.clip_high:
        yield f"epsilon_high is {settings.clip_high:g}, not {row.clip_high:g}"


def _other_overrides(overrides: Iterable[str]) -> Iterator[str]:
    """Yield the overrides that change what a row fixes."""
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        trains_off_policy = key == MODE_KEY and value not in MODES
        is_free = key in FREE or key.startswith(FREE_TABLES)
        if trains_off_policy or not is_free:
            yield f"{override} changes what the row fixes"
