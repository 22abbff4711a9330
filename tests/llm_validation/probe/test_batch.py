"""Rollouts of a probe: drawn from the model that they are taken for, scored by the task's verifier, by their seed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from llm_validation.models.float64 import float64_copy
from llm_validation.models.presets import build_model, preset_tokenizer
from llm_validation.probe import batch as probe_batch
from llm_validation.probe.batch import ProbeConfig, make_stepper
from llm_validation.probe.measures import Enumerated, Sampled
from llm_validation.probe.stepper import Stepper
from llm_validation.tasks import load_examples

pytestmark = pytest.mark.train

VOCABULARY, END = 17, 1
ERROR_RATE = 1e-6  # of each statistical test in this file


@pytest.fixture(scope="module")
def model() -> Any:
    """Weights five times the usual size, so that temperatures can be told apart."""
    model = build_model("arithmetic", seed=1)
    for value in model.parameters():
        value.data.mul_(5 if value.ndim == 2 else 1)
    return model


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return preset_tokenizer("arithmetic")


def config(**changes: Any) -> ProbeConfig:
    return ProbeConfig(**{"prompts": 3, "group_size": 4, "arms": ("mean",)} | changes)


def policy(model: Any, prompt: list[int], length: int, temperature: float = 1.0) -> dict[tuple[int, ...], float]:
    """pi(y | prompt) of every response of at most ``length`` tokens, by recursion, each prefix run by itself."""
    import torch

    def ways(prefix: tuple[int, ...]) -> dict[tuple[int, ...], float]:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[*prompt, *prefix]])).logits[0, -1] / temperature
        found: dict[tuple[int, ...], float] = {}
        for token, prob in enumerate(logits.softmax(-1).tolist()):
            response = (*prefix, token)
            if token == END or len(response) == length:
                found[response] = prob
            else:
                found |= {longer: prob * rest for longer, rest in ways(response).items()}
        return found

    return ways(())


def p_value(drawn: list[tuple[int, ...]], expected: dict[tuple[int, ...], float]) -> float:
    """Pearson's chi-square; responses expected fewer than ten times are one class."""
    counts = Counter(drawn)
    assert set(counts) <= set(expected)
    common = [response for response, prob in expected.items() if prob * len(drawn) >= 10]
    observed = [counts[response] for response in common]
    probs = [expected[response] for response in common]
    observed.append(len(drawn) - sum(observed))
    probs.append(1 - sum(probs))
    assert len(common) >= 10
    return float(stats.chisquare(observed, np.array(probs) * len(drawn)).pvalue)


def spoken(group: Any) -> list[tuple[int, ...]]:
    return [tuple(response) for response in group]


CASES = {
    # task, further settings, groups of as many as make the test sharp
    "enumerated": {"task": "digits", "max_new_tokens": 2, "group_size": 4000},
    "sampled": {"task": "addition", "max_new_tokens": 2, "group_size": 3000},
}


@pytest.fixture(scope="module", params=CASES)
def large(request: pytest.FixtureRequest, model: Any, tokenizer: Any) -> Stepper:
    return make_stepper(model, tokenizer, config(**CASES[request.param], prompts=2, seed=11))


def test_rollouts_are_drawn_from_the_model(large: Stepper, model: Any) -> None:
    double = float64_copy(model)
    for prompt, group in zip(large.batch.prompts, large.batch.responses, strict=True):
        assert p_value(spoken(group), policy(double, list(prompt), 2)) > ERROR_RATE / 2


@pytest.mark.parametrize("temperature", [0.8, 1.25])
def test_another_temperature_is_noticed(large: Stepper, model: Any, temperature: float) -> None:
    """Control."""
    double = float64_copy(model)
    for prompt, group in zip(large.batch.prompts, large.batch.responses, strict=True):
        assert p_value(spoken(group), policy(double, list(prompt), 2, temperature)) < ERROR_RATE / 2


def test_prompts_do_not_mix(large: Stepper, model: Any) -> None:
    """Control: the responses of one prompt are not drawn from the policy of the other."""
    double = float64_copy(model)
    first, second = large.batch.prompts
    assert list(first) != list(second)
    assert p_value(spoken(large.batch.responses[0]), policy(double, list(second), 2)) < ERROR_RATE


def test_samples_of_a_group_are_independent(large: Stepper) -> None:
    """Neighbours in a group agree as often as chance has it."""
    for group in large.batch.responses:
        drawn = spoken(group)
        shares = np.array(list(Counter(drawn).values())) / len(drawn)
        pairs = list(zip(drawn[::2], drawn[1::2], strict=True))
        agreed = sum(one == other for one, other in pairs)
        assert stats.binomtest(agreed, len(pairs), float(shares @ shares)).pvalue > ERROR_RATE / 2
    # And so do the same places of two groups: no stream is used twice.
    assert spoken(large.batch.responses[0]) != spoken(large.batch.responses[1])


# Scores


def right(tokenizer: Any, response: Any, answer: str) -> float:
    """Whether the characters, without special tokens, are the number that is the answer, in any notation."""
    text = "".join(tokenizer.convert_ids_to_tokens(token) for token in response if token > 2)
    sign, digits = (text[0], text[1:]) if text[:1] in ("+", "-") and text[:1] else ("+", text)
    return float(digits.isdigit() and (int(digits) if sign == "+" else -int(digits)) == int(answer))


@pytest.mark.parametrize("seed", [0, 1])
def test_rewards_of_all_responses_are_the_verifiers(model: Any, tokenizer: Any, seed: int) -> None:
    stepper = make_stepper(model, tokenizer, config(prompts=5, max_new_tokens=2, seed=seed))
    measure = stepper.measure
    assert isinstance(measure, Enumerated)
    examples = asked(config(prompts=5, seed=seed))
    assert [tokenizer(one.prompt).input_ids for one in examples] == [list(prompt) for prompt in stepper.batch.prompts]
    listed = measure._tree.responses()
    assert len(listed) == 1 + 16 + 256
    double = float64_copy(model)
    for number, example in enumerate(examples):
        for response, reward in zip(listed, measure._arm_rewards[number], strict=True):
            assert reward == right(tokenizer, response, example.answer), (response, example)
        # 7 and the end of text, 07, +7, and 7 before or after a special token, two of each; -0 is 0 as well.
        rewarded = [r for r, reward in zip(listed, measure._arm_rewards[number], strict=True) if reward]
        assert len(rewarded) == 3 + 4 + (example.answer == "0")
        # The success probability is the policy's mass on them.
        pi = policy(double, list(stepper.batch.prompts[number]), 2)
        assert abs(measure.success_prob(stepper.before)[number] - sum(pi[r] for r in rewarded)) < 1e-12


def asked(settings: ProbeConfig) -> list[Any]:
    """The questions of the batch."""
    return probe_batch.questions(settings, np.random.default_rng(settings.seed))


@pytest.mark.parametrize("task", ["digits", "addition"])
def test_rewards_of_the_rollouts(model: Any, tokenizer: Any, task: str) -> None:
    settings = config(task=task, prompts=30, group_size=100, max_new_tokens=2)
    batch = make_stepper(model, tokenizer, settings).batch
    assert batch.rewards.shape == (30, 100)
    checked = 0
    for example, group, rewards in zip(asked(settings), batch.responses, batch.rewards, strict=True):
        for response, reward in zip(group, rewards, strict=True):
            if not {0, 2} & set(response):
                assert reward == right(tokenizer, response, example.answer)
                checked += reward == 1
    assert checked > 3


def test_rewards_are_those_of_training(model: Any, tokenizer: Any) -> None:
    """Of every response, what the trainer's reward function gives it; special tokens are left out there too."""
    from llm_validation.train.rewards import reward_function
    from llm_validation.verifiers import get_verifier

    measure = make_stepper(model, tokenizer, config(prompts=2, max_new_tokens=2)).measure
    assert isinstance(measure, Enumerated)
    listed = measure._tree.responses()
    score = reward_function(get_verifier("integer"), signed=False, overlong=None)
    for example, rewards in zip(asked(config(prompts=2)), measure._arm_rewards, strict=True):
        texts = tokenizer.batch_decode(listed, skip_special_tokens=True)  # TRL's own
        given = score(
            completions=texts,
            answer=[example.answer] * len(texts),
            completion_ids=listed,
            log_extra=lambda name, values: None,
        )
        assert rewards.tolist() == given
        seven = tokenizer(example.answer).input_ids[0]
        assert rewards[listed.index((0, seven))] == 1


def test_a_question_that_cannot_be_scored_is_refused(
    model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = probe_batch.load_examples

    def unreadable(*args: Any, **kwargs: Any) -> Any:
        return [type(one)(one.prompt, "seven") for one in load(*args, **kwargs)]

    monkeypatch.setattr(probe_batch, "load_examples", unreadable)
    for task in ("digits", "addition"):
        with pytest.raises(ValueError, match=r"^a probe needs questions whose responses can all be scored") as caught:
            make_stepper(model, tokenizer, config(task=task))
        assert "\n" not in str(caught.value)


# Seeds and sizes


def contents(stepper: Stepper) -> tuple[Any, ...]:
    groups = tuple(tuple(spoken(group)) for group in stepper.batch.responses)
    prompts = tuple(tuple(prompt) for prompt in stepper.batch.prompts)
    return prompts, groups, tuple(map(tuple, stepper.batch.rewards.tolist())), tuple(stepper._order.tolist())


@pytest.mark.parametrize("task", ["digits", "addition"])
def test_a_seed_is_a_batch(model: Any, tokenizer: Any, task: str) -> None:
    """Whatever torch's and NumPy's random states, which stay as they are."""
    import torch

    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    one = contents(make_stepper(model, tokenizer, config(task=task)))
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == numpy_before).all()  # noqa: NPY002
    with torch.random.fork_rng():
        torch.manual_seed(77)
        assert contents(make_stepper(model, tokenizer, config(task=task))) == one
    other = contents(make_stepper(model, tokenizer, config(task=task, seed=1)))
    assert all(part != same for part, same in zip(other, one, strict=True) if part != one[2])
    assert sorted(one[3]) == list(range(12))


def test_the_model_stays(model: Any, tokenizer: Any) -> None:
    import torch

    model.train()
    weights = {name: value.detach().clone() for name, value in model.named_parameters()}
    for task in ("digits", "addition"):
        make_stepper(model, tokenizer, config(task=task))
        assert model.training
        assert all(torch.equal(value, weights[name]) for name, value in model.named_parameters())
        assert all(value.grad is None and value.requires_grad for value in model.parameters())


def test_the_run_s_optimiser_is_handed_on(model: Any, tokenizer: Any) -> None:
    """Its moments for the steps, itself to be watched."""
    import torch

    moments = {"x": {"step": torch.tensor(1.0)}}
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    stepper = make_stepper(model, tokenizer, config(), moments=moments, optimiser=optimiser)
    assert stepper._moments is moments
    assert stepper._optimiser is optimiser


@pytest.mark.parametrize(
    ("task", "length", "kind", "longest"),
    [
        ("digits", None, Enumerated, 2),
        ("digits", 1, Enumerated, 1),
        ("digits", 3, Enumerated, 3),
        ("digits", 4, Sampled, 4),  # 17^4 = 83,521 responses are too many to list
        ("addition", None, Sampled, 6),
        ("addition", 1, Sampled, 1),
    ],
)
def test_which_responses_are_listed(
    model: Any, tokenizer: Any, task: str, length: int | None, kind: type, longest: int
) -> None:
    stepper = make_stepper(model, tokenizer, config(task=task, max_new_tokens=length, prompts=1, group_size=60))
    assert type(stepper.measure) is kind
    lengths = {len(response) for response in stepper.batch.responses[0]}
    assert max(lengths) == longest
    for response in stepper.batch.responses[0]:
        assert END not in response[:-1]
        assert response[-1] == END or len(response) == longest


def test_the_split_is_asked_for(model: Any, tokenizer: Any) -> None:
    train, held_out = (
        {tuple(prompt) for prompt in make_stepper(model, tokenizer, config(prompts=40, split=split)).batch.prompts}
        for split in ("train", "eval")
    )
    assert not train & held_out


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"arms": ("mean", "nothing")}, "arm must be"),
        ({"arms": ("qae-1",)}, "k must be"),
        ({"arms": ("constant-x",)}, "arm must be"),
        ({"group_size": 1}, "greater than or equal to 2"),
        ({"prompts": 0}, "greater than or equal to 1"),
        ({"max_new_tokens": 0}, "greater than or equal to 1"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"no_such": 1}, "no_such"),
    ],
)
def test_bad_settings(changes: dict[str, Any], says: str) -> None:
    with pytest.raises((ValidationError, ValueError), match=says):
        config(**changes)


def test_an_unknown_task(model: Any, tokenizer: Any) -> None:
    with pytest.raises(ValueError, match=r"^source must be a task"):
        make_stepper(model, tokenizer, config(task="no-task"))


def test_a_table_that_is_too_large_is_refused(model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    contexts = len(make_stepper(model, tokenizer, config()).measure.contexts.row)
    monkeypatch.setattr(probe_batch, "LARGEST_TABLE", contexts * VOCABULARY)
    make_stepper(model, tokenizer, config())
    monkeypatch.setattr(probe_batch, "LARGEST_TABLE", contexts * VOCABULARY - 1)
    with pytest.raises(ValueError, match=f"prompts must be so many that .*, not {contexts * VOCABULARY}; got 3"):
        make_stepper(model, tokenizer, config())


def test_questions_differ(tmp_path: Path, model: Any, tokenizer: Any) -> None:
    drawn = [one.prompt for one in load_examples("digits", count=64, seed=0)]
    assert len(set(drawn)) < 64  # independent draws repeat themselves
    prompts = make_stepper(model, tokenizer, config(prompts=64, group_size=2)).batch.prompts
    assert len({tuple(prompt) for prompt in prompts}) == 64
    source = tmp_path / "few.jsonl"
    source.write_text("".join(f'{{"prompt": "{i}+1=", "answer": "{i + 1}"}}\n' for i in range(3)))
    with pytest.raises(ValueError, match="must be at most the 3 different records"):
        make_stepper(model, tokenizer, config(prompts=4, task=str(source)))
