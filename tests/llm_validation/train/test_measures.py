"""Sampler against trainer, and means over exactly the loss tokens: by hand, and against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_validation.train.measures.mismatch import mismatch
from llm_validation.train.measures.token_mean import TokenMean

DIFFERENCE = "sampling/logp_difference/token-mean"
SIZE = "sampling/effective_sample_size/response-share"


def test_equal_probabilities_leave_every_response_its_weight() -> None:
    logps = np.log(np.full((4, 3), 0.25))
    assert mismatch(logps, logps, np.ones((4, 3))) == {DIFFERENCE: 0.0, SIZE: 1.0}


def test_one_response_with_all_the_weight() -> None:
    sampler = np.zeros((4, 1))
    trainer = np.array([[0.0], [-2000.0], [-2000.0], [-2000.0]])  # exp underflows; the others' weight is none
    found = mismatch(sampler, trainer, np.ones((4, 1)))
    assert found == {DIFFERENCE: 1500.0, SIZE: 0.25}


def test_only_loss_tokens_with_both_probabilities_count() -> None:
    sampler = np.array([[-1.0, math.nan, -9.0], [-1.0, -2.0, -9.0]])
    trainer = np.array([[-1.5, -7.0, -1.0], [-1.0, -2.0, -1.0]])
    mask = np.array([[1, 1, 0], [1, 1, 0]])
    assert mismatch(sampler, trainer, mask)[DIFFERENCE] == pytest.approx(0.5 / 3)
    assert mismatch(np.full((2, 3), math.nan), trainer, mask) == {}


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 5))
def test_both_figures_against_plain_loops(seed: int, responses: int, tokens: int) -> None:
    rng = np.random.default_rng(seed)
    sampler, trainer = rng.normal(-2, 1, size=(2, responses, tokens))
    mask = rng.integers(0, 2, size=(responses, tokens))
    mask[0, 0] = 1
    total, count, weights = 0.0, 0, []
    for row in range(responses):
        log_weight = 0.0
        for token in range(tokens):
            if mask[row, token]:
                total += abs(trainer[row, token] - sampler[row, token])
                log_weight += trainer[row, token] - sampler[row, token]
                count += 1
        weights.append(math.exp(log_weight))
    found = mismatch(sampler, trainer, mask)
    share = sum(weights) ** 2 / sum(weight**2 for weight in weights) / responses
    # Sums of at most thirty numbers, each rounded once.
    assert found == {DIFFERENCE: pytest.approx(total / count, rel=1e-12), SIZE: pytest.approx(share, rel=1e-12)}


def test_a_token_mean_weighs_mini_batches_by_their_tokens() -> None:
    mean = TokenMean()
    assert mean.taken() is None
    mean.add(1.0, 1)
    mean.add(2.0, 3)
    mean.add(math.nan, 0)  # a mini-batch without a loss token
    assert mean.taken() == 1.75
    assert mean.taken() is None
