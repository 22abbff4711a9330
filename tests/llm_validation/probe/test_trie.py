"""Tries against the complete tree and against recursion over explicit prefixes; bounds against longer tries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from llm_validation.probe.contexts import Contexts, Tree, tree_contexts
from llm_validation.probe.growth import grown_trie
from llm_validation.probe.trie import ROOT, Trie, complete_trie, trie_contexts, trie_of
from tests.assertions import refuses

LENGTH, ENDS, VOCABULARY = 3, (0,), 4
PREFIXES = [[(1,), (1, 2)], [(3,)], []]  # of three prompts
PROMPTS = [[5, 6, 7], [8], [5, 6]]
PAD = 0


def some_trie() -> Trie:
    return trie_of(PREFIXES, length=LENGTH, ends=ENDS, vocabulary=VOCABULARY)


def table(trie: Trie, seed: int = 0) -> Any:
    """Next-token log-probabilities at every context, far from uniform."""
    logits = 2 * np.random.default_rng(seed).normal(size=(len(trie.parent), trie.vocabulary))
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def leaves_by_hand(trie: Trie, log_probs: Any) -> list[list[tuple[tuple[int, ...], float]]]:
    """Each prompt's leaves with their log-probabilities, by recursion over explicit prefixes."""
    place = {(q, p): c for c, (q, p) in enumerate(zip(trie.query.tolist(), trie.prefixes(), strict=True))}

    def walk(query: int, prefix: tuple[int, ...], reached: float) -> list[tuple[tuple[int, ...], float]]:
        if (query, prefix) not in place:
            return [(prefix, reached)]
        row = log_probs[place[query, prefix]]
        return [one for token in range(VOCABULARY) for one in walk(query, (*prefix, token), reached + row[token])]

    return [walk(query, (), 0.0) for query in range(trie.queries)]


def test_a_trie_has_its_prefixes_and_what_they_extend() -> None:
    trie = trie_of([[(1, 2)], [(3, 3), (2,)]], length=3, ends=ENDS, vocabulary=VOCABULARY)
    assert trie.prefixes() == [(), (1,), (1, 2), (), (2,), (3,), (3, 3)]
    assert trie.query.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert trie.depth.tolist() == [0, 1, 2, 0, 1, 1, 2]
    assert trie.parent.tolist() == [ROOT, 0, 1, ROOT, 3, 3, 5]


def test_leaves_are_what_the_recursion_finds() -> None:
    trie = some_trie()
    log_probs = table(trie)
    expected = leaves_by_hand(trie, log_probs)
    listed = trie.log_probs(log_probs)
    for query, leaves in enumerate(expected):
        mine = listed[trie.leaf_query() == query]
        np.testing.assert_allclose(sorted(mine), sorted(value for _, value in leaves), rtol=1e-14)
        assert np.exp(mine).sum() == pytest.approx(1, abs=1e-14)  # a partition of the responses
        entropy = -sum(np.exp(value) * value for _, value in leaves)
        assert trie.entropy(log_probs)[query] == pytest.approx(entropy, rel=1e-13)
        unended = [value for prefix, value in leaves if prefix[-1] not in ENDS and len(prefix) < LENGTH]
        assert trie.open_mass(log_probs)[query] == pytest.approx(np.exp(unended).sum(), abs=1e-14)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_complete_trie_is_the_complete_tree(length: int) -> None:
    tree = Tree(VOCABULARY, length, ENDS[0])
    trie = complete_trie(2, length=length, ends=ENDS, vocabulary=VOCABULARY)
    log_probs = table(trie)
    assert len(trie.parent) == 2 * tree.contexts
    for query in range(2):
        rows = log_probs[trie.query == query]
        # Both list contexts by their length and then by their tokens.
        np.testing.assert_allclose(
            np.sort(trie.log_probs(log_probs)[trie.leaf_query() == query]), np.sort(tree.log_probs(rows)), rtol=1e-13
        )
    assert trie.closed.sum() == 2 * tree.size
    low, high = trie.entropy_bounds(log_probs)
    np.testing.assert_array_equal(low, high)  # nothing is open


def test_bounds_hold_what_a_longer_trie_finds_and_grow_with_what_is_open() -> None:
    complete = complete_trie(1, length=LENGTH, ends=ENDS, vocabulary=VOCABULARY)
    for seed in range(20):
        log_probs = table(complete, seed)
        truth = complete.entropy(log_probs)[0]
        widths = []
        for listed in ([], [(1,)], [(1,), (2,), (3,)]):
            part = trie_of([listed], length=LENGTH, ends=ENDS, vocabulary=VOCABULARY)
            rows = [complete.prefixes().index(prefix) for prefix in part.prefixes()]
            low, high = (side[0] for side in part.entropy_bounds(log_probs[rows]))
            assert low <= truth + 1e-12
            assert truth <= high + 1e-12
            widths.append(high - low)
        assert widths[0] > widths[1] > widths[2] > 0


def test_log_probabilities_are_linear() -> None:
    trie = some_trie()
    one, other = table(trie, 1), table(trie, 2)
    np.testing.assert_allclose(
        trie.log_probs(2 * one - other), 2 * trie.log_probs(one) - trie.log_probs(other), atol=1e-13
    )


def test_a_path_ends_where_the_trie_does() -> None:
    trie = some_trie()
    assert trie.paths(0, [1, 2, 3]) == ([0, 1, 2], 3)
    assert trie.paths(0, [1, 0]) == ([0, 1], 2)
    assert trie.paths(0, [2, 3, 1]) == ([0], 1)  # the trie does not go on after 2
    assert trie.paths(1, [3, 1]) == ([3, 4], 2)
    assert trie.paths(2, [0]) == ([5], 1)


def prefix_at(contexts: Contexts, number: int) -> list[int]:
    row, column = contexts.row[number], contexts.column[number]
    if contexts.visible is not None:
        return contexts.ids[row][contexts.visible[row, column]].tolist()
    return contexts.ids[row][contexts.mask[row] > 0].tolist()


def test_rows_are_each_prompt_with_each_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    trie = some_trie()
    expected = [[*PROMPTS[q], *p] for q, p in zip(trie.query.tolist(), trie.prefixes(), strict=True)]
    for shared in (1024, 1):
        monkeypatch.setattr("llm_validation.probe.trie.SHARED", shared)
        contexts = trie_contexts(PROMPTS, trie, pad=PAD)
        assert (contexts.visible is None) == (shared == 1)
        assert [prefix_at(contexts, number) for number in range(len(expected))] == expected


@pytest.mark.parametrize("prefix", [(1, 2, 3), (1, 0), (0,)])
def test_a_prefix_that_is_none_is_refused(prefix: tuple[int, ...]) -> None:
    def build() -> Trie:
        return trie_of([[prefix]], length=LENGTH, ends=ENDS, vocabulary=VOCABULARY)

    with pytest.raises(ValueError, match="prefixes must be prefixes shorter than 3 tokens, without an end of text"):
        build()


def by_rule(contexts: Contexts) -> Any:
    """A model by rule: what comes next depends on the last token seen, peaked on one token."""
    last = contexts.ids[contexts.row, contexts.column]
    logits = np.zeros((len(last), VOCABULARY))
    logits[np.arange(len(last)), (last + 1) % VOCABULARY] = 3.0
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


@pytest.mark.parametrize("threshold", [1.0, 0.5, 0.1, 0.01, 1e-9])
def test_a_grown_trie_lists_what_is_reached_often_enough(threshold: float) -> None:
    prompts = [[1], [2]]
    grown = grown_trie(by_rule, prompts, length=LENGTH, ends=ENDS, vocabulary=VOCABULARY, threshold=threshold, pad=PAD)
    complete = complete_trie(2, length=LENGTH, ends=ENDS, vocabulary=VOCABULARY)
    reached = np.exp(complete.reach(by_rule(trie_contexts(prompts, complete, pad=PAD))))
    wanted = {
        (query, prefix)
        for query, prefix, reach in zip(complete.query.tolist(), complete.prefixes(), reached, strict=True)
        if reach >= threshold
    }
    assert set(zip(grown.query.tolist(), grown.prefixes(), strict=True)) == wanted


def test_prefixes_are_listed_besides_whatever_their_probability() -> None:
    grown = grown_trie(
        by_rule, [[1], [2]], length=LENGTH, ends=ENDS, vocabulary=VOCABULARY, threshold=1.0, pad=PAD, besides=[(3, 3)]
    )
    assert grown.prefixes() == [(), (3,), (3, 3)] * 2


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.5])
def test_a_threshold_that_is_none_is_refused(threshold: float) -> None:
    def grow() -> Trie:
        return grown_trie(by_rule, [[1]], length=2, ends=ENDS, vocabulary=VOCABULARY, threshold=threshold, pad=PAD)

    refuses(grow, "threshold", threshold)


@pytest.mark.train
def test_a_model_run_on_shared_rows_gives_what_each_prefix_gives_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    from llm_validation.models.float64 import float64_copy
    from llm_validation.models.presets import build_model
    from llm_validation.probe.expansion import context_log_probs

    model = float64_copy(build_model("arithmetic", seed=1))
    parameters = dict(model.named_parameters())
    trie = trie_of(
        [[(4, 5, 6), (4, 7), (8,)], [], [(9, 9, 9)]], length=5, ends=(1,), vocabulary=model.config.vocab_size
    )
    prompts = [[3, 4, 5], [6], [7, 8]]
    shared = context_log_probs(model, parameters, trie_contexts(prompts, trie, pad=PAD))
    monkeypatch.setattr("llm_validation.probe.trie.SHARED", 1)
    apart = context_log_probs(model, parameters, trie_contexts(prompts, trie, pad=PAD))
    # Rotary angles are float32 constants, the same in both; sums of some hundred float64 terms in another order.
    np.testing.assert_allclose(shared, apart, atol=1e-12)
    tree = Tree(model.config.vocab_size, 2, 1)
    whole = complete_trie(3, length=2, ends=(1,), vocabulary=model.config.vocab_size)
    monkeypatch.undo()
    np.testing.assert_allclose(
        context_log_probs(model, parameters, trie_contexts(prompts, whole, pad=PAD)),
        context_log_probs(model, parameters, tree_contexts(prompts, tree, pad=PAD)),
        atol=1e-12,
    )
