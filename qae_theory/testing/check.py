"""Try an estimator on the cases, against the exact rule, and say where it differs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from qae_theory.advantages import advantages, get_estimator, resolve_options
from qae_theory.arrays import Array
from qae_theory.checks import quantile_level, refuse
from qae_theory.testing.cases import Case, Clause, clauses

Function = Callable[[Array, Array], Any]

# How far an advantage may be from the exact one, relative to the greatest of its batch: some hundred roundings.
# Single precision loses more where a mean of large batches is taken; a wrong rule is off by a per cent or more.
RELATIVE = {"float64": 1e-12, "float32": 1e-5}
SHOWN = 16  # responses of a failing case that a message shows


class EstimatorError(AssertionError):
    """An estimator is not the rule that it is held to; the message has the smallest case of each kind of failure."""


@dataclass(frozen=True)
class Failure:
    """The smallest case of a clause at which an estimator differs.

    Attributes:
        clause: the kind of case.
        case: the batch.
        expected: the exact advantages, rounded to float64.
        found: what the estimator returned, or the error that it raised, as text.
    """

    clause: Clause
    case: Case
    expected: tuple[float, ...]
    found: tuple[float, ...] | str

    def __str__(self) -> str:
        """Return the failure in four lines."""
        found = self.found if isinstance(self.found, str) else _listed(self.found)
        return "\n".join(
            [
                f"{self.clause.name}: {self.clause.why}",
                f"  rewards   {_listed([float(reward) for reward in self.case.rewards])} ({self.case.dtype})",
                f"  group ids {_listed(self.case.group_ids)}",
                f"  exact     {_listed(self.expected)}",
                f"  found     {found}",
            ]
        )


def assert_estimator(f: Function, name: str, **options: Any) -> None:
    r"""Hold an estimator to the exact rule of that name.

    Args:
        f: takes rewards ``[B]`` (a NumPy array of float64 or float32) and group ids ``[B]`` (integers), and returns one
            advantage for each response, ``[B]``.
        name: the rule, one of ``qae_theory.estimator_names()``.
        **options: of the rule, as in :func:`qae_theory.advantages`; ``std="batch"`` divides by the standard deviation
            of the whole batch.

    Raises:
        EstimatorError: the estimator differs; the message has the smallest case of each kind of failure.
        ValueError: an unknown rule, or an option that it does not have.

    >>> import numpy as np
    >>> def grpo(rewards, group_ids):
    ...     advantages = np.zeros(len(rewards))
    ...     for group in set(group_ids):
    ...         rows = group_ids == group
    ...         if rewards[rows].max() > rewards[rows].min():
    ...             centred = rewards[rows] - rewards[rows].mean()
    ...             advantages[rows] = centred / (rewards[rows].std() + 1e-6)
    ...     return advantages
    >>> assert_estimator(grpo, "grpo", std="population")
    >>> try:
    ...     assert_estimator(grpo, "grpo", std="bessel")
    ... except EstimatorError as error:
    ...     print("\n".join(str(error).splitlines()[1:6]))
    every m: the rank of the quantile is off by one at some number of right responses
      rewards   [1, 0] (float64)
      group ids [0, 0]
      exact     [0.707106, -0.707106]
      found     [0.999998, -0.999998]
    """
    failures = check_estimator(f, name, **options)
    if failures:
        listed = "\n".join(map(str, failures))
        raise EstimatorError(f"the estimator is not {name!r}{_options_named(options)}; it fails at\n{listed}")


def check_estimator(f: Function, name: str, **options: Any) -> list[Failure]:
    """Return the smallest failure of each clause; none where the estimator is the exact rule.

    Args, and errors raised: as :func:`assert_estimator`.
    """
    if not callable(f):
        refuse("f", f, "a function of rewards and group ids")
    rule = get_estimator(name)
    batch_std = options.get("std") == "batch"
    settings = {**options, "std": "none"} if batch_std else options
    given = resolve_options(rule, settings)
    level = quantile_level(given["k"]) if "k" in given else Fraction(2, 5)
    chosen = [clause for clause in clauses() if clause.binary or not rule.binary_only]
    failures = (_smallest_failure(f, clause, level, name, settings, batch_std=batch_std) for clause in chosen)
    return [failure for failure in failures if failure is not None]


def exact_advantages(case: Case, name: str, options: Mapping[str, Any], *, batch_std: bool = False) -> list[float]:
    """Return the advantages of a case by the exact rule, each rounded once to float64.

    With ``batch_std`` the advantages of all groups are divided by Bessel's standard deviation of all rewards of the
    batch plus eps, and equal rewards have none, as ``std="batch"`` of :func:`qae_theory.advantages` has it.
    """
    exact: list[float] = [0.0] * len(case.rewards)
    least = get_estimator(name).least_group
    for group in sorted(set(case.group_ids)):
        places = [place for place, one in enumerate(case.group_ids) if one == group]
        of_group = [case.rewards[place] for place in places]
        if len(places) < least or (batch_std and len(set(of_group)) == 1):
            continue
        values = advantages(of_group, name, **options)
        for place, value in zip(places, values, strict=True):
            exact[place] = float(value)
    if not batch_std:
        return exact
    rewards = [float(reward) for reward in case.rewards]
    spread = float(np.std(rewards, ddof=1)) if len(rewards) > 1 else 0.0
    scale = spread + float(options.get("eps", 1e-6))
    return [value / scale if value else 0.0 for value in exact]  # an eps of 0 divides by 0 where all are alike


def _smallest_failure(
    f: Function, clause: Clause, level: Fraction, name: str, options: Mapping[str, Any], *, batch_std: bool
) -> Failure | None:
    for case in clause.cases(level):
        expected = exact_advantages(case, name, options, batch_std=batch_std)
        found = _called(f, case)
        if isinstance(found, str) or not _agrees(found, expected, case):
            return Failure(clause, case, tuple(expected), found)
    return None


def _called(f: Function, case: Case) -> tuple[float, ...] | str:
    """Return what the estimator returns for a case, or in words why it returned nothing that can be compared."""
    rewards = np.array([float(reward) for reward in case.rewards], dtype=case.dtype)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of 0/0 in a degenerate group, say: what counts is the result
            found = np.asarray(f(rewards, np.array(case.group_ids)), dtype=np.float64)
    except Exception as error:  # whatever the estimator's author has not thought of
        return f"raised {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    if found.shape != rewards.shape:
        return f"an array of shape {found.shape}; one advantage for each response is wanted, {rewards.shape}"
    return tuple(found.tolist())


def _agrees(found: Sequence[float], expected: Sequence[float], case: Case) -> bool:
    """Return whether each advantage is near the exact one.

    Where a group has no advantage, it must be 0 to within the rounding of its type. An estimator may work in single
    precision inside and return what it likes, so that float64 input is only held to float64's precision where it
    returns more than single precision can hold.
    """
    relative = RELATIVE[case.dtype]
    if case.dtype == "float64" and all(np.float64(np.float32(value)) == value for value in found):
        relative = RELATIVE["float32"]
    scale = max((abs(value) for value in expected), default=0.0)
    return all(
        np.isfinite(value) and abs(value - exact) <= relative * max(scale, 1.0)
        for value, exact in zip(found, expected, strict=True)
    )


def _listed(values: Sequence[float]) -> str:
    shown = ", ".join(f"{value:.6g}" for value in values[:SHOWN])
    return f"[{shown}{f', ... {len(values)} in all' if len(values) > SHOWN else ''}]"


def _options_named(options: Mapping[str, Any]) -> str:
    return f" with {', '.join(f'{key}={value!r}' for key, value in options.items())}" if options else ""
