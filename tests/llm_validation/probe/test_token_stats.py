"""Token statistics against float64 formulas, flint's balls, the theory, TRL's functions and a derivative.

Where a tolerance is ``RELATIVE_ERROR``, the module promises it; the other side is then exact.
"""

from __future__ import annotations

import doctest
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qae_theory
from llm_validation.probe import softmax_sums as _softmax_sums
from llm_validation.probe import token_stats as module
from llm_validation.probe.token_stats import RELATIVE_ERROR, TokenStats, token_stats, token_stats_from_hidden
from tests import oracles, strategies
from tests.assertions import as_ball, assert_close, refuses
from tests.llm_validation.probe.peak_memory import measured

pytestmark = pytest.mark.train

VOCABULARY = 151_936
ROWS = 3
# float64's own log_softmax and sums of 151,936 terms: measured against balls, up to 4e-14 of a statistic's size.
ORACLE_ERROR = 1e-12


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")  # always there: without it these tests are deselected


def noise(*shape: int, seed: int = 0, scale: float = 1.0) -> Any:
    """Standard normal numbers, float64."""
    import torch

    return scale * torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def choices(shape: tuple[int, ...], vocabulary: int, seed: int = 1) -> Any:
    import torch

    return torch.randint(vocabulary, shape, generator=torch.Generator().manual_seed(seed))


def straight(logits: Any, tokens: Any, temperature: float = 1.0) -> TokenStats:
    """The definitions as they are written, in float64, around the largest logit."""
    import torch

    z = logits.double()
    top = z.argmax(-1, keepdim=True)
    gaps = (z - z.gather(-1, top)) / temperature
    log_probs = gaps - torch.log1p(gaps.exp().scatter(-1, top, 0).sum(-1, keepdim=True))
    probs = log_probs.exp()
    surprise = torch.where(probs > 0, log_probs, 0)  # 0 log 0 = 0
    entropy = -(probs * surprise).sum(-1)
    squares = (probs**2).sum(-1)
    covariance = (probs**2 * surprise).sum(-1) + entropy * squares
    taken = log_probs.gather(-1, tokens[..., None])[..., 0]
    prob = taken.exp()
    push = torch.where(prob > 0, prob * (taken + entropy), 0) - covariance
    return TokenStats(taken, entropy, covariance, squares, push)


def tolerances(exact: TokenStats, relative: float) -> TokenStats:
    """What the module's docstring promises, of size ``relative``."""
    prob = exact.log_prob.exp()
    covariance = exact.entropy * exact.prob_sq_sum
    shift = prob * (exact.log_prob.clamp(min=-1000).abs() + exact.entropy)
    sizes = (exact.log_prob.abs(), exact.entropy, covariance, exact.prob_sq_sum, covariance + shift)
    return TokenStats(*(relative * size for size in sizes))


def errors(stats: TokenStats, exact: TokenStats, relative: float) -> dict[str, float]:
    """By name, the largest error where it is above what is allowed."""
    allowed = tolerances(exact, relative)
    found = {}
    for name, got, want, bound in zip(stats._fields, stats, exact, allowed, strict=True):
        assert got.shape == want.shape, name
        assert str(got.dtype) == "torch.float64", name
        far = (got != want) & ~((got - want).abs() <= bound)
        if far.any():
            found[name] = float(((got - want).abs() / bound)[far].max()) * relative
    return found


def identical(left: TokenStats, right: TokenStats) -> bool:
    """To the bit."""
    return all(bool((a == b).all()) and a.shape == b.shape for a, b in zip(left, right, strict=True))


def masked(z: Any) -> Any:
    """Every other token is out; of the last row all but one."""
    z[:, ::2] = -math.inf
    z[-1, 2:] = -math.inf
    return z


def with_ties(z: Any) -> Any:
    z[:, 7::1000] = z.amax() + 1
    return z


LARGE: dict[str, Callable[[], Any]] = {
    "normal": lambda: noise(ROWS, VOCABULARY, scale=2).float(),
    "wide": lambda: noise(ROWS, VOCABULARY, scale=100).float(),
    "nearly uniform": lambda: noise(ROWS, VOCABULARY, scale=1e-3).float(),
    "large offset": lambda: (noise(ROWS, VOCABULARY) + 3e4).float(),
    "negative offset": lambda: (noise(ROWS, VOCABULARY) - 1e6).float(),
    "ties": lambda: with_ties(noise(ROWS, VOCABULARY)).float(),
    "masked": lambda: masked(noise(ROWS, VOCABULARY)).float(),
    "bfloat16": lambda: noise(ROWS, VOCABULARY, scale=3).bfloat16(),
    "float16": lambda: noise(ROWS, VOCABULARY, scale=3).half(),
    "float64": lambda: noise(ROWS, VOCABULARY, scale=3),
}


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("kind", LARGE)
def test_a_large_vocabulary_in_any_type(torch: Any, kind: str, temperature: float) -> None:
    logits = LARGE[kind]()
    tokens = choices((ROWS,), VOCABULARY)
    tokens[0], tokens[-1] = logits[0].argmax(), 1
    exact = straight(logits, tokens, temperature)
    assert not errors(token_stats(logits, tokens, temperature=temperature), exact, ORACLE_ERROR)
    # A thousandth of the temperature, or float32 sums, is told apart.
    assert errors(token_stats(logits, tokens, temperature=temperature * 1.001), exact, ORACLE_ERROR)
    if kind == "normal":
        assert errors(in_float32(logits, tokens, temperature), exact, ORACLE_ERROR)


def in_float32(logits: Any, tokens: Any, temperature: float) -> TokenStats:
    import torch

    log_probs = torch.log_softmax(logits / temperature, dim=-1).double()
    return straight(log_probs, tokens)


@pytest.mark.parametrize("gap", [1.0, 20.0, 40.0, 300.0, 700.0])
def test_a_peaked_policy_keeps_its_relative_accuracy(torch: Any, gap: float) -> None:
    """exp(-gap) is far below the last place of 1: 1 - pi and its entropy are held against balls."""
    row = [0.1, gap + 1 / 3, 0.7, -1 / 7, 0.25]
    check_against_balls(torch, torch.tensor([row]), taken=1)
    check_against_balls(torch, torch.tensor([row], dtype=torch.float64), taken=0)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("place", [0, 5, 1023, 1024, 2047, 2048, 2499])
def test_the_largest_logit_is_found_wherever_it_is(torch: Any, place: int, dtype: str) -> None:
    """Beside it, exp(-2000) is 0; without it, exp(2000) is infinite."""
    for vocabulary in {max(place + 1, 2), 2048, 2500}:
        logits = torch.full((1, vocabulary), -1000.0, dtype=getattr(torch, dtype))
        logits[0, place % vocabulary] = 1000.0
        for token in (place % vocabulary, (place + 1) % vocabulary):
            stats = token_stats(logits, torch.tensor([token]))
            log_prob = 0.0 if token == place % vocabulary else -2000.0
            assert [stat.item() for stat in stats] == [log_prob, 0.0, 0.0, 1.0, 0.0]


def test_a_tile_far_below_another_adds_nothing(torch: Any) -> None:
    row = torch.tensor([[-1000.0, -1000.0, 1000.0, -1000.0, -1000.0]])
    for token in range(5):
        stats = in_tiles(row, torch.tensor([token]))
        assert [stat.item() for stat in stats] == [0.0 if token == 2 else -2000.0, 0.0, 0.0, 1.0, 0.0]


def test_the_exponential_is_within_an_ulp() -> None:
    """One is 2.2e-16 of a number just above a power of two. The last term of the series is 1.7e-16."""
    exact = oracles.precise(lambda x: as_ball(x).exp())
    for x in np.linspace(_softmax_sums.LOWEST, 0.0, 3001):
        assert_close(np.float64(_softmax_sums._exp(x)), exact(x), rel=2.2e-16, floor=0.0)
    assert _softmax_sums._exp(0.0) == 1.0
    assert math.isnan(_softmax_sums._exp(math.nan))


def check_against_balls(torch: Any, logits: Any, taken: int, compute: Any = token_stats) -> None:
    """One row against flint; entries that are out are left out."""
    stats = compute(logits, torch.tensor([taken]))
    entries = [x for x in logits[0].double().tolist() if x > -math.inf]
    log_probs, probs = oracles.log_probabilities(entries), oracles.probabilities(entries)
    entropy, covariance = oracles.entropy(entries), oracles.self_covariance(entries)
    squares = oracles.expectation(probs, probs)
    assert_close(stats.entropy[0].numpy(), entropy, rel=RELATIVE_ERROR)
    assert_close(stats.prob_sq_sum[0].numpy(), squares, rel=RELATIVE_ERROR)
    allowed = RELATIVE_ERROR * float(entropy * squares)
    assert_close(stats.self_covariance[0].numpy(), covariance, rel=0, floor=allowed + 1e-300)
    if logits[0, taken] == -math.inf:
        assert stats.log_prob[0] == -math.inf
        assert stats.push[0] == -stats.self_covariance[0]
        return
    place = taken - int((logits[0, :taken] == -math.inf).sum())
    log_prob, prob = log_probs[place], probs[place]
    assert_close(stats.log_prob[0].numpy(), log_prob, rel=RELATIVE_ERROR)
    allowed += RELATIVE_ERROR * float(prob * (abs(log_prob) + entropy))
    assert_close(stats.push[0].numpy(), prob * (log_prob + entropy) - covariance, rel=0, floor=allowed + 1e-300)


@st.composite
def rows(draw: st.DrawFn) -> tuple[list[float], int]:
    """Logits of one token, some of them out, never all; and a token, which may be out."""
    logits = draw(strategies.logits(1, 6).filter(lambda z: max(z) - min(z) < 600))
    out = draw(st.sets(st.integers(0, len(logits) - 1), max_size=len(logits) - 1))
    return [-math.inf if i in out else x for i, x in enumerate(logits)], draw(st.integers(0, len(logits) - 1))


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("path", ["compiled", "torch", "tiles"])
@given(case=rows())
def test_small_random_logits_against_balls(path: str, dtype: str, case: tuple[list[float], int]) -> None:
    import torch

    logits = torch.tensor([case[0]], dtype=getattr(torch, dtype))
    with pytest.MonkeyPatch.context() as patch:
        if path == "torch":
            patch.setattr(_softmax_sums, "_sum_compiled", _softmax_sums.sum_with_torch)
        finite = bool(torch.isfinite(logits).all())
        check_against_balls(torch, logits, case[1], in_tiles if path == "tiles" and finite else token_stats)


def in_tiles(logits: Any, tokens: Any) -> TokenStats:
    """From hidden states whose product with the matrix is exact, two entries at a time."""
    import torch

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_softmax_sums, "TILE", 2)
        return token_stats_from_hidden(torch.ones(1, 1, dtype=logits.dtype), logits.T, tokens)


def test_what_one_tile_adds_to_another_does_not_hang_on_the_order(torch: Any) -> None:
    """A running maximum that rises, stays and falls, by gaps of every size."""
    row = torch.tensor([[0.0, -3.0, 5.0, 5.0, 5.0, -700.0, 4.0, 800.0, 799.0, 800.0, -1e5]], dtype=torch.float64)
    token = torch.tensor([0])
    exact = straight(row, token)
    assert not errors(in_tiles(row, token), exact, RELATIVE_ERROR)
    for seed in range(20):
        order = torch.randperm(row.shape[1], generator=torch.Generator().manual_seed(seed))
        place = (order == 0).nonzero()[0]
        assert not errors(in_tiles(row[:, order].contiguous(), place), exact, RELATIVE_ERROR)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_tile_is_summed_before_its_memory_is_written_again(
    torch: Any, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long summing takes, and whether the next product is made meanwhile or not."""
    plain = _softmax_sums._sums_of_tile

    def slow(*args: Any) -> Any:
        time.sleep(0.01)
        return plain(*args)

    row, before = noise(1, 11), torch.get_num_threads()
    expected = in_tiles(row, torch.tensor([7]))
    monkeypatch.setattr(_softmax_sums, "_sums_of_tile", slow)
    torch.set_num_threads(threads)
    try:
        assert in_tiles(row, torch.tensor([7])) == expected
    finally:
        torch.set_num_threads(before)
    assert not errors(expected, straight(row, torch.tensor([7])), RELATIVE_ERROR)


def test_entropy_and_self_covariance_are_those_of_the_theory(torch: Any) -> None:
    logits = noise(50, 99, scale=3)
    stats = token_stats(logits, choices((50,), 99))
    assert_close(stats.entropy.numpy(), qae_theory.entropy(logits.numpy()), rel=RELATIVE_ERROR)
    assert_close(stats.self_covariance.numpy(), qae_theory.self_covariance(logits.numpy()), rel=1e-12)


def test_trl_gives_the_same_within_float32(torch: Any) -> None:
    """TRL's sums are float32: of a thousand terms, each with a rounding error of 6e-8 on logits of size 10."""
    utils = pytest.importorskip("trl.trainer.utils")
    logits, tokens = noise(4, 5, 999, scale=2).float(), choices((4, 5), 999)
    stats = token_stats(logits, tokens, temperature=0.9)
    log_prob = utils.selective_log_softmax(logits, tokens, temperature=0.9)
    entropy = utils.entropy_from_logits(logits / 0.9)
    torch.testing.assert_close(stats.log_prob.float(), log_prob, rtol=0, atol=2e-5)
    torch.testing.assert_close(stats.entropy.float(), entropy, rtol=0, atol=2e-5)


# The first-order law.


def entropy_at(logits: Any) -> Any:
    log_probs = logits.log_softmax(-1)
    return -(log_probs.exp() * log_probs).sum(-1)


def slopes(logits: Any, tokens: Any, step: float = 1e-4) -> Any:
    """Central difference of H along e_y - pi."""
    direction = -logits.softmax(-1)
    direction.scatter_add_(-1, tokens[..., None], logits.new_ones(*tokens.shape, 1))
    return (entropy_at(logits + step * direction) - entropy_at(logits - step * direction)) / (2 * step)


def follows(slope: Any, push: Any) -> bool:
    """H has third derivatives below 10 here: 1e-8 * 10 / 6; rounding of H, 1e-15 / 1e-4, is less."""
    return bool(((slope + push).abs() < 1e-7).all())


def test_entropy_moves_by_minus_the_push(torch: Any) -> None:
    logits, tokens = noise(200, 12, scale=2), choices((200,), 12)
    stats = token_stats(logits, tokens)
    slope = slopes(logits, tokens)
    assert follows(slope, stats.push)
    assert not follows(slope, -stats.push)
    assert not follows(slope, stats.push + stats.self_covariance)
    assert not follows(slope, stats.push - 1e-5)
    cold = token_stats(logits, tokens, temperature=0.5)
    assert follows(slopes(logits / 0.5, tokens), cold.push)
    assert not follows(slope, cold.push)


def test_the_mean_push_is_zero(torch: Any) -> None:
    """Over the policy itself; the score's mean is zero."""
    logits = noise(40, scale=2)
    stats = token_stats(logits.expand(40, 40), torch.arange(40))
    assert abs(float((stats.log_prob.exp() * stats.push).sum())) < 1e-15 < float(stats.push.abs().max())


# What a result does not depend on.


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_no_bit_depends_on_chunk_threads_or_other_rows(torch: Any, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    logits = noise(6, 5, 2500, scale=4).to(getattr(torch, dtype))
    tokens = choices((6, 5), 2500)
    stats = token_stats(logits, tokens)
    assert not identical(stats, token_stats(logits, tokens, temperature=1 + 1e-15))
    for chunk in (1, 2, 7, 30, 1000):
        assert identical(stats, token_stats(logits, tokens, chunk=chunk))
    assert identical(part(stats, (slice(2, 4), 1)), token_stats(logits[2:4, 1], tokens[2:4, 1]))
    monkeypatch.setattr(_softmax_sums, "TASK", 1)
    for threads in (1, 4):
        with torch_threads(threads):
            assert identical(stats, token_stats(logits, tokens))


def part(stats: TokenStats, index: Any) -> TokenStats:
    return TokenStats(*(stat[index] for stat in stats))


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


VIEWS: dict[str, Callable[[Any], Any]] = {
    "shifted": lambda z: z[:, :-1],
    "turned": lambda z: z.transpose(0, 1),
    "columns": lambda z: z[..., 3:-2],
    "every other": lambda z: z[..., ::2],
    "turned whole": lambda z: z.permute(2, 1, 0),
    "expanded": lambda z: z[:1].expand(3, -1, -1),
    "one row": lambda z: z[1, 2],
    "no row": lambda z: z[:0],
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_gives_what_its_copy_gives(torch: Any, view: str, dtype: str) -> None:
    logits = VIEWS[view](noise(4, 5, 60).to(getattr(torch, dtype)))
    tokens = choices(logits.shape[:-1], logits.shape[-1])
    assert identical(token_stats(logits, tokens, chunk=2), token_stats(logits.contiguous().clone(), tokens))


def test_torch_sums_are_the_compiled_ones(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are what a GPU does. Only the order of the additions differs."""
    logits, tokens = masked(noise(8, 5000, scale=5)).float(), choices((8,), 5000)
    compiled = token_stats(logits, tokens)
    monkeypatch.setattr(_softmax_sums, "_sum_compiled", _softmax_sums.sum_with_torch)
    assert not errors(token_stats(logits, tokens, chunk=3), compiled, RELATIVE_ERROR)


# From hidden states.


def factors(*shape: int, features: int, vocabulary: int, dtype: str = "float32") -> tuple[Any, Any]:
    """Integers so small that every partial sum of the product is exact."""
    import torch

    kind = getattr(torch, dtype)
    draw = torch.Generator().manual_seed(3)
    hidden = torch.randint(-2, 3, (*shape, features), generator=draw).to(kind)
    return hidden, torch.randint(-1, 2, (vocabulary, features), generator=draw).to(kind)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
@pytest.mark.parametrize("vocabulary", [1, 99, 4096, 4097, 10_000])
def test_an_exact_product_gives_what_its_logits_give(torch: Any, vocabulary: int, dtype: str) -> None:
    hidden, weight = factors(3, 4, features=16, vocabulary=vocabulary, dtype=dtype)
    tokens = choices((3, 4), vocabulary)
    tokens[0, 0] = vocabulary - 1
    whole = token_stats(hidden @ weight.T, tokens, temperature=0.8)
    stats = token_stats_from_hidden(hidden, weight, tokens, temperature=0.8)
    assert not errors(stats, whole, RELATIVE_ERROR)
    for chunk in (1, 5, 100):
        assert identical(stats, token_stats_from_hidden(hidden, weight, tokens, temperature=0.8, chunk=chunk))
    if vocabulary > 1:
        assert errors(token_stats_from_hidden(hidden, weight.flip(0), tokens, temperature=0.8), whole, RELATIVE_ERROR)


@pytest.mark.parametrize(("rows", "vocabulary"), [(300, 5000), (3, 151_936)])
def test_rows_that_threads_share_and_a_whole_vocabulary(torch: Any, rows: int, vocabulary: int) -> None:
    """More rows of a tile than one thread takes in a go, with a part left over; as many tiles as a model has."""
    hidden, weight = factors(rows, features=4, vocabulary=vocabulary, dtype="float32")
    tokens = choices((rows,), vocabulary)
    stats = token_stats_from_hidden(hidden, weight, tokens)
    assert not errors(stats, token_stats(hidden @ weight.T, tokens), RELATIVE_ERROR)
    assert errors(stats, token_stats(hidden.roll(1, 0) @ weight.T, tokens), RELATIVE_ERROR)


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-12), ("float32", 1e-4)])
def test_a_rounded_product_moves_a_result_by_its_rounding(torch: Any, dtype: str, error: float) -> None:
    """Logits of size 5 from 64 products, each within a few units in the last place of float32 (6e-8) or float64."""
    hidden, weight = noise(30, 64, seed=5), noise(9000, 64, seed=6, scale=0.2)
    tokens = choices((30,), 9000)
    exact = straight(hidden.to(getattr(torch, dtype)).double() @ weight.to(getattr(torch, dtype)).double().T, tokens)
    for chunk in (None, 1, 7):
        stats = token_stats_from_hidden(*(x.to(getattr(torch, dtype)) for x in (hidden, weight)), tokens, chunk=chunk)
        assert not errors(stats, exact, error)


def test_a_logit_beyond_its_type_on_the_low_side_has_probability_0(torch: Any) -> None:
    large, weight = torch.full((1, 3), 3e38), torch.tensor([[0.0] * 3, [-1.0] * 3])
    assert token_stats_from_hidden(large, weight, torch.tensor([0])).log_prob == 0


# Cost.


@pytest.mark.parametrize("threads", [2, 3])
def test_torchs_threads_are_as_many_afterwards(torch: Any, threads: int) -> None:
    """In the thread that calls and in one that begins later; and their number changes no exact result."""
    hidden, weight = factors(5, features=4, vocabulary=9000, dtype="float32")
    tokens = choices((5,), 9000)
    with torch_threads(1):
        alone = token_stats_from_hidden(hidden, weight, tokens)
    with torch_threads(threads):
        assert identical(token_stats_from_hidden(hidden, weight, tokens), alone)
        assert torch.get_num_threads() == threads
        with ThreadPoolExecutor(1) as later:
            assert later.submit(torch.get_num_threads).result() == threads


def test_no_array_of_the_size_of_the_logits_is_made() -> None:
    """At most an eighth of it, where ``torch.softmax`` makes all of it."""
    sizes = {"logits": 4, "slice": 4, "hidden": 4, "bfloat16": 2, "softmax": 4}
    cases = [f"{kind}:256:{VOCABULARY}:float32" for kind in sizes if kind != "bfloat16"]
    peaks = dict(zip(sizes, measured([*cases[:3], f"logits:256:{VOCABULARY}:bfloat16", *cases[3:]]), strict=True))
    shares = {kind: peaks[kind] / (256 * VOCABULARY * bytes_each) for kind, bytes_each in sizes.items()}
    assert shares.pop("softmax") > 0.95
    assert max(shares.values()) <= 1 / 8, shares


def test_no_gradient_is_kept(torch: Any) -> None:
    logits = noise(2, 9).requires_grad_()
    assert not any(stat.requires_grad for stat in token_stats(logits, choices((2,), 9)))
    hidden, weight = noise(2, 3).requires_grad_(), noise(9, 3).requires_grad_()
    assert not any(stat.requires_grad for stat in token_stats_from_hidden(hidden, weight, choices((2,), 9)))
    assert logits.grad is hidden.grad is weight.grad is None


def test_input_is_left_alone(torch: Any) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        logits = noise(4, 9).to(dtype)
        before = logits.clone()
        token_stats(logits, choices((4,), 9), temperature=0.5)
        assert bool((logits == before).all())


@pytest.mark.parametrize("threads", [1, 2])
def test_no_rows_are_no_error(torch: Any, threads: int) -> None:
    none = choices((0, 3), 9)
    with torch_threads(threads):
        assert all(stat.shape == (0, 3) for stat in token_stats(noise(0, 3, 9), none))
        assert all(stat.shape == (3, 0) for stat in token_stats(noise(9, 0, 3).permute(2, 1, 0), none.T))
        assert all(stat.shape == (0, 3) for stat in token_stats_from_hidden(noise(0, 3, 2), noise(9, 2), none))


def test_examples() -> None:
    assert doctest.testmod(module).failed == 0 < doctest.testmod(module).attempted


# Refusals.


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("place", [0, 5, 1023, 1024, 2999])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_and_infinity_are_found_wherever_they_are(torch: Any, bad: float, place: int, dtype: str) -> None:
    logits = noise(2, 3, 3000).to(getattr(torch, dtype))
    tokens = choices((2, 3), 3000)
    logits[1, 0, place] = bad
    refuses(lambda: token_stats(logits, tokens), "logits", bad)
    refuses(lambda: token_stats(logits[:, :2], tokens[:, :2], chunk=1), "logits", bad)
    token_stats(logits[:1], tokens[:1])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_torch_sums_find_them_too(torch: Any, bad: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_softmax_sums, "_sum_compiled", _softmax_sums.sum_with_torch)
    for place in range(4):
        logits = noise(3, 4)
        logits[2, place] = bad
        refuses(lambda logits=logits: token_stats(logits, torch.tensor([0, 1, 2])), "logits", bad)


def test_a_row_with_no_token_left_is_refused(torch: Any) -> None:
    logits = noise(3, 2000)
    logits[1] = -math.inf
    refuses(lambda: token_stats(logits, choices((3,), 2000)), "logits", -math.inf, says="finite somewhere")


def test_bad_hidden_states_and_weights_are_told_apart(torch: Any) -> None:
    tokens = choices((2,), 9)
    for bad in (math.nan, math.inf, -math.inf):
        hidden, weight = noise(2, 3), noise(9, 3)
        hidden[1, 1] = bad
        refuses(lambda h=hidden, w=weight: token_stats_from_hidden(h, w, tokens), "hidden", bad)
        hidden[1, 1], weight[7, 2] = 0.5, bad
        refuses(lambda h=hidden, w=weight: token_stats_from_hidden(h, w, tokens), "weight", bad)
    weight[7, 2] = -math.inf
    # Every logit of that row is -inf, which alone would be a token that cannot be taken.
    refuses(lambda: token_stats_from_hidden(noise(2, 3).abs(), weight, tokens), "weight", -math.inf)
    refuses(lambda: token_stats_from_hidden(noise(0, 3), weight, tokens[:0]), "weight", -math.inf)
    large = torch.full((2, 3), 3e38)
    refuses(lambda: token_stats_from_hidden(large, torch.ones(9, 3), tokens), "hidden", large.dtype, says="@ weight.T")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("logits", lambda t: {"logits": [[0.0, 1.0]]}),
        ("logits", lambda t: {"logits": t.zeros(2, 9, dtype=t.int64)}),
        ("logits", lambda t: {"logits": t.zeros(2, 9, dtype=t.complex64)}),
        ("logits", lambda t: {"logits": t.tensor(0.0)}),
        ("logits", lambda t: {"logits": t.zeros(2, 0)}),
        ("tokens", lambda t: {"tokens": [0, 1]}),
        ("tokens", lambda t: {"tokens": t.tensor([0.0, 1.0])}),
        ("tokens", lambda t: {"tokens": t.tensor([True, False])}),
        ("tokens", lambda t: {"tokens": t.tensor([0])}),
        ("tokens", lambda t: {"tokens": t.tensor([[0, 1]])}),
        ("tokens", lambda t: {"tokens": t.tensor([0, 9])}),
        ("tokens", lambda t: {"tokens": t.tensor([-1, 0])}),
        ("temperature", lambda t: {"temperature": 0.0}),
        ("temperature", lambda t: {"temperature": -1.0}),
        ("temperature", lambda t: {"temperature": math.nan}),
        ("temperature", lambda t: {"temperature": math.inf}),
        ("temperature", lambda t: {"temperature": 1e-320}),
        ("temperature", lambda t: {"temperature": "1"}),
        ("temperature", lambda t: {"temperature": True}),
        ("chunk", lambda t: {"chunk": 0}),
        ("chunk", lambda t: {"chunk": -3}),
        ("chunk", lambda t: {"chunk": 1.5}),
        ("chunk", lambda t: {"chunk": True}),
        ("chunk", lambda t: {"chunk": "all"}),
    ],
)
def test_bad_arguments_are_refused_by_name(torch: Any, name: str, change: Callable[[Any], dict[str, Any]]) -> None:
    arguments = {"logits": torch.zeros(2, 9), "tokens": torch.tensor([0, 8]), **change(torch)}
    with pytest.raises(ValueError, match=rf"^{name} must be "):
        token_stats(**arguments)
    if name == "logits":
        return
    arguments.pop("logits")
    with pytest.raises(ValueError, match=rf"^{name} must be "):
        token_stats_from_hidden(torch.zeros(2, 3), torch.zeros(9, 3), **arguments)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("hidden", lambda t: {"hidden": [[0.0]]}),
        ("hidden", lambda t: {"hidden": t.zeros(2, 3, dtype=t.int64)}),
        ("hidden", lambda t: {"hidden": t.tensor(0.0)}),
        ("hidden", lambda t: {"hidden": t.zeros(2, 0)}),
        ("weight", lambda t: {"weight": "W"}),
        ("weight", lambda t: {"weight": t.zeros(3)}),
        ("weight", lambda t: {"weight": t.zeros(0, 3)}),
        ("weight", lambda t: {"weight": t.zeros(9, 4)}),
        ("weight", lambda t: {"weight": t.zeros(2, 9, 3)}),
        ("weight", lambda t: {"weight": t.zeros(9, 3, dtype=t.float64)}),
    ],
)
def test_bad_factors_are_refused_by_name(torch: Any, name: str, change: Callable[[Any], dict[str, Any]]) -> None:
    arguments = {"hidden": torch.zeros(2, 3), "weight": torch.zeros(9, 3), **change(torch)}
    with pytest.raises(ValueError, match=rf"^{name} must be "):
        token_stats_from_hidden(**arguments, tokens=torch.tensor([0, 8]))
