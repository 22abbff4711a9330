"""Compute next-token log-probabilities at given contexts, and their derivatives along a change of parameters.

The first and the second derivative are exact (forward mode, twice), in the arithmetic of the model. What they say of
entropy is in ``predictions``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from llm_validation.probe.contexts import Contexts
from qae_theory.arrays import Array

Tensors = Mapping[str, Any]

ROWS = 1024  # rows of tokens in one forward pass; bounds memory, changes no result


def context_log_probs(model: Any, parameters: Tensors, contexts: Contexts) -> Array:
    """Return log pi(token | context), [C, V] in nats, at these parameters.

    Args:
        model: whose forward pass is taken.
        parameters: by name, in place of the model's own.
        contexts: where the distributions are read off.
    """
    import torch

    with torch.no_grad():
        return _in_order([part(parameters) for part in _parts(model, contexts)], contexts)


def expand(model: Any, parameters: Tensors, change: Tensors, contexts: Contexts) -> tuple[Array, Array]:
    """Return the first and second derivative of :func:`context_log_probs` at parameters + s change, in s at 0.

    Args:
        model: whose forward pass is taken.
        parameters: by name.
        change: by name, of the same shapes.
        contexts: where the distributions are read off.

    Returns:
        ``(first, second)``, each [C, V], per unit of s and of s squared.
    """
    from torch.func import jvp

    slopes = [_slope(part, change) for part in _parts(model, contexts)]
    pairs = [jvp(slope, (dict(parameters),), (dict(change),)) for slope in slopes]
    first = _in_order([slope_of_part for slope_of_part, _ in pairs], contexts)
    second = _in_order([bend_of_part for _, bend_of_part in pairs], contexts)
    return first, second


def first_derivative(model: Any, parameters: Tensors, change: Tensors, contexts: Contexts) -> Array:
    """Return the first derivative of :func:`expand` alone, [C, V]."""
    slopes = [_slope(part, change) for part in _parts(model, contexts)]
    return _in_order([slope(dict(parameters)) for slope in slopes], contexts)


def _slope(part: Callable[[Tensors], Any], change: Tensors) -> Callable[[Tensors], Any]:
    """Return the function from parameters to the derivative of a part along the change there."""
    from torch.func import jvp

    return lambda at: jvp(part, (at,), (dict(change),))[1]


def _parts(model: Any, contexts: Contexts) -> list[Any]:
    """Return one function per block of rows, from parameters to the log-probabilities of the block's contexts."""
    import torch
    from torch.func import functional_call

    device, dtype = next((value.device, value.dtype) for value in model.parameters())

    def part(block: int) -> Any:
        rows = slice(block * ROWS, (block + 1) * ROWS)
        here = contexts.row // ROWS == block
        ids, mask = (torch.as_tensor(x[rows], device=device) for x in (contexts.ids, contexts.mask))
        # Padding is on the left; rotary positions must count from the first real token.
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        if contexts.visible is not None:
            visible = torch.as_tensor(contexts.visible[rows], device=device)
            # Branches share a row, so that the position in the text is the number of tokens attended to, not the
            # column.
            positions = visible.sum(-1) - 1
            mask = torch.zeros(visible.shape, dtype=dtype, device=device)
            mask = mask.masked_fill(~visible, torch.finfo(dtype).min)[:, None]  # as Transformers adds it to the scores
        row, column = (torch.as_tensor(x[here], device=device) for x in (contexts.row - block * ROWS, contexts.column))

        def log_probs(parameters: Tensors) -> Any:
            inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": positions, "use_cache": False}
            logits = functional_call(model, dict(parameters), (), inputs).logits
            return torch.log_softmax(logits[row, column], -1)

        return log_probs

    return [part(int(block)) for block in np.unique(contexts.row // ROWS)]


def _in_order(parts: Sequence[Any], contexts: Contexts) -> Array:
    """Return the parts' rows in the contexts' order, which may go back and forth between blocks."""
    whole = np.concatenate([part.detach().cpu().numpy() for part in parts])
    ordered = np.empty_like(whole)
    ordered[np.argsort(contexts.row // ROWS, kind="stable")] = whole
    return ordered
