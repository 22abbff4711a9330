"""A small autoregressive policy as a tree of contexts, in exact arithmetic: entropies and their two derivatives.

A context has logits over its tokens, a direction for them, and what follows each token: another context, or the end.
Everything is computed by the shipped functions of one softmax, context by context.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sympy

from qae_theory.entropy_change import first_order_entropy_change
from qae_theory.proofs.carriers.formulas import expression, expressions, formulas
from qae_theory.softmax import covariance, entropy, log_softmax, probabilities


@dataclass(frozen=True)
class Context:
    """One context: logits and direction of its tokens, and the context after each token (None: the response ends)."""

    logits: tuple[Any, ...]
    direction: tuple[Any, ...]
    after: tuple[Context | None, ...]

    def moved(self, step: Any) -> Context:
        """Return the tree with all logits moved by ``step`` along their directions."""
        logits = tuple(z + step * d for z, d in zip(self.logits, self.direction, strict=True))
        after = tuple(None if child is None else child.moved(step) for child in self.after)
        return Context(logits, self.direction, after)


def context(logits: str, direction: str, *after: Context | None) -> Context:
    """Return a context from words: ``context("1 2", "0 1")`` has the logits log 1 and log 2 and then ends."""
    weights = tuple(sympy.log(sympy.Integer(word)) for word in logits.split())
    pushes = tuple(sympy.Rational(word) for word in direction.split())
    return Context(weights, pushes, after or (None,) * len(weights))


def log_probs_of_responses(tree: Context) -> Iterator[Any]:
    """Yield the logarithm of each response's probability, the sum of its tokens'."""
    for log_prob, child in zip(expressions(log_softmax(formulas(tree.logits))), tree.after, strict=True):
        if child is None:
            yield log_prob
        else:
            for rest in log_probs_of_responses(child):
                yield log_prob + rest


def sequence_entropy(tree: Context) -> Any:
    """Return the entropy of whole responses: the shipped entropy of the policy over them."""
    return expression(entropy(formulas(log_probs_of_responses(tree))))


def future_entropy(tree: Context | None) -> Any:
    """Return the entropy of all tokens from this context on."""
    return sympy.Integer(0) if tree is None else sequence_entropy(tree)


def frozen_change(tree: Context) -> Any:
    """Return the sum over contexts of P(context) times the first-order change of the context's own entropy."""
    own = expression(first_order_entropy_change(formulas(tree.logits), formulas(tree.direction)))
    for prob, child in zip(expressions(probabilities(formulas(tree.logits))), tree.after, strict=True):
        if child is not None:
            own += prob * frozen_change(child)
    return own


def visit_change(tree: Context) -> Any:
    """Return the sum over contexts of P(context) times the covariance of the direction with the entropy to come."""
    probs = probabilities(formulas(tree.logits))
    to_come = formulas(future_entropy(child) for child in tree.after)
    total = expression(covariance(probs, formulas(tree.direction), to_come))
    for prob, child in zip(expressions(probs), tree.after, strict=True):
        if child is not None:
            total += prob * visit_change(child)
    return total
