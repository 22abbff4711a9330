"""``qae env``: what is installed here, and which providers of evidence and commands load."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from qae_theory.commands.wrapping import fitted

# import name or product -> distribution name
DISTRIBUTIONS = {
    "numpy": "numpy",
    "scipy": "scipy",
    "sympy": "sympy",
    "z3": "z3-solver",
    "flint": "python-flint",
    "hypothesis": "hypothesis",
    "numba": "numba",
    "joblib": "joblib",
    "matplotlib": "matplotlib",
    "torch": "torch",
    "transformers": "transformers",
    "trl": "trl",
    "vllm": "vllm",
    "verl": "verl",
    "ray": "ray",
}
GROUPS = ("qae.commands", "qae.evidence")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("env", epilog="Example: qae env --json")(env)


def env(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show versions, machine, commit and providers; for a bug report or a results table."""
    from qae_theory.runs.files import to_json

    facts = environment()
    typer.echo(to_json(facts).rstrip() if as_json else "\n".join(_lines(facts)))


def environment() -> dict[str, Any]:
    """Return everything that ``qae env`` shows; the providers are loaded for it, and nothing else is."""
    import platform

    from qae_theory.cli import DISTRIBUTION, package_version
    from qae_theory.runs.provenance import git_state, machine

    return {
        DISTRIBUTION: package_version(),
        "python": platform.python_version(),
        "packages": {name: _version(distribution) for name, distribution in DISTRIBUTIONS.items()},
        "machine": machine(),
        "git": git_state(),
        "providers": {group: _providers(group) for group in GROUPS},
    }


def _version(distribution: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _providers(group: str) -> dict[str, dict[str, str | bool]]:
    from importlib.metadata import entry_points

    return {point.name: {"value": point.value, **_loads(point)} for point in sorted(entry_points(group=group))}


def _loads(point: Any) -> dict[str, str | bool]:
    try:
        point.load()
    except Exception as error:  # whatever the provider's import raises is what there is to show
        return {"loads": False, "error": f"{type(error).__name__}: {error}"}
    return {"loads": True}


def _lines(facts: dict[str, Any]) -> list[str]:
    machine, git = facts["machine"], facts["git"]
    memory = f", {machine['memory_gib']} GiB" if machine["memory_gib"] else ""
    commit = "not a git checkout" if git is None else git["commit"] + (" (modified)" if git["modified"] else "")
    named = {key: value for key, value in facts.items() if isinstance(value, str)} | facts["packages"]
    columns = [
        *((name, version or "not installed") for name, version in named.items()),
        ("system", f"{machine['system']} {machine['architecture']}"),
        ("cpu", f"{machine['cpu']}, {machine['cores']} cores{memory}"),
        ("commit", commit),
    ]
    for group, points in facts["providers"].items():
        columns += [(group, text) for text in _provider_texts(points)]
    return [fitted(f"{name:<17} ", text, sys.stdout) for name, text in columns]


def _provider_texts(points: dict[str, dict[str, Any]]) -> list[str]:
    if not points:
        return ["none: install the package"]
    return [
        f"{name} = {point['value']} ({'loads' if point['loads'] else 'does not load: ' + point['error']})"
        for name, point in points.items()
    ]
