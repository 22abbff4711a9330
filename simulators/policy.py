"""The tabular policy: log-probabilities of nodes and responses, entropies, and the update's effect on responses.

Logits are ``[..., Q, N, A]``: one softmax for each node of the tree of each query. Everything in nats.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qae_theory.arrays import Array
from qae_theory.softmax import expectation
from simulators import kernels
from simulators.trees import Tree


class Policy(NamedTuple):
    """Log-probabilities and probabilities of every node's actions, ``[..., Q, N, A]`` each."""

    log_probs: Array
    probs: Array


def policy(logits: Array) -> Policy:
    """Softmax at every node."""
    return Policy(*kernels.log_softmax(logits))


def response_log_probs(node_log_probs: Array, tree: Tree) -> Array:
    r"""Log-probability of every response, :math:`\sum_t \log\pi(y_t \mid y_{<t})`: ``[..., N, A] -> [..., R]``."""
    if tree.is_bandit:
        return node_log_probs[..., 0, :]
    return np.asarray(token_values(node_log_probs, tree).sum(axis=-1))


def token_values(node_values: Array, tree: Tree) -> Array:
    """A value of each cell read off along every response, ``[..., N, A] -> [..., R, T]``; 0 after a response's end."""
    flat = node_values.reshape(*node_values.shape[:-2], -1)
    return np.where(tree.token_mask, flat[..., np.maximum(tree.cells, 0)], 0.0)


def node_entropies(pi: Policy) -> Array:
    """Entropy of every node, ``[..., Q, N]``."""
    return -expectation(pi.probs, pi.log_probs)


def sequence_entropy(pi: Policy, tree: Tree) -> Array:
    """Entropy of the distribution over responses, ``[..., Q]``."""
    log_probs = response_log_probs(pi.log_probs, tree)
    return -expectation(np.exp(log_probs), log_probs)


def token_entropy(pi: Policy, tree: Tree) -> Array:
    r"""Mean entropy of a sampled token, :math:`\sum_n v_n H_n / \sum_n v_n`, v the visits of node n; ``[..., Q]``."""
    visits = node_visits(np.exp(response_log_probs(pi.log_probs, tree)), tree)
    return np.asarray((visits * node_entropies(pi)).sum(axis=-1) / visits.sum(axis=-1))


def node_visits(response_probs: Array, tree: Tree) -> Array:
    """Probability that a response passes through each node, ``[..., Q, R] -> [..., Q, N]``."""
    passes = np.zeros((tree.responses, tree.nodes))
    rows, _ = np.nonzero(tree.token_mask)
    passes[rows, tree.cells[tree.token_mask] // tree.actions] = 1
    return np.asarray(response_probs @ passes)


def response_direction(direction: Array, pi: Policy, tree: Tree) -> Array:
    r"""First-order change of every response's log-probability, :math:`\sum_t (d_{n_t, a_t} - E_{n_t}[d])`.

    ``[..., N, A] -> [..., R]``. For a bandit it is the direction less a constant, which no softmax can tell apart.
    """
    centred = direction - expectation(pi.probs, direction)[..., None]
    return response_log_probs(centred, tree)


def response_bend(direction: Array, pi: Policy, tree: Tree) -> Array:
    r"""Second derivative of every response's log-probability along the direction, :math:`-\sum_t Var_{n_t}(d)`.

    ``[..., N, A] -> [..., R]``. The same for all arms of a bandit; on a tree it differs from response to response.
    """
    centred = direction - expectation(pi.probs, direction)[..., None]
    variance = expectation(pi.probs, centred**2)[..., None]
    return -response_log_probs(np.broadcast_to(variance, direction.shape), tree)
