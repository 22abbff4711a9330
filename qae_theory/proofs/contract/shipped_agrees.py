"""Show claims ``shipped-agrees-...``: each public function gives what its reference says, on the whole plan."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role, Step
from qae_theory.proofs.contract.agreement.comparison import Cell, agreement, planted
from qae_theory.proofs.contract.agreement.plan import (
    expectations,
    expected_changes,
    groups,
    objectives,
    policies,
    registry,
    safe_steps,
    steps,
    updates,
)
from qae_theory.proofs.contract.agreement.references import missing

Function = Callable[..., Any]


def as_it_is(function: Function) -> Function:
    """Return the function unchanged: its result can be compared as it is."""
    return function


class Tie(NamedTuple):
    """Hold a public function with its plan.

    ``beyond``: the size from which its planted fault sets in. ``seen_as`` turns the function into one whose result can
    be compared; ``fault``, where it stands, is the planted fault in place of the usual one.
    """

    module: str
    function: str
    cells: Callable[[bool], tuple[Cell, ...]]
    beyond: int = 1000
    seen_as: Callable[[Function], Function] = as_it_is
    fault: Callable[[Function], Function] | None = None

    @property
    def shipped(self) -> Function:
        """Return the function, as its plan calls it."""
        return self.seen_as(getattr(import_module(f"qae_theory.{self.module}"), self.function))

    @property
    def faulty(self) -> Function:
        """Return the function with its planted fault."""
        return planted(self.shipped, beyond=self.beyond) if self.fault is None else self.fault(self.shipped)

    @property
    def planted(self) -> str:
        """Return what the planted fault is, in words."""
        usual = f"results that are 1e-6 too large, relatively, for sizes above {self.beyond}"
        return usual if self.fault is None else " ".join((self.fault.__doc__ or "").split())


TIES = (
    Tie("baselines", "quantile_baseline", groups.quantile_cells),
    Tie("baselines", "quantile_rank", registry.rank_cells),
    Tie("baselines", "is_hard_group", registry.hard_cells),
    Tie("advantages", "advantages", groups.advantage_cells),
    Tie("advantages", "estimator_names", registry.name_cells, fault=registry.last_name_lost),
    Tie(
        "advantages",
        "register_estimator",
        registry.registration_cells,
        seen_as=registry.registered,
        fault=registry.group_limit_lost,
    ),
    Tie("softmax", "probabilities", policies.probability_cells),
    Tie("softmax", "entropy", policies.entropy_cells),
    Tie("softmax", "self_covariance", policies.self_covariance_cells),
    Tie("softmax", "entropy_gradient", policies.gradient_cells),
    Tie("updates", "update_direction", updates.cells),
    Tie("entropy_change", "entropy_change", steps.change_cells),
    Tie("entropy_change", "first_order_entropy_change", steps.first_order_cells),
    Tie("entropy_change", "second_order_entropy_change", steps.second_order_cells),
    Tie("entropy_change", "response_curvatures", policies.curvature_cells),
    Tie("entropy_change", "entropy_change_bounds", steps.bounds_cells),
    Tie("entropy_change", "entropy_change_enclosure", steps.enclosure_cells),
    Tie("entropy_change", "curvature_brackets", steps.bracket_cells),
    Tie("entropy_change", "safe_step_size", safe_steps.cells),
    Tie("group_expectation", "expected_gain", expectations.gain_cells),
    Tie("group_expectation", "outcome_advantages", expectations.table_cells),
    Tie("group_expectation", "advantage_moments", expectations.moment_cells),
    Tie("group_expectation", "expected_first_order_change", expected_changes.first_order_cells),
    Tie("group_expectation", "expected_second_order_change", expected_changes.second_order_cells),
    Tie("group_expectation", "expected_entropy_change", expected_changes.change_cells, beyond=50),
    Tie("objective", "clipped_surrogate", objectives.surrogate_cells),
    Tie("objective", "group_objective", objectives.group_objective_cells),
    Tie("objective", "query_weights", objectives.weight_cells),
    Tie("objective", "masked_objective", objectives.masked_objective_cells),
)


def register(ledger: Ledger) -> None:
    """Add the agreement of each function."""
    for tie in TIES:
        step = Step(
            says=f"`{tie.function}` gives what its exact reference says, in every cell of the plan.",
            check=partial(_agrees, tie),
            planted=tie.planted,
            control=partial(_agrees_with_fault, tie),
            tie=True,
        )
        claim = f"shipped-agrees-{tie.function}"
        ledger.add(Evidence(claim, "plan", Kind.CERTIFICATE, Role.FOR, (step,), missing=missing))


def _agrees(tie: Tie, effort: Effort) -> Finding:
    return agreement(tie.shipped, tie.cells(effort.quick))


def _agrees_with_fault(tie: Tie, effort: Effort) -> Finding:
    return agreement(tie.faulty, tie.cells(effort.quick))
