"""Name the arms and settings of the probes table, and tell which of a prompt's changes are compared.

``quantile-K``, ``mean`` and ``constant-b`` are baselines of the plain advantage r - b; ``qae-K`` and ``grpo`` divide
by the group's standard deviation as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from llm_validation.common.resampling import codes_of
from llm_validation.common.tables import Table, need
from qae_theory.arrays import Array
from qae_theory.checks import refuse

OTHERS = ("constant-0", "mean", "constant-1")  # baselines with which Prop. 4.2 compares the quantile
# The columns that make a setting. A table need not have a column with a default.
SETTING: Mapping[str, Any] = MappingProxyType(
    {
        "optimiser": None,
        "adam_eps": None,
        "updates": None,
        "clipped": None,
        "size": float("nan"),
        "rounding": "none",
        "hold_unsampled": False,
        "per_response": False,
    }
)
KEY = ("probe", "task", *SETTING, "prompt")


class Match(NamedTuple):
    """Hold rows of a table, two by two, ``[matches]`` each: the arm with the quantile and the other."""

    one: Array
    other: Array


class Pair(NamedTuple):
    """Hold an arm with the quantile and the arm that it is compared with.

    Attributes:
        quantile: the arm with the quantile.
        other: the other arm.
        k: the quantile's level K, as text.
        scaled: whether both divide by the standard deviation.
    """

    quantile: str
    other: str
    k: str
    scaled: bool

    @property
    def name(self) -> str:
        """Return the pair's name as it is shown."""
        return f"{self.quantile} - {self.other}"


def setting_names(table: Table) -> Array:
    """Return the setting of each row in words, ``[rows]``."""
    rows = len(table["optimiser"])
    columns = [table[name].tolist() if name in table else [default] * rows for name, default in SETTING.items()]
    name_of: dict[tuple[str, ...], str] = {}
    names = []
    for values in zip(*columns, strict=True):
        key = tuple(map(repr, values))  # text, because NaN is not equal to itself
        if key not in name_of:
            name_of[key] = setting_name(**dict(zip(SETTING, values, strict=True)))
        names.append(name_of[key])
    return np.array(names, dtype=np.str_)


def setting_name(
    optimiser: str,
    adam_eps: float,
    updates: int,
    *,
    clipped: bool,
    size: float = float("nan"),
    rounding: str = "none",
    hold_unsampled: bool = False,
    per_response: bool = False,
) -> str:
    """Return one setting in words; what is usual is left unsaid.

    >>> setting_name("adam", 1e-8, 16, clipped=True)
    'adam eps 1e-08, 16 updates, clipped'
    >>> setting_name("sgd", float("nan"), 1, clipped=False, size=0.1)
    'sgd, 1 update, no clipping, size 0.1'
    """
    rule = optimiser if optimiser == "sgd" else f"{optimiser} eps {adam_eps:g}"
    parts = [rule, f"{updates} update{'s' if updates != 1 else ''}", "clipped" if clipped else "no clipping"]
    if not isnan(size):
        parts.append(f"size {size:g}")
    if rounding != "none":
        parts.append(f"{rounding.replace('_', '-')} rounded")
    if hold_unsampled:
        parts.append("unsampled logits held")
    if per_response:
        parts.append("mean per response")
    return ", ".join(parts)


# The setting in which the paper's identity has the best chance: one gradient step that no optimiser and no clipping
# changes.
FAVOURABLE = setting_name("sgd", float("nan"), 1, clipped=False)


def pairs(arms: Array) -> list[Pair]:
    """Return the comparisons that Prop. 4.2 is about, among the arms that there are."""
    present = sorted(set(arms.tolist()))
    plain, scaled = [], []
    for arm in present:
        k = arm.partition("-")[2]
        if arm.startswith("quantile-"):
            plain += [Pair(arm, other, k, scaled=False) for other in OTHERS if other in present]
        if arm.startswith("qae-") and "grpo" in present:
            scaled.append(Pair(arm, "grpo", k, scaled=True))
    return plain + scaled


def matched(table: Table, compared: Sequence[Pair]) -> dict[Pair, Match]:
    """Return the rows of each pair's two arms that belong to the same prompt, probe and setting.

    Args:
        table: the probes table.
        compared: the pairs.

    Raises:
        ValueError: an arm has two rows for one prompt of one probe and setting.
    """
    need(table, (*(name for name in KEY if SETTING.get(name, None) is None), "arm"))
    key = _keys(table)
    rows = {arm: np.flatnonzero(table["arm"] == arm) for pair in compared for arm in (pair.quantile, pair.other)}
    for arm, of_arm in rows.items():
        if len(np.unique(key[of_arm])) < len(of_arm):
            refuse("table", f"arm {arm!r}", "one row for each arm, prompt, probe and setting")
    return {pair: _match(key, rows[pair.quantile], rows[pair.other]) for pair in compared}


def _match(key: Array, one: Array, other: Array) -> Match:
    """Return the rows of two arms whose keys are equal."""
    _, first, second = np.intersect1d(key[one], key[other], assume_unique=True, return_indices=True)
    return Match(one[first], other[second])


def _keys(table: Table) -> Array:
    """Return one integer for each distinct combination of the key's columns, ``[rows]``."""
    key = np.zeros(len(table["probe"]), dtype=np.int64)
    for name in KEY:
        if name not in table:
            continue
        codes, count = codes_of(table[name])
        key = key * count + codes
        _, key = np.unique(key, return_inverse=True)  # dense again, so that the product does not overflow
    return key
