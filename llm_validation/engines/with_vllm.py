"""Sampling with vLLM, its build for a GPU or the one for a CPU."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from llm_validation.engines.base import Drawn, Engine, Row, one_line, stop_tokens, stream


class VllmEngine(Engine):
    """vLLM, in this process.

    Args:
        folder: a checkpoint's folder, or a model hub's name.
        dtype: of the weights.
        kv_cache_bytes: memory for keys and values on a CPU; on a GPU vLLM takes what there is.

    Raises:
        ValueError: vLLM cannot load it; one line.
    """

    name = "vllm"

    def __init__(self, folder: str | Path, *, dtype: str = "float32", kv_cache_bytes: int = 2 << 30) -> None:
        # In this process, so that its errors come here and it ends with it; quiet; nothing sent anywhere.
        for variable, value in (
            ("VLLM_ENABLE_V1_MULTIPROCESSING", "0"),
            ("VLLM_LOGGING_LEVEL", "ERROR"),
            ("VLLM_NO_USAGE_STATS", "1"),
        ):
            os.environ.setdefault(variable, value)
        import torch
        from transformers import AutoTokenizer, GenerationConfig
        from vllm import LLM

        # Compiling for a CPU takes longer than it saves, and a compiler.
        on_cpu = {} if torch.cuda.is_available() else {"kv_cache_memory_bytes": kv_cache_bytes, "enforce_eager": True}
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
            with _hidden("llvmlite.binding.ffi"), warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)
                self._llm = LLM(
                    str(folder),
                    dtype=dtype,
                    max_model_len=-1,  # the model's own, or what the memory holds
                    logprobs_mode="raw_logprobs",
                    generation_config="vllm",
                    disable_log_stats=True,
                    use_tqdm_on_load=False,
                    **on_cpu,
                )
        except Exception as error:  # a damaged file, an unknown name and a shape that it has no kernel for
            raise ValueError(f"model {str(folder)!r} cannot be loaded by vllm: {one_line(error)}") from None
        if on_cpu:
            _check_head_size(self._llm.llm_engine.model_config.get_head_size(), folder)
        try:
            settings = GenerationConfig.from_pretrained(folder)
        except OSError:  # a checkpoint need not have any
            settings = None
        context = self._llm.llm_engine.model_config.max_model_len
        super().__init__(tokenizer, context, stop_tokens(settings, tokenizer))

    def _draw(
        self,
        rows: Sequence[Row],
        temperature: float,
        top_p: float,
        max_new_tokens: int,
        seed: int,
        stops: Sequence[str],
    ) -> list[Drawn]:
        from vllm import SamplingParams

        # One request a sample: of several samples of one request vLLM counts the seed up, so that with neighbouring
        # seeds they repeat one another's random numbers.
        settings = [
            SamplingParams(
                temperature=temperature,
                top_p=top_p,
                max_tokens=max_new_tokens,
                seed=int(stream(seed, *numbers).integers(1 << 62)),
                stop_token_ids=sorted(self._stops),
                stop=list(stops) or None,
                logprobs=0,
                detokenize=bool(stops),  # it finds stop strings in text only
            )
            for _, numbers in rows
        ]
        prompts = [{"prompt_token_ids": tokens} for tokens, _ in rows]
        outputs = [request.outputs[0] for request in self._llm.generate(prompts, settings, use_tqdm=False)]
        return [
            (
                list(output.token_ids),
                [step[token].logprob for step, token in zip(output.logprobs, output.token_ids, strict=True)],
            )
            for output in outputs
        ]

    def close(self) -> None:
        """Shut vLLM's engine down, which gives its memory back."""
        self._llm.llm_engine.engine_core.shutdown()


def _check_head_size(size: int, folder: str | Path) -> None:
    """Refuse a head size without a kernel; vLLM itself only fails at the first token."""
    from vllm.v1.attention.backends.cpu_attn import CPUAttentionBackend

    sizes = CPUAttentionBackend.get_supported_head_sizes()
    if size not in sizes:
        raise ValueError(
            f"model {str(folder)!r} cannot be run by vllm on a CPU: its attention heads have size {size}; "
            f"there is {', '.join(map(str, sizes))}"
        )


@contextmanager
def _hidden(module: str) -> Iterator[None]:
    """Take a module out of ``sys.modules`` for a moment.

    As it starts, vLLM 0.32 asks every object of every module for its attributes by name, and fails on the proxy of a
    shared library that llvmlite, and so numba, has there: it has an answer to any name.
    """
    found = sys.modules.pop(module, None)
    try:
        yield
    finally:
        if found is not None:
            sys.modules[module] = found
