"""Advantages of provided rules in verl's form: ragged groups in any order, holes, and verl's own call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qae_theory import advantages
from qae_theory.advantages import provided_estimators

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("estimator", ["forward_corrected", "loo_quantile", "qae_noisy", "w_reinforce"])
def test_ragged_groups_in_any_order(estimator: str) -> None:
    import torch

    from llm_validation.verl_engine.provided_advantages import provided_advantages

    rng = np.random.default_rng(5)
    sizes = {"a": 5, ("b", 1): 3, 7: 1, "c": 8}
    ids = [name for name, size in sizes.items() for _ in range(size)]
    order = rng.permutation(len(ids))
    scores = rng.integers(0, 2, len(ids)).astype(float)
    scores[4] = np.nan
    index = [ids[row] for row in order]
    found = provided_advantages(torch.tensor(scores[order]), index, estimator=estimator, options={})
    back = np.empty(len(ids))
    back[order] = found.numpy()
    start = 0
    for size in sizes.values():
        group = scores[start : start + size]
        wanted = advantages(group[None], estimator, mask=~np.isnan(group)[None])[0] if size > 1 else np.zeros(1)
        np.testing.assert_array_equal(back[start : start + size], wanted)
        start += size


def test_type_and_emptiness_are_the_scores() -> None:
    import torch

    from llm_validation.verl_engine.provided_advantages import provided_advantages

    scores = torch.tensor([1.0, 0.0, 0.0], dtype=torch.bfloat16)
    found = provided_advantages(scores, [1, 1, 1], estimator="forward_corrected", options={"false_negative": 0.25})
    assert found.dtype == torch.bfloat16
    assert found.tolist() == [0.25, -0.75, -0.75]
    assert provided_advantages(scores[:0], [], estimator="forward_corrected", options={}).tolist() == []


@pytest.mark.verl
def test_verl_finds_every_provided_rule_and_its_options() -> None:
    import torch

    from llm_validation.verl_engine import plugin

    scores, ids = torch.tensor([1.0, 0.0, 0.0, 1.0, 1.0]), ["a", "a", "a", "b", "b"]
    for name in provided_estimators():
        wanted: list[Any] = [*advantages([1, 0, 0], name), *advantages([1, 1], name)]
        found = plugin.advantages_of(scores, ids, {"adv_estimator": name})
        # mc_grpo divides by its eps of 1e-6: one rounding to float32.
        np.testing.assert_allclose(found.numpy(), np.array(wanted), rtol=2**-23)
    config = {"adv_estimator": "forward_corrected", "rule": {"false_negative": 0.25}}
    assert plugin.advantages_of(scores, ids, config).tolist() == [0.25, -0.75, -0.75, 0.25, 0.25]
    with pytest.raises(ValueError, match="false_negative"):
        plugin.advantages_of(scores, ids, {**config, "rule": {"false_negative": 2.0}})
