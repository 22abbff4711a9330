"""Clip-Cov, KL-Cov and high-entropy tokens against plain Python, one mini-batch at a time; ties, masks, generators."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy import stats

from simulators import initial_state, update_on_all_groups, update_once
from simulators.environments import bandit
from simulators.methods import TokenBatch, get_method
from simulators.methods.token_rules import tokens
from simulators.update import Update
from tests.assertions import refuses

SHAPE = (3, 4, 5, 2)  # seeds, queries, group, tokens


def random_batch(seed: int, shape: tuple[int, ...] = SHAPE, *, generators: int | None = None) -> TokenBatch:
    rng = np.random.default_rng(seed)
    advantages = np.broadcast_to(rng.normal(size=(*shape[:-1], 1)), shape)
    count = shape[0] if generators is None else generators
    return TokenBatch(
        log_probs=np.log(rng.random(shape)),
        old_log_probs=np.log(rng.random(shape)),
        entropies=rng.random(shape),
        advantages=advantages,
        mask=rng.random(shape) < 0.8,
        rngs=[np.random.default_rng([seed, s]) for s in range(count)],
    )


def plain_covariances(batch: TokenBatch, s: int) -> dict[tuple[int, ...], float]:
    """Of seed s's valid tokens, by position."""
    places = [tuple(int(i) for i in place) for place in np.argwhere(batch.mask[s])]
    logs = [float(batch.log_probs[s][place]) for place in places]
    advantages = [float(batch.advantages[s][place]) for place in places]
    mean_log, mean_a = sum(logs) / len(logs), sum(advantages) / len(advantages)
    return {place: (x - mean_log) * (a - mean_a) for place, x, a in zip(places, logs, advantages, strict=True)}


def places_of(mask: Any) -> set[tuple[int, ...]]:
    return {tuple(int(i) for i in place) for place in np.argwhere(mask)}


def test_covariances_are_over_the_seed_s_valid_tokens() -> None:
    batch = random_batch(1)
    found = tokens.token_covariances(batch)
    for s in range(SHAPE[0]):
        for place, value in plain_covariances(batch, s).items():
            assert found[s][place] == pytest.approx(value, rel=1e-9)
        assert (found[s][~batch.mask[s]] == -np.inf).all()


@pytest.mark.parametrize("share", [1e-3, 0.1, 0.5, 1.0])
def test_clip_cov_drops_a_share_of_those_that_qualify(share: float) -> None:
    batch = random_batch(2)
    weights = get_method("clip_cov", share=share, low=0.1, high=2.0).token_weights(batch)
    assert set(np.unique(weights)) <= {0.0, 1.0}
    for s in range(SHAPE[0]):
        qualifies = {place for place, c in plain_covariances(batch, s).items() if 0.1 < c < 2.0}
        dropped = places_of(weights[s] == 0)
        assert dropped <= qualifies
        assert len(dropped) == min(len(qualifies), max(int(share * int(batch.mask[s].sum())), 1))


def test_clip_cov_drops_nothing_where_nothing_qualifies() -> None:
    assert (get_method("clip_cov", low=1e6, high=np.inf).token_weights(random_batch(3)) == 1).all()


def test_clip_cov_draws_evenly_from_each_seed_s_generator() -> None:
    """Chi-square over which token is dropped, error rate 1e-6; the control is a choice of the largest covariance."""
    one = random_batch(4, (1, 2, 3, 2), generators=1)
    seeds = 4000
    wide = TokenBatch(
        *(np.broadcast_to(x, (seeds, *x.shape[1:])) for x in one[:5]),
        rngs=[np.random.default_rng(s) for s in np.random.SeedSequence(5).spawn(seeds)],
    )
    weights = get_method("clip_cov", share=1e-3, low=0.0).token_weights(wide)
    qualifies = (tokens.token_covariances(one)[0] > 0) & one.mask[0]
    counts = (weights == 0).sum(axis=0)[qualifies]
    assert counts.sum() == seeds
    assert len(counts) >= 3
    assert stats.chisquare(counts).pvalue > 1e-6
    assert stats.chisquare(np.eye(len(counts))[0] * seeds).pvalue < 1e-6


def test_clip_cov_needs_a_generator_for_each_seed() -> None:
    method = get_method("clip_cov")
    refuses(lambda: method.token_weights(random_batch(6, generators=2)), "rngs", "2 of them")
    env = bandit(np.array([[[1.0, 0.0, 0.0]]]))
    state = initial_state(np.zeros((1, 1, 3)), env)
    refuses(lambda: update_on_all_groups(state, env, Update(method="clip_cov", group_size=2)), "rngs", "0 of them")


@pytest.mark.parametrize("share", [1e-3, 0.1, 0.5])
def test_kl_cov_pulls_back_the_tokens_of_largest_covariance(share: float) -> None:
    batch = random_batch(7)
    penalty = get_method("kl_cov", share=share, beta=0.5).token_penalty(batch)
    for s in range(SHAPE[0]):
        covariances = plain_covariances(batch, s)
        chosen = sorted(covariances, key=lambda place: -covariances[place])
        chosen = chosen[: max(int(share * len(covariances)), 1)]
        assert places_of(penalty[s] != 0) == set(chosen)
        for place in chosen:
            # The derivative of -beta |log pi - log pi_old|.
            higher = batch.log_probs[s][place] > batch.old_log_probs[s][place]
            assert penalty[s][place] == (-0.5 if higher else 0.5)


def test_kl_cov_is_unclipped_grpo_on_policy_and_pulls_back_after() -> None:
    rng = np.random.default_rng(8)
    env = bandit((rng.random((2, 5, 6)) < 0.5).astype(float))
    state = initial_state(rng.normal(size=(2, 5, 6)), env)

    def moved(name: str, epochs: int) -> Any:
        update = Update(method=name, group_size=8, epochs=epochs, clip_low=1.0, clip_high=np.inf)
        return update_once(state, env, update, [np.random.default_rng(s) for s in (1, 2)]).after.logits

    np.testing.assert_array_equal(moved("kl_cov", 1), moved("grpo", 1))
    assert not np.allclose(moved("kl_cov", 2), moved("grpo", 2), rtol=1e-6)


@pytest.mark.parametrize("share", [1e-3, 0.2, 0.5, 1.0])
def test_high_entropy_keeps_the_top_share(share: float) -> None:
    batch = random_batch(9)
    kept = get_method("high_entropy", share=share).token_weights(batch)
    for s in range(SHAPE[0]):
        entropies = {p: float(batch.entropies[s][p]) for p in places_of(batch.mask[s])}
        ranked = sorted(entropies, key=lambda place: -entropies[place])
        assert places_of(kept[s] == 1) == set(ranked[: max(int(share * len(ranked)), 1)])


def test_high_entropy_keeps_all_ties_and_normalises_by_them() -> None:
    batch = random_batch(10)
    level = batch._replace(entropies=np.ones(SHAPE), mask=np.ones(SHAPE, dtype=bool))
    method = get_method("high_entropy")
    assert (method.token_weights(level) == 1).all()
    assert method.normalise_kept
    two = level._replace(entropies=np.where(np.arange(SHAPE[1])[:, None, None] == 1, 1.0, 0.5) * np.ones(SHAPE))
    kept = method.token_weights(two)
    assert (kept[:, 1] == 1).all()
    assert kept.sum() == kept[:, 1].sum()


def test_high_entropy_over_all_tokens_is_a_step_smaller_by_the_share_that_is_kept() -> None:
    """TRL's normaliser: the same tokens, and the kept share of the paper's step."""
    rng = np.random.default_rng(13)
    env = bandit((rng.random((1, 20, 6)) < 0.5).astype(float))
    state = initial_state(rng.normal(size=(1, 20, 6)), env)

    def direction(normaliser: str) -> Any:
        update = Update(method="high_entropy", options={"normaliser": normaliser}, group_size=8)
        return update_once(state, env, update, [np.random.default_rng(14)]).direction

    # A bandit's tokens tie within their query: a fifth of the tokens are four of the twenty queries.
    np.testing.assert_allclose(direction("all"), direction("kept") / 5, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("name", ["clip_cov", "kl_cov", "high_entropy"])
def test_an_empty_mini_batch_is_no_error(name: str) -> None:
    batch = random_batch(11)._replace(mask=np.zeros(SHAPE, dtype=bool))
    method = get_method(name)
    rule = method.token_weights or method.token_penalty
    assert np.isfinite(rule(batch)).all()


def test_the_last_three_axes_are_one_mini_batch() -> None:
    batch = random_batch(12, (2, 3, 4, 5, 2))
    for name in ("kl_cov", "high_entropy"):
        method = get_method(name, share=0.1)
        rule = method.token_weights or method.token_penalty
        together = rule(batch)
        for s, b in np.ndindex(2, 3):
            part = TokenBatch(*(x[s, b][None] for x in batch[:5]), rngs=batch.rngs[:1])
            np.testing.assert_array_equal(together[s, b], rule(part)[0])


def test_ties_go_to_the_first_and_counts_may_exceed_the_keys() -> None:
    keys = np.array([[[[3.0, 5.0], [5.0, -np.inf]]]])
    assert tokens.largest(keys, np.array([1])).ravel().tolist() == [False, True, False, False]
    assert tokens.largest(keys, np.array([9])).ravel().tolist() == [True, True, True, False]
    assert tokens.at_least_as_large(keys, np.array([1])).ravel().tolist() == [False, True, True, False]
    assert tokens.at_least_as_large(keys, np.array([9])).ravel().tolist() == [True, True, True, False]


def test_shares_are_exact() -> None:
    """.29 of 100 tokens are 29: in binary .29 * 100 is below."""
    mask = np.ones((1, 10, 10, 1), dtype=bool)
    assert int(0.29 * 100) == 28
    assert tokens.share_counts(mask, tokens.checked_share(0.29)).tolist() == [29]
    assert tokens.checked_share("1/3") == Fraction(1, 3)
    assert tokens.share_counts(np.zeros((1, 1, 1, 1), dtype=bool), Fraction(1, 2)).tolist() == [1]
