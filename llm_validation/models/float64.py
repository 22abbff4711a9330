"""A float64 copy of a model, in which nothing is rounded to float32 on the way.

One-step entropy changes are as small as 1e-6 nats, their second differences smaller still; Transformers computes norms
and attention weights in float32 whatever the weights are, which would hide them.
"""

from __future__ import annotations

import copy
from typing import Any

ATTENTION = "qae_float64"


def float64_copy(model: Any) -> Any:
    """Return the model with float64 weights and float64 arithmetic, in evaluation mode, without gradients.

    Rotary angles stay as they are: they are constants. Written for Qwen3; for another architecture the test that holds
    derivatives against differences tells whether something is still rounded.

    Args:
        model: a causal language model of Transformers; unchanged.
    """
    _register_attention()
    copied = copy.deepcopy(model).double().eval().requires_grad_(False)
    copied.config._attn_implementation = ATTENTION
    for module in copied.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = _norm(module)
    return copied


def _norm(module: Any) -> Any:
    def forward(hidden: Any) -> Any:
        scale = (hidden * hidden).mean(-1, keepdim=True) + module.variance_epsilon
        return module.weight * (hidden * scale.rsqrt())

    return forward


def _register_attention() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    if ATTENTION not in AttentionInterface().valid_keys():
        AttentionInterface.register(ATTENTION, _attention)
        AttentionMaskInterface.register(ATTENTION, eager_mask)


def _attention(module: Any, query: Any, key: Any, value: Any, mask: Any, scaling: float, **unused: Any) -> Any:
    """Return plain attention for a query [N, heads, T, D], in the arithmetic of its arguments."""
    del unused  # dropout is off in evaluation
    key, value = (x.repeat_interleave(module.num_key_value_groups, dim=1) for x in (key, value))
    weights = query @ key.transpose(2, 3) * scaling
    if mask is not None:
        weights = weights + mask
    weights = weights.softmax(-1)
    return (weights @ value).transpose(1, 2).contiguous(), weights
