"""Gather what an experiment needs before it costs anything: settings, nodes, memory and GPU hours, with formulas.

Each figure is computed elsewhere in this folder; how a plan is printed is in ``plan_view``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llm_validation.cluster.estimate.assumptions import CASES, REASONS, Reason
from llm_validation.cluster.estimate.cost import PHASES, Cost, Seconds, cost_of
from llm_validation.cluster.estimate.from_configuration import planned_run
from llm_validation.cluster.estimate.hardware import GIB, Gpu, gpu_named
from llm_validation.cluster.estimate.memory import Budget, Phase, budget_of
from llm_validation.cluster.estimate.model_sizes import ModelShape, shape_of
from llm_validation.cluster.estimate.planned_run import PlannedRun
from llm_validation.cluster.recipes.compose import describe
from llm_validation.cluster.recipes.sources import open_choices
from llm_validation.verl_engine.configuration.record import read
from qae_theory.runs.files import to_json


@dataclass(frozen=True)
class Plan:
    """Hold what is known of a run before it is launched.

    Attributes:
        experiment: name of the experiment.
        description: what it is for.
        differing: the settings that are not verl's own, by key.
        open_choices: what the paper leaves open, one sentence each.
        settings: the run's numbers.
        shape: the model's sizes.
        gpu: each of its GPUs.
        budget: its memory.
        costs: one for each mean response length, shortest first; none where vLLM does not start.
        assumed: the assumptions with their reasons, by name.
    """

    experiment: str
    description: str
    differing: Mapping[str, Any]
    open_choices: tuple[str, ...]
    settings: PlannedRun
    shape: ModelShape
    gpu: Gpu
    budget: Budget
    costs: tuple[Cost, ...]
    assumed: Mapping[str, Reason] = field(default_factory=dict)

    @property
    def gpu_hours(self) -> tuple[float, float, float] | None:
        """Return the GPU hours: the least, the central value and the most.

        The least are those of the cheap case at the shortest responses, the most those of the dear case at the
        longest.
        """
        if not self.costs:
            return None
        return self.costs[0].gpu_hours[0], self.costs[len(self.costs) // 2].gpu_hours[1], self.costs[-1].gpu_hours[2]

    def as_dict(self) -> dict[str, Any]:
        """Return the plan in JSON's types."""
        run = self.settings
        return {
            "experiment": self.experiment,
            "description": self.description,
            "settings": dict(self.differing),
            "open_choices": list(self.open_choices),
            "model": {
                "name": self.shape.name,
                "parameters": self.shape.parameters,
                "active_parameters": self.shape.active_parameters,
            },
            "nodes": {
                "nodes": run.nodes,
                "gpus_per_node": run.gpus_per_node,
                "gpus": run.gpus,
                "gpu": self.gpu.name,
                "gpu_memory_gib": self.gpu.memory_gib,
            },
            "memory": _memory(self.budget),
            "cost": {
                "gpu_hours": dict(zip(CASES, self.gpu_hours, strict=True)) if self.gpu_hours else None,
                "formulas": dict(PHASES),
                "by_response_tokens": [_cost(cost) for cost in self.costs],
            },
            "assumptions": {name: _reason(reason) for name, reason in self.assumed.items()},
        }

    def to_json(self) -> str:
        """Return the plan as JSON text."""
        return to_json(self.as_dict())


def plan(
    experiment: str,
    config: Any,
    *,
    gpu: Gpu | None = None,
    response_tokens: float | None = None,
    assumed: Mapping[str, float] | None = None,
    differing: Mapping[str, Any] | None = None,
) -> Plan:
    """Return the plan of a composed configuration.

    Args:
        experiment: name of the experiment.
        config: the result of ``compose``, or a plain nested mapping with verl's keys.
        gpu: each GPU; by default an H100.
        response_tokens: mean response length; by default a tenth, a fifth and two fifths of the longest.
        assumed: assumptions by name, the same for the cheap, the central and the dear case.
        differing: the settings that are not verl's own, to be shown.

    Raises:
        ValueError: an unknown experiment or model, settings that do not fit together, or an unknown assumption.
    """
    gpu, given, settings = gpu or gpu_named(), dict(assumed or {}), planned_run(read(config))
    shape = shape_of(settings.model)
    lengths = _lengths(settings, response_tokens, given)
    memory = budget_of(settings, shape, gpu=gpu, response_tokens=lengths[len(lengths) // 2])
    # A cost is a time, and a run whose vLLM does not start takes none.
    costs = [cost_of(settings, shape, gpu=gpu, response_tokens=length, **given) for length in lengths if memory.starts]
    reasons = dict(REASONS)
    for name, value in given.items():
        reasons[name] = Reason(cheap=value, central=value, dear=value, why="given")
    return Plan(
        experiment=experiment,
        description=describe(experiment),
        differing=dict(differing or {}),
        open_choices=tuple(open_choices(experiment)),
        settings=settings,
        shape=shape,
        gpu=gpu,
        budget=memory,
        costs=tuple(costs),
        assumed=reasons,
    )


def _lengths(settings: PlannedRun, response_tokens: float | None, given: Mapping[str, float]) -> tuple[float, ...]:
    """Return the mean response lengths that the plan is for, shortest first."""
    if response_tokens is not None:
        return (float(response_tokens),)
    if "length_share" in given:
        return (given["length_share"] * settings.max_response,)
    reason = REASONS["length_share"]
    return tuple(share * settings.max_response for share in (reason.cheap, reason.central, reason.dear))


def _reason(reason: Reason) -> dict[str, Any]:
    """Return an assumption's values and the reason for them in JSON's types."""
    return {**{case: getattr(reason, case) for case in CASES}, "why": reason.why}


def _memory(budget: Budget) -> dict[str, Any]:
    """Return the memory in JSON's types."""
    return {
        "fits": budget.fits,
        "problems": list(budget.problems),
        "saturates_first": budget.tightest.name,
        "saturates_first_of_actor": budget.tightest_of_actor.name,
        "gpu": [_phase(phase) for phase in budget.phases],
        "host": _phase(budget.host),
        "disk": _phase(budget.disk),
        "cache": {
            "bytes_per_token": budget.cache.bytes_per_token,
            "tokens": budget.cache.tokens,
            "full_sequences": budget.cache.full_sequences,
        },
    }


def _phase(phase: Phase) -> dict[str, Any]:
    """Return one phase of the memory in JSON's types."""
    parts = [{"name": part.name, "gib": part.bytes / GIB, "formula": part.formula} for part in phase.parts]
    return {"name": phase.name, "gib": phase.bytes / GIB, "parts": parts}


def _cost(cost: Cost) -> dict[str, Any]:
    """Return the cost at one response length in JSON's types."""
    return {"response_tokens": cost.response_tokens, "cases": [_case(case) for case in cost.cases]}


def _case(case: Seconds) -> dict[str, Any]:
    """Return the seconds of one case in JSON's types."""
    return {
        "case": case.case,
        "groups_per_kept": case.groups_per_kept,
        "at_once_in_a_replica": case.at_once,
        "seconds": dict(case.phases),
        "seconds_per_step": case.step,
        "hours": case.hours,
        "gpu_hours": case.gpu_hours,
    }
