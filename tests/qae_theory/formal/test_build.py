"""What is compiled already, and of which state of the sources."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qae_theory.formal.tools import build, coq, layout, sources

KEYS = {"Base": "8.16.1 a", "Top": "8.16.1 b"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which two modules are compiled of the state that is wanted."""
    monkeypatch.setattr(layout, "COMPILED", tmp_path)
    monkeypatch.setattr(build, "_KEYS", tmp_path / "keys.json")
    monkeypatch.setattr(build, "_wanted_keys", lambda: dict(KEYS))
    (tmp_path / "keys.json").write_text(json.dumps(KEYS), encoding="utf-8")
    for module in KEYS:
        (tmp_path / f"{module}.vo").touch()
    return tmp_path


def test_nothing_is_stale_where_each_file_is_of_the_wanted_state(folder: Path) -> None:
    assert build.stale() == []


def test_a_missing_file_and_one_of_another_state_are_stale(folder: Path) -> None:
    (folder / "Base.vo").unlink()
    assert build.stale() == ["Base"]
    (folder / "keys.json").write_text(json.dumps({**KEYS, "Top": "8.16.1 other"}), encoding="utf-8")
    assert build.stale() == ["Base", "Top"]


def test_everything_is_stale_where_nothing_was_compiled(folder: Path) -> None:
    (folder / "keys.json").unlink()
    assert build.stale() == ["Base", "Top"]


def test_files_of_modules_that_are_no_more_are_removed(folder: Path) -> None:
    for name in ("Gone.vo", ".Gone.aux", "Gone.v"):
        (folder / name).touch()
    build._remove_others({"Base", "Top", "keys"})
    assert sorted(path.name for path in folder.iterdir()) == ["Base.vo", "Top.vo", "keys.json"]


@pytest.mark.slow
def test_a_theory_is_compiled_once_a_state_and_one_that_is_wrong_stops(
    coq_installed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theories = tmp_path / "theories"
    theories.mkdir()
    lemma = "Lemma base (x : nat) : x = x.\nProof. reflexivity. Qed.\n"
    (theories / "Base.v").write_text(lemma, encoding="utf-8")
    compiled = tmp_path / "build"
    monkeypatch.setattr(layout, "THEORIES", theories)
    monkeypatch.setattr(layout, "COMPILED", compiled)
    monkeypatch.setattr(build, "_KEYS", tmp_path / "keys.json")
    monkeypatch.setattr(coq, "FLAGS", ("-q", "-R", str(compiled), "QAE"))
    sources._files.cache_clear()
    sources.requirements.cache_clear()
    try:
        assert list(build.compile_all(jobs=1)) == ["Base"]
        assert build.compile_all(jobs=1) == {}
        (theories / "Base.v").write_text(
            "Lemma base (x : nat) : x = S x.\nProof. reflexivity. Qed.\n", encoding="utf-8"
        )
        assert build.stale() == ["Base"]
        with pytest.raises(coq.CheckError, match=r"Base\.v does not compile"):
            build.compile_all(jobs=1)
        assert build.stale() == ["Base"]
    finally:
        sources._files.cache_clear()
        sources.requirements.cache_clear()
