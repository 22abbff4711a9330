"""Every registered rule has a limit in which it is GRPO, or a reason why there is none, and each is checked.

``test_limits`` and the rules' own tests train remedies at their limits; here is what depends on rewards alone, and the
account of all rules. GRPO's eps is 0, so that factors are exact up to rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulators.methods import get_method, method_names
from tests.simulators.methods.test_limits import LIMITS

GROUPS = [np.array([1.0] * m + [0.0] * (size - m)) for size in (4, 5, 8) for m in range(1, size)]
# GRPO's advantages, up to a factor that depends on the group's size alone: it is a matter of the step size.
FACTORS: dict[str, tuple[dict[str, Any], Any]] = {
    "grpo": ({"eps": 0.0}, lambda size: 1.0),
    "dapo": ({"eps": 0.0}, lambda size: 1.0),
    "dr_grpo": ({"std": "population", "eps": 0.0}, lambda size: 1.0),
    "rloo": ({"std": "population", "eps": 0.0}, lambda size: size / (size - 1)),
    "backward_corrected": ({"false_positive": 0.0, "false_negative": 0.0, "eps": 0.0}, lambda size: 1.0),
}
# GRPO without its divisor, which the rule does not have.
UNDIVIDED: dict[str, dict[str, Any]] = {"asymre": {"shift": 0.0}, "ebpo": {"shrinkage": 0.0}, "james_stein": {}}
# Where the limit needs tokens, passes or memory, the tests of the rule itself have it.
ELSEWHERE = {
    "gspo": "the first pass (test_advantage_rules)",
    "clip_cov": "no covariance in its range (test_token_rules)",
    "kl_cov": "the first pass (test_covariance_and_entropy)",
    "less": "two responses and no recurring run (test_limits)",
    "disco": "groups with as many right as wrong, at twice the step (test_disco)",
    "grpo_lambda": "alpha = 0 (test_grpo_lambda)",
    "tilted_quantile": "no multiplier and no rate (steered/test_quantiles)",
    "adaptive_clip": "on-policy (test_adaptive_clip)",
}
# The baseline of these is never the mean, or one kind of response has another weight, whatever the options are.
NONE: dict[str, list[dict[str, Any]]] = {
    "qae": [{"k": "0.4"}, {"k": "0.5"}, {"k": "0.9"}],
    "qae_linear": [{"k": "0.4"}, {"k": "0.5"}, {"k": "0.9"}],
    "pos_mask": [{"k": "0.4"}, {"k": "0.9"}],
    "neg_mask": [{"k": "0.4"}, {"k": "0.9"}],
    "psr": [{}, {"std": "population"}],
    "nsr": [{}, {"std": "population"}],
    "constant": [{"baseline": 0.0}, {"baseline": 0.5}, {"baseline": 1.0}],
    "w_reinforce": [{"lam": 0.0}, {"lam": 0.1}, {"lam": 1.0}],
    "a_grae": [{"batch_success": 0.1}, {"batch_success": 0.5}, {"batch_success": 1.0}],
    "mc_grpo": [{"eps": 1e-6}, {"eps": 1.0}],
    "loo_quantile": [{"k": "0.4"}, {"k": "0.9"}],
    "batch_quantile": [{"k": "0.4"}, {"k": "0.9"}],
    "graded_qae": [{}],
    "forward_corrected": [{"false_negative": 0.0}, {"false_negative": 0.5}, {"false_negative": 1.0}],
    "qae_noisy": [{"k": "0.4"}, {"k": "0.9"}],
    "qae_schedule": [{}],
    "qae_steered": [{}],
    "streaming_quantile": [{}],
}


def grpo(rewards: Any) -> Any:
    return get_method("grpo", eps=0.0).advantages(rewards)


def multiples(name: str, options: dict[str, Any]) -> list[Any]:
    """The rule's advantages over GRPO's in every mixed group."""
    rule = get_method(name, **options).advantages
    return [rule(group[None])[0] / grpo(group) for group in GROUPS]


def is_grpo_in_every_group(found: list[Any]) -> bool:
    """Whether GRPO's advantages are met up to a factor that groups of one size share."""
    for size in {len(group) for group in GROUPS}:
        of_size = np.array([multiple for multiple, group in zip(found, GROUPS, strict=True) if len(group) == size])
        if not np.allclose(of_size, of_size.flat[0], rtol=1e-9):
            return False
    return True


def test_every_rule_is_accounted_for_once() -> None:
    named = [*LIMITS, *FACTORS, *UNDIVIDED, *ELSEWHERE, *NONE]
    assert sorted(named) == sorted(method_names())


@pytest.mark.parametrize("name", FACTORS)
def test_it_is_grpo_up_to_the_step_size(name: str) -> None:
    options, factor = FACTORS[name]
    for multiple, group in zip(multiples(name, options), GROUPS, strict=True):
        np.testing.assert_allclose(multiple, factor(len(group)), rtol=1e-12)
    assert is_grpo_in_every_group(multiples(name, options))


@pytest.mark.parametrize("name", UNDIVIDED)
def test_it_is_grpo_without_the_divisor(name: str) -> None:
    for group in GROUPS:
        found = get_method(name, **UNDIVIDED[name]).advantages(group[None])[0]
        np.testing.assert_allclose(found, grpo(group) * group.std(), rtol=1e-12)


@pytest.mark.parametrize("name", NONE)
def test_it_is_grpo_nowhere(name: str) -> None:
    for options in NONE[name]:
        assert not is_grpo_in_every_group(multiples(name, options)), options
