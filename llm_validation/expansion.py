"""Next-token log-probabilities at given contexts, and their first and second derivative along a change of parameters.

Derivatives are exact (forward mode, twice), in the arithmetic of the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from llm_validation.contexts import Contexts
from qae_theory._exact import Array

Tensors = Mapping[str, Any]

ROWS = 1024  # rows of tokens in one forward pass; bounds memory, changes no result


def context_log_probs(model: Any, parameters: Tensors, contexts: Contexts) -> Array:
    """log pi(token | context), [C, V] in nats, at these parameters."""
    import torch

    with torch.no_grad():
        parts = [part(parameters).cpu().numpy() for part in _parts(model, contexts)]
    return np.concatenate(parts)


def expand(model: Any, parameters: Tensors, change: Tensors, contexts: Contexts) -> tuple[Array, Array]:
    """First and second derivative of :func:`context_log_probs` along ``change``, at s = 0 of parameters + s change.

    Returns:
        ``(first, second)``, each [C, V], per unit of s and of s squared.
    """
    from torch.func import jvp

    def slope(part: Any) -> Any:
        return lambda at: jvp(part, (at,), (dict(change),))[1]

    pairs = [jvp(slope(part), (dict(parameters),), (dict(change),)) for part in _parts(model, contexts)]
    first, second = ([one[side].detach().cpu().numpy() for one in pairs] for side in (0, 1))
    return np.concatenate(first), np.concatenate(second)


def _parts(model: Any, contexts: Contexts) -> list[Any]:
    """Functions from parameters to log-probabilities of some of the contexts each, in the contexts' order."""
    import torch
    from torch.func import functional_call

    device = next(iter(model.parameters())).device
    # Contexts come in the order of their rows, but for shallow prefixes, which share a row with deeper ones.
    blocks = np.unique(contexts.row // ROWS)
    if len(blocks) > 1 and np.any(np.diff(contexts.row // ROWS) < 0):
        raise ValueError("contexts must not go back to an earlier block of rows")

    def part(block: int) -> Any:
        rows = slice(block * ROWS, (block + 1) * ROWS)
        here = contexts.row // ROWS == block
        ids, mask = (torch.as_tensor(x[rows], device=device) for x in (contexts.ids, contexts.mask))
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        row, column = (torch.as_tensor(x[here], device=device) for x in (contexts.row - block * ROWS, contexts.column))

        def log_probs(parameters: Tensors) -> Any:
            inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": positions, "use_cache": False}
            logits = functional_call(model, dict(parameters), (), inputs).logits
            return torch.log_softmax(logits[row, column], -1)

        return log_probs

    return [part(int(block)) for block in blocks]
