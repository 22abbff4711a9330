"""The command ``qae``. Subcommands come from the entry-point group ``qae.commands``; none is named here.

A provider is a function ``register(app)``. Its module must be cheap to import: heavy imports belong inside the command.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import Annotated

import typer

COMMANDS_GROUP = "qae.commands"
DISTRIBUTION = "qae-verification"
HELP = "Check Quantile Advantage Estimation: what is proved, what holds under an assumption, what is refuted."


def build_app() -> typer.Typer:
    """Return the application with every subcommand that loads.

    A provider that does not load costs one line on standard error.
    """
    app = typer.Typer(
        name="qae",
        help=HELP,
        epilog="Example: qae verify --quick",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    for provider in sorted(entry_points(group=COMMANDS_GROUP), key=lambda point: point.name):
        try:
            provider.load()(app)
        except Exception as error:  # whatever another package's import raises must not take the other commands away
            print(f"qae: no command {provider.name!r}: {_one_line(error)} (from {provider.value})", file=sys.stderr)
    return app


def main() -> None:
    """Build the application and run it: the console script's entry point.

    Raises:
        SystemExit: always, with the exit status.
    """
    # By name, as the subcommands are: commands stand on the mathematics, which imports nothing from them.
    usage = import_module("qae_theory.commands.usage")
    app = build_app()
    if not app.registered_commands and not app.registered_groups:
        print(f"qae: no commands found; install the package ({DISTRIBUTION}) first", file=sys.stderr)
    sys.exit(usage.run(app))


def package_version() -> str:
    """Return the version of the installed distribution."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "not installed"


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{DISTRIBUTION} {package_version()}")
        raise typer.Exit


def _root(
    version_wanted: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Take the options of ``qae`` itself; every subcommand runs after it."""


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


if __name__ == "__main__":
    main()
