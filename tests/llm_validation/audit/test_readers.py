"""Readers of other packages, by their entry points: they come first, and a mistake of theirs is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from llm_validation.audit.model.chunk import Chunk
from llm_validation.audit.readers import registry
from llm_validation.audit.reading.base import Reader, ResponseReader
from llm_validation.audit.reading.head import Head
from tests.llm_validation.audit.audited import audited
from tests.llm_validation.audit.worlds import lines


def _read(head: Head, settings: Any, tally: Any) -> Iterator[Chunk]:
    del settings
    tally.read += 4
    yield Chunk(
        head.path, "id", np.ones(4, dtype=np.int64), np.array([0.0, 1.0, 0.0, 0.0]), key=np.zeros(4, dtype=np.uint64)
    )


THEIRS = ResponseReader("theirs", lambda head: head.any_with("step", "reward", "group"), _read)


def provide(monkeypatch: pytest.MonkeyPatch, *readers: Reader, error: Exception | None = None) -> None:
    """Let another package be installed that provides these readers."""

    def load() -> Any:
        if error is not None:
            raise error
        return lambda: readers

    point = SimpleNamespace(name="theirs", value="their.package:readers", load=load)
    ours = [one for one in registry.entry_points(group=registry.GROUP) if one.value.startswith("llm_validation.")]
    monkeypatch.setattr(registry, "entry_points", lambda group: [*ours, point])


def test_another_packages_reader_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lines(tmp_path / "a.jsonl", [{"step": 1, "reward": 1.0, "group": "g"}] * 2)
    assert audited(path)["sources"][0]["format"] == "responses"
    provide(monkeypatch, THEIRS)
    content = audited(path)
    assert content["sources"][0]["format"] == "theirs"
    assert content["groups"]["mixed"] == 1


def test_a_provider_that_does_not_load_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    provide(monkeypatch, error=RuntimeError("no such thing"))
    with pytest.raises(ValueError, match=r"readers 'theirs' .*RuntimeError: no such thing"):
        registry.all_readers()


def test_two_readers_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    provide(monkeypatch, ResponseReader("areal", THEIRS.recognises, THEIRS.read))
    with pytest.raises(ValueError, match="two readers are called areal"):
        registry.all_readers()
