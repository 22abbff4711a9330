"""Hold the sizes of models, and how many parameters, FLOPs and cached bytes follow from them, exactly.

A model is known by its name or by a folder with ``config.json``, which is read as JSON: nothing of it is run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qae_theory.checks import refuse


@dataclass(frozen=True)
class ModelShape:
    """Describe a decoder of the Qwen3 family: grouped-query attention, gated MLP or experts, RMS norms.

    The figures are those of ``config.json`` on the model's page, https://huggingface.co/Qwen.

    Attributes:
        name: of the model.
        layers: L, their number.
        hidden: h, width of the residual stream.
        heads: query heads of a layer.
        kv_heads: heads of keys and values of a layer.
        head_dim: d, width of a head.
        intermediate: i, width of the MLP, or of one expert.
        vocabulary: V, number of tokens.
        experts: experts of a layer; 0 means one MLP for all tokens.
        active_experts: experts that a token passes through.
        tied: whether the output layer is the embedding.
        qk_norm: whether queries and keys are normalised.
        qkv_bias: whether the projections of queries, keys and values have biases.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    experts: int = 0
    active_experts: int = 0
    tied: bool = False
    qk_norm: bool = True
    qkv_bias: bool = False

    @property
    def query_width(self) -> int:
        """Return q, the width of the queries of all heads."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Return k, the width of the keys of all heads; that of the values is the same."""
        return self.kv_heads * self.head_dim

    @property
    def attention_matrices(self) -> int:
        """Return the parameters of a layer's four projections: h (q + 2 k) + q h."""
        return 2 * self.hidden * (self.query_width + self.kv_width)

    @property
    def expert(self) -> int:
        """Return the parameters of one gated MLP: 3 h i."""
        return 3 * self.hidden * self.intermediate

    def _layer(self, experts: int) -> int:
        """Return the parameters of a layer with so many MLPs.

        They are two norms, the projections with their norms and biases, the MLPs, and a router of h numbers per
        expert.
        """
        norms = 2 * self.hidden + (2 * self.head_dim if self.qk_norm else 0)
        biases = self.query_width + 2 * self.kv_width if self.qkv_bias else 0
        return norms + biases + self.attention_matrices + experts * self.expert + self.hidden * self.experts

    @property
    def layer_parameters(self) -> int:
        """Return the parameters of one layer."""
        return self._layer(max(self.experts, 1))

    @property
    def embedding(self) -> int:
        """Return the parameters of the embedding, V h; the output layer has as many."""
        return self.vocabulary * self.hidden

    @property
    def parameters(self) -> int:
        """Return all parameters: layers, final norm, embedding and, unless it is tied, the output layer."""
        return self.layers * self.layer_parameters + self.hidden + self.embedding * (1 if self.tied else 2)

    @property
    def active_parameters(self) -> int:
        """Return the parameters that one token passes through; all of them in a dense model."""
        idle = self.layers * (self.experts - self.active_experts) * self.expert if self.experts else 0
        return self.parameters - idle

    @property
    def matrix_parameters(self) -> int:
        """Return P, the parameters that multiply a token, 2 FLOPs each.

        They are projections, active MLPs, router and output layer; the embedding is looked up.
        """
        mlps = self.active_experts if self.experts else 1
        layer = self.attention_matrices + mlps * self.expert + self.hidden * self.experts
        return self.layers * layer + self.embedding

    def flops_per_token(self, context: float = 0.0) -> float:
        """Return the FLOPs of one token's forward pass: 2 P + 4 L q c, where it attends to c = ``context`` tokens."""
        return 2.0 * self.matrix_parameters + 4.0 * self.layers * self.query_width * context

    def kv_bytes_per_token(self, tensor_parallel: int = 1, element_bytes: int = 2) -> int:
        """Return the bytes of one token's keys and values on one GPU: 2 L k d b.

        k is the number of KV heads there, at least one: more GPUs than heads hold copies.

        Args:
            tensor_parallel: GPUs that share the model.
            element_bytes: b, bytes of a number.
        """
        return 2 * self.layers * -(-self.kv_heads // tensor_parallel) * self.head_dim * element_bytes


def _qwen3(name: str, layers: int, hidden: int, heads: int, intermediate: int, *, tied: bool = False) -> ModelShape:
    """Return a dense Qwen3, all of which have 8 KV heads of width 128 and the same tokens."""
    return ModelShape(name, layers, hidden, heads, 8, 128, intermediate, 151936, tied=tied)


SHAPES: Mapping[str, ModelShape] = {
    shape.name: shape
    for shape in (
        _qwen3("Qwen3-0.6B", 28, 1024, 16, 3072, tied=True),
        _qwen3("Qwen3-1.7B", 28, 2048, 16, 6144, tied=True),
        _qwen3("Qwen3-8B", 36, 4096, 32, 12288),
        _qwen3("Qwen3-14B", 40, 5120, 40, 17408),
        ModelShape("Qwen3-30B-A3B", 48, 2048, 32, 4, 128, 768, 151936, experts=128, active_experts=8),
    )
}

# Families with these parts; `attention_bias` is Qwen2's own in all its models.
MODEL_TYPES = ("qwen3", "qwen3_moe", "qwen2", "llama")


def shape_of(model: str) -> ModelShape:
    """Return the sizes of a model by name (``Qwen/Qwen3-8B-Base``) or by folder.

    Raises:
        ValueError: the name is not known and is no folder, or a ``config.json`` does not give the sizes.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return read_shape(folder)
    # A base model has the sizes of the model that was made from it.
    name = model.rstrip("/").rpartition("/")[2].removesuffix("-Base")
    if name not in SHAPES:
        refuse("actor_rollout_ref.model.path", model, f"one of {', '.join(SHAPES)} or a folder with config.json")
    return SHAPES[name]


def read_shape(folder: Path) -> ModelShape:
    """Return the sizes that the ``config.json`` of a model's folder gives.

    Raises:
        ValueError: the file is missing, is not JSON, or lacks a size.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: a model's config.json is needed; {' '.join(str(error).split())}") from error
    if not isinstance(config, dict) or config.get("model_type") not in MODEL_TYPES:
        found = config.get("model_type") if isinstance(config, dict) else type(config).__name__
        raise ValueError(f"{path}: model_type must be one of {', '.join(MODEL_TYPES)}; got {found!r}")
    return _shape_from(config, path)


def _shape_from(config: Mapping[str, Any], path: Path) -> ModelShape:
    """Return the sizes in the contents of a ``config.json``."""

    def size(key: str, default: int | None = None) -> int:
        value = config.get(key, default)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{path}: {key} must be an integer >= 1; got {value!r}")
        return value

    heads, hidden, kind = size("num_attention_heads"), size("hidden_size"), config["model_type"]
    dense = ModelShape(
        name=path.parent.name,
        layers=size("num_hidden_layers"),
        hidden=hidden,
        heads=heads,
        kv_heads=size("num_key_value_heads", heads),
        # Older configurations leave it out; then the heads share the residual stream's width.
        head_dim=size("head_dim", hidden // heads),
        intermediate=size("moe_intermediate_size" if kind == "qwen3_moe" else "intermediate_size"),
        vocabulary=size("vocab_size"),
        tied=bool(config.get("tie_word_embeddings", False)),
        qk_norm=kind.startswith("qwen3"),
        qkv_bias=kind == "qwen2",
    )
    if kind != "qwen3_moe":
        return dense
    experts = size("num_experts")
    active = size("num_experts_per_tok")
    if active > experts:
        raise ValueError(f"{path}: num_experts_per_tok must be <= num_experts = {experts}; got {active}")
    return replace(dense, experts=experts, active_experts=active)
