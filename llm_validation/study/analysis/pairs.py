"""The arms and settings of the probes table: their names, and which of a prompt's changes are compared.

``quantile-K``, ``mean`` and ``constant-b`` are baselines of the plain advantage r - b; ``qae-K`` and ``grpo`` divide by
the group's standard deviation as well.
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

OTHERS = ("constant-0", "mean", "constant-1")  # that Prop. 4.2 compares the quantile with
# What makes a setting; a table need not have the columns with a default.
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
    """Rows of a table, two by two, ``[matches]`` each: the arm with the quantile and the other."""

    one: Array
    other: Array


class Pair(NamedTuple):
    """An arm with the quantile at level ``k`` (as text) and the arm that it is compared with."""

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
    words: dict[tuple[str, ...], str] = {}
    named = []
    for values in zip(*columns, strict=True):
        key = tuple(map(repr, values))
        if key not in words:
            words[key] = setting_name(**dict(zip(SETTING, values, strict=True)))
        named.append(words[key])
    return np.array(named, dtype=np.str_)


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
    """Return one setting in words.

    >>> setting_name("adam", 1e-8, 16, clipped=True)
    'adam eps 1e-08, 16 updates, clipped'
    >>> setting_name("sgd", float("nan"), 1, clipped=False, size=0.1)
    'sgd, 1 update, no clipping, size 0.1'
    """
    rule = optimiser if optimiser == "sgd" else f"{optimiser} eps {adam_eps:g}"
    said = [rule, f"{updates} update{'s' if updates != 1 else ''}", "clipped" if clipped else "no clipping"]
    if not isnan(size):
        said.append(f"size {size:g}")
    if rounding != "none":
        said.append(f"{rounding.replace('_', '-')} rounded")
    if hold_unsampled:
        said.append("unsampled logits held")
    if per_response:
        said.append("mean per response")
    return ", ".join(said)


# Where the paper's identity has the best chance: the step that it is about, and nothing between it and the parameters.
FAVOURABLE = setting_name("sgd", float("nan"), 1, clipped=False)


def pairs(arms: Array) -> list[Pair]:
    """Return the comparisons that Prop. 4.2 is about, of the arms that there are."""
    there = sorted(set(arms.tolist()))
    plain = [(arm, other) for arm in there if arm.startswith("quantile-") for other in OTHERS if other in there]
    scaled = [(arm, "grpo") for arm in there if arm.startswith("qae-") and "grpo" in there]
    return [Pair(arm, other, arm.partition("-")[2], other == "grpo") for arm, other in [*plain, *scaled]]


def matched(table: Table, compared: Sequence[Pair]) -> dict[Pair, Match]:
    """Return the rows of each pair's two arms that belong to the same prompt, probe and setting, ``[matches]`` each.

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
    _, first, second = np.intersect1d(key[one], key[other], assume_unique=True, return_indices=True)
    return Match(one[first], other[second])


def _keys(table: Table) -> Array:
    """Return one integer for each distinct combination of the key's columns, ``[rows]``."""
    key = np.zeros(len(table["probe"]), dtype=np.int64)
    for name in (one for one in KEY if one in table):
        codes, count = codes_of(table[name])
        key = key * count + codes
        _, key = np.unique(key, return_inverse=True)  # dense again, so that the product does not overflow
    return key
