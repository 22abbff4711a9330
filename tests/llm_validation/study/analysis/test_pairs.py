"""Which arms are compared, in which setting, on which rows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from llm_validation.common.tables import take
from llm_validation.study.analysis.pairs import FAVOURABLE, KEY, Pair, matched, pairs, setting_name, setting_names
from tests.llm_validation.study.analysis.synthetic import ADAM, SGD, probes


def test_settings_in_words() -> None:
    table = probes(np.random.default_rng(0), count=1, prompts=1, settings=(SGD, ADAM), arms=("mean",))
    assert setting_names(table).tolist() == [FAVOURABLE, "adam eps 1e-08, 16 updates, clipped"]
    assert setting_name("sgd", float("nan"), 1, clipped=False) == FAVOURABLE
    listed = itertools.product(("sgd", "adam"), (1e-8, 1e-2), (1, 16), (True, False))
    names = [setting_name(rule, eps, updates, clipped=clipped) for rule, eps, updates, clipped in listed]
    assert len(set(names)) == 12  # SGD has no eps


def test_the_pairs_of_the_proposition() -> None:
    arms = np.array(["grpo", "qae-0.8", "mean", "quantile-0.2", "constant-1", "rloo"])
    assert pairs(arms) == [
        Pair("quantile-0.2", "mean", "0.2", scaled=False),
        Pair("quantile-0.2", "constant-1", "0.2", scaled=False),
        Pair("qae-0.8", "grpo", "0.8", scaled=True),
    ]
    assert pairs(np.array(["mean", "grpo"])) == []


def test_matches_rows_as_nested_loops_do() -> None:
    rng = np.random.default_rng(1)
    table = probes(rng, count=3, prompts=4, settings=(SGD, ADAM), tasks=("digits", "sums"))
    table = take(table, rng.permutation(len(table["arm"]))[:300])  # some rows have no partner
    pair = Pair("quantile-0.4", "mean", "0.4", scaled=False)
    keys = [tuple(repr(table[name][i]) for name in KEY if name in table) for i in range(300)]
    expected = {
        (i, j)
        for i, j in itertools.product(range(300), repeat=2)
        if table["arm"][i] == pair.quantile and table["arm"][j] == pair.other and keys[i] == keys[j]
    }
    found = matched(table, [pair])[pair]
    assert {*zip(found.one.tolist(), found.other.tolist(), strict=True)} == expected
    assert 0 < len(expected) < 3 * 4 * 4


def test_two_rows_for_one_prompt_are_refused() -> None:
    table = probes(np.random.default_rng(2), count=1, prompts=2)
    doubled = {name: np.concatenate([column, column]) for name, column in table.items()}
    with pytest.raises(ValueError, match=r"^table must be one row for each arm, prompt, probe and setting; got"):
        matched(doubled, pairs(doubled["arm"]))
