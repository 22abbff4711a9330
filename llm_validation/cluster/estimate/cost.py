"""Estimate the GPU hours of a run: generation, log-probabilities, update, probe, validation and checkpoints.

The result is always an interval: its cheap and its dear end have every assumption at its own end at once. Memory is in
``memory``; the time of generation in ``decoding``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import lcm
from typing import Any

from llm_validation.cluster.estimate.assumptions import CASES, Efficiency, efficiency
from llm_validation.cluster.estimate.decoding import Replica, batch_seconds, prefill_seconds, slots
from llm_validation.cluster.estimate.from_configuration import planned_run
from llm_validation.cluster.estimate.hardware import Gpu, gpu_named
from llm_validation.cluster.estimate.memory import cache, checkpoint_bytes
from llm_validation.cluster.estimate.model_sizes import ModelShape
from llm_validation.cluster.estimate.planned_run import PlannedRun
from llm_validation.cluster.estimate.workload import Lengths, beta_degenerate_share, generation_factor
from llm_validation.verl_engine.configuration.record import read
from qae_theory.checks import refuse

PHASES: Mapping[str, str] = {
    "generation": "f B G responses on GPUs/tp replicas; a step: overhead + max(bytes / bandwidth, FLOPs / F)",
    "log-probabilities": "max(B G s (2 P + 2 L q E[s^2]/E[s]) / (GPUs F u), micro-batches x N c / network)",
    "update": "(3 + recomputed forward) x the above FLOPs; per micro-batch N (2 c + r) over the network",
    "probe": "one more pass for log-probabilities at a probe step",
    "counterfactual": "arms x (update + log-probabilities + a checkpoint read) + a checkpoint written",
    "validation": "questions x samples responses, generation only",
    "checkpoints": "N b (1 + states) / storage",
    "other": "assumed seconds a step",
}


@dataclass(frozen=True)
class Seconds:
    """Hold the seconds of a training step by phase in one case; rare phases are spread over all steps.

    Attributes:
        case: ``cheap``, ``central`` or ``dear``.
        response_tokens: mean response length.
        groups_per_kept: groups generated for each that is trained on.
        at_once: responses that a replica generates at once: vLLM's limit, what its cache holds, or all that it has.
        phases: seconds by the names of :data:`PHASES`.
        gpus: GPUs of the run.
        steps: training steps of the run.
    """

    case: str
    response_tokens: float
    groups_per_kept: float
    at_once: float
    phases: Mapping[str, float]
    gpus: int
    steps: int

    @property
    def step(self) -> float:
        """Return the seconds of a step, all phases together."""
        return sum(self.phases.values())

    @property
    def gpu_hours(self) -> float:
        """Return the GPU hours of the run."""
        return self.step * self.steps * self.gpus / 3600

    @property
    def hours(self) -> float:
        """Return the hours of the run by the clock."""
        return self.step * self.steps / 3600


@dataclass(frozen=True)
class Cost:
    """Hold a run's cost at one mean response length (tokens) in the cheap, the central and the dear case."""

    response_tokens: float
    cases: tuple[Seconds, Seconds, Seconds]

    @property
    def central(self) -> Seconds:
        """Return the case in the middle."""
        return self.cases[1]

    @property
    def gpu_hours(self) -> tuple[float, float, float]:
        """Return the GPU hours of the cheap, the central and the dear case."""
        cheap, central, dear = (case.gpu_hours for case in self.cases)
        return cheap, central, dear


def gpu_hours(
    config: Any, shape: ModelShape, *, gpu: Gpu | None = None, response_tokens: float | None = None, **given: float
) -> Cost:
    """Return the cost of a configuration at one mean response length; see :func:`cost_of`.

    Args:
        config: a composed configuration, or a plain nested mapping with verl's keys.
        shape: the model's sizes.
        gpu: each of its GPUs; by default the kind of :func:`gpu_named`.
        response_tokens: mean response length; by default the central assumption.
        given: assumptions by name, the same in all three cases.

    Raises:
        ValueError: the configuration's settings do not fit together, or no assumption has a given name.
    """
    return cost_of(planned_run(read(config)), shape, gpu=gpu or gpu_named(), response_tokens=response_tokens, **given)


def cost_of(
    settings: PlannedRun, shape: ModelShape, *, gpu: Gpu, response_tokens: float | None = None, **given: float
) -> Cost:
    """Return the cost of a run at one mean response length.

    Args:
        settings: the run's numbers.
        shape: the model's sizes.
        gpu: each of its GPUs.
        response_tokens: mean response length; by default the central assumption.
        given: assumptions by name, the same in all three cases.

    Raises:
        ValueError: no assumption has a given name, or vLLM does not fit on the GPU.
    """
    mean = (
        efficiency("central", **given).length_share * settings.max_response
        if response_tokens is None
        else response_tokens
    )
    # The length is fixed before the cases, so that they differ in speed alone.
    cheap, central, dear = (seconds(settings, shape, gpu, case, float(mean), **given) for case in CASES)
    return Cost(float(mean), (cheap, central, dear))


def seconds(
    settings: PlannedRun, shape: ModelShape, gpu: Gpu, case: str, response_tokens: float, **given: float
) -> Seconds:
    """Return the seconds of a training step in one case.

    Args:
        settings: the run's numbers.
        shape: the model's sizes.
        gpu: each of its GPUs.
        case: ``cheap``, ``central`` or ``dear``.
        response_tokens: mean response length.
        given: assumptions by name, in place of the case's own.

    Raises:
        ValueError: no assumption has a given name, or vLLM does not fit on the GPU.
    """
    share = efficiency(case, **given)
    lengths = Lengths(mean=response_tokens, most=float(settings.max_response), cut=share.cut_share)
    step = _Step(settings=settings, shape=shape, gpu=gpu, efficiency=share, lengths=lengths)
    training, steps = settings.training, settings.steps
    # One pass for the old policy's log-probabilities, where verl computes them anew, and one for the reference model's.
    passes = training.recomputes_log_probs + training.reference_model
    counterfactuals = _due(steps, settings.probe.counterfactual_every)
    phases = {
        "generation": step.generation(),
        "log-probabilities": step.log_probabilities() * passes,
        "update": step.update(),
        "probe": step.log_probabilities() * _probed(settings) / steps,
        "counterfactual": step.counterfactual() * counterfactuals / steps,
        "validation": step.validation() * _validations(settings) / steps,
        "checkpoints": step.checkpoint() * _checkpoints(settings) / steps,
        "other": step.efficiency.step_overhead,
    }
    return Seconds(
        case=case,
        response_tokens=response_tokens,
        groups_per_kept=step.groups_per_kept,
        at_once=step.at_once(),
        phases=phases,
        gpus=settings.gpus,
        steps=steps,
    )


@dataclass(frozen=True)
class _Step:
    """Compute the seconds of each phase of a training step, given the run's numbers and a case of the assumptions."""

    settings: PlannedRun
    shape: ModelShape
    gpu: Gpu
    efficiency: Efficiency
    lengths: Lengths

    @property
    def prompt(self) -> float:
        """Return the mean tokens of a prompt."""
        return min(self.efficiency.prompt_tokens, float(self.settings.max_prompt))

    @property
    def responses(self) -> float:
        """Return the responses that a step trains on."""
        return float(self.settings.prompts * self.settings.responses_per_prompt)

    @property
    def groups_per_kept(self) -> float:
        """Return how many groups are generated for each that is trained on."""
        run = self.settings
        if not run.dynamic_sampling:
            return 1.0
        share = beta_degenerate_share(self.efficiency.success_shape, run.responses_per_prompt)
        return generation_factor(share, refill=run.refill, inflight_batches=run.inflight_batches)

    @property
    def replica(self) -> Replica:
        """Return one copy of vLLM, with what its cache holds on this GPU."""
        run = self.settings.rollout
        cache_tokens = cache(self.settings, self.shape, self.gpu).tokens
        if cache_tokens < 1:
            refuse("gpu_memory", self.gpu.memory_gib, "enough for vLLM's weights and one token of its cache")
        return Replica(
            shape=self.shape,
            gpu=self.gpu,
            efficiency=self.efficiency,
            tensor_parallel=run.tensor_parallel,
            max_num_seqs=run.max_num_seqs,
            cache_tokens=cache_tokens,
            weight_bytes=run.weight_bytes,
        )

    def at_once(self) -> float:
        """Return how many responses a replica generates at once."""
        own = self.responses * self.groups_per_kept / self.settings.replicas
        return min(slots(self.replica, self.lengths, self.prompt), own)

    def generation(self) -> float:
        """Return the seconds to generate the groups of a step, those thrown away included."""
        prompts = self.settings.prompts * self.groups_per_kept
        # With prefix caching vLLM reads a prompt once for its whole group.
        read = 1 if self.settings.prefix_caching else self.settings.responses_per_prompt
        return self._generate(prompts * self.settings.responses_per_prompt, prompts * read)

    def validation(self) -> float:
        """Return the seconds of one validation."""
        count = self.efficiency.questions * self.settings.validation_samples
        return self._generate(count, self.efficiency.questions if self.settings.prefix_caching else count)

    def _generate(self, responses: float, prompts: float) -> float:
        """Return the seconds to generate so many responses to so many prompts on all replicas."""
        replica, copies = self.replica, self.settings.replicas
        decoding = batch_seconds(replica, responses / copies, self.lengths, self.prompt, of=responses)
        return decoding + prefill_seconds(replica, prompts / copies, self.prompt)

    def forward_flops(self) -> float:
        """Return the FLOPs of one forward pass over the training batch.

        2 P tokens + 2 L q sum of squared sequence lengths: each token attends to half its sequence on average.
        """
        tokens = self.responses * (self.prompt + self.lengths.mean)
        squares = self.responses * self.lengths.square_with_prompt(self.prompt)
        return 2.0 * self.shape.matrix_parameters * tokens + 2.0 * self.shape.layers * self.shape.query_width * squares

    def _arithmetic(self, flops: float) -> float:
        """Return the seconds that all GPUs together need for so many FLOPs."""
        # The products of experts are small and of uneven size, and reach less of what the GPU can do.
        share = self.efficiency.arithmetic / (self.efficiency.experts_slowdown if self.shape.experts else 1.0)
        return flops / (self.settings.gpus * self.gpu.flops * share)

    def _network(self, batches: float, numbers_bytes: float) -> float:
        """Return the seconds in which every GPU receives or sends the whole model ``batches`` times.

        Args:
            batches: how often.
            numbers_bytes: bytes of each weight on its way.
        """
        run = self.settings
        # A group that shares the weights within a node never uses the slower network between nodes.
        inside = run.training.fsdp_size <= run.gpus_per_node
        speed = self.efficiency.network_inside if inside else self.efficiency.network_between
        sharded = run.training.fsdp_size > 1
        return batches * self.shape.parameters * numbers_bytes / speed if sharded else 0.0

    def _micro_batches(self, budget: int, parts: int) -> float:
        """Return the micro-batches of a GPU for the whole batch.

        Args:
            budget: tokens of a micro-batch.
            parts: mini-batches of the batch; each has at least one micro-batch.
        """
        tokens = self.responses * (self.prompt + self.lengths.mean) / (self.settings.gpus * parts)
        return parts * max(1.0, float(-(-tokens // budget)))

    def log_probabilities(self) -> float:
        """Return the seconds of one forward pass over the batch."""
        run = self.settings.training
        gathered = self._network(self._micro_batches(run.log_prob_tokens, 1), run.compute_bytes)
        # FSDP fetches the next layer's weights while this one computes, so that the slower of the two counts.
        return max(self._arithmetic(self.forward_flops()), gathered)

    def update(self) -> float:
        """Return the seconds of the optimiser updates of one step."""
        run = self.settings.training
        # A forward pass, a backward pass of twice its FLOPs, and with gradient checkpointing the forward pass once
        # more.
        passes = (3 + run.gradient_checkpointing) * self.settings.ppo_epochs
        parts = -(-self.settings.prompts // self.settings.mini_batch_prompts)
        batches = self._micro_batches(run.update_tokens, parts) * self.settings.ppo_epochs
        # Weights are gathered for the forward and again for the backward pass, and gradients are reduced.
        moved = self._network(batches, 2 * run.compute_bytes + run.reduce_bytes)
        return max(self._arithmetic(passes * self.forward_flops()), moved)

    def checkpoint(self) -> float:
        """Return the seconds to write or read one checkpoint."""
        return checkpoint_bytes(self.settings, self.shape) / self.efficiency.storage

    def counterfactual(self) -> float:
        """Return the seconds of a counterfactual at a step that has one: each arm updates from the same weights."""
        arm = self.update() + self.log_probabilities() + self.checkpoint()
        return self.settings.probe.counterfactual_arms * arm + self.checkpoint()


def _due(steps: int, every: int) -> int:
    """Return at how many of the steps something happens that happens every so many steps; 0 means never."""
    return steps // every if every else 0


def _probed(settings: PlannedRun) -> int:
    """Return the number of steps with a probe: its own, and those with a counterfactual, each counted once."""
    # A step that is due for both is probed once: inclusion and exclusion, with the least common multiple.
    own, other, steps = settings.probe.every, settings.probe.counterfactual_every, settings.steps
    both = _due(steps, lcm(own, other)) if own and other else 0
    return _due(steps, own) + _due(steps, other) - both


def _validations(settings: PlannedRun) -> int:
    """Return the number of validations: before the first step, every so many steps, and after the last."""
    if not settings.validation_every:
        return int(settings.validation_first)
    return int(settings.validation_first) + -(-settings.steps // settings.validation_every)


def _checkpoints(settings: PlannedRun) -> int:
    """Return the number of checkpoints that the run writes; the last step always writes one."""
    return -(-settings.steps // settings.save_every) if settings.save_every else 0
