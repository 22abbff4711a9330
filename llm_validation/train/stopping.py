"""Responses that end at a stop string, in TRL's trainer.

TRL ends responses at tokens only. A token whose own text has a stop string in it becomes one of those, so that TRL's
masks and its count of cut-off responses are right by themselves. A stop string that is spread over several tokens is
found afterwards: the response is cut behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llm_validation.engines.stops import stop_tokens_of, tokens_to_stop


def end_at(trainer: Any, stop: Sequence[str]) -> None:
    """Let tokens with a stop string in their text end a response, in this trainer only: the model's settings stay."""
    if not stop:
        return
    tokens = [*trainer.eos_token_ids, *stop_tokens_of(trainer.processing_class, stop)]
    trainer.eos_token_ids = list(dict.fromkeys(tokens))
    if hasattr(trainer, "generation_config"):  # sampling with Transformers
        trainer.generation_config.eos_token_id = trainer.eos_token_ids
        trainer.generation_kwargs["eos_token_id"] = trainer.eos_token_ids


def until_stop(tokenizer: Any, ids: Sequence[list[int]], logprobs: Any, stop: Sequence[str]) -> tuple[Any, Any]:
    """Return the responses' tokens, and the sampler's log-probabilities where it gives any, up to a stop string.

    Args:
        tokenizer: of the model.
        ids: tokens of each response.
        logprobs: a list for each response, or None.
        stop: the stop strings.
    """
    if not stop:
        return ids, logprobs
    lengths = [tokens_to_stop(tokenizer, row, stop) for row in ids]
    kept = [row[:length] for row, length in zip(ids, lengths, strict=True)]
    if logprobs is None:
        return kept, None
    return kept, [row[:length] for row, length in zip(logprobs, lengths, strict=True)]
