"""The command: exit statuses, what is written, and one sentence for whatever is wrong."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from llm_validation.audit.command import register
from llm_validation.audit.reading import head, json_lines
from tests.llm_validation.audit import worlds


def run(*words: object) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    register(app)
    app.callback()(lambda: None)
    return CliRunner().invoke(app, ["audit", *map(str, words)])


def one_sentence(result: Result) -> str:
    """What stands on stderr, which must be one line, with nothing on standard output."""
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("qae audit: ")
    return line


@pytest.fixture
def healthy(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    worlds.open_instruct(folder, worlds.made(0, groups=12))
    return folder


def test_nothing_found_is_0(healthy: Path) -> None:
    result = run(healthy)
    assert result.exit_code == 0, result.output
    assert "no finding" in result.stdout


def test_findings_are_1_from_the_severity_asked_for(tmp_path: Path) -> None:
    worlds.open_instruct(tmp_path, worlds.made(0, groups=24, success=(0.3, 2.0)))
    assert "warning: uniform-groups" in run(tmp_path).stdout
    assert run(tmp_path).exit_code == 0
    assert run(tmp_path, "--fail-on", "warning").exit_code == 1


def test_wrong_usage_is_2(tmp_path: Path, healthy: Path) -> None:
    assert "LOGS" in one_sentence(run())
    assert "file or folder that is there" in run(tmp_path / "nothing").stderr
    for words in (
        (healthy, "--fail-on", "grave"),
        (healthy, "--estimator", "ppo"),
        (healthy, "--k", "1.5"),
        (healthy, "--set", "updates=3"),
        (healthy, "--set", "eps"),
        (healthy, "--correct-column", "accuracy"),
        (tmp_path / "nothing",),
    ):
        result = run(*words)
        assert result.exit_code == 2, words
        one_sentence(result)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("--fail-on", "grave"), "--fail-on"),
        (("--estimator", "ppo"), "estimator"),
        (("--k", "1.5"), "k must"),
        (("--set", "updates=3"), "updates"),
        (("--correct-column", "accuracy"), "correct_column"),
    ],
)
def test_the_sentence_names_what_is_wrong(words: tuple[str, str], names: str, healthy: Path) -> None:
    assert names in one_sentence(run(healthy, *words))


def test_an_empty_folder_is_nothing_to_check(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.exit_code == 3
    assert "nothing could be checked" in result.stdout


def test_binary_junk_alone_is_nothing_to_check_and_by_name_refused(tmp_path: Path) -> None:
    (tmp_path / "junk.jsonl").write_bytes(bytes(range(256)) * 100)
    assert run(tmp_path).exit_code == 3
    result = run(tmp_path / "junk.jsonl")
    assert result.exit_code == 2
    assert "REFUSED" in result.stdout


def test_a_second_run_that_is_not_there_is_said_before_anything_is_read(
    healthy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unread(path: Path) -> None:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr("llm_validation.audit.gather.head_of", unread)
    assert "--compare must be" in one_sentence(run(healthy, "--compare", healthy / "nothing"))


def test_two_runs_are_compared(healthy: Path, tmp_path: Path) -> None:
    worlds.open_instruct(tmp_path / "other", worlds.made(1, groups=12))
    result = run(healthy, "--compare", tmp_path / "other", "--json", tmp_path / "r.json")
    assert result.exit_code == 0
    assert "compared: " in result.stdout
    comparison = json.loads((tmp_path / "r.json").read_text())["comparison"]
    assert [groups["count"] for groups in comparison["groups"]] == [48, 48]


def test_the_demonstration_has_what_it_promises(tmp_path: Path) -> None:
    """A leak, phantom gradients and a collapse; and every kind of report of it."""
    paths = {kind: tmp_path / f"demo.{kind}" for kind in ("json", "html", "md")}
    result = run("--demo", *(word for kind, path in paths.items() for word in (f"--{kind}", path)))
    assert result.exit_code == 1
    found = {one["id"] for one in json.loads(paths["json"].read_text())["findings"]}
    assert {"gate-leak", "phantom-gradient", "onset-collapse"} <= found
    assert paths["html"].read_text().startswith("<!doctype html>")
    assert paths["md"].read_text().startswith("# Audit")
    assert sorted(tmp_path.iterdir()) == sorted(paths.values())


def test_what_holds_nothing_is_said_in_a_sentence_or_two(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello\n")
    assert len(run(tmp_path).stdout.splitlines()) == 2
    assert run(tmp_path).exit_code == 3


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "LONGEST_LINE", 2**21)
    monkeypatch.setattr(json_lines, "LONGEST_LINE", 2**21)
    (tmp_path / "1.jsonl").write_bytes(b'{"input": "' + b"x" * 2**26)
    result = run(tmp_path)
    assert result.exit_code == 2
    assert "a line is longer than" in result.stdout


def test_a_line_without_end_behind_whole_ones_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "LONGEST_LINE", 2**21)
    row = json.dumps({"input": "q", "output": "x", "score": 1.0, "step": 1, "uid": "a_0_0"})
    (tmp_path / "1.jsonl").write_bytes(f"{row}\n".encode() * 3 + b'{"input": "' + b"x" * 2**26)
    result = run(tmp_path)
    assert result.exit_code == 2
    assert "a line is longer than" in result.stdout


def test_a_sparse_file_of_5_gb_is_no_reason_to_read_it(tmp_path: Path) -> None:
    path = tmp_path / "1.jsonl"
    with path.open("wb") as file:
        file.truncate(5 * 2**30)
    assert run(tmp_path).exit_code == 3


def test_an_unreadable_file_is_refused(healthy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("llm_validation.audit.gather.head_of", forbidden)
    result = run(healthy)
    assert result.exit_code == 2
    assert "cannot be read: Permission denied" in result.stdout


def test_a_file_that_fails_while_it_is_read_is_refused(healthy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("llm_validation.audit.reading.json_lines.pieces", broken)
    result = run(healthy)
    assert result.exit_code == 2
    assert "Input/output error" in result.stdout


def test_a_loop_of_folders_ends(healthy: Path) -> None:
    (healthy / "again").symlink_to(healthy, target_is_directory=True)
    (healthy / "nowhere").symlink_to(healthy / "nothing")
    assert run(healthy).exit_code == 0


def test_a_pipe_is_passed_over(healthy: Path) -> None:
    os.mkfifo(healthy / "pipe")
    assert run(healthy).exit_code == 0


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'loaded'}",)

    path = tmp_path / "rollout_0.pt"
    path.write_bytes(pickle.dumps(Trap()))
    result = run(path, "--json", tmp_path / "r.json")
    assert result.exit_code == 2
    assert not (tmp_path / "loaded").exists()
    (refused,) = json.loads((tmp_path / "r.json").read_text())["refused"]
    assert "torch.load" in refused["reason"]
    assert "rollout_0.jsonl" in refused["reason"]


def test_a_checkpoint_beside_the_logs_is_passed_over(healthy: Path) -> None:
    (healthy / "optimizer.pt").write_bytes(pickle.dumps([1]))
    assert run(healthy).exit_code == 0


def test_json_goes_to_standard_output_alone(healthy: Path) -> None:
    result = run(healthy, "--json", "-")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["level"] == "advantages"


@pytest.mark.parametrize("option", ["--json", "--html", "--md"])
def test_a_file_that_cannot_be_written_is_said_before_anything_is_read(
    option: str, healthy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unread(path: Path) -> None:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr("llm_validation.audit.gather.head_of", unread)
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "r", tmp_path):
        result = run(healthy, option, path)
        assert result.exit_code == 2
        assert f"{option} must be a file that can be written" in one_sentence(result)


def test_the_summary_has_at_most_40_lines(tmp_path: Path) -> None:
    for number in range(60):
        rows = [{"input": "same", "output": "x", "score": float(i % 2), "step": number} for i in range(8)]
        worlds.lines(tmp_path / f"{number}.jsonl", rows)
    assert len(run(tmp_path).stdout.splitlines()) <= 40
