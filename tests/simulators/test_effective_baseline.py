"""A rule's mean advantages of right and wrong responses, over all groups by plain loops."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from simulators.effective_baseline import effective_baseline
from simulators.methods import get_method
from tests.assertions import refuses

RULES: list[tuple[str, dict[str, Any]]] = [
    *(("qae", {"k": k}) for k in ("0.2", "0.4", "0.8")),
    *((name, {}) for name in ("grpo", "dr_grpo", "rloo", "psr", "nsr", "pos_mask", "neg_mask", "qae_linear", "dapo")),
    ("constant", {"baseline": 0.3}),
    ("w_reinforce", {"lam": 0.25}),
]


def mean_advantage(method: str, options: dict[str, Any], own: int, p: float, size: int) -> float:
    """E[A_1 | R_1 = own], the other rewards independent."""
    rule, total = get_method(method, **options), 0.0
    for others in product((0, 1), repeat=size - 1):
        weight = np.prod([p if r else 1 - p for r in others])
        total += float(weight * rule.advantages(np.array([own, *others], dtype=float))[0])
    return total


@pytest.mark.parametrize(("method", "options"), RULES)
@pytest.mark.parametrize("p", [0.1, 0.5, 0.85])
def test_advantages_are_the_gain_times_what_is_above_the_baseline(
    method: str, options: dict[str, Any], p: float
) -> None:
    found = effective_baseline(np.array(p), 5, method, **options)
    for own in (0, 1):
        expected = mean_advantage(method, options, own, p, 5)
        assert float(found.gain * (own - found.baseline)) == pytest.approx(expected, abs=1e-12)  # 32 terms
        assert abs(float(found.gain * (own - found.baseline - 0.01)) - expected) > 1e-3


def test_where_the_rules_lie() -> None:
    """GRPO on V itself; QAE near 0 on hard queries and near 1 on easy ones."""
    success = np.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(effective_baseline(success, 16, "grpo").baseline, success, atol=1e-12)
    qae = effective_baseline(success, 16, "qae", k="0.4").baseline
    assert qae[0] < 0.01
    assert qae[2] > 0.99


@pytest.mark.parametrize("method", ["no such", "a_grae", "clip_cov"])
def test_other_rules_are_refused(method: str) -> None:
    """Unknown; advantages that read other groups; weights on tokens besides its advantages."""
    refuses(lambda: effective_baseline(np.array(0.5), 4, method), "method", method)
