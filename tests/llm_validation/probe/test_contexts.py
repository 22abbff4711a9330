"""Prefixes and responses against recursion over explicit paths, and each prefix run through a model by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from llm_validation.probe.contexts import LARGEST, Contexts, Tree, pad_left, rollout_contexts, tree_contexts
from tests.assertions import refuses

# Every place of the end of text, every length up to three.
TREES = [Tree(v, length, end) for v in (2, 3, 4) for length in (1, 2, 3) for end in range(v)]
PAD = 0


def walks(tree: Tree, prefix: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Every response that begins with the prefix, by the definition: it ends at the end of text or at the length."""
    for token in range(tree.vocabulary):
        response = (*prefix, token)
        if token == tree.end or len(response) == tree.length:
            yield response
        else:
            yield from walks(tree, response)


def prefixes_of(tree: Tree) -> list[tuple[int, ...]]:
    """The contexts in the tree's order: by length, then by tokens."""
    found = {response[:depth] for response in walks(tree) for depth in range(len(response))}
    return sorted(found, key=lambda prefix: (len(prefix), prefix))


def tables(tree: Tree, *batch: int, seed: int = 0) -> Any:
    """Next-token log-probabilities at every context, far from uniform."""
    logits = 2 * np.random.default_rng(seed).normal(size=(*batch, tree.contexts, tree.vocabulary))
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def by_path(tree: Tree, table: Any) -> list[float]:
    """The sum of the tokens' log-probabilities of each response, context by context."""
    place = {prefix: number for number, prefix in enumerate(prefixes_of(tree))}
    return [
        sum(table[place[response[:depth]], token] for depth, token in enumerate(response))
        for response in tree.responses()
    ]


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_responses_are_all_of_them_and_each_once(tree: Tree) -> None:
    listed = tree.responses()
    assert len(listed) == len(set(listed)) == tree.size
    assert set(listed) == set(walks(tree))
    assert all(type(token) is int for response in listed for token in response)


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_contexts_are_all_prefixes_in_order(tree: Tree) -> None:
    listed = [tuple(prefix) for depth in range(tree.length) for prefix in tree.prefixes(depth).tolist()]
    assert listed == prefixes_of(tree)
    assert len(listed) == tree.contexts


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_a_path_is_the_contexts_of_the_prefixes(tree: Tree) -> None:
    place = {prefix: number for number, prefix in enumerate(prefixes_of(tree))}
    for response in tree.responses():
        assert tree.path(response) == [place[response[:depth]] for depth in range(len(response))]


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_log_probs_are_sums_along_paths(tree: Tree) -> None:
    table = tables(tree, 2, 3)
    found = tree.log_probs(table)
    assert found.shape == (2, 3, tree.size)
    for index in np.ndindex(2, 3):
        # At most three terms in the same order: the sums are the same to the last bit but for the 0 they start from.
        np.testing.assert_allclose(found[index], by_path(tree, table[index]), rtol=1e-15)


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_probabilities_add_up_to_one(tree: Tree) -> None:
    total = np.exp(tree.log_probs(tables(tree, 5))).sum(-1)
    # At most 27 responses of three factors: some 30 roundings.
    np.testing.assert_allclose(total, 1, rtol=0, atol=30 * 2.0**-52)


def test_another_end_of_text_is_noticed() -> None:
    """Control: with the end of text mistaken, log-probabilities are those of other responses."""
    right, wrong = Tree(4, 2, 1), Tree(4, 2, 2)
    table = tables(right)
    assert set(right.responses()) != set(wrong.responses())
    assert np.abs(np.exp(right.log_probs(table)) - np.exp(wrong.log_probs(table))).max() > 0.01


def test_linear() -> None:
    tree = Tree(3, 3, 0)
    one, other = tables(tree, seed=1), tables(tree, seed=2)
    # Sums of three terms of size up to 10, twice.
    np.testing.assert_allclose(
        tree.log_probs(2 * one - other), 2 * tree.log_probs(one) - tree.log_probs(other), atol=1e-13
    )


def test_a_tree_too_large_to_list_is_refused() -> None:
    # 40 inner tokens: 1 + 40 + 1600 contexts and 64,000 longest responses are 65,641; 39 of them are 60,880.
    assert Tree(40, 3, 0).size == 60_880 <= LARGEST
    message = refuses(lambda: Tree(41, 3, 0), "length", 3, says="65536")
    assert "\n" not in message
    assert Tree(LARGEST, 1, 7).size == LARGEST
    refuses(lambda: Tree(LARGEST + 1, 1, 7), "length", 1)
    refuses(lambda: Tree(151_936, 10**3, 7), "length", 10**3)


# Places in rows


PROMPTS = [[5, 6, 7], [8], [5, 6, 7, 9, 9]]


def prefix_at(contexts: Contexts, number: int) -> list[int]:
    """The tokens up to and with the context's place, without padding."""
    row, column = contexts.row[number], contexts.column[number]
    seen = contexts.mask[row].astype(bool) & (np.arange(contexts.ids.shape[1]) <= column)
    if contexts.visible is not None:
        assert not (contexts.visible[row, column] & ~seen).any()
        seen = contexts.visible[row, column]
    return contexts.ids[row][seen].tolist()


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_tree_contexts_are_each_prompt_with_each_prefix(tree: Tree) -> None:
    contexts = tree_contexts(PROMPTS, tree, pad=PAD)
    expected = [[*prompt, *prefix] for prompt in PROMPTS for prefix in prefixes_of(tree)]
    assert [prefix_at(contexts, number) for number in range(len(contexts.row))] == expected
    # No place is there that is not needed.
    assert contexts.ids.shape == (len(PROMPTS), max(map(len, PROMPTS)) + tree.contexts - 1)


RESPONSES = [[1, 2], [3], [4, 4, 4, 4], [1, 2], [1, 3]]


def test_rollout_contexts_are_each_prompt_with_what_was_said_before() -> None:
    prompts = [PROMPTS[0], PROMPTS[0], PROMPTS[1], PROMPTS[2], PROMPTS[2]]
    contexts = rollout_contexts(prompts, RESPONSES, pad=PAD)
    expected = [
        [*prompt, *response[:depth]]
        for prompt, response in zip(prompts, RESPONSES, strict=True)
        for depth in range(len(response))
    ]
    assert [prefix_at(contexts, number) for number in range(len(contexts.row))] == expected
    assert contexts.row.tolist() == [0, 0, 1, 2, 2, 2, 2, 3, 3, 4, 4]


def test_a_prompt_for_each_response() -> None:
    with pytest.raises(ValueError, match="argument 2 is longer"):
        rollout_contexts(PROMPTS[:1], RESPONSES, pad=PAD)


def test_padding_is_on_the_left_and_masked() -> None:
    ids, mask = pad_left([[3], [1, 2, 9]], pad=9)
    assert ids.tolist() == [[9, 9, 3], [1, 2, 9]]
    assert mask.tolist() == [[0, 0, 1], [1, 1, 1]]


# Against a model that sees one prefix at a time


@pytest.fixture(scope="module")
def model() -> Any:
    from llm_validation.models.float64 import float64_copy
    from llm_validation.models.presets import build_model

    return float64_copy(build_model("arithmetic", seed=1))


def alone(model: Any, prefixes: Sequence[Sequence[int]]) -> Any:
    """Next-token log-probabilities after each prefix, run by itself: no padding, no batch, no other tokens."""
    import torch

    rows = [model(input_ids=torch.tensor([prefix])).logits[0, -1].log_softmax(-1) for prefix in prefixes]
    return torch.stack(rows).numpy()


def cases() -> list[tuple[Contexts, list[list[int]]]]:
    tree = Tree(5, 3, 1)
    prompts = [PROMPTS[0], PROMPTS[0], PROMPTS[1], PROMPTS[2], PROMPTS[2]]
    spoken = zip(prompts, RESPONSES, strict=True)
    return [
        (tree_contexts(PROMPTS, tree, pad=PAD), [[*p, *prefix] for p in PROMPTS for prefix in prefixes_of(tree)]),
        (rollout_contexts(prompts, RESPONSES, pad=PAD), [[*p, *r[:n]] for p, r in spoken for n in range(len(r))]),
    ]


@pytest.mark.train
@pytest.mark.parametrize("case", [0, 1], ids=["tree", "rollouts"])
def test_the_model_says_the_same_of_a_prefix_alone(model: Any, case: int) -> None:
    from llm_validation.probe.expansion import context_log_probs

    contexts, prefixes = cases()[case]
    found = context_log_probs(model, dict(model.named_parameters()), contexts)
    expected = alone(model, prefixes)
    # float64 through two layers: masked places have weight 0 exactly, sums are taken in another order.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    # Control: a place off by one is another prefix, and is seen.
    shifted = Contexts(contexts.ids, contexts.mask, contexts.row, contexts.column - 1, contexts.visible)
    wrong = context_log_probs(model, dict(model.named_parameters()), shifted)
    assert (np.abs(wrong - expected).max(-1) > 1e-3).all()
