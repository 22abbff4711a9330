"""What the kit says of estimators in other places, pinned to the versions in which it was seen.

The page ``how-to/check-an-estimator.md`` tells the same; when one of these fails, the other code has changed.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest

from qae_theory.testing import check_estimator
from tests.qae_theory.testing import peers

EQUAL_IN_TRL = 1.191e-3  # each of six rewards of 1.2
EQUAL_IN_VERL = 0.10544


def failures(function: Any, name: str, **options: Any) -> dict[str, Any]:
    return {failure.clause.name: failure for failure in check_estimator(function, name, **options)}


@pytest.mark.torch
def test_torch_quantile_is_not_qae() -> None:
    """It interpolates: at K = .4 a group of two already has a baseline between its rewards."""
    found = failures(peers.torch_quantile, "qae", k="0.4")
    assert found.keys() == {"every m", "gate edges", "ragged groups", "shuffled ids", "float32", "penalties"}
    assert found["every m"].expected == pytest.approx((2, 0), rel=1e-5)
    assert found["every m"].found == pytest.approx((1.2, -0.8), rel=1e-5)


@pytest.mark.torch
def test_torch_quantile_as_the_released_code_has_it_passes_in_double_precision() -> None:
    """``qae_linear`` is that rule; in single precision ``torch.quantile`` rounds the position, within the tolerance."""
    import torch

    def linear(rewards: Any, ids: Any) -> Any:
        def rule(group: Any) -> Any:
            if group.max() == group.min():
                return torch.zeros_like(group)
            return (group - torch.quantile(group, 0.4)) / (group.std() + 1e-6)

        return peers.by_group(rule, torch.from_numpy(rewards), ids)

    assert failures(linear, "qae_linear", k="0.4").keys() <= {"float32"}


@pytest.mark.torch
def test_higher_is_not_the_order_statistic() -> None:
    found = failures(peers.torch_higher, "qae", k="0.4")
    assert {"every m", "gate edges", "float32"} <= found.keys()
    assert found["every m"].expected == pytest.approx((2, 0), rel=1e-5)
    assert found["every m"].found == pytest.approx((0, -2), rel=1e-5)


@pytest.mark.torch
def test_lower_is_not_either() -> None:
    found = failures(peers.torch_lower, "qae", k="0.4")
    assert found["every m"].expected == pytest.approx((0, 0, -2.12132), rel=1e-5)
    assert found["every m"].found == pytest.approx((2.12132, 2.12132, 0), rel=1e-5)


@pytest.mark.torch
def test_trls_arithmetic_gives_equal_rewards_an_advantage() -> None:
    found = failures(peers.trl_1_16, "grpo", std="bessel", eps=1e-4)
    assert found.keys() == {"equal rewards"}
    assert [float(reward) for reward in found["equal rewards"].case.rewards] == [1.2] * 6
    assert found["equal rewards"].found == pytest.approx([EQUAL_IN_TRL] * 6, rel=1e-3)


@pytest.mark.verl
@pytest.mark.parametrize("name", ["grpo", "grpo_vectorized"])
def test_verls_group_means(name: str) -> None:
    from verl.trainer.ppo.core_algos import get_adv_estimator_fn

    from llm_validation.verl_engine.estimator_adapter import from_verl

    assert version("verl") == "0.9.1"
    options = {"std": "bessel", "eps": 1e-6}
    found = failures(from_verl(get_adv_estimator_fn(name), **options), "grpo", **options)
    assert found.keys() == {"groups of one", "equal rewards"}
    assert found["groups of one"].found == pytest.approx([1.0], rel=1e-5)
    assert found["equal rewards"].found == pytest.approx([EQUAL_IN_VERL] * 6, rel=1e-3)


@pytest.mark.verl
@pytest.mark.parametrize("name", ["qae", "qae_linear", "pos_mask", "neg_mask"])
def test_the_plug_in_passes_through_verls_signature(name: str) -> None:
    from verl.trainer.ppo.core_algos import get_adv_estimator_fn

    from llm_validation.verl_engine.estimator_adapter import from_verl

    options = {"k": "0.4", "std": "bessel", "eps": 1e-6}
    assert failures(from_verl(get_adv_estimator_fn(name), **options), name, **options) == {}


@pytest.mark.verl
@pytest.mark.parametrize("ids", [[-1, -1], [-2, -2]])
def test_verls_vectorised_mean_takes_no_negative_ids(ids: list[int]) -> None:
    """Integer ids below 0 end in an IndexError or a ValueError there; comparisons draw ids that it accepts."""
    import numpy as np
    import torch
    from verl.trainer.ppo.core_algos import get_adv_estimator_fn

    rewards = torch.tensor([[1.0], [0.0]])
    with pytest.raises((IndexError, RuntimeError, ValueError)):
        get_adv_estimator_fn("grpo_vectorized")(
            token_level_rewards=rewards, response_mask=torch.ones_like(rewards), index=np.array(ids)
        )
