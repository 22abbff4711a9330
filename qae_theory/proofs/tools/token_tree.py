"""Model a small autoregressive policy as a tree of contexts in exact arithmetic, with its entropies and changes.

A context has logits over its tokens, a direction for them, and what follows each token: another context, or the end.
Everything is computed by the shipped functions of one softmax, context by context (claim ``sequence-chain-rule``).
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
    """Hold one context of the tree.

    Attributes:
        logits: one per token.
        direction: one per token, the change of the logits for a unit step.
        after: the context after each token; None where the response ends.
    """

    logits: tuple[Any, ...]
    direction: tuple[Any, ...]
    after: tuple[Context | None, ...]

    def moved(self, step: Any) -> Context:
        """Return the tree with all logits moved by ``step`` along their directions."""
        logits = tuple(z + step * d for z, d in zip(self.logits, self.direction, strict=True))
        after = tuple(None if child is None else child.moved(step) for child in self.after)
        return Context(logits, self.direction, after)


def context(logits: str, direction: str, *after: Context | None) -> Context:
    """Return a context from two strings: ``context("1 2", "0 1")`` has the logits log 1 and log 2 and then ends."""
    exact_logits = tuple(sympy.log(sympy.Integer(weight)) for weight in logits.split())
    exact_direction = tuple(sympy.Rational(push) for push in direction.split())
    return Context(exact_logits, exact_direction, after or (None,) * len(exact_logits))


def log_probs_of_responses(tree: Context) -> Iterator[Any]:
    """Yield the logarithm of each response's probability: the sum of its tokens' log-probabilities."""
    for log_prob, child in zip(expressions(log_softmax(formulas(tree.logits))), tree.after, strict=True):
        # The response ends here; otherwise its probability goes on as a product.
        if child is None:
            yield log_prob
        else:
            for rest in log_probs_of_responses(child):
                yield log_prob + rest


def sequence_entropy(tree: Context) -> Any:
    """Return the entropy of whole responses, by the shipped entropy of the policy over all of them."""
    return expression(entropy(formulas(log_probs_of_responses(tree))))


def future_entropy(tree: Context | None) -> Any:
    """Return the entropy of all tokens from this context on, 0 after the end of a response."""
    return sympy.Integer(0) if tree is None else sequence_entropy(tree)


def frozen_change(tree: Context) -> Any:
    """Return the change of entropy that comes from each context alone, with how often contexts are visited held fixed.

    It is the sum over contexts of P(context) times the first-order change of the context's own entropy.
    """
    own = expression(first_order_entropy_change(formulas(tree.logits), formulas(tree.direction)))
    for prob, child in zip(expressions(probabilities(formulas(tree.logits))), tree.after, strict=True):
        if child is not None:
            own += prob * frozen_change(child)
    return own


def visit_change(tree: Context) -> Any:
    """Return the change of entropy that comes from visiting contexts more or less often.

    It is the sum over contexts of P(context) times the covariance of the direction with the entropy still to come.
    """
    probs = probabilities(formulas(tree.logits))
    # Where a response ends nothing is left to choose, and the entropy to come is 0.
    to_come = formulas(future_entropy(child) for child in tree.after)
    total = expression(covariance(probs, formulas(tree.direction), to_come))
    for prob, child in zip(expressions(probs), tree.after, strict=True):
        if child is not None:
            total += prob * visit_change(child)
    return total
