"""Hold the numbers of one run that decide its memory and its time, with verl 0.9.1's defaults where nothing is stated.

They are made from the record of the configuration in ``from_configuration``. The algorithm's own settings change
neither memory nor time, and are not here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PlannedTraining:
    """Hold the settings of the actor's FSDP engine.

    Source: ``workers/engine/fsdp`` and ``workers/config/engine.py`` of verl 0.9.1.
    """

    strategy: str
    """``fsdp`` or ``fsdp2``."""
    fsdp_size: int
    """GPUs that share one copy of the weights."""
    sequence_parallel: int
    """GPUs that share one sequence."""
    master_bytes: int
    """Bytes of a stored weight, of its gradient and of each number that the optimiser keeps about it."""
    compute_bytes: int
    """Bytes of a gathered weight and of an activation."""
    reduce_bytes: int
    """Bytes of a gradient while it is summed over GPUs."""
    optimiser_states: int
    """Numbers that the optimiser keeps about each weight."""
    param_offload: bool
    """Whether weights wait in the host's memory while they are not needed."""
    optimizer_offload: bool
    """Whether the optimiser's numbers wait in the host's memory while they are not needed."""
    offload_policy: bool
    """Whether FSDP2 itself keeps everything in the host's memory and fetches it layer by layer."""
    gradient_checkpointing: bool
    """Whether a layer is computed again in the backward pass, from its input alone."""
    activation_offload: bool
    """Whether the inputs of layers wait in the host's memory for the backward pass."""
    unsharded_gradients: bool
    """Whether gradients stay whole between the micro-batches of a mini-batch."""
    remove_padding: bool
    """Whether the sequences of a micro-batch are packed without padding."""
    fused_head: bool
    """Whether the output layer and the loss are one kernel that never holds all logits."""
    entropy_in_update: bool
    """Whether the update computes the entropy of every token."""
    entropy_chunk: int
    """Tokens whose entropy is computed at once; 0: all of a micro-batch."""
    entropy_recomputed: bool
    """Whether the entropy is computed again in the backward pass."""
    update_tokens: int
    """Most tokens of a micro-batch on one GPU in the update."""
    log_prob_tokens: int
    """Most tokens of a micro-batch on one GPU in a pass for log-probabilities."""
    dynamic_batches: bool
    """Whether micro-batches are filled up to ``update_tokens`` and ``log_prob_tokens``."""
    reference_model: bool
    """Whether a second copy of the model gives log-probabilities to compare with."""
    recomputes_log_probs: bool
    """Whether the log-probabilities of the old policy take a pass of their own."""


@dataclass(frozen=True)
class PlannedRollout:
    """Hold the settings of vLLM, which generates the responses."""

    tensor_parallel: int
    """GPUs that share one copy of the model."""
    gpu_memory_utilization: float
    """Share of a GPU's memory that vLLM takes, in (0, 1)."""
    max_num_seqs: int
    """Most sequences that vLLM generates at once."""
    max_num_batched_tokens: int
    """Most tokens that one step of vLLM takes in."""
    max_model_len: int
    """Most tokens of a sequence, prompt and response together."""
    weight_bytes: int
    """Bytes of a weight, of a key and of a value."""
    bucket_bytes: int
    """Bytes of the buffer in which new weights are sent."""
    frees_cache: bool
    """Whether vLLM gives its memory back while the actor trains."""


@dataclass(frozen=True)
class PlannedProbe:
    """Hold the settings of the probe of ``verl_engine.trainer``; intervals are in steps, and 0 means never."""

    every: int
    counterfactual_every: int
    counterfactual_arms: int
    """Estimators whose updates are made in a counterfactual."""


@dataclass(frozen=True)
class PlannedRun:
    """Hold the numbers of one run; lengths are in tokens, ``..._every`` in steps, where 0 means never."""

    model: str
    """Name or folder of the model."""
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
    """Most training batches that are generated at once."""
    prefix_caching: bool
    """Whether the responses of a group share the cache of their prompt."""
    validation_every: int
    validation_first: bool
    """Whether there is a validation before the first step."""
    validation_samples: int
    """Responses to each question of a validation."""
    save_every: int
    checkpoints_kept: int
    """How many of the newest checkpoints are kept; 0 keeps all."""
    saved: tuple[str, ...]
    """What a checkpoint holds: ``model``, ``optimizer``, ``extra``, ``hf_model``."""
    dumps_rollouts: bool
    dumps_validation: bool
    training: PlannedTraining
    rollout: PlannedRollout
    probe: PlannedProbe

    @property
    def gpus(self) -> int:
        """Return the number of GPUs of the run."""
        return self.nodes * self.gpus_per_node

    @property
    def replicas(self) -> int:
        """Return the number of copies of vLLM."""
        return self.gpus // self.rollout.tensor_parallel

    @property
    def max_sequence(self) -> int:
        """Return the tokens of the longest prompt and the longest response together."""
        return self.max_prompt + self.max_response

    @property
    def updates_per_step(self) -> int:
        """Return the number of optimiser updates of a training step."""
        return -(-self.prompts // self.mini_batch_prompts) * self.ppo_epochs
