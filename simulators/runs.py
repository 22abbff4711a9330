"""Tell the store of results which runs of ``qae simulate`` have a shipped configuration, and which code made them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from qae_theory.runs.store import Shipping


def shippings() -> Iterator[Shipping]:
    """Yield what each experiment ships.

    The entry-point group ``qae.runs`` names this function as provider ``simulators``.
    """
    from simulators.experiments import experiment_names

    for name in experiment_names():
        yield Shipping(experiment=name, size_of=partial(_shipped_size, name), modules=partial(_modules, name))


def _shipped_size(name: str, stored: Mapping[str, Any]) -> str | None:
    """Return ``quick`` or ``full`` where the stored configuration is exactly the shipped one of that size.

    Returns:
        The name of the size, or None for a configuration that was changed.
    """
    from simulators.experiments import get_experiment
    from simulators.settings import identity, shipped_config

    quick = bool(stored.get("quick"))
    experiment = get_experiment(name)
    wanted = identity(experiment, shipped_config(experiment, quick=quick), quick=quick)
    # The wanted configuration goes through JSON, so that tuples and lists compare equal as they do in a file.
    return ("quick" if quick else "full") if json.loads(json.dumps(wanted)) == stored else None


def _modules(name: str) -> tuple[str, ...]:
    """Return the modules that a run of the named experiment executes; nothing is imported before the store asks."""
    from simulators.experiments import MODULES
    from simulators.settings import modules

    return modules(MODULES[name])
