"""Figures, not tests: token statistics beside TRL's two functions and one ``torch.softmax``, on the same array.

The aim at [512, 151936] float32 on two cores: 0.2 of TRL's two functions, 0.8 of one softmax, and an eighth of the
array in memory. On a GPU where there is one; memory is then what torch allocates.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.benchmarks.turns import beside
from tests.llm_validation.probe.peak_memory import measured

pytestmark = pytest.mark.train

# A rollout of a large vocabulary, and one of this project's own characters.
SHAPES = {"large": (512, 151_936), "small": (16_384, 99)}
FEATURES = 1024
ROUNDS = 11


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")  # always there: without it these tests are deselected


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _logits(shape: str, dtype: str = "float32") -> tuple[Any, Any]:
    """Of a standard deviation of 2, and tokens."""
    import torch

    rows, vocabulary = SHAPES[shape]
    draw = torch.Generator(_device()).manual_seed(0)
    logits = torch.empty(rows, vocabulary, device=_device()).normal_(std=2.0, generator=draw)
    return logits.to(getattr(torch, dtype)), torch.randint(vocabulary, (rows,), device=_device(), generator=draw)


def _time(benchmark: Any, call: Callable[[], Any], peer: str | None = None, rounds: int = ROUNDS) -> Any:
    """Median over ``rounds``, until the device is done."""
    import torch

    def done() -> Any:
        result = call()
        if _device() == "cuda":
            torch.cuda.synchronize()
        return result

    benchmark.extra_info.update(device=_device(), threads=torch.get_num_threads())
    if peer is not None:
        benchmark.extra_info["peer"] = peer
    return benchmark.pedantic(done, rounds=rounds, warmup_rounds=1)


def _bandwidth(benchmark: Any, array: Any) -> None:
    """The array's bytes once, by the median; nothing where timing is switched off."""
    if benchmark.stats is not None:
        benchmark.extra_info["GB_per_s"] = round(array.nbytes / benchmark.stats.stats.median / 1e9, 2)


@pytest.mark.parametrize("peer", ["trl", "softmax"])
@pytest.mark.parametrize("shape", SHAPES)
def test_token_stats(benchmark: Any, torch: Any, shape: str, peer: str) -> None:
    from llm_validation.probe.token_stats import token_stats

    logits, tokens = _logits(shape)
    stats = _time(benchmark, lambda: token_stats(logits, tokens), f"test_{peer}[{shape}]")
    _bandwidth(benchmark, logits)
    assert bool((stats.entropy > 0).all())


@pytest.mark.parametrize("shape", SHAPES)
def test_trl(benchmark: Any, torch: Any, shape: str) -> None:
    """``selective_log_softmax`` and ``entropy_from_logits``: two of the five statistics."""
    utils = pytest.importorskip("trl.trainer.utils")
    logits, tokens = _logits(shape)
    both = utils.selective_log_softmax, utils.entropy_from_logits
    log_prob, entropy = _time(benchmark, lambda: (both[0](logits, tokens), both[1](logits)))
    assert log_prob.shape == entropy.shape == tokens.shape


@pytest.mark.parametrize("shape", SHAPES)
def test_softmax(benchmark: Any, torch: Any, shape: str) -> None:
    """One ``torch.softmax``, into fresh memory."""
    logits, _ = _logits(shape)
    assert _time(benchmark, lambda: torch.softmax(logits, -1)).shape == logits.shape


def test_read(benchmark: Any, torch: Any) -> None:
    """For reference: the largest logit of each row, as fast as memory is read."""
    logits, _ = _logits("large")
    _time(benchmark, lambda: logits.amax(-1), "test_token_stats[large-softmax]")
    _bandwidth(benchmark, logits)


def test_half_precision(benchmark: Any, torch: Any) -> None:
    """bfloat16, which is converted in blocks."""
    from llm_validation.probe.token_stats import token_stats

    logits, tokens = _logits("large", "bfloat16")
    _time(benchmark, lambda: token_stats(logits, tokens), "test_token_stats[large-softmax]")
    _bandwidth(benchmark, logits)


@pytest.mark.parametrize("peer", ["trl", "whole"])
def test_from_hidden(benchmark: Any, torch: Any, peer: str) -> None:
    """1024 features: block by block, beside TRL's kernel with log-probability and entropy, and the product alone.

    The two take turns: either lasts for seconds, in which a shared machine changes its pace.
    """
    from trl.kernels import ChunkedLogProbFunction
    from trl.trainer.utils import _CHUNKED_LOGPROB_CHUNK_SIZE

    from llm_validation.probe.token_stats import token_stats_from_hidden

    rows, vocabulary = SHAPES["large"]
    draw = torch.Generator(_device()).manual_seed(0)
    hidden = torch.empty(rows, FEATURES, device=_device()).normal_(generator=draw)
    weight = torch.empty(vocabulary, FEATURES, device=_device()).normal_(std=0.06, generator=draw)
    tokens = torch.zeros(rows, dtype=torch.int64, device=_device())
    chunk = _CHUNKED_LOGPROB_CHUNK_SIZE
    peers: dict[str, Callable[[], Any]] = {
        "trl": lambda: ChunkedLogProbFunction.apply(hidden, weight, None, tokens, 1.0, chunk, None, 1.0, ("entropy",)),
        "whole": lambda: hidden @ weight.T,
    }
    benchmark.extra_info.update(device=_device(), threads=torch.get_num_threads())
    ours = partial(token_stats_from_hidden, hidden, weight, tokens)
    wait = torch.cuda.synchronize if _device() == "cuda" else lambda: None
    stats = beside(benchmark, ours, peers[peer], peer, wait=wait)
    assert bool((stats.entropy > 0).all())


@pytest.mark.parametrize("kind", ["logits", "softmax"])
def test_memory(benchmark: Any, torch: Any, kind: str) -> None:
    """Peak beyond the [512, 151936] float32 array, over its size."""
    rows, vocabulary = SHAPES["large"]
    logits, tokens = _logits("large")
    peak = _peak_on_gpu(kind, logits, tokens) if _device() == "cuda" else _peak(kind)
    share = peak / (4 * rows * vocabulary)
    benchmark.extra_info.update(peak_MiB=round(peak / 2**20, 2), share_of_logits=round(share, 4))
    _time(benchmark, lambda: logits.amax(-1), rounds=1)
    assert share <= 1 / 8 if kind == "logits" else share >= 0.95


def _peak(kind: str) -> int:
    rows, vocabulary = SHAPES["large"]
    return measured([f"{kind}:{rows}:{vocabulary}:float32"])[0]


def _peak_on_gpu(kind: str, logits: Any, tokens: Any) -> int:
    import torch

    from llm_validation.probe.token_stats import token_stats

    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    kept = token_stats(logits, tokens) if kind == "logits" else torch.softmax(logits, -1)
    peak = torch.cuda.max_memory_allocated() - before
    del kept
    return peak
