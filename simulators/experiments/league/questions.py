"""Draw the starts of the league: bandits, or token trees whose policies have exactly the success that was drawn."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from qae_theory.arrays import Array
from simulators.environments import environment
from simulators.tabular.groups import Generators
from simulators.tabular.policy import policy, response_log_probs
from simulators.tabular.trees import Tree, token_tree
from simulators.worlds import Start, World, random_bandits, success_probs


class Questions(World):
    """Describe a family of starts.

    On ``bandits`` a query has ``arms`` responses of one token. On ``trees`` it has all sequences of ``symbols`` that
    end within ``max_length`` tokens, and ``arms`` does not count. ``spread`` is the standard deviation of the logits,
    on trees of those at every node before success is set.
    """

    substrate: Literal["bandits", "trees"] = "bandits"
    symbols: Annotated[int, Field(ge=1)] = 3
    max_length: Annotated[int, Field(ge=1)] = 3


def starts(questions: Questions, rngs: Generators) -> Start:
    """Return one draw of the family for each seed, from that seed's generator alone.

    Args:
        questions: the family.
        rngs: S generators.

    Returns:
        The environment of all seeds, and logits ``[S, Q, n]`` of bandits or ``[S, Q, N, A]`` of trees.
    """
    if questions.substrate == "bandits":
        fields = {name: getattr(questions, name) for name in World.model_fields}
        return random_bandits(World(**fields), rngs)
    tree = token_tree(questions.symbols, questions.max_length)
    rewards, logits = zip(*(_random_tree(questions, tree, rng) for rng in rngs), strict=True)
    return Start(environment(tree, np.stack(rewards)), np.stack(logits))


def logits_of(response_probs: Array, tree: Tree) -> Array:
    r"""Return logits of the policy whose responses have these probabilities.

    A node's action has the logit :math:`\log\sum_y q(y)`, over the responses y that take the action there: the softmax
    of these is the conditional distribution of the next token.

    Args:
        response_probs: q, positive, ``[..., R]``.
        tree: the responses.

    Returns:
        ``[..., N, A]``.
    """
    takes = np.zeros((tree.responses, tree.nodes * tree.actions))
    response_of_token, _ = np.nonzero(tree.token_mask)
    takes[response_of_token, tree.cells[tree.token_mask]] = 1
    mass = response_probs @ takes
    return np.log(mass).reshape(*response_probs.shape[:-1], tree.nodes, tree.actions)


def _random_tree(questions: Questions, tree: Tree, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return rewards ``[Q, R]`` and logits ``[Q, N, A]`` of random queries."""
    p = success_probs(questions.difficulty, questions.queries, rng)[:, None]
    shape = (questions.queries, tree.responses)
    # Every query has at least one correct and one wrong response, so that no success is fixed at 0 or 1.
    count = np.clip(rng.binomial(tree.responses, questions.correct_share, questions.queries), 1, tree.responses - 1)
    correct = np.argsort(rng.random(shape), axis=-1) < count[:, None]
    drawn = questions.spread * rng.standard_normal((questions.queries, tree.nodes, tree.actions))
    before = np.exp(response_log_probs(policy(drawn).log_probs, tree))
    # Within correct and within wrong responses the drawn policy stays; only the share of the correct ones is set to p.
    share = (before * correct).sum(axis=-1, keepdims=True)
    probs = before * np.where(correct, p / share, (1 - p) / (1 - share))
    return correct.astype(np.float64), logits_of(probs, tree)
