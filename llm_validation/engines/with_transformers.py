"""Sampling with ``generate`` of Transformers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from llm_validation.engines.base import Drawn, Engine, Row, stop_tokens, stream
from llm_validation.engines.stops import ends_with_stop
from qae_theory.arrays import Array

Tensor = Any


class TransformersEngine(Engine):
    """``generate`` of Transformers, with the choice of the token made here: its own takes one global random state.

    Args:
        model: a causal language model of Transformers; its settings are left as they are.
        tokenizer: that belongs to it.
        batch: responses sampled at once.
    """

    name = "transformers"

    def __init__(self, model: Any, tokenizer: Any, *, batch: int = 256) -> None:
        super().__init__(
            tokenizer, model.config.max_position_embeddings, stop_tokens(model.generation_config, tokenizer)
        )
        self._model, self._batch = model, batch

    def _draw(
        self,
        rows: Sequence[Row],
        temperature: float,
        top_p: float,
        max_new_tokens: int,
        seed: int,
        stops: Sequence[str],
    ) -> list[Drawn]:
        was_training, settings = self._model.training, self._model.generation_config
        self._model.eval()
        # generate() fills what is not set from the model's own settings, a penalty on repetition say
        self._model.generation_config = type(settings)()
        try:
            drawn: list[Drawn] = []
            for start in range(0, len(rows), self._batch):
                some = rows[start : start + self._batch]
                drawn += self._one_batch(some, temperature, top_p, max_new_tokens, seed, stops)
            return drawn
        finally:
            self._model.generation_config = settings
            self._model.train(was_training)

    def _one_batch(
        self,
        rows: Sequence[Row],
        temperature: float,
        top_p: float,
        max_new_tokens: int,
        seed: int,
        stops: Sequence[str],
    ) -> list[Drawn]:
        import torch

        padding = min(self._stops)
        longest = max(len(tokens) for tokens, _ in rows)
        ids = torch.tensor([[padding] * (longest - len(tokens)) + tokens for tokens, _ in rows])
        mask = torch.tensor([[0] * (longest - len(tokens)) + [1] * len(tokens) for tokens, _ in rows])
        uniforms = np.stack([stream(seed, *numbers).random(max_new_tokens) for _, numbers in rows])
        chooser = _chooser_class()(uniforms, temperature, top_p)
        settings = type(self._model.generation_config)(
            do_sample=False,
            max_new_tokens=max_new_tokens,
            eos_token_id=sorted(self._stops),
            pad_token_id=padding,
        )
        with torch.no_grad():
            output = self._model.generate(
                input_ids=ids.to(self._model.device),
                attention_mask=mask.to(self._model.device),
                generation_config=settings,
                logits_processor=[chooser],
                stopping_criteria=[_stopper_class()(self._tokenizer, stops, longest)] if stops else None,
            )
        log_probs = torch.stack(chooser.log_probs, dim=1).tolist()
        return [
            self._until_stop(tokens, row) for tokens, row in zip(output[:, longest:].tolist(), log_probs, strict=True)
        ]

    def _until_stop(self, tokens: list[int], log_probs: list[float]) -> Drawn:
        length = next((n for n, token in enumerate(tokens, start=1) if token in self._stops), len(tokens))
        return tokens[:length], log_probs[:length]


@cache
def _stopper_class() -> Any:
    """Return the class that ends rows of ``generate`` at stop strings; made on the first call, as the one below."""
    import torch
    from transformers import StoppingCriteria

    class Stopper(StoppingCriteria):
        """Ends a row as soon as its response has a stop string in it."""

        def __init__(self, tokenizer: Any, stops: Sequence[str], start: int) -> None:
            self._tokenizer, self._stops, self._start = tokenizer, stops, start

        def __call__(self, input_ids: Tensor, scores: Tensor, **_: Any) -> Tensor:
            del scores
            rows = input_ids[:, self._start :].tolist()
            ended = [ends_with_stop(self._tokenizer, row, self._stops) for row in rows]
            return torch.tensor(ended, dtype=torch.bool, device=input_ids.device)

    return Stopper


@cache
def _chooser_class() -> Any:
    """Return the class that stands in for sampling in ``generate``, made on the first call because it needs torch."""
    import torch
    from transformers import LogitsProcessor, TopPLogitsWarper

    class Chooser(LogitsProcessor):
        """Leaves one token of each row, by inversion of the distribution function at that row's uniform number."""

        def __init__(self, uniforms: Array, temperature: float, top_p: float) -> None:
            self._uniforms = torch.as_tensor(uniforms)
            self._temperature = temperature
            self._nucleus = TopPLogitsWarper(top_p) if top_p < 1 else None
            self.log_probs: list[Tensor] = []

        def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
            taken = scores.argmax(-1, keepdim=True) if self._temperature == 0 else self._sampled(input_ids, scores)
            self.log_probs.append(scores.log_softmax(-1).gather(-1, taken).squeeze(-1).cpu())
            return torch.full_like(scores, -torch.inf).scatter_(-1, taken, 0.0)

        def _sampled(self, input_ids: Tensor, scores: Tensor) -> Tensor:
            scores = scores / self._temperature
            if self._nucleus is not None:
                scores = self._nucleus(input_ids, scores)
            below = scores.double().softmax(-1).cumsum(-1)
            total = below[:, -1:]
            uniform = self._uniforms[:, len(self.log_probs), None].to(scores.device)
            # A product that rounds up to the whole would fall behind the last token.
            target = torch.minimum(uniform * total, torch.nextafter(total, torch.zeros_like(total)))
            return torch.searchsorted(below, target, right=True)

    return Chooser
