"""Which runs of ``qae simulate`` have a shipped configuration, and which code made them: for the store of results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from qae_theory.runs.store import Shipping


def shippings() -> Iterator[Shipping]:
    """Yield what each experiment ships; provider ``simulators`` of the entry-point group ``qae.runs``."""
    from simulators.experiments import experiment_names

    for name in experiment_names():
        yield Shipping(experiment=name, size_of=partial(_shipped_size, name), modules=partial(_modules, name))


def _shipped_size(name: str, stored: Mapping[str, Any]) -> str | None:
    """Return ``quick`` or ``full`` where the stored configuration is exactly the shipped one of that size."""
    from simulators.experiments import get_experiment
    from simulators.settings import identity, shipped_config

    quick = bool(stored.get("quick"))
    experiment = get_experiment(name)
    wanted = identity(experiment, shipped_config(experiment, quick=quick), quick=quick)
    return ("quick" if quick else "full") if json.loads(json.dumps(wanted)) == stored else None


def _modules(name: str) -> tuple[str, ...]:
    from simulators.experiments import MODULES
    from simulators.settings import modules

    return modules(MODULES[name])
