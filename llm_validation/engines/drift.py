"""Has an engine changed what this project overrides or calls privately? ``python -m llm_validation.engines.drift``.

``drift.toml`` lists the objects with the hash of their source in the version that was tested. The sources are read as
text, so that nothing is imported; an engine that is not installed here is named and left out.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from qae_theory.runs.code import module_file, syntax_hash
from qae_theory.runs.files import write_atomically

LIST = Path(__file__).with_name("drift.toml")


@dataclass(frozen=True)
class Watched:
    """An object of an engine that this project relies on.

    Attributes:
        engine: the distribution's name.
        module: the full name of the module that defines it.
        name: the object in its module, ``Class.method`` for example.
        why: what this project does with it.
        mentions: where given, only statements that mention one of these names count.
        says: what those statements are, for a message.
        hash: of its source in the tested version; empty before the first update.
        version: the tested version.
    """

    engine: str
    module: str
    name: str
    why: str
    mentions: tuple[str, ...] = ()
    says: str = ""
    hash: str = ""
    version: str = ""

    def __str__(self) -> str:
        """Return the object's full name, and which part of it is meant."""
        return f"{self.module}.{self.name}{f' ({self.says})' if self.says else ''}"


def watched() -> list[Watched]:
    """Return what ``drift.toml`` lists."""
    listed = tomllib.loads(LIST.read_text(encoding="utf-8"))["watched"]
    return [Watched(**{**entry, "mentions": tuple(entry.get("mentions", ()))}) for entry in listed]


def current_hash(one: Watched) -> str | None:
    """Return the hash of the object's source as installed; None where it is not there."""
    path = module_file(one.module)
    if path is None:
        return None
    node: ast.AST = ast.parse(path.read_bytes())
    for part in one.name.split("."):
        found = [child for child in ast.iter_child_nodes(node) if getattr(child, "name", None) == part]
        if not found:
            return None
        node = found[-1]
    return syntax_hash(list(_statements(node, one.mentions)) if one.mentions else node)


def moved(listed: Sequence[Watched]) -> list[str]:
    """Return a line for each object that is gone or has changed since it was tested."""
    lines = []
    for one in listed:
        found = current_hash(one)
        if found != one.hash:
            what = "is not there" if found is None else "has changed"
            lines.append(f"{one} {what} since {one.engine} {one.version}: {one.why}")
    return lines


def _statements(node: ast.AST, names: Sequence[str]) -> Iterator[ast.AST]:
    """Yield the innermost statements that mention one of the names."""
    for statement in ast.walk(node):
        if isinstance(statement, ast.stmt) and not any(isinstance(inner, ast.stmt) for inner in _below(statement)):
            mentioned = {getattr(inner, key, None) for inner in ast.walk(statement) for key in ("id", "attr", "value")}
            if mentioned & set(names):
                yield statement


def _below(node: ast.AST) -> Iterator[ast.AST]:
    walk = ast.walk(node)
    next(walk)
    yield from walk


def _installed(engine: str) -> str | None:
    for name in (engine, f"{engine}-cpu"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def _updated(text: str, hashes: dict[str, tuple[str, str]]) -> str:
    """Return the list's text with ``hash`` and ``version`` of each entry, in place of older ones."""
    head, *entries = text.split("[[watched]]\n")
    written = [head]
    for entry, key in zip(entries, _keys(text), strict=True):
        kept = [line for line in entry.rstrip().splitlines() if not line.startswith(("hash = ", "version = "))]
        digest, tested = hashes[key]
        written.append("\n".join(["[[watched]]", *kept, f'version = "{tested}"', f'hash = "{digest}"', "", ""]))
    return "".join(written).rstrip() + "\n"


def _keys(text: str) -> list[str]:
    return [str(Watched(**{**one, "mentions": ()})) for one in tomllib.loads(text)["watched"]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, or with ``--update`` write the hashes of what is installed. Returns 1 where something has moved."""
    parser = argparse.ArgumentParser(prog="python -m llm_validation.engines.drift", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write the hashes of the installed engines")
    options = parser.parse_args(arguments)
    listed = watched()
    versions = {engine: _installed(engine) for engine in dict.fromkeys(one.engine for one in listed)}
    here = [one for one in listed if versions[one.engine] is not None]
    if options.update:
        hashes = {str(one): (one.hash, one.version) for one in listed}
        hashes |= {str(one): (current_hash(one) or "", str(versions[one.engine])) for one in here}
        write_atomically(LIST, _updated(LIST.read_text(encoding="utf-8"), hashes))
        return 0
    for engine, found in versions.items():
        count = sum(one.engine == engine for one in listed)
        print(f"{engine} {found}: {count} watched" if found else f"{engine}: not installed here, not compared")
    lines = moved(here)
    for line in lines:
        print(line, file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
