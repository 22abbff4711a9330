"""A page of the command ``qae`` and all its subcommands, from what they themselves say with ``--help``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from qae_theory.claims.report_markdown import table
from qae_theory.claims.text import markdown_cell, markdown_plain

_TYPE = re.compile(r" <([^>]*)>")
_TYPES = {"str": " TEXT", "int": " INTEGER", "int range": " INTEGER", "float": " NUMBER", "float range": " NUMBER"}
PAGE = "reference/commands.md"


def command_tree() -> Any:
    """Return the command with its subcommands, as Click has them."""
    import typer

    from qae_theory.cli import build_app

    return typer.main.get_command(build_app())


def leaves(command: Any, name: str = "qae") -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, with its full name."""
    children = getattr(command, "commands", {})
    if not children:
        yield name, command
    for word in sorted(children):
        yield from leaves(children[word], f"{name} {word}")


def page(command: Any) -> str:
    """Return the page of all commands: what each does, its arguments and options."""
    intro = "What `qae COMMAND --help` says, for every command."
    return "\n\n".join(["# Commands", intro, *(_section(name, one) for name, one in leaves(command))]) + "\n"


def _section(name: str, command: Any) -> str:
    says = [markdown_plain(part) for part in str(command.help or "").split("\n\n")]
    context = command.make_context(name, [], resilient_parsing=True)
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    rows = [[_code(spelled), markdown_cell(markdown_plain(words))] for spelled, words in filter(None, records)]
    examples = [_examples(command.epilog)] if command.epilog else []
    heading = f"## `{name}` {{ #{name.replace(' ', '-')} }}"
    return "\n\n".join([heading, *says, table(["Argument or option", "What it is"], rows), *examples])


def _code(spelled: str) -> str:
    """Return what is to be written, with types as words, and none where a name already stands for the value."""
    return f"`{_TYPE.sub(lambda found: _TYPES.get(found.group(1), ''), spelled)}`".replace("|", "\\|")


def _examples(epilog: str) -> str:
    """Return ``Examples: one | two`` as a block of code."""
    lines = epilog.removeprefix("Examples:").removeprefix("Example:").split(" | ")
    return "\n".join(["```", *(line.strip() for line in lines), "```"])
