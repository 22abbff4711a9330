"""What K does in one step: by hand, where it is there and where it is not."""

from __future__ import annotations

import numpy as np
import pytest

from llm_validation.common.resampling import Resampling
from llm_validation.study.analysis.adam_contrast import k_contrasts
from tests.llm_validation.study.analysis.synthetic import ADAM, SGD, probes


def test_the_contrast_by_hand() -> None:
    table = probes(np.random.default_rng(3), count=5, prompts=3)
    table["change"] += np.where(table["arm"] == "qae-0.8", 2.0, 0.0)
    (record,) = k_contrasts(table, Resampling(np.random.default_rng(0), resamples=400))
    t = {name: table[name].tolist() for name in ("probe", "prompt", "arm", "change", "sampled")}
    at = {key: i for i, key in enumerate(zip(t["probe"], t["prompt"], t["arm"], strict=True))}
    couples = [(i, at[probe, prompt, "qae-0.4"]) for (probe, prompt, arm), i in at.items() if arm == "qae-0.8"]
    differences = [t["change"][i] - t["change"][j] for i, j in couples]
    sizes = [(abs(t["change"][i]) + abs(t["change"][j])) / 2 for i, j in couples]
    assert record["pair"] == "qae-0.8 - qae-0.4"
    assert record["rows"] == len(couples) == 15
    # Sums of fifteen numbers of size one.
    assert record["contrast"]["change"]["estimate"] == pytest.approx(sum(differences) / 15, abs=1e-12)
    assert record["share"]["estimate"] == pytest.approx(sum(differences) / sum(sizes), abs=1e-12)
    sampled = sum(t["sampled"][i] - t["sampled"][j] for i, j in couples) / 15
    assert record["contrast"]["sampled"]["estimate"] == pytest.approx(sampled, abs=1e-12)


def test_a_contrast_that_is_there_is_seen_and_one_that_is_not_is_not() -> None:
    for shift in (0.0, 2.0):
        table = probes(np.random.default_rng(4), count=30, settings=(SGD, ADAM))
        table["change"] += np.where((table["arm"] == "qae-0.8") & (table["optimiser"] == "adam"), shift, 0.0)
        records = k_contrasts(table, Resampling(np.random.default_rng(0), resamples=400))
        by_rule = {one["optimiser"]: one["contrast"]["change"] for one in records}
        assert by_rule["sgd"]["low"] < 0 < by_rule["sgd"]["high"]
        assert (by_rule["adam"]["low"] > 0) == (shift > 0)
        assert {one["adam_eps"] for one in records} == {None, 1e-8}


def test_one_k_has_no_contrast() -> None:
    table = probes(np.random.default_rng(5), count=1, arms=("qae-0.4", "grpo"))
    assert k_contrasts(table, Resampling(np.random.default_rng(0))) == []
