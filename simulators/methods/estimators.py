"""Every estimator of ``qae_theory`` as a method: the advantage depends on the group's rewards alone."""

from __future__ import annotations

from functools import partial
from typing import Any

from qae_theory import advantages
from qae_theory.advantages import estimator_names, get_estimator, resolve_options
from simulators.methods.registry import Method, register_method

# DAPO's clip range for all, GRPO's own where its paper says so.
CLIPS = {"grpo": (0.2, 0.2), "dr_grpo": (0.2, 0.2), "rloo": (0.2, 0.2)}


def estimator_method(estimator: str, **options: Any) -> Method:
    """A method from an estimator of ``qae_theory`` and its options."""
    rule = get_estimator(estimator)
    low, high = CLIPS.get(estimator, (0.2, 0.28))
    return Method(
        name=estimator,
        source=rule.source,
        advantages=partial(advantages, estimator=estimator, **options),
        estimator=estimator,
        options=resolve_options(rule, options),
        clip_low=low,
        clip_high=high,
        binary_only=rule.binary_only,
    )


def register() -> None:
    """Register all of them under their own names, and DAPO, which is GRPO's advantage under clip-higher."""
    for name in estimator_names():
        rule = get_estimator(name)
        register_method(name, partial(estimator_method, name), source=rule.source, **rule.defaults)
    register_method("dapo", dapo, source="arXiv 2503.14476", **get_estimator("grpo").defaults)


def dapo(**options: Any) -> Method:
    """GRPO's advantage with clip .2/.28; dynamic sampling and the token mean are switches of the update."""
    grpo = estimator_method("grpo", **options)
    return Method("dapo", "arXiv 2503.14476", grpo.advantages, "grpo", grpo.options)
