"""Say wrong usage that the parser of the command line finds in the words of every other refusal, on one line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import typer

from qae_theory.commands.ending import INTERRUPTED, WRONG_USAGE, complain
from qae_theory.runs.names import did_you_mean

# Typer keeps its classes of errors to itself; what they share is the base of the one that it publishes.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]


def run(app: typer.Typer) -> int:
    """Run ``qae`` with the arguments of the command line, say what is wrong with them, and return the exit status."""
    # By itself Typer would show wrong usage in a box that breaks words, and a command's own refusals are one line.
    try:
        status = app(prog_name="qae", standalone_mode=False)
    except UsageError as error:
        return refuse(error, sys.argv[1:])
    except typer.Abort:
        return INTERRUPTED
    return status if isinstance(status, int) else 0


def refuse(error: Any, arguments: Sequence[str]) -> int:
    """Print what is wrong on one line, or the help of a group that was called without a command.

    Args:
        error: a usage error of Typer.
        arguments: the command line.

    Returns:
        The exit status.
    """
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error.ctx.get_help())
    else:
        complain(command_of(error, arguments), sentence(error))
    return WRONG_USAGE


def sentence(error: Any) -> str:
    """Return what is wrong, the argument first, and what would be right.

    Args:
        error: a usage error of Typer.
    """
    context = getattr(error, "ctx", None)
    option = getattr(error, "option_name", None)
    if option is not None and getattr(error, "possibilities", ...) is not ...:
        return f"no option {option}{_help(context)}{did_you_mean(option, _options(context))}"
    if option is not None:
        return f"{option} must have a value"
    if "No such command" in str(error.message):
        return _no_command(error.message, context)
    if isinstance(error, typer.BadParameter):
        return f"{_of_parameter(error)}{_help(context)}"
    return f"{_uncapitalised(error.format_message())}{_help(context)}"


def command_of(error: Any, arguments: Sequence[str]) -> str:
    """Return the command that was called, without ``qae``.

    Args:
        error: a usage error of Typer.
        arguments: the command line, for errors that do not say where they were made.
    """
    context = getattr(error, "ctx", None)
    if context is not None:
        return str(context.command_path).partition(" ")[2]
    return arguments[0] if arguments and not arguments[0].startswith("-") else ""


def _no_command(message: str, context: Any) -> str:
    """Return which command there is not, and which ones there are."""
    name = message.partition("'")[2].partition("'")[0]
    known = sorted(context.command.commands) if context is not None else []
    return f"no command {name!r}; the commands are {', '.join(known)}{did_you_mean(name, known)}"


def _of_parameter(error: Any) -> str:
    """Return what is wrong with the value of an option or an argument, or that it was not given."""
    from pydantic import ValidationError

    from qae_theory.runs.wording import refused

    name = _name(error)
    if type(error) is not typer.BadParameter:  # the subclass is for what was not given
        return f"{name} must be given"
    if isinstance(error.__cause__, ValidationError):
        # The place inside a list of values helps nobody who wrote an option twice.
        first = error.__cause__.errors(include_url=False)[0]
        return refused(error.__cause__, name=name) if not first["loc"] else f"{name} {first['msg']}"
    return f"{name}: {error.message}" if name else str(error.message)


def _name(error: Any) -> str:
    """Return an option as it is written, or an argument as the help shows it."""
    if error.param_hint is not None:
        return str(error.param_hint)
    if error.param is None:
        return ""
    options = [name for name in getattr(error.param, "opts", ()) if name.startswith("--")]
    return options[0] if options else str(error.param.metavar or error.param.name.upper()).rstrip(".")


def _options(context: Any) -> list[str]:
    if context is None:
        return []
    return [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]


def _help(context: Any) -> str:
    return "" if context is None else f"; `{context.command_path} --help` shows what there is"


def _uncapitalised(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")
