"""Tell the store of results which studies have a shipped configuration, and which code made them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from qae_theory.runs.store import Shipping


def shippings() -> Iterator[Shipping]:
    """Yield what ``qae validate`` and ``qae cluster collect`` ship; a collected run has no shipped configuration."""
    yield Shipping(experiment="validate", size_of=_shipped_size, modules=lambda: ("llm_validation.study.run",))
    collect = ("llm_validation.cluster.collect.collect",)
    yield Shipping(experiment="cluster", size_of=None, modules=lambda: collect)


def _shipped_size(stored: Mapping[str, Any]) -> str | None:
    """Return the preset whose shipped configuration the stored one is exactly; None where it is none of them."""
    from llm_validation.study.settings import PRESETS, identity, shipped_config

    preset = stored.get("preset")
    if preset not in PRESETS:
        return None
    return str(preset) if identity(shipped_config(preset), preset) == stored else None
