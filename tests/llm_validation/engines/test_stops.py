"""Stop strings: where a response ends, whatever its tokens; it is the beginning of the response without them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_validation.engines import TransformersEngine, before_stop, checked_stops, stop_tokens_of, tokens_to_stop
from llm_validation.engines.stops import ends_with_stop

train = pytest.mark.train

PIECES = ["1", "2", "\n", "12", "2\n", "\n\n", "Q:", "Q", ":", ""]


class Pieces:
    """A tokenizer whose tokens are the pieces: a stop string may lie in one, across several, or inside one."""

    def decode(self, token_ids: list[int], *, skip_special_tokens: bool) -> str:
        assert skip_special_tokens
        return "".join(PIECES[token] for token in token_ids)

    def batch_decode(self, rows: list[list[int]], *, skip_special_tokens: bool) -> list[str]:
        return [self.decode(row, skip_special_tokens=skip_special_tokens) for row in rows]

    def __len__(self) -> int:
        return len(PIECES)


TOKENS = st.lists(st.integers(0, len(PIECES) - 1), max_size=12)
STOPS = st.lists(st.sampled_from(["\n", "\n\n", "Q:", "1\n", "22"]), max_size=3)


@given(tokens=TOKENS, stops=STOPS)
def test_the_first_token_that_completes_a_stop_is_found(tokens: list[int], stops: list[str]) -> None:
    """Beside a loop over all prefixes."""
    slow = None
    for length in range(1, len(tokens) + 1):
        text = "".join(PIECES[token] for token in tokens[:length])
        if any(stop in text for stop in stops):
            slow = length
            break
    assert tokens_to_stop(Pieces(), tokens, stops) == slow
    # A row of a batch ends at the first token at which this says so.
    seen = [length for length in range(1, len(tokens) + 1) if ends_with_stop(Pieces(), tokens[:length], stops)]
    assert (seen[0] if seen else None) == slow


@given(text=st.text("12\nQ:", max_size=12), stops=STOPS)
def test_the_text_ends_before_the_first_stop(text: str, stops: list[str]) -> None:
    kept = before_stop(text, stops)
    assert text.startswith(kept)
    assert not any(stop in kept for stop in stops)
    if kept != text:
        assert any(text[len(kept) :].startswith(stop) for stop in stops)


def test_tokens_that_end_a_response_by_themselves() -> None:
    assert [PIECES[token] for token in stop_tokens_of(Pieces(), ["\n"])] == ["\n", "2\n", "\n\n"]
    assert [PIECES[token] for token in stop_tokens_of(Pieces(), ["Q:", "22"])] == ["Q:"]
    assert stop_tokens_of(Pieces(), []) == []


@pytest.mark.parametrize("stop", ["\n", [""], [7], None, 3, ["a", ""]])
def test_bad_stops_are_named(stop: Any) -> None:
    with pytest.raises(ValueError, match="stop must be a list of strings of at least one character; got"):
        checked_stops(stop)


@pytest.fixture(scope="module")
def engine() -> TransformersEngine:
    import torch

    from llm_validation.models.presets import load_model

    model, tokenizer = load_model("tiny", seed=5)
    with torch.no_grad():
        model.model.norm.weight.mul_(3)
    return TransformersEngine(model, tokenizer)


SETTINGS: dict[str, Any] = {"samples": 16, "temperature": 1.0, "max_new_tokens": 12, "seed": 1}
PROMPTS = ["1+2=", "34*5=", "7"]


@train
def test_a_stopped_response_is_the_beginning_of_the_unstopped_one(engine: TransformersEngine) -> None:
    """Among 48 responses of 12 characters the new line and the digit occur; a stop of two characters is planted."""
    free = [one for group in engine.generate(PROMPTS, **SETTINGS) for one in group]
    text = max((one.text for one in free), key=len)
    stops = ["\n", "7", text[4:6]]
    stopped = [one for group in engine.generate(PROMPTS, stop=stops, **SETTINGS) for one in group]
    ended = 0
    for whole, cut in zip(free, stopped, strict=True):
        length = len(cut.token_ids)
        assert whole.token_ids[:length] == cut.token_ids
        assert whole.log_probs[:length] == pytest.approx(cut.log_probs, abs=1e-5)  # as in test_engines
        assert cut.text == before_stop(whole.text, stops)
        has_stop = any(stop in whole.text for stop in stops)
        assert cut.finished == (has_stop or whole.finished)
        ended += has_stop
    assert 5 <= ended < len(free)


@train
def test_generation_ends_with_the_last_row(engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every character a stop, a response ends at its first token that has a text."""
    steps = []
    forward = engine._model.forward

    def counted(*arguments: Any, **settings: Any) -> Any:
        steps.append(1)
        return forward(*arguments, **settings)

    monkeypatch.setattr(engine._model, "forward", counted)
    anything = [chr(code) for code in range(32, 127)] + ["\n"]
    groups = engine.generate(PROMPTS, stop=anything, **SETTINGS)
    longest = max(len(one.token_ids) for group in groups for one in group)
    assert len(steps) == longest < SETTINGS["max_new_tokens"]


@train
def test_a_bad_stop_is_refused(engine: TransformersEngine) -> None:
    with pytest.raises(ValueError, match="stop must be"):
        engine.generate(PROMPTS, stop="\n", **SETTINGS)
