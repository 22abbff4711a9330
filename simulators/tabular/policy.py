"""Read a tabular policy: log-probabilities of nodes and responses, entropies, and what an update does to responses.

Logits are ``[..., Q, N, A]``: Q queries, N nodes of the response tree, A actions, one softmax for each node. All
entropies and log-probabilities are in nats.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qae_theory.arrays import Array
from qae_theory.softmax import expectation
from simulators.tabular import kernels
from simulators.tabular.trees import Tree


class Policy(NamedTuple):
    """Hold log-probabilities and probabilities of every node's actions, ``[..., Q, N, A]`` each."""

    log_probs: Array
    probs: Array


def policy(logits: Array) -> Policy:
    """Return the softmax at every node of logits ``[..., Q, N, A]``."""
    return Policy(*kernels.log_softmax(logits))


def response_log_probs(node_log_probs: Array, tree: Tree) -> Array:
    r"""Return the log-probability of every response, :math:`\log\pi(y) = \sum_t \log\pi(y_t \mid y_{<t})`.

    The sum runs over any values of cells, so that other functions pass derivatives of log-probabilities through it.

    Args:
        node_log_probs: ``[..., N, A]``.
        tree: the responses.

    Returns:
        ``[..., R]`` in nats.
    """
    if tree.is_bandit:
        return node_log_probs[..., 0, :]
    return np.asarray(token_values(node_log_probs, tree).sum(axis=-1))


def token_values(node_values: Array, tree: Tree) -> Array:
    """Return a value of each cell, read off along every response.

    Args:
        node_values: ``[..., N, A]``.
        tree: the responses.

    Returns:
        ``[..., R, T]``; 0 after the end of a response.
    """
    # A cell's number is node * A + action, which is its place once nodes and actions are one axis. Cells of -1 lie past
    # the end of a response; they read cell 0, and the mask replaces what they read.
    flat = node_values.reshape(*node_values.shape[:-2], -1)
    return np.where(tree.token_mask, flat[..., np.maximum(tree.cells, 0)], 0.0)


def sampled_token_values(node_values: Array, tree: Tree, responses: Array) -> Array:
    """Return a value of each cell, read off along the sampled responses.

    Args:
        node_values: ``[..., Q, N, A]``.
        tree: the responses that could be sampled.
        responses: those that were, ``[..., Q, G]``.

    Returns:
        ``[..., Q, G, T]``; 0 after the end of a response.
    """
    # A bandit's responses have one token, whose cells need no walk along the tree.
    if tree.is_bandit:
        return np.take_along_axis(node_values[..., 0, :], responses, axis=-1)[..., None]
    return np.take_along_axis(token_values(node_values, tree), responses[..., None], axis=-2)


def node_entropies(pi: Policy) -> Array:
    """Return the entropy of every node's distribution, ``[..., Q, N]`` in nats."""
    return -expectation(pi.probs, pi.log_probs)


def sequence_entropy(pi: Policy, tree: Tree) -> Array:
    r"""Return the entropy over responses, :math:`H = -\sum_y \pi(y)\log\pi(y)`, ``[..., Q]`` in nats."""
    log_probs = response_log_probs(pi.log_probs, tree)
    return -expectation(np.exp(log_probs), log_probs)


def token_entropy(pi: Policy, tree: Tree) -> Array:
    r"""Return the mean entropy of a sampled token, :math:`\sum_n v_n H_n / \sum_n v_n`.

    ``v_n`` is the probability that a response passes through node n and ``H_n`` the entropy of that node. This is what
    training logs call entropy: a mean over all tokens of a batch.

    Returns:
        ``[..., Q]`` in nats.
    """
    visits = node_visits(np.exp(response_log_probs(pi.log_probs, tree)), tree)
    return np.asarray((visits * node_entropies(pi)).sum(axis=-1) / visits.sum(axis=-1))


def node_visits(response_probs: Array, tree: Tree) -> Array:
    """Return the probability that a response passes through each node, ``[..., Q, R] -> [..., Q, N]``."""
    passes = np.zeros((tree.responses, tree.nodes))
    response_of_token, _ = np.nonzero(tree.token_mask)
    node_of_token = tree.cells[tree.token_mask] // tree.actions
    passes[response_of_token, node_of_token] = 1
    return np.asarray(response_probs @ passes)


def response_direction(direction: Array, pi: Policy, tree: Tree) -> Array:
    r"""Return the first-order change of every response's log-probability, :math:`\sum_t (d_{n_t, a_t} - E_{n_t}[d])`.

    For a bandit this is the direction less a constant, which no softmax can tell apart from the direction itself.

    Args:
        direction: on the logits, ``[..., N, A]``.
        pi: the policy at which the direction is taken.
        tree: the responses.

    Returns:
        ``[..., R]``, per unit step.
    """
    centred = direction - expectation(pi.probs, direction)[..., None]
    return response_log_probs(centred, tree)


def response_bend(direction: Array, pi: Policy, tree: Tree) -> Array:
    r"""Return the second derivative of response log-probabilities along a direction, :math:`-\sum_t Var_{n_t}(d)`.

    It is the same for all arms of a bandit and drops out there. On a tree it differs from response to response, because
    responses pass through different nodes.

    Args:
        direction: on the logits, ``[..., N, A]``.
        pi: the policy at which the derivative is taken.
        tree: the responses.

    Returns:
        ``[..., R]``, per unit step squared.
    """
    centred = direction - expectation(pi.probs, direction)[..., None]
    variance = expectation(pi.probs, centred**2)[..., None]
    return -response_log_probs(np.broadcast_to(variance, direction.shape), tree)
