"""Places that can be written are let through; the others end the command before any work."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from qae_theory.commands import places


def refused(capsys: pytest.CaptureFixture[str], check: object, *arguments: object) -> str:
    with pytest.raises(typer.Exit) as ended:
        check("train", *arguments)  # type: ignore[operator]
    assert ended.value.exit_code == 2
    return capsys.readouterr().err


def test_a_folder_that_can_be_made_is_let_through_and_not_made(tmp_path: Path) -> None:
    places.require_folder("train", tmp_path)
    places.require_folder("train", tmp_path / "not" / "yet")
    places.require_file("train", tmp_path / "not" / "yet.json", "--json")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_written_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(places.os, "access", lambda path, mode: False)
    said = refused(capsys, places.require_folder, tmp_path / "new")
    assert f"--out must be a folder that can be written; got '{tmp_path}/new', and '{tmp_path}' may not be" in said
    said = refused(capsys, places.require_file, tmp_path / "new.json", "--json")
    assert "--json must be a file that can be written" in said


def test_what_is_of_the_other_sort_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    assert f"--out must be a folder; '{file}' is a file" in refused(capsys, places.require_folder, file)
    assert f"'{file}' is a file" in refused(capsys, places.require_folder, file / "in" / "it")
    assert f"--json must be a file; '{tmp_path}' is a folder" in refused(
        capsys, places.require_file, tmp_path, "--json"
    )
