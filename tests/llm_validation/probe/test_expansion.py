"""Derivatives against central differences, to the order at which these converge, and what float64 needs for that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from llm_validation.models.float64 import float64_copy
from llm_validation.models.presets import build_model
from llm_validation.probe import expansion
from llm_validation.probe.contexts import Contexts, Tree, rollout_contexts, tree_contexts
from llm_validation.probe.expansion import context_log_probs, expand, first_derivative
from tests.assertions import fitted_slope

pytestmark = pytest.mark.train

PROMPTS = [[3, 13, 4, 16], [5, 15, 6, 16], [7, 13, 8, 16]]
RESPONSES = [[9, 1], [10, 11], [1]]
# Central differences are off by f''' s^2 / 6 and f'''' s^2 / 12, and by the rounding of f, 1e-15, over s and s^2. So
# truncation is above 1e-9 and 1e-6, rounding below 1e-11 and 1e-9.
FIRST_STEPS = 2.0 ** -np.arange(6, 12)
SECOND_STEPS = 2.0 ** -np.arange(4, 9)


def single() -> Any:
    """In float32, with weights four times the usual size: far from uniform, attention not flat."""
    model = build_model("arithmetic", seed=1)
    for value in model.parameters():
        value.data.mul_(4 if value.ndim == 2 else 1)
    return model


@pytest.fixture(scope="module")
def model() -> Any:
    return float64_copy(single())


def rollouts() -> Contexts:
    return rollout_contexts(PROMPTS, RESPONSES, pad=0)


def all_of_one_length() -> Contexts:
    return rollout_contexts(PROMPTS[:2], RESPONSES[:2], pad=0)


def noise(model: Any, size: float, seed: int) -> dict[str, Any]:
    import torch

    generator = torch.Generator().manual_seed(seed)
    return {
        name: size * torch.randn(value.shape, dtype=torch.float64, generator=generator)
        for name, value in model.named_parameters()
    }


def elsewhere(model: Any) -> dict[str, Any]:
    """Parameters that are not the model's own."""
    shift = noise(model, 0.01, seed=2)
    return {name: value.detach() + shift[name] for name, value in model.named_parameters()}


def orders(model: Any, contexts: Contexts, expanded: Callable[..., Any] = expand) -> tuple[float, float]:
    """Orders at which central differences converge to the first and to the second derivative."""
    parameters, change = elsewhere(model), noise(model, 0.05, seed=3)

    def at(s: float) -> Any:
        moved = {name: value + s * change[name] for name, value in parameters.items()}
        return context_log_probs(model, moved, contexts)

    first, second = expanded(model, parameters, change, contexts)
    here = at(0.0)
    slopes = [np.abs((at(s) - at(-s)) / (2 * s) - first).max() for s in FIRST_STEPS]
    bends = [np.abs((at(s) - 2 * here + at(-s)) / s**2 - second).max() for s in SECOND_STEPS]
    assert min(np.abs(first).max(), np.abs(second).max()) > 0.1
    return fitted_slope(FIRST_STEPS.tolist(), slopes), fitted_slope(SECOND_STEPS.tolist(), bends)


# The next term is s^2 times as large: within some hundredths of 2 at these steps.
SLACK = 0.1


def test_derivatives_are_limits_of_differences(model: Any) -> None:
    for order in orders(model, rollouts()):
        assert abs(order - 2) < SLACK


def test_derivatives_on_a_tree(model: Any) -> None:
    for order in orders(model, tree_contexts([[3], [4, 13, 5]], Tree(17, 2, 1), pad=0)):
        assert abs(order - 2) < SLACK


def float32_attention(model: Any) -> None:
    model.config._attn_implementation = "eager"


def float32_norms(model: Any) -> None:
    for module in model.modules():
        module.__dict__.pop("forward", None)


def only_double(model: Any) -> None:
    float32_attention(model)
    float32_norms(model)


@pytest.mark.parametrize("spoil", [only_double, float32_attention, float32_norms], ids=lambda spoil: spoil.__name__)
def test_what_is_rounded_to_float32_is_noticed(spoil: Callable[[Any], None]) -> None:
    """Control: weights of float64 alone leave 1e-8 of rounding, which the steps divide by 1e-3 and by 1e-5."""
    model = float64_copy(single())
    contexts = all_of_one_length()  # eager attention in float64 cannot mask: the least float64 is -inf in float32
    assert max(abs(order - 2) for order in orders(model, contexts)) < SLACK
    spoil(model)
    assert min(abs(order - 2) for order in orders(model, contexts)) > 5 * SLACK


def test_the_wrong_derivative_is_noticed(model: Any) -> None:
    """Control: derivatives a thousandth too large are no limits of the differences."""

    def planted(*args: Any) -> Any:
        return tuple(1.001 * derivative for derivative in expand(*args))

    assert max(orders(model, rollouts(), planted)) < 2 - 5 * SLACK


def test_along_a_multiple(model: Any) -> None:
    """First derivatives are linear in the change, second ones quadratic."""
    parameters, change = elsewhere(model), noise(model, 0.05, seed=4)
    first, second = expand(model, parameters, change, rollouts())
    thrice = expand(model, parameters, {name: -3 * value for name, value in change.items()}, rollouts())
    # float64 through two layers.
    np.testing.assert_allclose(thrice[0], -3 * first, rtol=0, atol=1e-12 * np.abs(first).max())
    np.testing.assert_allclose(thrice[1], 9 * second, rtol=0, atol=1e-12 * np.abs(second).max())


def test_the_first_derivative_alone_is_the_same(model: Any) -> None:
    parameters, change = elsewhere(model), noise(model, 0.05, seed=4)
    both = expand(model, parameters, change, rollouts())
    np.testing.assert_array_equal(first_derivative(model, parameters, change, rollouts()), both[0])
    assert np.abs(both[0] - both[1]).max() > 1e-3


def test_probability_is_kept(model: Any) -> None:
    """sum pi = 1, sum pi l' = 0, sum pi (l'^2 + l'') = 0 at every context."""
    parameters, change = elsewhere(model), noise(model, 0.05, seed=4)
    log_probs = context_log_probs(model, parameters, rollouts())
    first, second = expand(model, parameters, change, rollouts())
    probs = np.exp(log_probs)
    assert log_probs.dtype == first.dtype == second.dtype == np.float64
    assert log_probs.shape == first.shape == second.shape == (5, 17)
    for total in (probs.sum(-1) - 1, (probs * first).sum(-1), (probs * (first**2 + second)).sum(-1)):
        np.testing.assert_allclose(total, 0, atol=1e-12)


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("kind", ["rollouts", "tree", "shuffled"])
def test_blocks_of_rows_change_no_result(model: Any, kind: str, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix product of fewer rows may add up in another order: to a few units in the last place.

    Shuffled contexts go back and forth between the blocks.
    """
    contexts = tree_contexts([[3], [4, 13, 5]], Tree(4, 3, 1), pad=0) if kind == "tree" else rollouts()
    if kind == "shuffled":
        order = np.array([4, 0, 3, 1, 2])
        contexts = Contexts(contexts.ids, contexts.mask, contexts.row[order], contexts.column[order])
    parameters, change = elsewhere(model), noise(model, 0.05, seed=4)

    def everything() -> list[Any]:
        return [context_log_probs(model, parameters, contexts), *expand(model, parameters, change, contexts)]

    whole = everything()
    seen = []
    forward = model.forward

    def watched(*args: Any, **kwargs: Any) -> Any:
        seen.append(len(kwargs["input_ids"]))
        return forward(*args, **kwargs)

    monkeypatch.setattr(model, "forward", watched)
    monkeypatch.setattr(expansion, "ROWS", rows)
    parts = everything()
    assert max(seen) == min(rows, len(contexts.ids))
    assert len(seen) == 2 * -(-len(contexts.ids) // rows)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-12 * np.abs(one).max())


# The float64 copy


def logits(model: Any) -> Any:
    """Of a batch with padding, at its tokens."""
    import torch

    contexts = rollout_contexts([[3, 13, 4, 16], [5], [7, 16]], [[9, 1], [10, 11], [1]], pad=0)
    ids, mask = torch.as_tensor(contexts.ids), torch.as_tensor(contexts.mask)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad():
        found = model(input_ids=ids, attention_mask=mask, position_ids=positions).logits
    return found[mask.bool()]


def test_the_copy_agrees_with_the_float32_model() -> None:
    import torch

    original = single()
    found = logits(float64_copy(original))
    assert found.dtype == torch.float64
    # Logits of size 10 in float32, two layers: 1e-6 each; 1e-5 is what is promised.
    torch.testing.assert_close(found, logits(original).double(), rtol=0, atol=1e-5)
    # Control: one weight of each matrix a thousandth off is seen.
    for value in original.parameters():
        value.data.view(-1)[0] += 1e-3
    assert (found - logits(original)).abs().max() > 1e-4


@pytest.mark.parametrize("training", [True, False])
def test_the_copy_leaves_the_model_alone(training: bool) -> None:
    import torch

    model = single().train(training)
    weights = {name: value.detach().clone() for name, value in model.named_parameters()}
    before = logits(model)
    copy = float64_copy(model)
    for value in copy.parameters():
        value.data.zero_()
    assert model.config._attn_implementation == "eager"
    assert copy.config._attn_implementation != "eager"
    assert model.training is training
    assert not copy.training
    assert not any(value.requires_grad for value in copy.parameters())
    for name, value in model.named_parameters():
        assert value.requires_grad, name
        assert value.dtype == torch.float32
        assert torch.equal(value, weights[name]), name
    assert not any("forward" in module.__dict__ for module in model.modules())
    assert torch.equal(logits(model), before)


def test_a_copy_of_a_copy() -> None:
    """The patched norms belong to the copy that they are in."""
    import torch

    one = float64_copy(single())
    two = float64_copy(one)
    expected = logits(one)
    for value in one.parameters():
        value.zero_()
    assert torch.equal(logits(two), expected)


def test_the_copy_may_have_dropout_and_tied_weights() -> None:
    """As the model is in training: evaluation mode drops nothing, and tied weights stay tied."""
    model = single().train()
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.5
    copy = float64_copy(model)
    assert (logits(copy) == logits(copy)).all()
    assert copy.lm_head.weight is copy.model.embed_tokens.weight
    assert [name for name, _ in copy.named_parameters()] == [name for name, _ in model.named_parameters()]
