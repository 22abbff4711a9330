"""The rules that run are those that the ledger's claims about other remedies speak of."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from qae_theory.proofs.remedies.less_prefix import SHORTEST_RUN, Response, less_weights
from qae_theory.proofs.remedies.streaming_quantile import stationary
from simulators.methods.steered.streaming_quantile import followed
from simulators.methods.token_rules.runs import recurring

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
    marked = rng.random((size, length)) > BREAK
    right = rng.permutation(np.arange(size) < rng.integers(1, size))
    return symbols, marked, right


def test_less_weighs_runs_as_its_claim_says() -> None:
    rng = np.random.default_rng(5)
    zeros = raised = 0
    for _ in range(DRAWS):
        symbols, marked, right = drawn_group(rng)
        found = recurring(symbols, marked, right, least=SHORTEST_RUN)
        peers = np.where(right, right.sum(), (~right).sum())[:, None]
        base = np.where(marked, 1 / peers, 1.0)
        weights = np.where(found.both, 0.0, np.maximum(base, found.holders / peers))
        group = [
            Response(tuple(map(str, tokens)), tuple(map(bool, low)), bool(outcome))
            for tokens, low, outcome in zip(symbols, marked, right, strict=True)
        ]
        expected = np.array([[float(w) for w in row] for row in less_weights(group)])
        np.testing.assert_allclose(weights, expected, rtol=1e-15, atol=0)
        zeros += bool((expected == 0).any())
        raised += bool((expected > base).any())
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
