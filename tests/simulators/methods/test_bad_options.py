"""Token rules and regularisers refuse options out of their range, and name them."""

from __future__ import annotations

from typing import Any

import pytest

from simulators.methods import get_method
from tests.assertions import refuses

BAD: list[tuple[str, str, Any]] = [
    ("high_entropy", "normaliser", "some"),
    ("clip_range", "low", 1.1),
    ("clip_range", "low", -0.1),
    ("clip_range", "high", -0.1),
    ("clip_range", "high", float("nan")),
    ("ace", "alpha", -1.0),
    ("ace", "alpha", float("inf")),
    ("ace", "length_normalised", 1),
    ("stapo", "rare", 1.5),
    ("stapo", "level", -0.1),
    ("stapo", "normaliser", None),
    ("oar", "level", 1.1),
    ("oar", "beta", -1.0),
    ("oar", "mean_one", "yes"),
    ("less", "level", 2.0),
    ("less", "least_run", 0),
    ("less", "least_run", True),
    ("less", "least_run", 2.5),
    ("disco", "score", "L"),
    ("disco", "tau", 0.0),
    ("disco", "tau", float("nan")),
    ("disco", "beta", -1.0),
    ("disco", "delta", -1e-4),
    ("entropy_bonus", "coefficient", -0.01),
    ("adaptive_entropy", "target", -0.2),
    ("adaptive_entropy", "delta", -0.005),
    ("adaptive_entropy", "coefficient", 1.5),
    ("adaptive_entropy", "least", -1.0),
    ("adaptive_entropy", "most", -1.0),
    ("aer", "tau", -1.0),
    ("aer", "gain", float("inf")),
    ("aer", "spread", 1.5),
    ("kl_penalty", "beta", -0.04),
    ("trajectory_entropy", "share", -1.0),
    ("trajectory_entropy", "rate", -1.0),
    ("dph_rl", "divergence", "reverse"),
    ("dph_rl", "divergence", ["forward"]),
    ("dph_rl", "coefficient", -0.01),
    ("dph_rl", "alpha", 0.0),
    ("dph_rl", "alpha", 1.0),
    ("dph_rl", "samples", 0),
    ("dph_rl", "samples", True),
]


@pytest.mark.parametrize(("name", "option", "value"), BAD)
def test_bad_options_are_refused_by_name(name: str, option: str, value: Any) -> None:
    refuses(lambda: get_method(name, **{option: value}), option, value)


@pytest.mark.parametrize("name", sorted({name for name, _, _ in BAD} - {"disco"}))
def test_options_of_grpo_are_grpo_s(name: str) -> None:
    refuses(lambda: get_method(name, std="sample"), "std", "sample")
    assert get_method(name, std="none").options == {"std": "none", "eps": 1e-6}
