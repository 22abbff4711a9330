"""Read the Coq sources: their text without comments, what they require, their theorems, and their hashes.

Coq is not needed for this; the sources are read by a few patterns that the house style of the proofs keeps to.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from qae_theory.formal.tools import layout

_REQUIRE = re.compile(r"\bFrom\s+QAE\s+Require\s+(?:Import\s+|Export\s+)?([\w\s]+)\.")
_THEOREM = re.compile(r"\bTheorem\s+(\w+)\b")
_DEFINED = re.compile(r"\b(?:Definition|Fixpoint|Inductive)\s+(\w+)")
_TOKEN = re.compile(r'\(\*|\*\)|"')


@dataclass(frozen=True)
class Theorem:
    """Hold a theorem as its source writes it.

    Attributes:
        name: its name.
        module: the module that proves it.
        statement: what it states, closed by ``forall``.
    """

    name: str
    module: str
    statement: str


def modules() -> list[str]:
    """Return the names of all modules, each after those that it requires.

    Raises:
        ValueError: if modules require one another.
    """
    ordered: list[str] = []
    pending = set(_files())
    while pending:
        # Sorted, so that the order is the same on every machine.
        ready = sorted(name for name in pending if not pending.intersection(requirements(name)))
        if not ready:
            raise ValueError(f"these modules require one another: {', '.join(sorted(pending))}")
        ordered += ready
        pending.difference_update(ready)
    return ordered


def path(module: str) -> Path:
    """Return the source file of a module, in whichever folder of the theories it lies."""
    return _files()[module]


@cache
def _files() -> dict[str, Path]:
    """Return the source files by module; a module is compiled under its own name, without its folder's.

    Raises:
        ValueError: two folders have a file of one name.
    """
    by_module: dict[str, Path] = {}
    for file in sorted(layout.THEORIES.rglob("*.v")):
        # Both would be compiled under one name.
        if file.stem in by_module:
            raise ValueError(f"{file.name} lies in {by_module[file.stem].parent.name} and in {file.parent.name}")
        by_module[file.stem] = file
    return by_module


@cache
def requirements(module: str) -> frozenset[str]:
    """Return the modules of this folder that a module requires."""
    code = without_comments(path(module).read_text(encoding="utf-8"))
    return frozenset(name for names in _REQUIRE.findall(code) for name in names.split())


def without_comments(source: str) -> str:
    """Return the source with every comment and the inside of every string left out.

    They are read as Coq reads them: comments nest, and a string hides the marks of comments, in a comment too.

    Raises:
        ValueError: a comment or a string is not closed.

    >>> without_comments('a (* b (* c *) d *) "e" f')
    'a   "" f'
    """
    kept: list[str] = []
    depth = start = 0
    in_string = False
    for token in _TOKEN.finditer(source):
        if token.group() == '"':
            if depth == 0:
                kept.append('"' if in_string else source[start : token.end()])
                start = token.end()
            in_string = not in_string
        elif in_string:
            continue
        elif token.group() == "(*":
            if depth == 0:
                kept.append(source[start : token.start()])
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0:
                kept.append(" ")
                start = token.end()
    if depth or in_string:
        raise ValueError("a comment or a string is not closed")
    return "".join([*kept, source[start:]])


def theorems() -> dict[str, Theorem]:
    """Return all theorems by name.

    Raises:
        ValueError: if two modules prove theorems of one name.
    """
    by_name: dict[str, Theorem] = {}
    for module in modules():
        for theorem in _theorems_of(module):
            if theorem.name in by_name:
                raise ValueError(f"{theorem.name} is a theorem of {by_name[theorem.name].module} and of {module}")
            by_name[theorem.name] = theorem
    return by_name


@cache
def defined() -> tuple[str, ...]:
    """Return the names that ``Definitions.v`` defines, in its order."""
    return tuple(_DEFINED.findall(without_comments(path("Definitions").read_text(encoding="utf-8"))))


def claims() -> list[str]:
    """Return the ids of the claims that have a theorem, in the ledger's order."""
    return layout.CLAIMS.read_text(encoding="utf-8").split()


def theorem_name(claim: str) -> str:
    """Return the name of a claim's theorem.

    >>> theorem_name("gate-hard")
    'gate_hard'
    """
    return claim.replace("-", "_")


def claim_theorems() -> tuple[dict[str, Theorem], list[str]]:
    """Return the theorem of each claim, and the claims that have none."""
    proved = theorems()
    with_theorem = {claim: proved[theorem_name(claim)] for claim in claims() if theorem_name(claim) in proved}
    return with_theorem, [claim for claim in claims() if claim not in with_theorem]


def keys() -> dict[str, str]:
    """Return a hash of each module: of its source and of the keys of all that it requires."""
    result: dict[str, str] = {}
    for module in modules():
        digest = hashlib.sha256(path(module).read_bytes())
        # A module is of another state as soon as one that it requires is.
        for name in sorted(requirements(module)):
            digest.update(f"{name} {result[name]}\n".encode())
        result[module] = digest.hexdigest()
    return result


def hashes() -> dict[str, str]:
    """Return the SHA-256 of each file that a checking run reads, by its path in the folder of the proofs."""
    files = [*sorted(layout.THEORIES.rglob("*.v")), layout.CLAIMS, layout.STATEMENTS, layout.AXIOMS]
    files += [layout.PINS, layout.CHANGED_PINS]
    return {
        file.relative_to(layout.FORMAL).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if file.is_file()
    }


def _theorems_of(module: str) -> list[Theorem]:
    """Return the theorems of a module, in the order of its source."""
    code = without_comments(path(module).read_text(encoding="utf-8"))
    result = []
    for declared in _THEOREM.finditer(code):
        # A statement ends at the first full stop that white space follows.
        end = re.compile(r"\.(?=\s)").search(code, declared.end())
        if end is None:
            raise ValueError(f"{module}.{declared.group(1)} has no statement")
        result.append(Theorem(declared.group(1), module, _closed(code[declared.end() : end.start()])))
    return result


def _closed(declaration: str) -> str:
    """Return the statement of ``(x : T) ... : P`` as ``forall (x : T) ..., P``."""
    depth = 0
    for index, symbol in enumerate(declaration):
        # A colon inside brackets gives a binder's type; the first one outside ends the binders.
        depth += {"(": 1, "{": 1, "[": 1, ")": -1, "}": -1, "]": -1}.get(symbol, 0)
        if symbol == ":" and depth == 0:
            binders, statement = declaration[:index].strip(), declaration[index + 1 :].strip()
            return f"forall {binders}, {statement}" if binders else statement
    raise ValueError(f"not a declaration: {declaration[:60]}")
