"""Make estimators with their options, as the cells of expectations have them, and the sizes that these meet."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from qae_theory.proofs.contract.agreement.plan import forms, groups
from qae_theory.proofs.contract.agreement.plan.forms import Level
from qae_theory.proofs.contract.agreement.references import reference

STDS = (None, "population", "bessel", "none")
SIZES_QUICK = (1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 20, 31, 32, 33, 50, 51, 63, 64, 65, 100, 127, 128, 129)
LARGE_QUICK = (1025, 511, 401, 257)
# Binomial weights of SciPy and sums of up to 4097 terms, relative to the largest advantage.
TOLERANCE = 1e-11

Options = tuple[tuple[str, Any], ...]


class Setting:
    """Hold an estimator with its options, as they are given and as the reference takes them."""

    def __init__(self, estimator: str, level: Level | None, std: str | None, eps: Any) -> None:
        """Leave out what is None and what the estimator does not have."""
        self.estimator, self.given = estimator, dict[str, Any]()
        exact = dict[str, Any]()
        if estimator in groups.GATED and level is not None:
            self.given["k"], exact["k"] = level
        if std is not None:
            self.given["std"] = exact["std"] = std
        if eps is not None:
            self.given["eps"], exact["eps"] = eps, Fraction(str(eps))
        self.exact: Options = tuple(sorted(exact.items()))

    @property
    def divides(self) -> bool:
        """Return whether the advantages are divided by a standard deviation."""
        std = self.given.get("std")
        return self.estimator in groups.STANDARDISED if std is None else std != "none"

    def __str__(self) -> str:
        """Return the estimator and its options as they are given."""
        return ", ".join([self.estimator, *(f"{name} = {x!r}" for name, x in self.given.items())])


def setting_of(number: int, estimator: str | None = None) -> Setting:
    """Return one setting after another, all estimators and options in turn.

    Args:
        number: how far the turn has gone.
        estimator: in the place of the one whose turn it is.
    """
    return Setting(
        estimator or groups.ESTIMATORS[number % len(groups.ESTIMATORS)],
        forms.LEVELS[(number * 5 + number // 9) % len(forms.LEVELS)] if number % 4 else None,
        STDS[(number // 2) % len(STDS)],
        groups.EPS[(number * 3) % len(groups.EPS)],
    )


def at_the_gate() -> Iterator[tuple[Setting, float, int]]:
    """Yield every level with a success probability near 1 - K, where most groups lie at the gate's edge."""
    yield Setting("qae", forms.level(0.8), "bessel", 0.1), 0.2, forms.LARGEST_GROUP
    for number, level in enumerate(forms.LEVELS):
        size = (10, 24, 51, 100, 20, 401, 7, 1000)[number % 8]
        setting = Setting(groups.GATED[number % 4], level, STDS[(number // 4) % len(STDS)], groups.EPS[number % 8])
        yield setting, min(max(float(1 - level.means), 0.02), 0.98), size


def sizes_of(quick: bool) -> tuple[int, ...]:
    """Return group sizes, one of the largest first."""
    return (*LARGE_QUICK[:1], *SIZES_QUICK, *LARGE_QUICK[1:]) if quick else tuple(reversed(forms.GROUP_SIZES))


def largest_advantage(size: int, setting: Setting) -> float:
    """Return the largest size of an advantage in any group of 0/1 rewards, which errors are relative to."""
    right, wrong = reference("expectations").outcome_advantages(size, setting.estimator, setting.exact)
    return float(max(map(abs, (*right, *wrong))))
