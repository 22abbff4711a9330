"""The rules that run are those that the ledger's claims about other remedies speak of."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from qae_theory.proofs.remedies.less_prefix import SHORTEST_RUN, Response, less_weights
from qae_theory.proofs.remedies.streaming_quantile import stationary
from simulators.methods.steered.streaming_quantile import followed
from simulators.methods.token_rules.less import weights_of_runs

DRAWS = 300
# Few symbols and few breaks, so that runs recur often, within one outcome and across both.
SYMBOLS, BREAK = 2, 0.15


def drawn_group(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    size, length = int(rng.integers(2, 5)), int(rng.integers(6, 16))
    symbols = rng.integers(0, SYMBOLS, size=(size, length))
    # Half of the groups share a beginning.
    if rng.random() < 0.5:
        shared = int(rng.integers(1, length))
        symbols[:, :shared] = symbols[0, :shared]
    low = rng.random((size, length)) > BREAK
    right = rng.permutation(np.arange(size) < rng.integers(1, size))
    return symbols, low, right


def test_less_weighs_runs_as_its_claim_says() -> None:
    rng = np.random.default_rng(5)
    zeros = raised = 0
    for _ in range(DRAWS):
        symbols, low, right = drawn_group(rng)
        weights = weights_of_runs(symbols, ~low, low, right, least=SHORTEST_RUN)
        group = [
            Response(tuple(map(str, tokens)), tuple(map(bool, lows)), bool(outcome))
            for tokens, lows, outcome in zip(symbols, low, right, strict=True)
        ]
        expected = np.array([[float(w) for w in row] for row in less_weights(group)])
        np.testing.assert_allclose(weights, expected, rtol=1e-15, atol=0)
        zeros += bool((expected == 0).any())
        peers = np.where(right, right.sum(), (~right).sum())[:, None]
        raised += bool((low & (expected > 1 / peers)).any())
    # Both branches of the rule must have been met, or the comparison says little.
    assert zeros > DRAWS / 20
    assert raised > DRAWS / 100


@pytest.mark.parametrize("p", [Fraction(1, 3), Fraction(1, 2), Fraction(4, 5)])
@pytest.mark.parametrize(("level", "rate"), [(Fraction(1, 2), Fraction(1, 2)), (Fraction(2, 5), Fraction(1, 2))])
def test_the_streaming_baseline_keeps_its_stationary_law(p: Fraction, level: Fraction, rate: Fraction) -> None:
    (law,) = stationary(Fraction(0), p, level, rate)
    # The rule's own arithmetic on Fractions: an object array keeps them exact.
    places = np.array(list(law), dtype=object)
    after: dict[Fraction, Fraction] = {}
    for reward, chance in ((1, p), (0, 1 - p)):
        moved = followed(places, np.full((len(places), 1), reward, dtype=object), level=level, rate=rate)
        for place, to in zip(places, moved, strict=True):
            after[to] = after.get(to, Fraction(0)) + chance * law[place]
    assert after == law
