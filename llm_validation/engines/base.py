"""What an engine is: a model that is ready to be sampled, and what all of them check.

Every sample has a random stream of its own, made of the seed, the question's number and the sample's number. What is
drawn so depends neither on the batch nor on how the questions are divided, but for the last digits of the logits,
which depend on the batch in both engines.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from llm_validation.engines.stops import before_stop, checked_stops, tokens_to_stop
from llm_validation.models.chat import rendered
from qae_theory.checks import refuse

Row = tuple[list[int], tuple[int, int]]  # tokens of a prompt; numbers of question and sample
Drawn = tuple[list[int], list[float]]  # tokens of a response; their log-probabilities


@dataclass(frozen=True)
class Response:
    """Hold one sampled response and the log-probabilities of its tokens.

    Args:
        token_ids: its tokens, with the end of text or the token that completed a stop string if it came to that.
        text: the same as text, without special tokens and before a stop string.
        log_probs: of each token given those before it, in nats, under the model itself: temperature 1, all tokens.
        finished: whether it ended by itself, not at the greatest length.
    """

    token_ids: tuple[int, ...]
    text: str
    log_probs: tuple[float, ...]
    finished: bool


class Engine(ABC):
    """A model that is ready to be sampled; a context manager.

    Args:
        tokenizer: of Transformers.
        context: most tokens that a prompt and its response may have together.
        stops: token ids that end a response.
    """

    name: ClassVar[str]

    def __init__(self, tokenizer: Any, context: int, stops: Sequence[int]) -> None:
        self._tokenizer, self._context, self._stops = tokenizer, context, frozenset(stops)

    def asked(self, prompts: Sequence[str], *, chat_template: str | None, system_prompt: str | None) -> list[str]:
        """Return the questions in a chat template, as the model is asked them; arguments as in ``models.chat``.

        Raises:
            ValueError: there is no such template, or it fails.
        """
        return rendered(prompts, self._tokenizer, template=chat_template, system=system_prompt)

    def generate(
        self,
        prompts: Sequence[str],
        *,
        samples: int,
        temperature: float,
        top_p: float = 1.0,
        max_new_tokens: int,
        seed: int,
        first: int = 0,
        stop: Sequence[str] = (),
    ) -> list[list[Response]]:
        """Draw ``samples`` responses to each prompt.

        Args:
            prompts: as they are: no template of a chat is put round them.
            samples: responses to each.
            temperature: divides the logits; 0 takes the likeliest token.
            top_p: the likeliest tokens that have this probability together are left to choose from.
            max_new_tokens: greatest length of a response, its end of text included.
            seed: of all random streams.
            first: number of the first prompt among all questions, where they are divided.
            stop: texts that end a response; see :mod:`llm_validation.engines.stops`.

        Raises:
            ValueError: an argument is out of its range, or a prompt is empty, no Unicode, or too long for the model.
        """
        check_sampling(samples, temperature, top_p, max_new_tokens, seed)
        stops = checked_stops(stop)
        rows = [
            (tokens, (first + number, sample))
            for number, tokens in enumerate([self._tokens(prompt, max_new_tokens) for prompt in prompts])
            for sample in range(samples)
        ]
        drawn = self._draw(rows, temperature, top_p, max_new_tokens, seed, stops)
        responses = [self._response(token_ids, log_probs, stops) for token_ids, log_probs in drawn]
        return [responses[start : start + samples] for start in range(0, len(responses), samples)]

    @abstractmethod
    def _draw(
        self,
        rows: Sequence[Row],
        temperature: float,
        top_p: float,
        max_new_tokens: int,
        seed: int,
        stops: Sequence[str],
    ) -> list[Drawn]:
        """Return token ids and log-probabilities of one response to each row, up to a stop string or beyond it."""

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Give back what the engine holds; one that holds nothing does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _tokens(self, prompt: str, max_new_tokens: int) -> list[int]:
        try:
            prompt.encode()
        except UnicodeEncodeError:
            refuse("prompt", prompt, "Unicode text")
        tokens: list[int] = self._tokenizer(prompt)["input_ids"]
        if not tokens:
            refuse("prompt", prompt, "one token long at least")
        if len(tokens) + max_new_tokens > self._context:
            raise ValueError(
                f"max_new_tokens must leave room for the prompt: {len(tokens)} tokens of prompt and {max_new_tokens} "
                f"new ones are more than the model's {self._context}"
            )
        return tokens

    def _response(self, token_ids: list[int], log_probs: list[float], stops: Sequence[str]) -> Response:
        length = tokens_to_stop(self._tokenizer, token_ids, stops)
        kept, finished = token_ids[:length], length is not None
        text = before_stop(self._tokenizer.decode(kept, skip_special_tokens=True), stops)
        finished = finished or (bool(kept) and kept[-1] in self._stops)
        return Response(tuple(kept), text, tuple(log_probs[:length]), finished)


def check_sampling(samples: int, temperature: float, top_p: float, max_new_tokens: int, seed: int) -> None:
    """Refuse settings with which no samples can be drawn.

    Raises:
        ValueError: naming the argument, its value and what is allowed.
    """
    for name, value, least in (("samples", samples, 1), ("max_new_tokens", max_new_tokens, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            refuse(name, value, f"an integer >= {least}")
    if not 0 <= temperature < float("inf"):
        refuse("temperature", temperature, "a finite number >= 0")
    if not 0 < top_p <= 1:
        refuse("top_p", top_p, "in (0, 1]")


def stream(seed: int, question: int, sample: int) -> np.random.Generator:
    """Return the random numbers of one sample of one question."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(question, sample)))


def stop_tokens(settings: Any, tokenizer: Any) -> list[int]:
    """Token ids that end a response: those of a model's generation settings, else the tokenizer's end of text.

    Raises:
        ValueError: there is none.
    """
    found = getattr(settings, "eos_token_id", None)
    if found is None:
        found = tokenizer.eos_token_id
    if found is None:
        raise ValueError("the model and its tokenizer must have an end-of-text token; they have none")
    return [int(token) for token in (found if isinstance(found, (list, tuple)) else [found])]


def one_line(error: BaseException) -> str:
    """Kind and text of an error, cut to what can be read."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
