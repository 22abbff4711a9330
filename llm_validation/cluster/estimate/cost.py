"""GPU hours of a run: generation, log-probabilities, update, probe, validation and checkpoints, each with its formula.

Always an interval: the cheap and the dear end have every assumption at its own end at once.
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
    """Seconds of a training step by phase, rare phases spread over all steps, in one case."""

    case: str
    response_tokens: float
    groups_per_kept: float
    """Groups generated for each that is trained on."""
    at_once: float
    """Responses that a replica generates at once: vLLM's limit, what its cache holds, or all that it has."""
    phases: Mapping[str, float]
    gpus: int
    steps: int

    @property
    def step(self) -> float:
        """Seconds of a step, all phases together."""
        return sum(self.phases.values())

    @property
    def gpu_hours(self) -> float:
        """GPU hours of the run."""
        return self.step * self.steps * self.gpus / 3600

    @property
    def hours(self) -> float:
        """Hours of the run by the clock."""
        return self.step * self.steps / 3600


@dataclass(frozen=True)
class Cost:
    """A run's cost at one mean response length: cheap, central, dear."""

    response_tokens: float
    cases: tuple[Seconds, Seconds, Seconds]

    @property
    def central(self) -> Seconds:
        """The case in the middle."""
        return self.cases[1]

    @property
    def gpu_hours(self) -> tuple[float, float, float]:
        """GPU hours: cheap, central, dear."""
        cheap, central, dear = (case.gpu_hours for case in self.cases)
        return cheap, central, dear


def gpu_hours(
    config: Any, shape: ModelShape, *, gpu: Gpu | None = None, response_tokens: float | None = None, **given: float
) -> Cost:
    """The cost of a configuration; see :func:`cost_of`."""
    return cost_of(planned_run(read(config)), shape, gpu=gpu or gpu_named(), response_tokens=response_tokens, **given)


def cost_of(
    settings: PlannedRun, shape: ModelShape, *, gpu: Gpu, response_tokens: float | None = None, **given: float
) -> Cost:
    """The cost of a run at one mean response length.

    Args:
        settings: the run.
        shape: the model.
        gpu: each of its GPUs.
        response_tokens: mean length; the central assumption if not given.
        given: assumptions by name, the same in all three cases.
    """
    mean = (
        efficiency("central", **given).length_share * settings.max_response
        if response_tokens is None
        else response_tokens
    )
    cheap, central, dear = (seconds(settings, shape, gpu, case, float(mean), **given) for case in CASES)
    return Cost(float(mean), (cheap, central, dear))


def seconds(
    settings: PlannedRun, shape: ModelShape, gpu: Gpu, case: str, response_tokens: float, **given: float
) -> Seconds:
    """Seconds of a step in one case."""
    share = efficiency(case, **given)
    step = _Step(settings, shape, gpu, share, Lengths(response_tokens, float(settings.max_response), share.cut_share))
    phases = {
        "generation": step.generation(),
        "log-probabilities": step.log_probabilities()
        * (settings.training.recomputes_log_probs + settings.training.reference_model),
        "update": step.update(),
        "probe": step.log_probabilities() * _probed(settings) / settings.steps,
        "counterfactual": step.counterfactual()
        * _due(settings.steps, settings.probe.counterfactual_every)
        / settings.steps,
        "validation": step.validation() * _validations(settings) / settings.steps,
        "checkpoints": step.checkpoint() * _checkpoints(settings) / settings.steps,
        "other": step.efficiency.step_overhead,
    }
    return Seconds(case, response_tokens, step.groups_per_kept, step.at_once(), phases, settings.gpus, settings.steps)


@dataclass(frozen=True)
class _Step:
    settings: PlannedRun
    shape: ModelShape
    gpu: Gpu
    efficiency: Efficiency
    lengths: Lengths

    @property
    def prompt(self) -> float:
        return min(self.efficiency.prompt_tokens, float(self.settings.max_prompt))

    @property
    def responses(self) -> float:
        return float(self.settings.prompts * self.settings.responses_per_prompt)

    @property
    def groups_per_kept(self) -> float:
        run = self.settings
        if not run.dynamic_sampling:
            return 1.0
        share = beta_degenerate_share(self.efficiency.success_shape, run.responses_per_prompt)
        return generation_factor(share, refill=run.refill, inflight_batches=run.inflight_batches)

    @property
    def replica(self) -> Replica:
        run = self.settings.rollout
        held = cache(self.settings, self.shape, self.gpu).tokens
        if held < 1:
            refuse("gpu_memory", self.gpu.memory_gib, "enough for vLLM's weights and one token of its cache")
        return Replica(
            self.shape, self.gpu, self.efficiency, run.tensor_parallel, run.max_num_seqs, held, run.weight_bytes
        )

    def at_once(self) -> float:
        """Responses that a replica generates at once."""
        own = self.responses * self.groups_per_kept / self.settings.replicas
        return min(slots(self.replica, self.lengths, self.prompt), own)

    def generation(self) -> float:
        """Seconds to generate the groups of a step, those thrown away included."""
        prompts = self.settings.prompts * self.groups_per_kept
        read = 1 if self.settings.prefix_caching else self.settings.responses_per_prompt
        return self._generate(prompts * self.settings.responses_per_prompt, prompts * read)

    def validation(self) -> float:
        """Seconds of one validation."""
        count = self.efficiency.questions * self.settings.validation_samples
        return self._generate(count, self.efficiency.questions if self.settings.prefix_caching else count)

    def _generate(self, responses: float, prompts: float) -> float:
        replica, copies = self.replica, self.settings.replicas
        decoding = batch_seconds(replica, responses / copies, self.lengths, self.prompt, of=responses)
        return decoding + prefill_seconds(replica, prompts / copies, self.prompt)

    def forward_flops(self) -> float:
        """FLOPs of one forward pass over the training batch: each token attends to half its sequence on average."""
        tokens = self.responses * (self.prompt + self.lengths.mean)
        squares = self.responses * self.lengths.square_with_prompt(self.prompt)
        return 2.0 * self.shape.matrix_parameters * tokens + 2.0 * self.shape.layers * self.shape.query_width * squares

    def _arithmetic(self, flops: float) -> float:
        share = self.efficiency.arithmetic / (self.efficiency.experts_slowdown if self.shape.experts else 1.0)
        return flops / (self.settings.gpus * self.gpu.flops * share)

    def _network(self, batches: float, numbers_bytes: float) -> float:
        """Seconds in which every GPU receives or sends the whole model so often."""
        run = self.settings
        inside = run.training.fsdp_size <= run.gpus_per_node
        speed = self.efficiency.network_inside if inside else self.efficiency.network_between
        sharded = run.training.fsdp_size > 1
        return batches * self.shape.parameters * numbers_bytes / speed if sharded else 0.0

    def _micro_batches(self, budget: int, parts: int) -> float:
        """Micro-batches of a GPU for the whole batch, cut into ``parts`` mini-batches; each has at least one."""
        tokens = self.responses * (self.prompt + self.lengths.mean) / (self.settings.gpus * parts)
        return parts * max(1.0, float(-(-tokens // budget)))

    def log_probabilities(self) -> float:
        """Seconds of one forward pass over the batch."""
        run = self.settings.training
        gathered = self._network(self._micro_batches(run.log_prob_tokens, 1), run.compute_bytes)
        return max(self._arithmetic(self.forward_flops()), gathered)

    def update(self) -> float:
        """Seconds of the optimiser updates of one step."""
        run = self.settings.training
        passes = (3 + run.gradient_checkpointing) * self.settings.ppo_epochs
        parts = -(-self.settings.prompts // self.settings.mini_batch_prompts)
        batches = self._micro_batches(run.update_tokens, parts) * self.settings.ppo_epochs
        moved = self._network(batches, 2 * run.compute_bytes + run.reduce_bytes)
        return max(self._arithmetic(passes * self.forward_flops()), moved)

    def checkpoint(self) -> float:
        """Seconds to write or read one checkpoint."""
        return checkpoint_bytes(self.settings, self.shape) / self.efficiency.storage

    def counterfactual(self) -> float:
        """Seconds for the other arms' updates from the same weights, where a step has them."""
        arm = self.update() + self.log_probabilities() + self.checkpoint()
        return self.settings.probe.counterfactual_arms * arm + self.checkpoint()


def _due(steps: int, every: int) -> int:
    """Steps of a run at which something happens that happens at every so many; 0 is never."""
    return steps // every if every else 0


def _probed(settings: PlannedRun) -> int:
    """Steps with a probe: its own, and those with a counterfactual."""
    own, other, steps = settings.probe.every, settings.probe.counterfactual_every, settings.steps
    both = _due(steps, lcm(own, other)) if own and other else 0
    return _due(steps, own) + _due(steps, other) - both


def _validations(settings: PlannedRun) -> int:
    """Before the first step, at every so many steps, and after the last."""
    if not settings.validation_every:
        return int(settings.validation_first)
    return int(settings.validation_first) + -(-settings.steps // settings.validation_every)


def _checkpoints(settings: PlannedRun) -> int:
    return -(-settings.steps // settings.save_every) if settings.save_every else 0
