"""Make every estimator of ``qae_theory`` a method whose advantage depends on the group's rewards alone."""

from __future__ import annotations

from functools import partial
from typing import Any

from qae_theory import advantages
from qae_theory.advantages import estimator_names, get_estimator, resolve_options
from simulators.methods.model.registry import Method, register_method

# These papers use PPO's symmetric range. All other estimators get DAPO's, in which QAE was published.
CLIPS = {"grpo": (0.2, 0.2), "dr_grpo": (0.2, 0.2), "rloo": (0.2, 0.2)}
DAPO_CLIP = (0.2, 0.28)


def estimator_method(estimator: str, **options: Any) -> Method:
    """Return the method that an estimator of ``qae_theory`` is with these options.

    Args:
        estimator: a name in the estimators' registry.
        **options: the estimator's own options.

    Raises:
        ValueError: there is no such estimator, or it has no such option.
    """
    rule = get_estimator(estimator)
    low, high = CLIPS.get(estimator, DAPO_CLIP)
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
    """Register all estimators under their own names, and DAPO, which is GRPO's advantage under clip-higher."""
    for name in estimator_names():
        # The registry of ``qae_theory`` may have estimators of other packages, which become methods too.
        rule = get_estimator(name)
        register_method(name, partial(estimator_method, name), source=rule.source, **rule.defaults)
    register_method("dapo", dapo, source="arXiv 2503.14476", **get_estimator("grpo").defaults)


def dapo(**options: Any) -> Method:
    """Return GRPO's advantage with the clip range .2/.28 of DAPO.

    Dynamic sampling and the token mean, which DAPO has too, are switches of the update.

    Source: arXiv 2503.14476.
    """
    grpo = estimator_method("grpo", **options)
    low, high = DAPO_CLIP
    return Method(
        name="dapo",
        source="arXiv 2503.14476",
        advantages=grpo.advantages,
        estimator="grpo",
        options=grpo.options,
        clip_low=low,
        clip_high=high,
    )
