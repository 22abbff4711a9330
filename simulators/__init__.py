"""Softmax bandits and token trees that show which mechanism moves entropy.

NumPy with Numba kernels; torch only as an optional GPU back end. Imports ``qae_theory`` and no other sibling.
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
