"""Make the cells of the registry of estimators, and of the gate's two integer decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import partial
from typing import Any
from unittest import mock

import numpy as np

from qae_theory.advantages import _REGISTRY, estimator_names, get_estimator
from qae_theory.proofs.contract.agreement.comparison import Cell, Exactly, refusal
from qae_theory.proofs.contract.agreement.plan import forms
from qae_theory.proofs.contract.agreement.plan.kept import kept
from qae_theory.proofs.contract.agreement.references import reference


@kept
def name_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``estimator_names``: the names in the order of theory."""
    del quick
    return (Cell("the names", (), lambda: Exactly(tuple(reference("groups").ESTIMATORS))),)


@kept
def registration_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``register_estimator``; `registered` turns it into a function with a result."""
    del quick
    return tuple(_registrations())


def registered(register: Any) -> Any:
    """Return ``register_estimator`` as a function that shows what it has registered, in a registry of its own."""

    def shown(**given: Any) -> tuple[Any, ...]:
        with mock.patch.dict(_REGISTRY):
            before = estimator_names()
            result = register(**given)
            rule = get_estimator(given["name"])
            fields = (rule.name, rule.kernel, dict(rule.defaults), rule.binary_only, rule.least_group, rule.source)
            return (result, estimator_names() == (*before, given["name"]), *fields)

    return shown


def last_name_lost(names: Callable[[], tuple[str, ...]]) -> Callable[[], tuple[str, ...]]:
    """The last name is left out."""
    return lambda: names()[:-1]


def group_limit_lost(register: Callable[..., Any]) -> Callable[..., Any]:
    """The smallest group for which an estimator is defined is forgotten."""
    return lambda **given: register(**{name: value for name, value in given.items() if name != "least_group"})


def _kernel(rewards: Any, counts: Any, **options: Any) -> Any:
    del counts, options
    return rewards


def _registrations() -> Iterator[Cell]:
    tables: tuple[Mapping[str, Any], ...] = ({}, {"k": "0.4"}, {"k": 0.8, "std": "bessel", "eps": 10}, {"scale": 3})
    for number, (defaults, binary, least) in enumerate(
        (defaults, binary, least) for defaults in tables for binary in (False, True, None) for least in (1, 2, 64, None)
    ):
        given: dict[str, Any] = {"name": f"plan-{'x' * number}", "kernel": _kernel, "source": f"source {number}"}
        if defaults:
            given["defaults"] = defaults
        if binary is not None:
            given["binary_only"] = binary
        if least is not None:
            given["least_group"] = least
        kept = (given["name"], _kernel, dict(defaults), bool(binary), least or 1, given["source"])
        yield Cell(f"registration {given}", (), partial(_shown, kept), given)
    good = {"name": "plan", "kernel": _kernel, "source": "here"}
    for argument, bad in (("kernel", 5), ("source", ""), ("defaults", {"k": 7}), ("least_group", 0)):
        yield refusal(argument, **{**good, argument: bad})


def _shown(kept: tuple[Any, ...]) -> tuple[Exactly, ...]:
    return tuple(Exactly(part) for part in (None, True, *kept))


@kept
def rank_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``quantile_rank``: every size, levels on and off the edges."""
    cells = []
    for size in range(1, forms.LARGEST_GROUP + 1, 1 if not quick else 3):
        exact = [level.means for level in forms.LEVELS[size % 5 :: 5]]
        exact += [Fraction(j, size) for j in {1, size // 2, size - 1} if 0 < j < size]
        for k in exact:
            # K G is reached by this many rewards and by no fewer.
            rank = next(r for r in range(int(k * size), size + 1) if r >= k * size)
            cells.append(Cell(f"G = {size}, K = {k}", (size, k), partial(Exactly, rank)))
    return tuple(reversed(cells))


@kept
def hard_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``is_hard_group``: every m for G up to 64, the gate's edges beyond, arrays of m."""
    cells = []
    for size in (*range(1, 65), *(size for size in forms.GROUP_SIZES if size > 64)):
        edges = forms.levels_at_edge(size)
        levels = [*forms.LEVELS[size % 4 :: 4], *(edges[size % 3 :: 3] if quick else edges)]
        for level in levels:
            k = level.means
            edge = int(size * (1 - k))
            counts = range(size + 1) if size <= 64 else sorted({0, 1, edge - 1, edge, edge + 1, size - 1, size})
            counts = [m for m in counts if 0 <= m <= size]
            hard = np.array([Fraction(m, size) <= 1 - k for m in counts])
            cells.append(Cell(f"every m of G = {size}, K = {k}", (np.array(counts), size, k), partial(Exactly, hard)))
            m = counts[len(counts) // 2]
            one = partial(Exactly, Fraction(m, size) <= 1 - k)
            cells.append(Cell(f"m = {m}, G = {size}, K = {k}", (m, size, k), one))
    return tuple(reversed(cells))
