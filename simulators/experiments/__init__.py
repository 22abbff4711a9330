"""Find the named experiments, which are loaded one at a time and only when asked for.

Each has a folder of its own: ``cells`` defines its ``EXPERIMENT``, ``analysis`` says what the records mean, and
``sizes.toml`` has the shipped settings of each size. ``common`` has what several of them need.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulators.experiments.base import Experiment

NAMES = (
    "ordering",
    "bounds",
    "paired",
    "k-sweep",
    "channels",
    "optimiser",
    "inner-epochs",
    "masks",
    "sparsity",
    "sign-split",
    "length",
    "second-order",
    "stale",
    "league",
    "steered-k",
    "ace-sweep",
)
MODULES = {name: f"{__name__}.{name.replace('-', '_')}.cells" for name in NAMES}


def experiment_names() -> tuple[str, ...]:
    """Return the names of the experiments whose modules are installed."""
    return tuple(name for name, module in MODULES.items() if find_spec(module) is not None)


def get_experiment(name: str) -> Experiment:
    """Return the experiment of that name; this imports its module.

    Raises:
        ValueError: there is none; the message lists those that exist.
    """
    if name not in experiment_names():
        raise ValueError(f"EXPERIMENT must be one of {', '.join(experiment_names())}; got {name!r}")
    experiment: Experiment = import_module(MODULES[name]).EXPERIMENT
    if experiment.name != name:
        raise ValueError(f"module {MODULES[name]} names its experiment {experiment.name!r}, not {name!r}")
    return experiment
