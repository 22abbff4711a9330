"""Softmax bandits and token trees that show which mechanism of an update moves the policy's entropy.

Everything is NumPy with Numba kernels; torch is an optional back end for a GPU. The package imports ``qae_theory`` and
none of the other packages of the project. Its public names are imported when they are first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulators.engine import initial_state, train, update_on_all_groups, update_once
    from simulators.environments import bandit, environment
    from simulators.tabular.trees import bandit_tree, token_tree
    from simulators.update import Update
    from simulators.worlds import World, random_bandits

__all__ = [
    "Update",
    "World",
    "bandit",
    "bandit_tree",
    "environment",
    "initial_state",
    "random_bandits",
    "token_tree",
    "train",
    "update_on_all_groups",
    "update_once",
]

# Numba takes a fifth of a second to import, which `qae --help` would pay on its way to `simulators.command`.
_MODULE_OF = {
    "Update": "update",
    "World": "worlds",
    "bandit": "environments",
    "bandit_tree": "tabular.trees",
    "environment": "environments",
    "initial_state": "engine",
    "random_bandits": "worlds",
    "token_tree": "tabular.trees",
    "train": "engine",
    "update_on_all_groups": "engine",
    "update_once": "engine",
}


def __getattr__(name: str) -> Any:
    """Return a public name from the module that defines it.

    Raises:
        AttributeError: the package has no such name.
    """
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names, and what the module holds already."""
    return sorted({*globals(), *__all__})
