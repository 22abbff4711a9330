"""The experiments' configurations, each composed once for all tests of a process."""

from __future__ import annotations

from functools import cache
from typing import Any

from llm_validation.cluster.recipes.compose import compose, compose_verl
from llm_validation.cluster.recipes.sources import leaves


@cache
def composed(experiment: str) -> Any:
    """Shared: not to be changed."""
    return compose(experiment)


@cache
def stock() -> Any:
    """verl's own configuration."""
    return compose_verl()


def resolved(config: Any) -> dict[str, Any]:
    """The leaves of a configuration as verl resolves them."""
    from omegaconf import OmegaConf

    return leaves(OmegaConf.to_container(config, resolve=True))
