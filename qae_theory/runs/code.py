"""The version of the code behind a run: a hash of the modules that the results depend on, and of nothing else.

A module counts if the run's own modules import it, at any remove. Comments, docstrings and layout do not count, so
that mending a sentence leaves every stored run what it was, and changing a kernel does not. How a run is stored
(``qae_theory.runs``) and what it speaks for (``qae_theory.claims``) do not determine its figures and are left out.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

LEFT_OUT = ("qae_theory.runs", "qae_theory.claims")


def code_version(modules: Sequence[str]) -> str:
    """Return sixteen hexadecimal digits of the syntax of these modules and of all that they import.

    Args:
        modules: full names of the modules that a run executes; a package stands for all modules in it.

    Returns:
        The same text for the same code, installed or not, committed or not, on any Python that parses it.

    Raises:
        ValueError: a module cannot be found.
    """
    digest = hashlib.sha256()
    for name, path in sorted(imported_modules(modules).items()):
        digest.update(f"{name}\0{_read_source(path, _stamp(path)).syntax}\0".encode())
    return digest.hexdigest()[:16]


def imported_modules(modules: Sequence[str]) -> dict[str, Path]:
    """Return the files of these modules, and of those of the same top-level packages that they import, by full name.

    Which packages are the project's own is read off the names: an import whose top-level package is none of
    ``modules`` and not ``qae_theory`` is a library, whose version the provenance has.

    Raises:
        ValueError: one of ``modules`` cannot be found.
    """
    own = {name.partition(".")[0] for name in modules} | {"qae_theory"}
    found: dict[str, Path] = {}
    waiting = [name for module in modules for name in _members(module)]
    while waiting:
        name = waiting.pop()
        path = None if name in found or _is_left_out(name) else module_file(name)
        if path is not None:
            found[name] = path
            waiting += [
                imported for imported in _imported(name, path, _stamp(path)) if imported.partition(".")[0] in own
            ]
    return found


def module_file(name: str) -> Path | None:
    """Return the source file of a module or package, found without importing it; None where there is none."""
    top, *rest = name.split(".")
    folder = package_folder(top)
    if folder is None:
        return _lone_file(top) if not rest else None
    place = folder.joinpath(*rest)
    candidates = (place / "__init__.py", place.with_suffix(".py")) if rest else (folder / "__init__.py",)
    return next((path for path in candidates if path.is_file()), None)


def package_folder(package: str) -> Path | None:
    """Return the folder of a top-level import package, found without importing it; None where there is none."""
    spec = find_spec(package)
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else None


def _lone_file(module: str) -> Path | None:
    """Return the file of a top-level module that is no package."""
    spec = find_spec(module)
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def _members(module: str) -> list[str]:
    path = module_file(module)
    if path is None:
        raise ValueError(f"module {module!r} cannot be found")
    if path.name != "__init__.py":
        return [module]
    files = (file.relative_to(path.parent).with_suffix("") for file in sorted(path.parent.rglob("*.py")))
    parts = (part for file in files if (part := [*file.parts]))
    return [".".join([module, *(part[:-1] if part[-1] == "__init__" else part)]) for part in parts]


def _is_left_out(name: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in LEFT_OUT)


@cache
def _imported(module: str, path: Path, stamp: _Stamp) -> tuple[str, ...]:
    """Return the full names of what a module imports, found once for a file as it is."""
    return tuple(_resolved(module, path, _read_source(path, stamp)))


def _resolved(module: str, path: Path, source: _Source) -> Iterator[str]:
    """Yield the full names of what a module imports; ``from a import b`` may name a module ``a.b`` or a name."""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for level, start, name in source.imports:
        base = package[: len(package) - level + 1] if level else []
        full = ".".join([*base, *([start] if start else [])])
        submodule = f"{full}.{name}" if name else full
        yield submodule if module_file(submodule) else full


class _Stamp(NamedTuple):
    modified: int  # nanoseconds
    size: int  # bytes


class _Source(NamedTuple):
    syntax: str  # the hash of a file's syntax
    imports: tuple[tuple[int, str, str], ...]  # level, module and name of each import anywhere in it


def _stamp(path: Path) -> _Stamp:
    facts = path.stat()
    return _Stamp(facts.st_mtime_ns, facts.st_size)


@cache
def _read_source(path: Path, stamp: _Stamp) -> _Source:
    """Read a file once; its stamp makes an edited file another one."""
    del stamp
    tree = ast.parse(path.read_bytes())
    imports: list[tuple[int, str, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [(0, alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports += [(node.level, node.module or "", alias.name) for alias in node.names]
    return _Source(syntax_hash(tree), tuple(imports))


def syntax_hash(syntax: ast.AST | list[ast.AST]) -> str:
    """Return the SHA-256 of a syntax tree, or of several, that comments, docstrings and layout do not change."""
    return hashlib.sha256(repr(_plain_syntax(syntax)).encode()).hexdigest()


def _plain_syntax(node: Any) -> Any:
    """Return a syntax tree as nested tuples, without docstrings, positions and empty fields.

    Empty fields are left out because newer versions of Python add fields that older ones do not have.
    """
    if isinstance(node, list):
        return [_plain_syntax(item) for item in node]
    if not isinstance(node, ast.AST):
        return node
    fields = dict(ast.iter_fields(node))
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and _has_docstring(node):
        fields["body"] = node.body[1:]
    kept = [(name, _plain_syntax(value)) for name, value in fields.items() if value not in (None, [])]
    return (type(node).__name__, *kept)


def _has_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    first = node.body[0] if node.body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
