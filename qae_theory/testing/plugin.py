"""The pytest plugin: a fixture with which a trainer's own tests hold its estimator to the exact rule.

def test_our_qae(assert_estimator):
assert_estimator(our_advantages, "qae", k="0.4", std="bessel")
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(name="assert_estimator")
def _assert_estimator() -> Callable[..., None]:
    """Return :func:`qae_theory.testing.assert_estimator`, which is imported only when it is asked for."""
    from qae_theory.testing import assert_estimator

    def hold(f: Callable[..., Any], name: str, **options: Any) -> None:
        __tracebackhide__ = True
        assert_estimator(f, name, **options)

    return hold
