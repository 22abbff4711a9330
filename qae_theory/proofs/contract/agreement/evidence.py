"""Claims `shipped-agrees-...`: each public function gives what its reference says, on the whole plan."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role, Step
from qae_theory.proofs.contract.agreement import groups, policies
from qae_theory.proofs.contract.agreement.comparison import Cell, agreement, planted
from qae_theory.proofs.contract.agreement.references import missing


class Tie(NamedTuple):
    """A public function with its plan; ``beyond`` is the size from which its planted fault sets in."""

    module: str
    function: str
    cells: Callable[[bool], tuple[Cell, ...]]
    beyond: int = 1000

    @property
    def shipped(self) -> Callable[..., Any]:
        """The function."""
        return getattr(import_module(f"qae_theory.{self.module}"), self.function)  # type: ignore[no-any-return]


TIES = (
    Tie("baselines", "quantile_baseline", groups.quantile_cells),
    Tie("advantages", "advantages", groups.advantage_cells),
    Tie("softmax", "probabilities", policies.probability_cells),
    Tie("softmax", "entropy", policies.entropy_cells),
    Tie("softmax", "self_covariance", policies.self_covariance_cells),
    Tie("softmax", "entropy_gradient", policies.gradient_cells),
    Tie("entropy_change", "response_curvatures", policies.curvature_cells),
)


def register(ledger: Ledger) -> None:
    """Add the agreement of each function."""
    for tie in TIES:
        step = Step(
            says=f"`{tie.function}` gives what its exact reference says, in every cell of the plan.",
            check=partial(_agrees, tie),
            planted=f"results that are 1e-6 too large, relatively, for sizes above {tie.beyond}",
            control=partial(_agrees_with_fault, tie),
            tie=True,
        )
        ledger.add(
            Evidence(f"shipped-agrees-{tie.function}", "plan", Kind.CERTIFICATE, Role.FOR, (step,), missing=missing)
        )


def _agrees(tie: Tie, effort: Effort) -> Finding:
    return agreement(tie.shipped, tie.cells(effort.quick))


def _agrees_with_fault(tie: Tie, effort: Effort) -> Finding:
    return agreement(planted(tie.shipped, beyond=tie.beyond), tie.cells(effort.quick))
