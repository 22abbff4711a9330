"""What a verl configuration says about memory and time, as plain numbers.

Reads an OmegaConf ``DictConfig`` or a plain nested mapping; keys that are not there have verl 0.9.1's defaults. Not:
the algorithm's settings, which change neither memory nor time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qae_theory.checks import refuse

BYTES = {"fp32": 4, "float32": 4, "bf16": 2, "bfloat16": 2, "fp16": 2, "float16": 2}
STRATEGIES = ("fsdp", "fsdp2")
# Number of arrays of the parameters' size and type that an optimiser keeps between steps.
OPTIMISER_STATES = {"AdamW": 2, "Adam": 2, "SGD": 0}

_ACTOR = "actor_rollout_ref.actor."
_ENGINE = _ACTOR + "fsdp_config."
_MODEL = "actor_rollout_ref.model."
_ROLLOUT = "actor_rollout_ref.rollout."


@dataclass(frozen=True)
class Training:
    """The FSDP engine of the actor: ``workers/engine/fsdp`` and ``workers/config/engine.py`` of verl 0.9.1."""

    strategy: str
    fsdp_size: int
    """GPUs that share one copy of the weights."""
    sequence_parallel: int
    master_bytes: int
    """Bytes of a stored weight, of its gradient and of each number that the optimiser keeps about it."""
    compute_bytes: int
    """Bytes of a gathered weight and of an activation."""
    reduce_bytes: int
    optimiser_states: int
    param_offload: bool
    optimizer_offload: bool
    offload_policy: bool
    gradient_checkpointing: bool
    activation_offload: bool
    unsharded_gradients: bool
    """Whether gradients stay whole between the micro-batches of a mini-batch."""
    remove_padding: bool
    fused_head: bool
    entropy_in_update: bool
    entropy_chunk: int
    """Tokens whose entropy is computed at once; 0: all of a micro-batch."""
    entropy_recomputed: bool
    update_tokens: int
    """Most tokens of a micro-batch on one GPU in the update."""
    log_prob_tokens: int
    """The same in a pass for log-probabilities."""
    dynamic_batches: bool
    reference_model: bool
    recomputes_log_probs: bool
    """Whether the log-probabilities of the old policy take a pass of their own."""


@dataclass(frozen=True)
class Rollout:
    """vLLM."""

    tensor_parallel: int
    gpu_memory_utilization: float
    max_num_seqs: int
    max_num_batched_tokens: int
    max_model_len: int
    weight_bytes: int
    bucket_bytes: int
    frees_cache: bool
    """Whether vLLM gives its memory back while the actor trains."""


@dataclass(frozen=True)
class Probe:
    """The probe of ``verl_trainer``; 0 is never."""

    every: int
    counterfactual_every: int
    counterfactual_arms: int


@dataclass(frozen=True)
class Settings:
    """The numbers of one run."""

    model: str
    nodes: int
    gpus_per_node: int
    prompts: int
    """Prompts of a training batch."""
    responses_per_prompt: int
    mini_batch_prompts: int
    ppo_epochs: int
    max_prompt: int
    max_response: int
    steps: int
    dynamic_sampling: bool
    refill: int
    """New prompts for each group that dynamic sampling throws away."""
    inflight_batches: int
    prefix_caching: bool
    validation_every: int
    validation_first: bool
    validation_samples: int
    save_every: int
    checkpoints_kept: int
    """0: all."""
    saved: tuple[str, ...]
    dumps_rollouts: bool
    dumps_validation: bool
    training: Training
    rollout: Rollout
    probe: Probe

    @property
    def gpus(self) -> int:
        """GPUs of the run."""
        return self.nodes * self.gpus_per_node

    @property
    def replicas(self) -> int:
        """Copies of vLLM."""
        return self.gpus // self.rollout.tensor_parallel

    @property
    def max_sequence(self) -> int:
        """Tokens of the longest prompt and the longest response together."""
        return self.max_prompt + self.max_response

    @property
    def updates_per_step(self) -> int:
        """Optimiser updates of a training step."""
        return -(-self.prompts // self.mini_batch_prompts) * self.ppo_epochs


def read(config: Any) -> Settings:
    """The settings of a composed configuration.

    Args:
        config: ``DictConfig`` or nested mapping with verl's keys.

    Raises:
        ValueError: a key that decides memory or time is missing, of the wrong type, or fits nothing else.
    """
    return _checked(_settings(_Reader(plain(config))))


def plain(config: Any) -> Mapping[str, Any]:
    """A configuration as nested mappings, interpolations resolved.

    Raises:
        ValueError: it is not one, or does not resolve.
    """
    if type(config).__module__.startswith("omegaconf"):
        from omegaconf import OmegaConf
        from omegaconf.errors import OmegaConfBaseException

        try:
            config = OmegaConf.to_container(config, resolve=True, throw_on_missing=False)
        except OmegaConfBaseException as error:
            raise ValueError(f"the configuration does not resolve: {' '.join(str(error).split())}") from error
    if not isinstance(config, Mapping):
        refuse("config", config, "a configuration: nested mappings")
    return config


class _Reader:
    """Values by dotted key, each checked where it is read."""

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self._tree = tree

    def value(self, key: str, default: Any = None) -> Any:
        node: Any = self._tree
        for part in key.split("."):
            if not isinstance(node, Mapping) or part not in node:
                return default
            node = node[part]
        return default if node is None else node

    def whole(self, key: str, default: int | None = None, *, least: int = 1) -> int:
        value = self.value(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            refuse(key, value, f"an integer >= {least}")
        return value

    def share(self, key: str, default: float) -> float:
        value = self.value(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
            refuse(key, value, "a number strictly between 0 and 1")
        return float(value)

    def flag(self, key: str, default: bool = False) -> bool:
        value = self.value(key, default)
        if not isinstance(value, bool):
            refuse(key, value, "true or false")
        return value

    def one_of(self, key: str, allowed: Mapping[str, Any] | tuple[str, ...], default: str | None = None) -> str:
        value = self.value(key, default)
        if not isinstance(value, str) or value not in allowed:
            refuse(key, value, f"one of {', '.join(allowed)}")
        return value

    def names(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        value = self.value(key, default)
        if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
            refuse(key, value, "a list of names")
        return tuple(value)


def _settings(read: _Reader) -> Settings:
    nodes, gpus_per_node = read.whole("trainer.nnodes", 1), read.whole("trainer.n_gpus_per_node", 8)
    max_prompt, max_response = read.whole("data.max_prompt_length", 512), read.whole("data.max_response_length", 512)
    prompts = read.whole("data.train_batch_size", 1024)
    mode = read.value("trainer.v1.trainer_mode", "sync")
    return Settings(
        model=_model(read),
        nodes=nodes,
        gpus_per_node=gpus_per_node,
        prompts=prompts,
        responses_per_prompt=read.whole(_ROLLOUT + "n", 1),
        mini_batch_prompts=read.whole(_ACTOR + "ppo_mini_batch_size", 256),
        ppo_epochs=read.whole(_ACTOR + "ppo_epochs", 1),
        max_prompt=max_prompt,
        max_response=max_response,
        steps=read.whole("trainer.total_training_steps"),
        dynamic_sampling=read.flag("algorithm.filter_groups.enable"),
        # verl's replay buffer of the synchronous trainer, and the probe's trainer with it, asks for two new prompts
        # for each group it throws away; that of the asynchronous trainers for one.
        refill=2 if mode in ("sync", "qae_probe") else 1,
        inflight_batches=read.whole("algorithm.filter_groups.max_inflight_gen_batches", 1),
        prefix_caching=read.flag(_ROLLOUT + "enable_prefix_caching", True),
        validation_every=max(0, read.whole("trainer.test_freq", -1, least=-1)),
        validation_first=read.flag("trainer.val_before_train", True),
        validation_samples=read.whole(_ROLLOUT + "val_kwargs.n", 1),
        save_every=max(0, read.whole("trainer.save_freq", -1, least=-1)),
        checkpoints_kept=max(0, read.whole("trainer.max_actor_ckpt_to_keep", 0, least=-1)),
        saved=read.names(_ACTOR + "checkpoint.save_contents", ("model", "optimizer", "extra")),
        dumps_rollouts=read.value("trainer.rollout_data_dir") is not None,
        dumps_validation=read.value("trainer.validation_data_dir") is not None,
        training=_training(read, nodes * gpus_per_node, max_prompt + max_response),
        rollout=_rollout(read, max_prompt + max_response),
        probe=_probe(read) if mode == "qae_probe" else Probe(0, 0, 0),
    )


def _probe(read: _Reader) -> Probe:
    arms = len(read.names("trainer.probe.counterfactual_arms", ()))
    counterfactual = read.whole("trainer.probe.counterfactual_every", 0, least=0) if arms else 0
    return Probe(read.whole("trainer.probe.every", 1, least=0), counterfactual, arms)


def _model(read: _Reader) -> str:
    path = read.value(_MODEL + "path")
    if not isinstance(path, str) or not path:
        refuse(_MODEL + "path", path, "a model's name or folder")
    for key in (_MODEL + "lora_rank", _MODEL + "lora.rank"):
        if read.whole(key, 0, least=0):
            refuse(key, read.value(key), "0: the plan knows full training only")
    return path


def _training(read: _Reader, gpus: int, sequence: int) -> Training:
    strategy = read.one_of(_ACTOR + "strategy", STRATEGIES, "fsdp")
    size = read.whole(_ENGINE + "fsdp_size", -1, least=-1)
    parallel = read.whole(_ACTOR + "ulysses_sequence_parallel_size", 1)
    optimiser = read.one_of(_ACTOR + "optim.optimizer", OPTIMISER_STATES, "AdamW")
    dynamic = read.flag(_ACTOR + "use_dynamic_bsz")
    entropy_loss = read.value(_ACTOR + "entropy_coeff", 0) != 0
    chunked = read.flag(_ACTOR + "entropy_from_logits_with_chunking")
    return Training(
        strategy=strategy,
        fsdp_size=gpus if size <= 0 or size >= gpus else size,
        sequence_parallel=parallel,
        master_bytes=BYTES[read.one_of(_ENGINE + "model_dtype", BYTES, "fp32")],
        compute_bytes=BYTES[read.one_of(_ENGINE + "mixed_precision.param_dtype", BYTES, "bf16")],
        reduce_bytes=BYTES[read.one_of(_ENGINE + "mixed_precision.reduce_dtype", BYTES, "fp32")],
        optimiser_states=OPTIMISER_STATES[optimiser],
        param_offload=read.flag(_ENGINE + "param_offload"),
        optimizer_offload=read.flag(_ENGINE + "optimizer_offload"),
        offload_policy=strategy == "fsdp2" and read.flag(_ENGINE + "offload_policy"),
        gradient_checkpointing=read.flag(_MODEL + "enable_gradient_checkpointing", True),
        activation_offload=read.flag(_MODEL + "enable_activation_offload"),
        unsharded_gradients=read.flag(_ENGINE + "use_no_sync_for_gradient_accumulation"),
        remove_padding=read.flag(_MODEL + "use_remove_padding", True),
        fused_head=read.flag(_MODEL + "use_fused_kernels"),
        entropy_in_update=entropy_loss or read.flag(_ACTOR + "calculate_entropy"),
        entropy_chunk=read.whole(_ACTOR + "entropy_from_logits_chunk_size", 2048) if chunked else 0,
        entropy_recomputed=read.flag(_ACTOR + "entropy_checkpointing"),
        update_tokens=_micro_batch(
            read,
            dynamic,
            _ACTOR + "ppo_max_token_len_per_gpu",
            _ACTOR + "ppo_micro_batch_size_per_gpu",
            parallel,
            sequence,
        ),
        log_prob_tokens=_micro_batch(
            read,
            dynamic,
            _ROLLOUT + "log_prob_max_token_len_per_gpu",
            _ROLLOUT + "log_prob_micro_batch_size_per_gpu",
            parallel,
            sequence,
            otherwise=_ACTOR + "ppo_max_token_len_per_gpu",
        ),
        dynamic_batches=dynamic,
        reference_model=read.flag(_ACTOR + "use_kl_loss") or read.flag("algorithm.use_kl_in_reward"),
        recomputes_log_probs=not read.flag("algorithm.rollout_correction.bypass_mode"),
    )


def _micro_batch(
    read: _Reader, dynamic: bool, tokens: str, rows: str, parallel: int, sequence: int, *, otherwise: str | None = None
) -> int:
    """Most tokens of a micro-batch on one GPU: the budget, or so many full sequences shared by the sequence's GPUs."""
    if dynamic:
        return read.whole(tokens, read.whole(otherwise or tokens, 16384))
    return -(-read.whole(rows) * sequence // parallel)


def _rollout(read: _Reader, sequence: int) -> Rollout:
    if read.whole(_ROLLOUT + "data_parallel_size", 1) != 1:
        refuse(_ROLLOUT + "data_parallel_size", read.value(_ROLLOUT + "data_parallel_size"), "1 for a plan")
    read.one_of(_ROLLOUT + "name", ("vllm",), "vllm")
    return Rollout(
        tensor_parallel=read.whole(_ROLLOUT + "tensor_model_parallel_size", 2),
        gpu_memory_utilization=read.share(_ROLLOUT + "gpu_memory_utilization", 0.5),
        max_num_seqs=read.whole(_ROLLOUT + "max_num_seqs", 256),
        max_num_batched_tokens=read.whole(_ROLLOUT + "max_num_batched_tokens", 8192),
        max_model_len=read.whole(_ROLLOUT + "max_model_len", sequence),
        weight_bytes=BYTES[read.one_of(_ROLLOUT + "dtype", BYTES, "bfloat16")],
        bucket_bytes=read.whole(_ROLLOUT + "checkpoint_engine.update_weights_bucket_megabytes", 2048) << 20,
        frees_cache=read.flag(_ROLLOUT + "free_cache_engine", True),
    )


def _checked(settings: Settings) -> Settings:
    """Refuse sizes that verl itself would refuse on the cluster, after everything has been loaded."""
    gpus, training, rollout = settings.gpus, settings.training, settings.rollout
    for key, size in (
        (_ROLLOUT + "tensor_model_parallel_size", rollout.tensor_parallel),
        (_ACTOR + "ulysses_sequence_parallel_size", training.sequence_parallel),
        (_ENGINE + "fsdp_size", training.fsdp_size),
    ):
        if gpus % size:
            refuse(key, size, f"a divisor of the number of GPUs, {settings.nodes} x {settings.gpus_per_node} = {gpus}")
    for key, tokens in (
        (_ACTOR + "ppo_max_token_len_per_gpu", training.update_tokens),
        (_ROLLOUT + "log_prob_max_token_len_per_gpu", training.log_prob_tokens),
    ):
        least = -(-settings.max_sequence // training.sequence_parallel)
        if training.dynamic_batches and tokens < least:
            refuse(key, tokens, f">= {least}: the longest sequence is on {training.sequence_parallel} GPU(s) at once")
    if rollout.max_model_len < settings.max_sequence:
        refuse(_ROLLOUT + "max_model_len", rollout.max_model_len, f">= prompt + response = {settings.max_sequence}")
    if settings.mini_batch_prompts > settings.prompts:
        refuse(
            _ACTOR + "ppo_mini_batch_size",
            settings.mini_batch_prompts,
            f"<= data.train_batch_size = {settings.prompts}",
        )
    return settings
