"""One training step from given parameters, taken and undone: what a probe compares.

The loss is TRL's ``dapo``; a test holds a step taken here against the trainer's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
from pydantic import Field

from llm_validation.probe.contexts import Contexts
from qae_theory.arrays import Array
from qae_theory.runs.settings import Positive, Strict

Tensors = Mapping[str, Any]
Moments = Mapping[str, Mapping[str, Any]]  # by parameter: AdamW's exp_avg, exp_avg_sq and step


class RestoreError(RuntimeError):
    """After a probe the model, the optimiser or the random state was not what it had been."""


class Setting(Strict):
    """How a step is taken.

    ``updates`` mini-batches of the rollouts, one after another, each normalised by its share of all tokens, as TRL has
    it. Without ``clipped`` the ratio is free. Adam goes on from the moments that are given, or from zero.
    """

    optimiser: Literal["sgd", "adam"] = "sgd"
    learning_rate: Positive = 1e-3
    adam_eps: float = Field(default=1e-8, ge=0)
    adam_betas: tuple[float, float] = (0.9, 0.999)
    updates: int = Field(default=1, ge=1)
    clipped: bool = True
    clip_low: float = Field(default=0.2, ge=0, le=1)
    clip_high: float = Field(default=0.28, ge=0)


def take_step(
    model: Any,
    contexts: Contexts,
    tokens: Array,
    advantages: Array,
    setting: Setting,
    *,
    order: Array,
    moments: Moments | None = None,
    optimiser: Any = None,
) -> dict[str, Any]:
    """The change of every parameter in one step on given rollouts; the model is left as it was, bit for bit.

    Args:
        model: in the arithmetic that training has.
        contexts: of every token of the rollouts; a row is a response.
        tokens: [C] the token taken at each context.
        advantages: [N] of the responses.
        setting: the step.
        order: [N] the order in which the responses are cut into mini-batches.
        moments: Adam's, by parameter name.
        optimiser: the training run's own, watched but not used: it too must be as it was afterwards.

    Returns:
        Changes in float64, by parameter name.

    Raises:
        RestoreError: something was not put back.
    """
    with restored(model, optimiser) as before:
        _updates(model, contexts, tokens, advantages, setting, order, moments)
        return {name: value.detach().double() - before[name].double() for name, value in model.named_parameters()}


@contextmanager
def restored(model: Any, optimiser: Any = None) -> Iterator[Tensors]:
    """Parameters, gradients and mode are afterwards what they were; yields a copy of the parameters.

    Raises:
        RestoreError: a fingerprint of parameters, optimiser state and random states differs from the one before.
    """
    fingerprint = state_fingerprint(model, optimiser)
    kept = {name: value.detach().clone() for name, value in model.named_parameters()}
    gradients = {name: value.grad for name, value in model.named_parameters()}
    training = model.training
    try:
        for _, value in model.named_parameters():
            value.grad = None
        yield kept
    finally:
        _put_back(model, kept)
        for name, value in model.named_parameters():
            value.grad = gradients[name]
        model.train(training)
    if state_fingerprint(model, optimiser) != fingerprint:
        raise RestoreError("the probe did not put the parameters, the optimiser or the random state back")


def state_fingerprint(model: Any, optimiser: Any = None) -> str:
    """SHA-256 of the parameters, the optimiser's state, and torch's random state, bit by bit."""
    import torch

    state = optimiser.state_dict()["state"] if optimiser is not None else {}
    entries = {f"{key}.{name}": torch.as_tensor(value) for key, one in state.items() for name, value in one.items()}
    return fingerprint(dict(model.named_parameters()) | entries | {"random state": torch.get_rng_state()})


def fingerprint(tensors: Tensors) -> str:
    """SHA-256 of names and contents, bit by bit."""
    import torch

    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def moments_of(optimiser: Any, model: Any) -> dict[str, dict[str, Any]]:
    """Copies of AdamW's moments by parameter name; parameters that it has not stepped yet are left out."""
    names = {id(value): name for name, value in model.named_parameters()}
    return {
        names[id(value)]: {key: entry.detach().clone() for key, entry in state.items()}
        for value, state in optimiser.state.items()
        if id(value) in names
    }


def _put_back(model: Any, kept: Tensors) -> None:
    import torch

    with torch.no_grad():
        for name, value in model.named_parameters():
            value.copy_(kept[name])


def _updates(
    model: Any,
    contexts: Contexts,
    tokens: Array,
    advantages: Array,
    setting: Setting,
    order: Array,
    moments: Moments | None,
) -> None:
    import torch

    model.train()
    optimiser = _optimiser(model, setting, moments)
    old = None
    if setting.updates > 1:
        with torch.no_grad():
            old = _token_log_probs(model, contexts, tokens, np.arange(len(contexts.ids)))
    normaliser = len(tokens) / setting.updates
    for rows in np.array_split(np.asarray(order), setting.updates):
        here = np.isin(contexts.row, rows)
        log_probs = _token_log_probs(model, contexts, tokens, rows)
        behaviour = log_probs.detach() if old is None else old[torch.as_tensor(here, device=old.device)]
        ratio = (log_probs - behaviour).exp()
        weight = torch.as_tensor(advantages[contexts.row[here]], dtype=ratio.dtype, device=ratio.device)
        gain = ratio * weight
        if setting.clipped:
            gain = torch.minimum(gain, ratio.clamp(1 - setting.clip_low, 1 + setting.clip_high) * weight)
        optimiser.zero_grad()
        (-gain.sum() / normaliser).backward()
        optimiser.step()


def _token_log_probs(model: Any, contexts: Contexts, tokens: Array, rows: Sequence[int] | Array) -> Any:
    """log pi of the taken tokens of these rows, in the contexts' order."""
    import torch

    device = next(iter(model.parameters())).device
    rows = np.sort(np.asarray(rows))
    here = np.isin(contexts.row, rows)
    ids, mask = (torch.as_tensor(x[rows], device=device) for x in (contexts.ids, contexts.mask))
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).logits
    row = torch.as_tensor(np.searchsorted(rows, contexts.row[here]), device=device)
    column, token = (torch.as_tensor(x[here], device=device) for x in (contexts.column, tokens))
    return torch.log_softmax(logits[row, column].float(), -1).gather(-1, token[:, None])[:, 0]


def _optimiser(model: Any, setting: Setting, moments: Moments | None) -> Any:
    import torch

    named = dict(model.named_parameters())
    if setting.optimiser == "sgd":
        return torch.optim.SGD(named.values(), lr=setting.learning_rate)
    adam = torch.optim.AdamW(
        named.values(), lr=setting.learning_rate, betas=setting.adam_betas, eps=setting.adam_eps, weight_decay=0.0
    )
    for name, state in (moments or {}).items():
        adam.state[named[name]] = {key: entry.detach().clone() for key, entry in state.items()}
    return adam
