"""The chain rule against enumerated responses, finite differences, the page's witness, and importance weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from llm_validation.probe.chain import chain_of_rollouts, chain_of_trie, first_order_chain, remaining_entropy
from llm_validation.probe.trie import Trie, complete_trie, trie_of

LENGTH, ENDS, VOCABULARY = 4, (0,), 3


def log_softmax(logits: Any) -> Any:
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def some_trie(kind: str) -> Trie:
    if kind == "complete":
        return complete_trie(2, length=LENGTH, ends=ENDS, vocabulary=VOCABULARY)
    return trie_of([[(1,), (1, 2, 1), (2,)], [(2, 2)]], length=LENGTH, ends=ENDS, vocabulary=VOCABULARY)


def policies(trie: Trie, seed: int, step: float = 1.0) -> tuple[Any, Any, Any]:
    """Before, after, and the derivative of log pi along the step of the logits."""
    rng = np.random.default_rng(seed)
    shape = (len(trie.parent), VOCABULARY)
    logits, direction = 2 * rng.normal(size=shape), rng.normal(size=shape)
    before = log_softmax(logits)
    first = direction - (np.exp(before) * direction).sum(-1, keepdims=True)
    return before, log_softmax(logits + step * direction), first


@pytest.mark.parametrize("kind", ["complete", "part"])
@pytest.mark.parametrize("seed", range(5))
def test_both_terms_add_up_to_the_change_over_all_responses(kind: str, seed: int) -> None:
    trie = some_trie(kind)
    before, after, _ = policies(trie, seed)
    found = chain_of_trie(trie, before, after)
    change = trie.entropy(after) - trie.entropy(before)
    # Sums of at most 81 terms of size one.
    np.testing.assert_allclose(found.frozen + found.visiting, change, rtol=0, atol=1e-13)
    assert np.abs(found.visiting).min() > 1e-4  # neither term is idle
    assert np.abs(found.frozen - change).min() > 1e-4


@pytest.mark.parametrize("kind", ["complete", "part"])
def test_the_entropy_is_what_remains_at_the_root(kind: str) -> None:
    trie = some_trie(kind)
    before, _, _ = policies(trie, 7)
    np.testing.assert_allclose(remaining_entropy(trie, before)[trie.parent < 0], trie.entropy(before), rtol=1e-13)


@pytest.mark.parametrize("kind", ["complete", "part"])
def test_first_order_terms_are_the_limits_of_the_finite_ones(kind: str) -> None:
    trie = some_trie(kind)
    step = 1e-6
    before, after, first = policies(trie, 3, step)
    small, limit = chain_of_trie(trie, before, after), first_order_chain(trie, before, first)
    for finite, slope in zip(small, limit, strict=True):
        # Second order is step times curvatures of order ten; entropies are rounded to 1e-16 over the step.
        np.testing.assert_allclose(finite / step, slope, rtol=0, atol=1e-4)
    listed, moved = trie.log_probs(before), trie.log_probs(first)
    derivative = np.bincount(trie.leaf_query(), weights=-np.exp(listed) * moved * (listed + 1))
    np.testing.assert_allclose(limit.frozen + limit.visiting, derivative, rtol=0, atol=1e-9)


def test_the_second_term_can_decide() -> None:
    """A uniform root, one child of entropy log 2 and one of nearly none, pushed to the second: frozen 0, true < 0."""
    trie = trie_of([[(1,), (2,)]], length=2, ends=(0,), vocabulary=3)
    far = -700.0  # a logit of nothing
    before = log_softmax(np.array([[far, 0.0, 0.0], [far, 0.0, 0.0], [far, 0.0, -50.0]]))
    push = np.array([[0.0, -0.5, 0.5], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])  # d = (-1/2, 1/2) at the root
    found = first_order_chain(trie, before, push)
    assert found.frozen[0] == pytest.approx(0, abs=1e-15)
    assert found.visiting[0] == pytest.approx(-np.log(2) / 4, rel=1e-12)


def test_rollouts_estimate_both_terms_without_bias() -> None:
    trie = complete_trie(1, length=3, ends=ENDS, vocabulary=VOCABULARY)
    before, after, _ = policies(trie, 11)
    exact = chain_of_trie(trie, before, after)
    prefixes = trie.prefixes()
    place = {prefix: number for number, prefix in enumerate(prefixes)}
    rng = np.random.default_rng(5)
    count = 20_000
    contexts, row, tokens = [], [], []
    for number in range(count):
        prefix: tuple[int, ...] = ()
        while prefix in place:
            contexts.append(place[prefix])
            token = int(rng.choice(VOCABULARY, p=np.exp(before[contexts[-1]])))
            row.append(number)
            tokens.append(token)
            if token in ENDS:
                break
            prefix = (*prefix, token)
    where, owners = np.array(contexts), np.array(row)
    each = chain_of_rollouts(before[where], after[where], owners, np.array(tokens), owners, 1)
    for estimates, truth in zip(each, exact, strict=True):
        error = estimates.std(ddof=1) / np.sqrt(count)
        # Five standard errors: false once in a million; the terms are many times larger.
        assert abs(estimates.mean() - truth[0]) < 5 * error
        assert abs(truth[0]) > 20 * error
    whole = chain_of_rollouts(before[where], after[where], owners, np.array(tokens), np.zeros_like(owners), count)
    np.testing.assert_allclose([term[0] for term in whole], [term.mean() for term in each], rtol=1e-10)
