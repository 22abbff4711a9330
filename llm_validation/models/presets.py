"""Qwen3 models: small presets made from a configuration, or any checkpoint by name or path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from llm_validation.models.pretrained import PRETRAINED, pretrained_folder
from llm_validation.models.tokenizer import ARITHMETIC, CHARACTERS, build_tokenizer
from qae_theory.checks import refuse
from qae_theory.runs.folders import results_folder


class Preset(NamedTuple):
    """The shape of a model and the characters that it knows."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    characters: str = CHARACTERS


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        # 0.09 M parameters and 17 tokens: a response of two tokens is one of 273
        "arithmetic": Preset(64, 160, 2, 4, 2, ARITHMETIC),
        "tiny": Preset(64, 160, 2, 4, 2),  # 0.09 M
        "small": Preset(128, 256, 3, 4, 2),  # 0.46 M
        "larger": Preset(192, 512, 4, 6, 3, ARITHMETIC),  # 1.6 M
        "gpu": Preset(512, 1536, 9, 8, 4),  # 28 M
    }
)


def build_model(preset: str, *, seed: int) -> Any:
    """Return a ``Qwen3ForCausalLM`` of a preset with random float32 weights, over the preset's characters.

    The random state of torch is left as it was.

    Raises:
        ValueError: an unknown preset.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    if preset not in PRESETS:
        refuse("preset", preset, f"one of {', '.join(PRESETS)}")
    shape = PRESETS[preset]
    tokenizer = build_tokenizer(shape.characters)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.hidden // shape.heads,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        pad_token_id=None,  # its embedding would be zero and never trained, yet a response may contain it
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        attn_implementation="eager",  # forward-mode derivatives, which the probe takes, need it
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen3ForCausalLM(config)
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.eos_token_id = config.eos_token_id
    return model.to(torch.float32)


def preset_tokenizer(preset: str) -> Any:
    """Return the tokenizer of a preset's characters."""
    return build_tokenizer(PRESETS[preset].characters)


def load_model(source: str | Path, *, seed: int = 0, dtype: str = "float32") -> tuple[Any, Any]:
    """Return model and tokenizer of a preset, of a packaged model, of a folder, or of a name on a model hub.

    Args:
        source: a name of ``PRESETS`` or of ``pretrained.PRETRAINED``; a folder that ``save_pretrained`` wrote; or a
            name, Qwen/Qwen3-0.6B say.
        seed: of a preset's random weights.
        dtype: of the weights, ``float32`` or ``bfloat16``; ``models.float64`` makes float64 of them.

    Raises:
        ValueError: there is no such model, or its files are damaged; one line.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if str(source) in PRETRAINED:
        source = pretrained_folder(str(source), cache=results_folder())
    if str(source) in PRESETS:
        model = build_model(str(source), seed=seed).to(getattr(torch, dtype))
        return model, preset_tokenizer(str(source))
    try:
        model = AutoModelForCausalLM.from_pretrained(source, dtype=getattr(torch, dtype), attn_implementation="eager")
        tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left")
        if not tokenizer("0", add_special_tokens=False).input_ids:  # made up by Transformers, for want of files
            raise OSError("it has no tokenizer")
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
