r"""Compute token statistics in one chunked pass over logits: log-probability, entropy, self-covariance, tabular push.

No gradient flows through them; losses are the trainer's. The sums over the vocabulary are in ``softmax_sums``.

Sums are taken in float64 whatever the type of the logits, and only float64 rounds. For the logits as they are given,
:math:`\log\pi_y`, H and :math:`\sum_i\pi_i^2` are within ``RELATIVE_ERROR`` of their own size, C within
``RELATIVE_ERROR`` :math:`\times H\sum_i\pi_i^2`, and the push within that and ``RELATIVE_ERROR``
:math:`\times\pi_y(|\log\pi_y| + H)`. A probability counts as 0 where it is less than exp(-708) times the largest.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np

from llm_validation.probe.softmax_sums import LOWEST, Sums, sums_of_logits, sums_of_products
from qae_theory.checks import refuse

Tensor = Any

# An upper bound of: 708 * 3 roundings in x, 2.4e-13 of exp(x); 150 additions to each of 1024 sums at V = 151,936 and
# ten to add those up, 2e-14 (of a product 64 to a run's sum, 64 to a tile's, 37 to merge tiles); a dozen more
# operations.
RELATIVE_ERROR = 5e-13


class TokenStats(NamedTuple):
    """Hold statistics of tokens, ``[...]`` each in float64, of pi = softmax(logits / temperature).

    Entropies are in nats.
    """

    log_prob: Tensor
    """log pi_y of the taken token y; it is -inf where the token's logit is."""
    entropy: Tensor
    """H = -sum_i pi_i log pi_i."""
    self_covariance: Tensor
    """C = Cov_pi(log pi, pi) = sum_i pi_i^2 log pi_i + H sum_i pi_i^2."""
    prob_sq_sum: Tensor
    """sum_i pi_i^2, the probability that two draws agree."""
    push: Tensor
    """pi_y (log pi_y + H) - C: a step s (e_y - pi) of logits / temperature moves H by -s push + O(s^2)."""


def token_stats(logits: Tensor, tokens: Tensor, *, temperature: float = 1.0, chunk: int | None = None) -> TokenStats:
    r"""Return log-probability, entropy, self-covariance, collision probability and tabular push of each token.

    With :math:`\pi = \mathrm{softmax}(z/T)` they are :math:`\log\pi_y`, :math:`H = -\sum_i\pi_i\log\pi_i`, :math:`C =
    \mathrm{Cov}_\pi(\log\pi, \pi)`, :math:`\sum_i\pi_i^2` and :math:`\pi_y(\log\pi_y + H) - C`.

    Source: first order of H under the policy gradient of one token, arXiv 2509.22611, Sec. 4.3; 2505.22617.

    Args:
        logits: ``[..., V]``, any floating type, on any device; -inf for a token that cannot be taken.
        tokens: ``[...]``, integers in 0..V-1.
        temperature: T, in [1e-300, 1e300].
        chunk: rows at a time where they have to be copied (half precision, not contiguous, on a GPU); None for about 2
            million logits. On the CPU no bit of a result depends on it, or on threads.

    Returns:
        Five tensors ``[...]``, float64.

    Raises:
        ValueError: the message names the argument. NaN and +inf among the logits are found in the sums, not by a pass
            of their own.

    >>> import torch
    >>> stats = token_stats(torch.tensor([[0.0, 2.0]]), torch.tensor([0]))
    >>> [round(float(stat), 6) for stat in stats]
    [-2.126928, 0.365334, 0.159925, 0.790013, -0.369912]
    """
    import torch

    _check_floats("logits", logits, "[..., V], V >= 1", least=1)
    index = _checked_tokens(tokens, logits.shape[:-1], logits.shape[-1], logits.device)
    scale, rows = 1 / _checked_temperature(temperature), _checked_chunk(chunk)
    with torch.no_grad():
        sums = sums_of_logits(logits.detach(), scale, rows)
        bad = sums.e.isnan().nonzero()
        if len(bad):
            row = logits[np.unravel_index(int(bad[0]), logits.shape[:-1])]
            refuse("logits", float(row.amax()), "finite or -inf, and finite somewhere in every row")
        taken = logits.gather(-1, index[..., None]).reshape(-1)
        return _statistics(sums, taken, scale, index.shape)


def token_stats_from_hidden(
    hidden: Tensor, weight: Tensor, tokens: Tensor, *, temperature: float = 1.0, chunk: int | None = None
) -> TokenStats:
    r"""Return ``token_stats`` of the logits :math:`z = hW^\top`, of which two blocks at most are ever held.

    The product is taken in the type of its factors, as the model's own output layer does, 4096 tokens at a time; then
    sums are merged in float64 with a running maximum, which costs a few units in their last place. Results depend on
    ``chunk`` by no more than the rounding of that product, which differs with the number of rows.

    Args:
        hidden: ``[..., D]``, any floating type.
        weight: ``[V, D]``, the output matrix, of the same type.
        tokens: ``[...]``, integers in 0..V-1.
        temperature: T, in [1e-300, 1e300].
        chunk: rows at a time; None for 512, more if V < 4096.

    Returns:
        Five tensors ``[...]``, float64.

    Raises:
        ValueError: naming the argument.

    >>> import torch
    >>> stats = token_stats_from_hidden(torch.ones(1, 1), torch.tensor([[0.0], [2.0]]), torch.tensor([0]))
    >>> [round(float(stat), 6) for stat in stats]
    [-2.126928, 0.365334, 0.159925, 0.790013, -0.369912]
    """
    import torch

    _check_floats("hidden", hidden, "[..., D], D >= 1", least=1)
    width = hidden.shape[-1]
    _check_floats("weight", weight, f"[V, {width}], V >= 1, of type {hidden.dtype}", least=2)
    if weight.ndim != 2 or weight.shape[1] != width or weight.dtype != hidden.dtype:
        refuse("weight", _described(weight), f"a tensor [V, {width}], V >= 1, of type {hidden.dtype}")
    index = _checked_tokens(tokens, hidden.shape[:-1], len(weight), hidden.device)
    scale, rows = 1 / _checked_temperature(temperature), _checked_chunk(chunk)
    with torch.no_grad():
        _check_finite("hidden", hidden)
        flat = hidden.detach().reshape(-1, width)
        sums, taken, lowest = sums_of_products(flat, weight.detach(), index.reshape(-1), scale, rows)
        bad = sums.e.isnan().any()
        # Only where no logit vouches for the matrix: it is large, and this reads all of it.
        if bad or not len(lowest) or not lowest.isfinite().all():
            _check_finite("weight", weight)
        if bad:
            refuse("hidden", hidden.dtype, "of a type in which no logit hidden @ weight.T is too large")
        return _statistics(sums, taken, scale, index.shape)


def _statistics(sums: Sums, taken: Tensor, per_temperature: float, shape: Any) -> TokenStats:
    """Return the statistics that follow from the sums; with the largest entries apart nothing cancels at peaks."""
    total = sums.ties + sums.e
    log_total = sums.ties.log() + (sums.e / sums.ties).log1p()
    mean = sums.ex / total  # E[x]; log pi + H = x - E[x]
    collision = (sums.ties + sums.ee) / total**2
    covariance = sums.eex / total**2 - mean * collision
    x = (taken.double() - sums.top) * per_temperature
    log_prob = x - log_total
    push = log_prob.exp() * (x.clamp(min=LOWEST) - mean) - covariance  # 0 log 0 = 0
    stats = (log_prob, log_total - mean, covariance, collision, push)
    return TokenStats(*(stat.reshape(shape) for stat in stats))


def _check_finite(name: str, value: Tensor) -> None:
    """Refuse a tensor with an entry that is not finite."""
    # The least and the largest entry are NaN where any entry is.
    for entry in value.aminmax() if value.numel() else ():
        if not entry.isfinite():
            refuse(name, float(entry), "finite")


def _check_floats(name: str, value: Any, form: str, *, least: int) -> None:
    """Refuse what is no floating tensor of the given rank or has no entries along its last axis."""
    import torch

    floats = isinstance(value, torch.Tensor) and value.is_floating_point()
    if not floats or value.ndim < least or value.shape[-1] < 1 or value.shape[0] < least - 1:
        refuse(name, _described(value), f"a floating tensor {form}")


def _checked_tokens(tokens: Any, shape: Any, vocabulary: int, device: Any) -> Tensor:
    """Return the tokens as int64 on the device of the logits."""
    import torch

    allowed = f"an integer tensor of shape {tuple(shape)} with entries in 0..{vocabulary - 1}"
    if not isinstance(tokens, torch.Tensor) or tokens.shape != shape or not _is_integer(tokens.dtype):
        refuse("tokens", _described(tokens), allowed)
    index = tokens.to(device, torch.int64)
    for entry in index.aminmax() if index.numel() else ():
        if not 0 <= int(entry) < vocabulary:
            refuse("tokens", int(entry), allowed)
    return index


def _is_integer(dtype: Any) -> bool:
    """Return whether a type is an integer type; torch counts bool among neither kind."""
    import torch

    return not (dtype.is_floating_point or dtype.is_complex or dtype == torch.bool)


def _checked_temperature(value: Any) -> float:
    """Return the temperature as a float."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 1e-300 <= float(value) <= 1e300:
        refuse("temperature", value, "a number in [1e-300, 1e300]")
    return float(value)


def _checked_chunk(value: Any) -> int | None:
    """Return the number of rows at a time, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        refuse("chunk", value, "None or an integer >= 1")
    return int(value)


def _described(value: Any) -> Any:
    """Return a tensor's type and shape as text, because its entries would fill the message."""
    import torch

    return (value.dtype, tuple(value.shape)) if isinstance(value, torch.Tensor) else value
