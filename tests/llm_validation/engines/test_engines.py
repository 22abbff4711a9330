"""Sampling with Transformers: the right distribution, streams of their own, and the model left as it was."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from scipy import stats

from llm_validation.engines import TransformersEngine, check_sampling, open_engine
from llm_validation.engines.base import stop_tokens, stream
from tests.assertions import refuses

train = pytest.mark.train

# Of each statistical test; fixed before looking. There are twelve.
ERROR_RATE = 1e-4
PROMPTS = ["1+2=", "34*5=", "7", "12+3*4="]
SETTINGS: dict[str, Any] = {"samples": 3, "temperature": 0.7, "max_new_tokens": 5, "seed": 1}


@pytest.fixture(scope="module")
def parts() -> tuple[Any, Any]:
    """A model of random weights whose distribution is far from uniform, and its tokenizer."""
    import torch

    from llm_validation.models.presets import load_model

    model, tokenizer = load_model("tiny", seed=5)
    with torch.no_grad():
        model.model.norm.weight.mul_(3)  # and so the logits
    return model, tokenizer


@pytest.fixture
def engine(parts: tuple[Any, Any]) -> TransformersEngine:
    return TransformersEngine(*parts)


def first_logits(parts: tuple[Any, Any], prompt: str) -> Any:
    import torch

    model, tokenizer = parts
    with torch.no_grad():
        logits = model(torch.tensor([tokenizer(prompt)["input_ids"]])).logits[0, -1]
    return logits.double().numpy()


def softmax(logits: Any) -> Any:
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def goodness(tokens: list[int], probs: Any) -> float:
    """p-value of Pearson's test; tokens expected less than five times are one cell."""
    counts = np.bincount(tokens, minlength=len(probs))
    common = probs * len(tokens) >= 5
    observed = np.append(counts[common], counts[~common].sum())
    expected = np.append(probs[common], probs[~common].sum()) * len(tokens)
    if expected[-1] == 0:
        assert observed[-1] == 0
        observed, expected = observed[:-1], expected[:-1]
    return float(stats.chisquare(observed, expected).pvalue)


def drawn(engine: TransformersEngine, prompt: str, count: int, **settings: Any) -> list[int]:
    [group] = engine.generate([prompt], samples=count, max_new_tokens=1, seed=2, **settings)
    return [response.token_ids[0] for response in group]


@train
@pytest.mark.parametrize("temperature", [0.4, 0.7, 1.0])
def test_the_first_token_has_its_distribution(engine: TransformersEngine, parts: Any, temperature: float) -> None:
    """And not that of another temperature."""
    tokens, logits = drawn(engine, "1+2=", 4000, temperature=temperature), first_logits(parts, "1+2=")
    assert goodness(tokens, softmax(logits / temperature)) >= ERROR_RATE
    assert goodness(tokens, softmax(logits / (1.3 * temperature))) < ERROR_RATE


@train
def test_nucleus(engine: TransformersEngine, parts: Any) -> None:
    """The smallest set of the likeliest tokens with probability top_p, renormalised; the control is no nucleus."""
    probs = softmax(first_logits(parts, "1+2=") / 0.7)
    order = np.argsort(-probs)
    kept = order[: int(np.searchsorted(probs[order].cumsum(), 0.6)) + 1]
    inside = np.zeros_like(probs)
    inside[kept] = probs[kept] / probs[kept].sum()
    tokens = drawn(engine, "1+2=", 4000, temperature=0.7, top_p=0.6)
    assert set(tokens) <= set(kept.tolist())
    assert goodness(tokens, inside) >= ERROR_RATE
    assert goodness(tokens, probs) < ERROR_RATE


@train
def test_temperature_zero_takes_the_likeliest(engine: TransformersEngine, parts: Any) -> None:
    assert set(drawn(engine, "1+2=", 3, temperature=0)) == {int(first_logits(parts, "1+2=").argmax())}


@train
def test_log_probs_are_the_model_s_own(engine: TransformersEngine, parts: Any) -> None:
    """Teacher-forced, one response at a time, without padding and cache, at temperature 1.

    float32 logits of order ten, 2^-24 each, a hundred of them in a sum: 1e-5 leaves a factor of ten.
    """
    tempered = 0
    for prompt, group in zip(PROMPTS, engine.generate(PROMPTS, **SETTINGS), strict=True):
        for response in group:
            assert teacher_forced(parts, prompt, response.token_ids) == pytest.approx(response.log_probs, abs=1e-5)
            at_07 = teacher_forced(parts, prompt, response.token_ids, temperature=0.7)
            tempered += at_07 != pytest.approx(response.log_probs, abs=1e-3)
    assert tempered > 0  # the comparison would see another temperature


def teacher_forced(parts: Any, prompt: str, token_ids: tuple[int, ...], temperature: float = 1.0) -> list[float]:
    import torch

    model, tokenizer = parts
    start = tokenizer(prompt)["input_ids"]
    with torch.no_grad():
        logits = model(torch.tensor([[*start, *token_ids]])).logits[0, len(start) - 1 : -1]
    log_probs = (logits / temperature).log_softmax(-1)
    return [float(log_probs[at, token]) for at, token in enumerate(token_ids)]


@train
def test_batches_change_nothing(parts: Any) -> None:
    runs = [TransformersEngine(*parts, batch=batch).generate(PROMPTS, **SETTINGS) for batch in (1, 5, 1000)]
    tokens = [[[response.token_ids for response in group] for group in run] for run in runs]
    assert tokens[0] == tokens[1] == tokens[2]
    for one, other in itertools.combinations(runs, 2):
        for a, b in zip(itertools.chain(*one), itertools.chain(*other), strict=True):
            assert a.log_probs == pytest.approx(b.log_probs, abs=1e-5)  # the last digits of the logits


@train
def test_divided_questions_and_fewer_samples_are_the_same_draws(engine: TransformersEngine) -> None:
    whole = engine.generate(PROMPTS, **SETTINGS)
    divided = engine.generate(PROMPTS[:1], **SETTINGS) + engine.generate(PROMPTS[1:], **SETTINGS, first=1)
    fewer = engine.generate(PROMPTS, **{**SETTINGS, "samples": 2})
    ids = [[response.token_ids for response in group] for group in whole]
    assert ids == [[response.token_ids for response in group] for group in divided]
    assert [group[:2] for group in ids] == [[response.token_ids for response in group] for group in fewer]
    assert ids != [[r.token_ids for r in group] for group in engine.generate(PROMPTS, **{**SETTINGS, "seed": 2})]


@train
def test_samples_and_questions_are_independent(engine: TransformersEngine, parts: Any) -> None:
    """Two draws for one prompt agree as often as independent ones do; with equal numbers they are the same."""
    agree = float((softmax(first_logits(parts, "1+2=") / 0.7) ** 2).sum())
    settings = {"temperature": 0.7, "max_new_tokens": 1, "seed": 3}
    groups = engine.generate(["1+2="] * 1000, samples=2, **settings)
    first, second = ([group[s].token_ids for group in groups] for s in (0, 1))
    across_samples = sum(a == b for a, b in zip(first, second, strict=True))
    across_questions = sum(a == b for a, b in zip(first[::2], first[1::2], strict=True))
    assert stats.binomtest(across_samples, 1000, agree).pvalue >= ERROR_RATE
    assert stats.binomtest(across_questions, 500, agree).pvalue >= ERROR_RATE
    again = [group[0].token_ids for group in engine.generate(["1+2="] * 1000, samples=1, **settings)]
    assert again == first
    assert stats.binomtest(1000, 1000, agree).pvalue < ERROR_RATE


@train
def test_responses_end_at_any_of_the_stop_tokens(parts: Any) -> None:
    model, tokenizer = parts
    before = model.generation_config.eos_token_id
    model.generation_config.eos_token_id = [before, 40, 41, 42, 43, 44]
    try:
        groups = TransformersEngine(model, tokenizer).generate(
            ["1+2="], samples=200, temperature=1.0, max_new_tokens=6, seed=4
        )
    finally:
        model.generation_config.eos_token_id = before
    stops = {before, 40, 41, 42, 43, 44}
    lengths = set()
    for response in groups[0]:
        assert not set(response.token_ids[:-1]) & stops
        assert response.finished == (response.token_ids[-1] in stops)
        assert response.finished or len(response.token_ids) == 6
        assert len(response.log_probs) == len(response.token_ids)
        assert response.text == tokenizer.decode(response.token_ids, skip_special_tokens=True)
        lengths.add(len(response.token_ids))
    assert len(lengths) > 2


@train
def test_the_model_s_settings_count_for_nothing_and_stay(parts: Any) -> None:
    """A checkpoint of a hub brings settings such as a penalty on repetition."""
    import torch

    model, tokenizer = parts
    plain = TransformersEngine(model, tokenizer).generate(PROMPTS, **SETTINGS)
    settings, state = model.generation_config, torch.random.get_rng_state()
    settings.repetition_penalty, settings.top_k = 5.0, 2
    model.train()
    try:
        assert TransformersEngine(model, tokenizer).generate(PROMPTS, **SETTINGS) == plain
        assert model.generation_config is settings
        assert model.training
    finally:
        settings.repetition_penalty, settings.top_k = None, None
        model.eval()
    assert torch.equal(torch.random.get_rng_state(), state)


@train
def test_prompts_that_cannot_be(engine: TransformersEngine) -> None:
    refuses(lambda: engine.generate([""], **SETTINGS), "prompt", "")
    refuses(lambda: engine.generate(["\ud800"], **SETTINGS), "prompt", "\ud800")
    with pytest.raises(ValueError, match="max_new_tokens must leave room for the prompt: 1000 tokens of prompt and 25"):
        engine.generate(["1" * 1000], **{**SETTINGS, "max_new_tokens": 25})
    [[response]] = engine.generate(["1" * 1019], **{**SETTINGS, "samples": 1})
    assert response.token_ids


@train
def test_open_engine() -> None:
    with open_engine("transformers", "tiny", seed=5, batch=2) as engine:
        assert len(engine.generate(PROMPTS, **SETTINGS)) == len(PROMPTS)
    refuses(lambda: open_engine("hf", "tiny"), "engine", "hf")
    refuses(lambda: open_engine("transformers", "tiny", dtype="float8"), "dtype", "float8")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"samples": 0}, "samples"),
        ({"samples": True}, "samples"),
        ({"max_new_tokens": 1.5}, "max_new_tokens"),
        ({"seed": -1}, "seed"),
        ({"temperature": -0.5}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.5}, "top_p"),
    ],
)
def test_settings_that_cannot_be(change: dict[str, Any], name: str) -> None:
    refuses(lambda: check_sampling(**{"top_p": 1.0, **SETTINGS, **change}), name, change[name])


def test_streams_are_each_its_own() -> None:
    drawn = {stream(seed, q, s).random() for seed in range(5) for q in range(10) for s in range(10)}
    assert len(drawn) == 500
    assert stream(1, 2, 3).random() == stream(1, 2, 3).random()


def test_stop_tokens() -> None:
    class Tokens:
        def __init__(self, eos_token_id: Any) -> None:
            self.eos_token_id = eos_token_id

    assert stop_tokens(Tokens([3, 4]), Tokens(5)) == [3, 4]
    assert stop_tokens(Tokens(None), Tokens(5)) == stop_tokens(None, Tokens(5)) == [5]
    with pytest.raises(ValueError, match="must have an end-of-text token"):
        stop_tokens(None, Tokens(None))
