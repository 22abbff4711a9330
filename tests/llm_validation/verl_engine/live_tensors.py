"""Bytes of the tensors that are alive at once while a model computes, counted without their memory ("meta" tensors).

Eager arithmetic, every operation's result. Flash attention is stood in for by what it keeps: queries, keys, values, the
output and one number a head and token. Its cross-entropy likewise: the logits, overwritten by their gradient or not.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import cache
from typing import Any

from llm_validation.cluster.estimate.model_sizes import ModelShape


def peak(compute: Callable[[], Any], there_before: Iterable[Any], *, gradients: bool) -> int:
    """Most bytes alive at once beside the tensors that were there before."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Live(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.now = self.most = 0
            self.seen: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            for tensor in tree_leaves(out):
                if isinstance(tensor, torch.Tensor):
                    self.enter(tensor.untyped_storage())
            self.most = max(self.most, self.now)
            return out

        def enter(self, storage: Any) -> None:
            if storage not in self.seen:
                size = self.seen[storage] = storage.nbytes()
                self.now += size
                weakref.finalize(storage, self.leave, size)

        def leave(self, size: int) -> None:
            self.now -= size

    live = Live()
    for tensor in there_before:
        live.seen[tensor.untyped_storage()] = 0
    with live, nullcontext() if gradients else torch.no_grad():
        compute()
    return live.most


@cache
def flash() -> tuple[Any, Any]:
    """The two stand-ins; the first is registered with transformers as "streamed"."""
    import torch
    from transformers.modeling_utils import AttentionInterface

    class Attention(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, q: Any, k: Any, v: Any) -> Any:
            out, normaliser = torch.empty_like(q), q.new_empty(q.shape[:3], dtype=torch.float32)
            ctx.save_for_backward(q, k, v, out, normaliser)
            return out

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            return tuple(torch.empty_like(kept) for kept in ctx.saved_tensors[:3])

    class CrossEntropy(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, logits: Any, overwrites: bool) -> Any:
            ctx.save_for_backward(logits)
            ctx.overwrites = overwrites
            return logits.new_empty(logits.shape[:-1], dtype=torch.float32)

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            (logits,) = ctx.saved_tensors
            return logits if ctx.overwrites else torch.empty_like(logits), None

    def attention(module: Any, q: Any, k: Any, v: Any, mask: Any, **options: Any) -> Any:
        return Attention.apply(q, k, v).transpose(1, 2).contiguous(), None

    AttentionInterface.register("streamed", attention)
    return Attention, CrossEntropy


def huggingface(shape: ModelShape) -> Any:
    """transformers' configuration of a shape."""
    from transformers import LlamaConfig, Qwen2Config, Qwen3Config, Qwen3MoeConfig

    sizes = {
        "num_hidden_layers": shape.layers,
        "hidden_size": shape.hidden,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "vocab_size": shape.vocabulary,
        "tie_word_embeddings": shape.tied,
    }
    if shape.experts:
        experts = {"num_experts": shape.experts, "num_experts_per_tok": shape.active_experts}
        return Qwen3MoeConfig(**sizes, **experts, moe_intermediate_size=shape.intermediate, intermediate_size=64)
    kind = Qwen3Config if shape.qk_norm else Qwen2Config if shape.qkv_bias else LlamaConfig
    return kind(**sizes, intermediate_size=shape.intermediate)


def model_of(shape: ModelShape, *, device: str = "meta", checkpointing: bool = True, training: bool = True) -> Any:
    """transformers' model in 16 bits. A parameter's gradient goes as it comes, as FSDP's sharding has it."""
    import torch
    from transformers import AutoModelForCausalLM

    flash()
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(huggingface(shape), attn_implementation="streamed").to(torch.bfloat16)
    model.train(training)
    if checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(lambda it: setattr(it, "grad", None))
    return model


def body_peak(
    shape: ModelShape, tokens: int, *, gradients: bool = True, checkpointing: bool = True, device: str = "meta"
) -> int:
    """The layers alone, forward and backward."""
    import torch

    model = model_of(shape, device=device, checkpointing=checkpointing, training=gradients)
    ids = torch.arange(tokens, device=device)[None]

    def compute() -> None:
        hidden = model.model(input_ids=ids % shape.vocabulary, position_ids=ids, attention_mask=None, use_cache=False)[
            0
        ]
        if gradients:
            hidden.float().sum().backward()

    return peak(compute, [*model.parameters(), *model.buffers()], gradients=gradients)


def head_peak(
    tokens: int,
    vocabulary: int,
    *,
    gradients: bool,
    entropy: Callable[[Any], Any] | None,
    recomputed: bool = False,
    hidden: int = 8,
) -> int:
    """Output layer, log-probabilities and entropy on hidden states of a narrow model, forward and backward."""
    import torch
    from torch.utils.checkpoint import checkpoint

    _, cross_entropy = flash()
    states = torch.empty(tokens, hidden, dtype=torch.bfloat16, device="meta", requires_grad=gradients)
    head = torch.empty(vocabulary, hidden, dtype=torch.bfloat16, device="meta", requires_grad=gradients)

    def compute() -> None:
        logits = states @ head.t()
        loss = torch.zeros((), device="meta")
        if entropy is not None:
            loss = loss + (checkpoint(entropy, logits, use_reentrant=False) if recomputed else entropy(logits)).sum()
        loss = loss + cross_entropy.apply(logits, entropy is None).sum()
        del logits
        if gradients:
            loss.backward()

    return peak(compute, [states, head], gradients=gradients)


def entropy_eager(logits: Any) -> Any:
    """verl's ``entropy_from_logits``; a test holds the two against each other."""
    import torch

    softmax = torch.nn.functional.softmax(logits, dim=-1)
    return torch.logsumexp(logits, dim=-1) - torch.sum(softmax * logits, dim=-1)


def entropy_chunked(chunk: int) -> Callable[[Any], Any]:
    """verl's ``entropy_from_logits_with_chunking``."""

    def of(logits: Any) -> Any:
        import torch

        out = torch.zeros(logits.shape[0], device=logits.device)
        for start in range(0, logits.shape[0], chunk):
            part = logits[start : start + chunk].float()
            softmax = torch.nn.functional.softmax(part, dim=-1)
            out[start : start + chunk] = torch.logsumexp(part, dim=-1) - torch.sum(softmax * part, dim=-1)
        return out

    return of
