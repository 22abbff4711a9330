"""Softmax bandits and token trees that show which mechanism of an update moves the policy's entropy.

Everything is NumPy with Numba kernels; torch is an optional back end for a GPU. The package imports ``qae_theory`` and
none of the other packages of the project.
"""

from simulators.engine import initial_state, train, update_on_all_groups, update_once
from simulators.environments import bandit, environment
from simulators.trees import bandit_tree, token_tree
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
