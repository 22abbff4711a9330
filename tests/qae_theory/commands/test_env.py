"""`qae env` shows versions and providers, and says which do not load."""

from __future__ import annotations

import importlib.metadata
import json
from importlib.metadata import EntryPoint

import pytest
import typer
from typer.testing import CliRunner

from qae_theory.commands import env


def app() -> typer.Typer:
    made = typer.Typer()
    env.register(made)
    return made


def provide(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("env", "qae_theory.commands.env:register", "qae.commands"),
        EntryPoint("lost", "no_such_package:register", "qae.evidence"),
    ]
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda group: [point for point in points if point.group == group]
    )


def test_json(monkeypatch: pytest.MonkeyPatch) -> None:
    provide(monkeypatch)
    result = CliRunner().invoke(app(), ["--json"])
    assert result.exit_code == 0
    facts = json.loads(result.stdout)
    assert facts["packages"]["numpy"] == importlib.metadata.version("numpy")
    assert set(facts["packages"]) >= {"scipy", "sympy", "z3", "flint", "hypothesis", "matplotlib", "torch", "verl"}
    assert facts["machine"]["cores"] >= 1
    assert facts["providers"]["qae.commands"]["env"]["loads"] is True
    assert facts["providers"]["qae.evidence"]["lost"]["loads"] is False
    assert "no_such_package" in facts["providers"]["qae.evidence"]["lost"]["error"]


def test_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    provide(monkeypatch)
    monkeypatch.setitem(env.DISTRIBUTIONS, "absent", "no-such-distribution")
    output = CliRunner().invoke(app(), []).output
    assert "numpy" in output
    assert any(line.split() == ["absent", "not", "installed"] for line in output.splitlines())
    assert "lost = no_such_package:register (does not load" in output
