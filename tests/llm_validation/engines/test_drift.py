"""A change of what an engine does under our feet is named; comments and layout are none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from llm_validation.engines.drift import Watched, current_hash, main, moved, watched

SOURCE = '''
class Trainer:
    """A trainer."""

    def loss(self, x, tokens):
        mean = x.sum() / tokens  # the normaliser
        entropy = x * 2
        self.log("entropy", entropy)
        return mean
'''
METHOD = Watched("toy-engine", "toy_engine.trainer", "Trainer.loss", "called", version="1.0")
NORMALISER = replace(METHOD, mentions=("tokens",), says="the normaliser")


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The source file of an engine that is installed."""
    folder = tmp_path / "toy_engine"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('an engine is not imported')\n")
    (folder / "trainer.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    return folder / "trainer.py"


def as_tested() -> list[Watched]:
    return [replace(one, hash=str(current_hash(one))) for one in (METHOD, NORMALISER)]


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("# the normaliser", "# something else", []),
        ('"""A trainer."""', '"""Another."""', []),
        ("x * 2", "x * 3", ["Trainer.loss has changed"]),
        ("/ tokens", "/ (tokens + 1)", ["Trainer.loss has changed", "Trainer.loss (the normaliser) has changed"]),
        ("def loss", "def losses", ["Trainer.loss is not there", "Trainer.loss (the normaliser) is not there"]),
    ],
)
def test_what_moved_is_named(engine: Path, old: str, new: str, named: list[str]) -> None:
    listed = as_tested()
    assert moved(listed) == []
    engine.write_text(SOURCE.replace(old, new))
    assert [line.partition(" since ")[0] for line in moved(listed)] == [f"toy_engine.trainer.{name}" for name in named]
    assert all(line.endswith("since toy-engine 1.0: called") for line in moved(listed))


def test_every_watched_object_has_a_reason_and_was_hashed() -> None:
    for one in watched():
        assert one.why
        assert one.version
        assert len(one.hash) == 64, f"{one}: run python -m llm_validation.engines.drift --update in its environment"
    assert len(set(map(str, watched()))) == len(watched())


@pytest.mark.train
def test_the_installed_engines_are_those_that_were_tested(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0, capsys.readouterr().err
    assert "trl 1.16.0" in capsys.readouterr().out


@pytest.mark.verl
def test_the_installed_verl_is_the_one_that_was_tested(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0, capsys.readouterr().err
    assert "verl 0.9.1" in capsys.readouterr().out
