"""vLLM against Transformers in one environment: `make test-vllm`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from llm_validation.engines import VllmEngine, before_stop
from llm_validation.tasks import load_examples
from qae_theory.curves.statistics import mean_interval
from tests.llm_validation.engines.test_engines import first_logits, goodness, softmax, teacher_forced

pytestmark = pytest.mark.vllm

# Of each statistical test; fixed before looking. There are ten.
ERROR_RATE = 1e-4
# float32 logits of order ten, 2^-24 each, a hundred of them in a sum: a factor of ten is left.
TOLERANCE = 1e-5
PROMPT = "3+4="


@pytest.fixture(scope="module")
def parts() -> tuple[Any, Any]:
    """A small Qwen3 of random weights whose distribution is far from uniform, and its tokenizer."""
    import torch

    from llm_validation.models.presets import load_model

    model, tokenizer = load_model("small", seed=5)
    with torch.no_grad():
        model.model.norm.weight.mul_(3)  # and so the logits
    return model, tokenizer


@pytest.fixture(scope="module")
def engine(parts: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmEngine]:
    """One for all tests here: a process has place for one."""
    folder = tmp_path_factory.mktemp("random")
    for part in parts:
        part.save_pretrained(folder)
    with VllmEngine(folder) as one:
        yield one


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Qwen3 that answers a quarter of the questions."""
    from llm_validation.models.warmup import Warmup, warm_model

    return warm_model("small", "digits", Warmup(success=0.25), cache=tmp_path_factory.mktemp("warm"))


def prompts(count: int) -> list[str]:
    return [example.prompt for example in load_examples("addition", split="eval", count=count, seed=1)]


def test_log_probs_agree_with_transformers(engine: VllmEngine, parts: tuple[Any, Any]) -> None:
    """And would not with weights that a part in ten thousand was added to, nor at another temperature."""
    asked = prompts(24)
    groups = engine.generate(asked, samples=4, temperature=0.7, max_new_tokens=20, seed=1)
    assert len({len(response.token_ids) for group in groups for response in group}) > 1
    errors = [
        np.abs(np.subtract(teacher_forced(parts, prompt, response.token_ids), response.log_probs)).max()
        for prompt, group in zip(asked, groups, strict=True)
        for response in group
    ]
    print(f"largest difference of a log-probability: {max(errors):.1e}")
    assert max(errors) <= TOLERANCE
    [[response, *_], *_] = groups
    at_07 = teacher_forced(parts, asked[0], response.token_ids, temperature=0.7)
    assert np.abs(np.subtract(at_07, response.log_probs)).max() > TOLERANCE
    assert planted_error(parts, asked[0], response.token_ids, response.log_probs) > TOLERANCE


def planted_error(
    parts: tuple[Any, Any], prompt: str, token_ids: tuple[int, ...], log_probs: tuple[float, ...]
) -> float:
    import torch

    model, _ = parts
    weight = model.model.norm.weight
    before = weight.detach().clone()
    with torch.no_grad():
        weight.mul_(1 + 1e-4)
        wrong = teacher_forced(parts, prompt, token_ids)
        weight.copy_(before)
    return float(np.abs(np.subtract(wrong, log_probs)).max())


@pytest.mark.parametrize("top_p", [1.0, 0.6])
def test_the_first_token_has_its_distribution(engine: VllmEngine, parts: tuple[Any, Any], top_p: float) -> None:
    [group] = engine.generate([PROMPT], samples=4000, temperature=0.7, top_p=top_p, max_new_tokens=1, seed=2)
    tokens = [response.token_ids[0] for response in group]
    probs = softmax(first_logits(parts, PROMPT) / 0.7)
    order = np.argsort(-probs)
    kept = order if top_p == 1 else order[: int(np.searchsorted(probs[order].cumsum(), top_p)) + 1]
    inside = np.zeros_like(probs)
    inside[kept] = probs[kept] / probs[kept].sum()
    assert goodness(tokens, inside) >= ERROR_RATE
    assert goodness(tokens, softmax(first_logits(parts, PROMPT) / 0.91)) < ERROR_RATE


def test_samples_and_questions_are_independent(engine: VllmEngine, parts: tuple[Any, Any]) -> None:
    """Two draws for one prompt agree as often as independent ones do. Controls: what one seed for all would do."""
    from vllm import SamplingParams

    agree = float((softmax(first_logits(parts, PROMPT) / 1.0) ** 2).sum())
    settings: dict[str, Any] = {"temperature": 1.0, "max_new_tokens": 1, "seed": 3}
    groups = engine.generate([PROMPT] * 400, samples=2, **settings)
    first, second = ([group[s].token_ids[0] for group in groups] for s in (0, 1))
    # Sample 1 of a question beside sample 0 of the next: what seeds counted up one by one would make equal.
    pairs = {"samples": (first, second), "questions": (first[::2], first[1::2]), "neighbours": (second[:-1], first[1:])}
    for name, (one, other) in pairs.items():
        equal = sum(a == b for a, b in zip(one, other, strict=True))
        assert stats.binomtest(equal, len(one), agree).pvalue >= ERROR_RATE, name
    assert [group[0].token_ids[0] for group in engine.generate([PROMPT] * 400, samples=1, **settings)] == first

    tokens = {"prompt_token_ids": parts[1](PROMPT)["input_ids"]}

    def raw(*wanted: SamplingParams) -> list[list[int]]:
        found = engine._llm.generate([tokens] * len(wanted), list(wanted), use_tqdm=False)
        return [[output.token_ids[0] for output in one.outputs] for one in found]

    same = raw(*[SamplingParams(seed=7, max_tokens=1, temperature=1.0)] * 400)
    assert len({one[0] for one in same}) == 1
    assert stats.binomtest(200, 200, agree).pvalue < ERROR_RATE
    counted = raw(*(SamplingParams(n=2, seed=seed, max_tokens=1, temperature=1.0) for seed in range(50)))
    assert [one[1] for one in counted[:-1]] == [one[0] for one in counted[1:]]


def test_divided_questions_are_the_same_draws(engine: VllmEngine) -> None:
    asked = prompts(10)
    settings: dict[str, Any] = {"samples": 3, "temperature": 0.7, "max_new_tokens": 6, "seed": 4}
    whole = engine.generate(asked, **settings)
    divided = engine.generate(asked[:3], **settings) + engine.generate(asked[3:], **settings, first=3)
    ids = [[response.token_ids for response in group] for group in whole]
    assert ids == [[response.token_ids for response in group] for group in divided]
    assert ids != [[r.token_ids for r in group] for group in engine.generate(asked, **{**settings, "seed": 5})]


def test_responses_end_where_they_end(engine: VllmEngine, parts: tuple[Any, Any]) -> None:
    _, tokenizer = parts
    groups = engine.generate(prompts(20), samples=20, temperature=1.0, max_new_tokens=3, seed=6)
    found = set()
    for response in (response for group in groups for response in group):
        assert tokenizer.eos_token_id not in response.token_ids[:-1]
        assert response.finished == (response.token_ids[-1] == tokenizer.eos_token_id)
        assert response.finished or len(response.token_ids) == 3
        assert len(response.log_probs) == len(response.token_ids)
        assert response.text == tokenizer.decode(response.token_ids, skip_special_tokens=True)
        found.add((response.finished, len(response.token_ids)))
    assert {(True, 1), (True, 2), (False, 3)} <= found


def test_temperature_zero_takes_the_likeliest(engine: VllmEngine, parts: tuple[Any, Any]) -> None:
    [group] = engine.generate([PROMPT], samples=3, temperature=0, max_new_tokens=1, seed=8)
    assert {response.token_ids for response in group} == {(int(first_logits(parts, PROMPT).argmax()),)}


# The command, in processes of its own


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "qae_theory.cli", "evaluate", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def per_question(out: Path, *arguments: str | Path) -> dict[str, Any]:
    """pass@k of each question, of a run of the command into a folder of its own."""
    done = command(*arguments, "--task", "digits", "--questions", "150", "--out", out)
    assert done.returncode == 0, done.stderr
    [folder] = (out / "evaluate").iterdir()
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    for k, estimate in summary["pass_at_k"].items():
        print(f"{' '.join(map(str, arguments[1:]))}: pass@{k} {estimate['estimate']:.4f}")
    return {k: np.array([one["pass_at_k"][k] for one in metrics]) for k in ("1", "16")}


def test_pass_at_k_agrees_with_transformers(checkpoint: Path, tmp_path: Path) -> None:
    """Differences question by question: their mean is zero in expectation. Not so at another temperature."""
    vllm = per_question(tmp_path / "a", checkpoint, "--engine", "vllm")
    transformers = per_question(tmp_path / "b", checkpoint, "--engine", "transformers")
    hotter = per_question(tmp_path / "c", checkpoint, "--engine", "transformers", "--temperature", "4")
    for k in ("1", "16"):
        assert 0.05 < vllm[k].mean() < 0.999
        assert not mean_interval(vllm[k] - transformers[k], level=1 - ERROR_RATE).excludes(0), k
    assert mean_interval(vllm["1"] - hotter["1"], level=1 - ERROR_RATE).excludes(0)


def test_what_vllm_cannot_load_is_one_line(checkpoint: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in checkpoint.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    for model, says in ((broken, "cannot be loaded by vllm"), ("tiny", "its attention heads have size 16")):
        done = command(model, "--engine", "vllm", "--task", "digits", "--out", tmp_path / "out")
        told = [line for line in done.stderr.splitlines() if line.startswith("qae evaluate: ")]
        assert done.returncode == 2, done.stderr
        assert len(told) == 1, done.stderr
        assert says in told[0]
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_stop_strings(engine: VllmEngine) -> None:
    """The same tokens up to the first stop string and not beyond it, with the text before it."""
    settings: dict[str, Any] = {"samples": 16, "temperature": 1.0, "max_new_tokens": 12, "seed": 3}
    asked = prompts(4)
    free = [one for group in engine.generate(asked, **settings) for one in group]
    stops = ["\n", "7"]
    stopped = [one for group in engine.generate(asked, stop=stops, **settings) for one in group]
    ended = [any(stop in one.text for stop in stops) for one in free]
    assert 0 < sum(ended) < len(free)
    for whole, cut, has_stop in zip(free, stopped, ended, strict=True):
        assert whole.token_ids[: len(cut.token_ids)] == cut.token_ids
        assert cut.text == before_stop(whole.text, stops)
        assert cut.finished == (has_stop or whole.finished)
