"""Keep the cells of a plan for its control, and what was worked out for them.

All full plans together would fill more than 8 GB, so that one is kept at a time; all quick ones fill one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar, cast

from qae_theory.proofs.contract.agreement.comparison import Cell

Plan = Callable[[bool], tuple[Cell, ...]]
Given = ParamSpec("Given")
Found = TypeVar("Found")

_KEPT: dict[tuple[Plan, bool], tuple[Cell, ...]] = {}
_REMEMBERED: list[Any] = []


def kept(plan: Plan) -> Plan:
    """Return the plan as one whose cells are made once; the full ones are kept until another full plan is asked for."""

    @wraps(plan)
    def asked(quick: bool) -> tuple[Cell, ...]:
        if (plan, quick) not in _KEPT:
            if not quick:
                _forget()
            _KEPT[plan, quick] = plan(quick)
        return _KEPT[plan, quick]

    return asked


def remembered(function: Callable[Given, Found]) -> Callable[Given, Found]:
    """Return a function that works each result out once, as long as no other full plan is asked for."""
    memory = lru_cache(maxsize=None)(function)
    _REMEMBERED.append(memory)
    return cast("Callable[Given, Found]", memory)


def _forget() -> None:
    _KEPT.clear()
    for memory in _REMEMBERED:
        memory.cache_clear()
