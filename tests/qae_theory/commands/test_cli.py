"""The root command: cheap, and whole even when a provider of commands is not."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
from typer.testing import CliRunner

from qae_theory import cli
from tests import ROOT

COMMANDS = [
    EntryPoint("verify", "qae_theory.commands.verify:register", cli.COMMANDS_GROUP),
    EntryPoint("env", "qae_theory.commands.env:register", cli.COMMANDS_GROUP),
]


def provide(monkeypatch: pytest.MonkeyPatch, *points: EntryPoint) -> None:
    monkeypatch.setattr(cli, "entry_points", lambda group: [point for point in points if point.group == group])


def test_help_lists_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    provide(monkeypatch, *COMMANDS)
    result = CliRunner().invoke(cli.build_app(), ["--help"])
    assert result.exit_code == 0
    assert "verify" in result.output
    assert "env" in result.output
    assert "Example" in result.output


@pytest.mark.parametrize("command", ["verify", "env"])
def test_command_help_has_an_example(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    provide(monkeypatch, *COMMANDS)
    result = CliRunner().invoke(cli.build_app(), [command, "--help"])
    assert result.exit_code == 0
    assert f"qae {command}" in result.output.partition("Example")[2]


def test_provider_that_does_not_load_costs_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = EntryPoint("train", "no_such_package.commands:register", cli.COMMANDS_GROUP)
    provide(monkeypatch, *COMMANDS, broken)
    app = cli.build_app()
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "'train'" in error
    assert "no_such_package" in error
    assert CliRunner().invoke(app, ["env"]).exit_code == 0


def test_no_commands_says_what_to_do(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    provide(monkeypatch)
    monkeypatch.setattr(sys, "argv", ["qae", "--version"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "install" in capsys.readouterr().err


def test_version(monkeypatch: pytest.MonkeyPatch) -> None:
    provide(monkeypatch, *COMMANDS)
    assert CliRunner().invoke(cli.build_app(), ["--version"]).output.startswith("qae-verification ")


@pytest.mark.parametrize("arguments", [["verifi"], ["verify", "--no-such-option"], ["verify", "--jobs", "0"]])
def test_wrong_usage_is_status_2(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    provide(monkeypatch, *COMMANDS)
    assert CliRunner().invoke(cli.build_app(), arguments).exit_code == 2


def test_root_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from importlib.metadata import EntryPoint\n"
        "from qae_theory import cli; from typer.testing import CliRunner\n"
        "points = [EntryPoint(n, f'qae_theory.commands.{n}:register', 'qae.commands') for n in ('verify', 'env')]\n"
        "cli.entry_points = lambda group: points\n"
        "assert CliRunner().invoke(cli.build_app(), ['--help']).exit_code == 0\n"
        "print([name for name in ('torch', 'sympy', 'z3', 'flint', 'hypothesis') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
