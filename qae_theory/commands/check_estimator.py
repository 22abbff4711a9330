"""``qae check-estimator``: hold an advantage estimator of any code to the exact rule."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Annotated, Any

import typer

from qae_theory.commands.ending import WRONG_USAGE, fail

ADAPTERS_GROUP = "qae.adapters"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(
        name="check-estimator",
        epilog="Example: qae check-estimator my_trainer.losses:advantages --estimator qae --k 0.4 --std bessel",
    )(check_estimator)


def check_estimator(
    function: Annotated[
        str, typer.Argument(metavar="MODULE:FUNCTION", help="Takes rewards and group ids, returns advantages.")
    ],
    estimator: Annotated[str, typer.Option(metavar="NAME", help="The rule that it is held to.")],
    k: Annotated[str | None, typer.Option("--k", metavar="K", help="The quantile's level: 0.4 or 2/5.")] = None,
    std: Annotated[
        str | None, typer.Option(metavar="KIND", help="What divides: population, bessel, none or batch.")
    ] = None,
    eps: Annotated[float | None, typer.Option(metavar="EPS", help="What is added to the standard deviation.")] = None,
    adapter: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="How the function is called, where it is not as above: verl."),
    ] = None,
) -> None:
    """Try an advantage estimator on the cases in which estimators go wrong, and print the smallest failures."""
    from qae_theory.testing.cases import clauses
    from qae_theory.testing.check import check_estimator as failures_of

    options = {name: value for name, value in (("k", k), ("std", std), ("eps", eps)) if value is not None}
    try:
        failures = failures_of(_function(function, adapter, options), estimator, **options)
    except ValueError as error:
        fail("check-estimator", str(error), WRONG_USAGE)
    failed = {failure.clause.name for failure in failures}
    for clause in clauses():
        typer.echo(f"{'FAILS ' if clause.name in failed else 'passes'}  {clause.name}")
    for failure in failures:
        typer.echo(f"\n{failure}")
    raise typer.Exit(1 if failures else 0)


def _function(named: str, adapter: str | None, options: dict[str, Any]) -> Callable[..., Any]:
    """Return the function of that name, called as the adapter says.

    Raises:
        ValueError: there is none, or no adapter of that name is installed.
    """
    module, colon, name = named.partition(":")
    if not (module and colon and name):
        raise ValueError(f"MODULE:FUNCTION must name a module and a function in it; got {named!r}")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"MODULE:FUNCTION {named!r} cannot be loaded: {type(error).__name__}: {error}") from None
    if adapter is None:
        return found
    known = {point.name: point for point in entry_points(group=ADAPTERS_GROUP)}
    if adapter not in known:
        raise ValueError(f"--adapter must be one of {', '.join(sorted(known)) or 'none'}; got {adapter!r}")
    try:
        return known[adapter].load()(found, **options)
    except ImportError as error:
        raise ValueError(f"--adapter {adapter!r} needs a package that is not installed: {error}") from None
