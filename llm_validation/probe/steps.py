"""Take one training step from given parameters and undo it: what a probe compares.

The loss is TRL's ``dapo``; a test holds a step taken here against the trainer's own. Which steps are compared is
decided in ``probe``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from llm_validation.probe.contexts import Contexts
from llm_validation.train.rounding import Rounding, round_parameters, to_bfloat16
from qae_theory.arrays import Array
from qae_theory.runs.settings import Positive, Strict

Tensors = Mapping[str, Any]
Moments = Mapping[str, Mapping[str, Any]]  # by parameter: AdamW's exp_avg, exp_avg_sq and step


class RestoreError(RuntimeError):
    """Raised where, after a probe, the model, the optimiser or the random state was not what it had been."""


class Setting(Strict):
    """State how a step is taken.

    The rollouts are cut into ``updates`` mini-batches, taken one after another, each normalised by its share of all
    tokens, as TRL does. Adam goes on from the moments that are given, or from zero.

    Attributes:
        optimiser: ``sgd`` or ``adam``.
        learning_rate: of the step; unused where ``size`` is given.
        adam_eps: Adam's epsilon.
        adam_betas: Adam's decay rates.
        updates: mini-batches of the rollouts.
        clipped: whether the ratio of probabilities is clipped.
        clip_low: epsilon_low.
        clip_high: epsilon_high.
        size: root mean square of the predicted change of log pi; a rule that finds the learning rate of a single
            update (see ``Stepper.rate``).
        rounding: where bfloat16 rounds, as in training.
        hold_unsampled: whether no gradient goes through the logits of tokens that no response of the group took there.
        per_response: whether the loss averages over each response first, as TRL's loss ``grpo`` does.
    """

    optimiser: Literal["sgd", "adam"] = "sgd"
    learning_rate: Positive = 1e-3
    adam_eps: float = Field(default=1e-8, ge=0)
    adam_betas: tuple[float, float] = (0.9, 0.999)
    updates: int = Field(default=1, ge=1)
    clipped: bool = True
    clip_low: float = Field(default=0.2, ge=0, le=1)
    clip_high: float = Field(default=0.28, ge=0)
    size: Positive | None = None
    rounding: Rounding = "none"
    hold_unsampled: bool = False
    per_response: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> Setting:
        if self.size is not None and (self.updates > 1 or self.rounding != "none"):
            raise ValueError(f"size must be of one update without rounding; got {self.updates} and {self.rounding}")
        return self

    @property
    def unit(self) -> Setting:
        """Return the setting at learning rate 1 and without a size: what all sizes of one kind of step share."""
        return self.model_copy(update={"learning_rate": 1.0, "size": None})


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
    sampled: Array | None = None,
    dtype: str = "float64",
) -> dict[str, Any]:
    """Return the change of every parameter in one step on given rollouts; the model is left as it was, bit for bit.

    Args:
        model: in the arithmetic that training has.
        contexts: the contexts of every token of the rollouts; a row is a response.
        tokens: [C] the token taken at each context.
        advantages: [N] of the responses.
        setting: how the step is taken.
        order: [N] the order in which the responses are cut into mini-batches.
        moments: Adam's, by parameter name.
        optimiser: the training run's own, watched but not used: it too must be as it was afterwards.
        sampled: [C, V] of bool, which tokens some response of the group took at each context; only a setting with
            ``hold_unsampled`` needs it.
        dtype: type of the changes.

    Returns:
        Changes by parameter name.

    Raises:
        RestoreError: something was not put back.
    """
    import torch

    kind = getattr(torch, dtype)
    with restored(model, optimiser) as before:
        rollouts = _Rollouts(contexts, tokens, sampled if setting.hold_unsampled else None)
        _updates(model, rollouts, advantages, setting, order, moments)
        return {name: value.detach().to(kind) - before[name].to(kind) for name, value in model.named_parameters()}


@contextmanager
def restored(model: Any, optimiser: Any = None) -> Iterator[Tensors]:
    """Yield a copy of the parameters; afterwards parameters, gradients and mode are what they were.

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
    """Return the SHA-256 of the parameters, the optimiser's state and torch's random state, bit by bit."""
    import torch

    states = optimiser.state_dict()["state"] if optimiser is not None else {}
    tensors = {**dict(model.named_parameters()), "random state": torch.get_rng_state()}
    for parameter, state in states.items():
        for name, value in state.items():
            tensors[f"{parameter}.{name}"] = torch.as_tensor(value)
    return fingerprint(tensors)


def fingerprint(tensors: Tensors) -> str:
    """Return the SHA-256 of names and contents of tensors, bit by bit."""
    import torch

    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(name.encode())
        # Bytes and not values: a NaN is unlike itself, and 0 equals -0.
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def moments_of(optimiser: Any, model: Any) -> dict[str, dict[str, Any]]:
    """Return copies of AdamW's moments by parameter name; parameters that it has not stepped yet are left out."""
    names = {id(value): name for name, value in model.named_parameters()}
    moments = {}
    for value, state in optimiser.state.items():
        if id(value) in names:
            moments[names[id(value)]] = {key: entry.detach().clone() for key, entry in state.items()}
    return moments


def _put_back(model: Any, kept: Tensors) -> None:
    """Copy the kept values into the model's parameters."""
    import torch

    with torch.no_grad():
        for name, value in model.named_parameters():
            value.copy_(kept[name])


class _Rollouts(NamedTuple):
    """Hold contexts, the token taken at each, and which tokens the gradient may go through (None: all)."""

    contexts: Contexts
    tokens: Array
    sampled: Array | None


def _updates(
    model: Any,
    rollouts: _Rollouts,
    advantages: Array,
    setting: Setting,
    order: Array,
    moments: Moments | None,
) -> None:
    """Take all updates of a setting; they change the model in place."""
    import torch

    model.train()
    optimiser = _optimiser(model, setting, moments)
    row, old = rollouts.contexts.row, None
    if setting.updates > 1:
        with torch.no_grad():
            old = _token_log_probs(model, rollouts, np.arange(len(rollouts.contexts.ids)), setting.rounding)
    share = token_shares(row, setting)
    for rows in np.array_split(np.asarray(order), setting.updates):
        here = np.isin(row, rows)
        log_probs = _token_log_probs(model, rollouts, rows, setting.rounding)
        # With one update the behaviour policy is the present one: the ratio is 1, and only its gradient counts.
        behaviour = log_probs.detach() if old is None else old[torch.as_tensor(here, device=old.device)]
        ratio = (log_probs - behaviour).exp()
        weight = torch.as_tensor(advantages[row[here]], dtype=ratio.dtype, device=ratio.device)
        gain = ratio * weight
        if setting.clipped:
            gain = torch.minimum(gain, ratio.clamp(1 - setting.clip_low, 1 + setting.clip_high) * weight)
        optimiser.zero_grad()
        # The optimiser minimises; the objective is maximised.
        (-(gain * torch.as_tensor(share[here], dtype=ratio.dtype, device=ratio.device)).sum()).backward()
        optimiser.step()
        if setting.rounding == "parameters":
            round_parameters(model)


def token_shares(row: Array, setting: Setting) -> Array:
    """Return the factor of each token in the sum that is the loss.

    Args:
        row: the response of each token of the batch, ``[C]``.
        setting: whether a loss is a mean over tokens or, with ``per_response``, over responses, and over how many
            mini-batches the batch is split.

    Returns:
        ``[C]``: updates / C, or updates / (responses * tokens of the response).
    """
    if not setting.per_response:
        return np.full(len(row), setting.updates / len(row))
    lengths = np.bincount(row)
    return np.asarray(setting.updates / (len(lengths) * lengths[row]))


def _token_log_probs(model: Any, rollouts: _Rollouts, rows: Sequence[int] | Array, rounding: Rounding) -> Any:
    """Return log pi of the taken tokens of these rows, in the contexts' order."""
    import torch

    contexts = rollouts.contexts
    device = next(iter(model.parameters())).device
    rows = np.sort(np.asarray(rows))
    here = np.isin(contexts.row, rows)
    ids, mask = (torch.as_tensor(x[rows], device=device) for x in (contexts.ids, contexts.mask))
    # Rows are padded on the left, and a token's position counts from its own row's first.
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).logits
    row = torch.as_tensor(np.searchsorted(rows, contexts.row[here]), device=device)
    column, token = (torch.as_tensor(x[here], device=device) for x in (contexts.column, rollouts.tokens))
    chosen = logits[row, column].float()  # the softmax is taken in float32, whatever the model's type
    if rollouts.sampled is not None:
        chosen = torch.where(torch.as_tensor(rollouts.sampled[here], device=device), chosen, chosen.detach())
    log_probs = torch.log_softmax(chosen, -1).gather(-1, token[:, None])[:, 0]
    return to_bfloat16(log_probs) if rounding == "log_probs" else log_probs


def _optimiser(model: Any, setting: Setting, moments: Moments | None) -> Any:
    """Return the optimiser of a setting, with the given moments where it is Adam."""
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
