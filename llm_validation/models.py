"""Qwen3 models: small presets made from a configuration, or any checkpoint by name or path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from llm_validation.tokenizer import EOS, PAD, VOCABULARY, build_tokenizer
from qae_theory._checks import refuse

# Shapes of the presets: about 0.1 M, 0.45 M and 30 M parameters.
PRESETS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "tiny": {"hidden_size": 64, "intermediate_size": 160, "layers": 2, "heads": 4, "kv_heads": 2},
        "small": {"hidden_size": 128, "intermediate_size": 256, "layers": 3, "heads": 4, "kv_heads": 2},
        "gpu": {"hidden_size": 512, "intermediate_size": 1536, "layers": 9, "heads": 8, "kv_heads": 4},
    }
)


def build_model(preset: str, *, seed: int) -> Any:
    """A ``Qwen3ForCausalLM`` of a preset with random float32 weights, over the characters of ``tokenizer``.

    The random state of torch is left as it was.

    Raises:
        ValueError: an unknown preset.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    if preset not in PRESETS:
        refuse("preset", preset, f"one of {', '.join(PRESETS)}")
    shape = PRESETS[preset]
    config = Qwen3Config(
        vocab_size=len(VOCABULARY),
        hidden_size=shape["hidden_size"],
        intermediate_size=shape["intermediate_size"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape["kv_heads"],
        head_dim=shape["hidden_size"] // shape["heads"],
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        pad_token_id=VOCABULARY.index(PAD),
        eos_token_id=VOCABULARY.index(EOS),
        bos_token_id=None,
        attn_implementation="eager",  # forward-mode derivatives, which the probe takes, need it
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen3ForCausalLM(config)
    model.generation_config.pad_token_id = config.pad_token_id
    model.generation_config.eos_token_id = config.eos_token_id
    return model.to(torch.float32)


def load_model(source: str | Path, *, seed: int = 0, dtype: str = "float32") -> tuple[Any, Any]:
    """Model and tokenizer of a preset's name, of a folder, or of a model hub's name.

    Args:
        source: ``tiny``, ``small``, ``gpu``; a folder that ``save_pretrained`` wrote; or a name, Qwen/Qwen3-0.6B say.
        seed: of a preset's random weights.
        dtype: of the weights: ``float32``, ``bfloat16``, ``float64``.

    Raises:
        ValueError: there is no such model, or its files are damaged; one line.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if str(source) in PRESETS:
        return build_model(str(source), seed=seed).to(getattr(torch, dtype)), build_tokenizer()
    try:
        model = AutoModelForCausalLM.from_pretrained(
            source, dtype=getattr(torch, dtype), attn_implementation="eager"
        )
        tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left")
    except Exception as error:  # a missing file, a damaged one and an unknown name raise many things
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"model {str(source)!r} cannot be loaded: {type(error).__name__}: {reason}; "
            f"name one of the presets {', '.join(PRESETS)}, a checkpoint's folder, or a model hub's name"
        ) from None
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def parameter_count(model: Any) -> int:
    """Number of parameters, tied ones once."""
    return sum(parameter.numel() for parameter in model.parameters())
