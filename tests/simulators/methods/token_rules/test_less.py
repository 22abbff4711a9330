"""LESS's weights against a plain search through lists, and on groups that a reader can check by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulators.methods import get_method
from simulators.methods.token_rules.less import entropy_limits
from simulators.methods.token_rules.runs import recurring
from simulators.tabular.policy import node_entropies, policy
from simulators.tabular.trees import token_tree
from tests.simulators.methods.given import given_batch, on_tree, sampled_tokens


def plain_runs(marks: list[bool], least: int) -> list[tuple[int, int]]:
    """(start, end) of every stretch of at least ``least`` marks."""
    found, start = [], None
    for t, mark in enumerate([*marks, False]):
        if mark and start is None:
            start = t
        elif not mark and start is not None:
            if t - start >= least:
                found.append((start, t))
            start = None
    return found


def places_of(part: list[int], runs: list[list[int]]) -> list[tuple[int, int]]:
    """(run, offset) of every place where the part stands within a run."""
    places = []
    for r, run in enumerate(runs):
        for offset in range(len(run) - len(part) + 1):
            if run[offset : offset + len(part)] == part:
                places.append((r, offset))
    return places


def plain_weights(
    symbols: list[list[int]], entropies: list[list[float]], right: list[bool], *, level: float, least: int
) -> list[list[float]]:
    """The definition in words, one response, run and token at a time."""
    limits, weights, spans = [], [], []
    for own in entropies:
        limits.append(sorted(own)[min(round(len(own) * level), len(own) - 1)])
    for i, own in enumerate(entropies):
        peers = sum(r == right[i] for r in right)
        weights.append([1.0 if h > limits[i] else 1.0 / peers for h in own])
        spans.append(plain_runs([h < limits[i] for h in own], least))
    texts = [[symbols[i][a:b] for a, b in spans[i]] for i in range(len(symbols))]
    patterns = []
    for i in range(len(symbols)):
        for text in texts[i]:
            if any(places_of(text, texts[j]) for j in range(len(symbols)) if j != i):
                patterns.append(text)
    shortest = [p for p in patterns if not any(len(o) < len(p) and places_of(o, [p]) for o in patterns)]
    zeroed = [[False] * len(own) for own in entropies]
    for pattern in shortest:
        holders = [i for i in range(len(symbols)) if places_of(pattern, texts[i])]
        both = len({right[i] for i in holders}) == 2
        for i in holders:
            peers = sum(r == right[i] for r in right)
            for r, offset in places_of(pattern, texts[i]):
                for t in range(spans[i][r][0] + offset, spans[i][r][0] + offset + len(pattern)):
                    zeroed[i][t] = zeroed[i][t] or both
                    if not both:
                        weights[i][t] = max(weights[i][t], len(holders) / peers)
    return [[0.0 if zero else w for w, zero in zip(*pair, strict=True)] for pair in zip(weights, zeroed, strict=True)]


@pytest.mark.parametrize(("level", "least"), [(0.8, 1), (0.8, 2), (0.5, 2), (1.0, 3), (0.8, 5)])
def test_weights_are_those_of_a_plain_search(level: float, least: int) -> None:
    """On trees of up to six tokens and two symbols, where runs of one to four tokens recur all the time."""
    case = on_tree(token_tree(2, 6), 1, seeds=2, queries=6, group_size=8)
    batch = given_batch(case)
    context = batch.context
    assert context is not None
    found = get_method("less", level=level, least_run=least).token_weights(batch)
    node_entropy = node_entropies(policy(case.state.logits))
    shared = 0
    for s, q in np.ndindex(case.responses.shape[:2]):
        tokens = [sampled_tokens(case, (s, q, i)) for i in range(8)]
        expected = plain_weights(
            [[action for _, action in own] for own in tokens],
            [[float(node_entropy[s, q, node]) for node, _ in own] for own in tokens],
            [bool(v) for v in context.verdicts[s, q]],
            level=level,
            least=least,
        )
        for i, own in enumerate(expected):
            np.testing.assert_allclose(found[s, q, i, : len(own)], own, rtol=1e-12)
            shared += own.count(0.0)
    assert (shared > 0) == (least < 5)
    assert found.max() <= 1.0


def found_in(symbols: list[str], marks: list[str], right: list[bool], least: int) -> Any:
    letters = np.array([[ord(c) for c in own] for own in symbols])
    return recurring(letters, np.array([[m == "x" for m in own] for own in marks]), np.array(right), least=least)


def test_a_prefix_of_both_outcomes_is_left_alone_and_one_of_one_outcome_is_not() -> None:
    symbols = ["abcabz", "abcabq", "ppcabz"]
    marks = ["xxx.x.", "xxx.x.", "xx..x."]
    shared = found_in(symbols, marks, [True, False, True], 2)
    assert shared.both.astype(int).tolist() == [[1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0], [0] * 6]
    alike = found_in(symbols, marks, [True, True, True], 2)
    assert not alike.both.any()
    assert alike.holders.tolist() == [[2, 2, 2, 0, 0, 0], [2, 2, 2, 0, 0, 0], [0] * 6]


def test_a_run_within_a_longer_one_counts_alone() -> None:
    """ "abc" is a run of the first and lies in the runs of the others, which also recur in each other."""
    symbols, marks = ["abc...", "xabcy.", "xabcy."], ["xxx...", "xxxxx.", "xxxxx."]
    shared = found_in(symbols, marks, [True, True, True], 3)
    assert shared.holders.tolist() == [[3, 3, 3, 0, 0, 0], [0, 3, 3, 3, 0, 0], [0, 3, 3, 3, 0, 0]]


def test_a_run_that_recurs_only_within_its_own_response_does_not_recur() -> None:
    shared = found_in(["ab.ab.", "pq...."], ["xx.xx.", "xx...."], [True, False], 2)
    assert not shared.both.any()
    assert not shared.holders.any()


def test_a_run_must_lie_within_a_run_of_the_other() -> None:
    """The same symbols at a token that is not marked do not count."""
    assert not found_in(["abc", "abc"], ["xxx", "xx."], [True, True], 3).holders.any()
    assert found_in(["abc", "abc"], ["xxx", "xx."], [True, True], 2).holders.tolist() == [[2, 2, 0], [2, 2, 0]]


def test_limits_have_python_s_rounding() -> None:
    """Of 1 to 5 tokens the rank counted from 0 is 0, 1, 2, 3 and 4 at .8, and 2 of 5 at .5: halves go to even."""
    entropies = np.broadcast_to(np.arange(5.0), (5, 5))
    exists = np.arange(5) < np.arange(1, 6)[:, None]
    assert entropy_limits(entropies, exists, 0.8).ravel().tolist() == [0, 1, 2, 3, 4]
    assert entropy_limits(entropies, exists, 0.5).ravel().tolist() == [0, 1, 2, 2, 2]


def test_a_bandit_gets_one_over_the_number_of_its_outcome() -> None:
    case = on_tree(token_tree(2, 1), 2, group_size=6)
    batch = given_batch(case)
    assert batch.context is not None
    right = batch.context.verdicts == 1
    peers = np.where(right, right.sum(axis=-1, keepdims=True), (~right).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(get_method("less").token_weights(batch)[..., 0], 1 / peers, rtol=1e-12)


def test_the_mass_of_the_update_falls() -> None:
    """Hence a comparison with GRPO at equal progress: the weights' mean is below one half here."""
    batch = given_batch(on_tree(token_tree(2, 6), 3, queries=8, group_size=8))
    weights = get_method("less").token_weights(batch)
    assert weights[batch.mask].mean() < 0.5
