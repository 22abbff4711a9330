"""A picture of the house: what each folder holds, which folders import which, and how the code reads.

``python -m tests.meta.house [--against FOLDER] [--anchor PACKAGE]`` prints it: for each folder its files and lines,
the arrows between folders, those that run back up, folder cycles, private imports across packages and modules with one
importer; then a table of style for this project, for another checkout of it, and for installed packages measured in
the same way. It is a picture, not a gate: only cycles, arrows back up and private imports fail a test.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests import ROOT

# From the top floor down: a package imports from floors below its own only.
FLOORS: Mapping[str, int] = {"paper_figures": 3, "simulators": 2, "llm_validation": 2, "qae_theory": 1}

Arrows = dict[str, set[str]]


class Import(NamedTuple):
    """One import between modules of the house."""

    importer: str
    imported: str
    names: tuple[str, ...]


def modules(root: Path, packages: Iterable[str] = FLOORS) -> dict[str, Path]:
    """Return the files of the packages by the full name of the module."""
    found: dict[str, Path] = {}
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(known: Mapping[str, Path]) -> Iterator[Import]:
    """Yield every import of one of these modules by another, at the top or inside a function."""
    for importer, path in known.items():
        for node in _import_statements(path, path.stat().st_mtime_ns):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name in known:
                        yield Import(importer, alias.name, ())
            elif node.module:
                yield from _of_statement(importer, node, known)


@cache  # one picture asks four times, and parsing is most of its work
def _import_statements(path: Path, modified: int) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """Return the import statements of a file as it was when it was modified last."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return tuple(node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom)))


def _of_statement(importer: str, node: ast.ImportFrom, known: Mapping[str, Path]) -> Iterator[Import]:
    """Yield the imports of one ``from a import b``, where b may be a module of its own."""
    names = []
    for alias in node.names:
        submodule = f"{node.module}.{alias.name}"
        if submodule in known:
            yield Import(importer, submodule, ())
        else:
            names.append(alias.name)
    if names and node.module in known:
        yield Import(importer, str(node.module), tuple(names))


def folder_of(module: str, known: Mapping[str, Path], root: Path) -> str:
    """Return the folder of a module, relative to the checkout."""
    return known[module].parent.relative_to(root).as_posix()


def arrows_between_folders(root: Path) -> Arrows:
    """Return which folders import from which others."""
    known = modules(root)
    arrows: Arrows = defaultdict(set)
    for found in imports(known):
        importer, imported = folder_of(found.importer, known, root), folder_of(found.imported, known, root)
        if importer != imported:
            arrows[importer].add(imported)
    return arrows


def arrows_back_up(arrows: Arrows) -> list[str]:
    """Return the arrows from a package to one on its own floor or above."""
    return [
        f"{importer} -> {imported}"
        for importer, targets in sorted(arrows.items())
        for imported in sorted(targets)
        if _package(importer) != _package(imported) and FLOORS[_package(imported)] >= FLOORS[_package(importer)]
    ]


def _package(folder: str) -> str:
    return folder.partition("/")[0]


def cycles(arrows: Arrows) -> list[list[str]]:
    """Return the groups of folders that import one another, directly or round about (Tarjan's components)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_folders: list[str] = []
    found: list[list[str]] = []

    def visit(folder: str) -> None:
        order[folder] = lowest[folder] = len(order)
        open_folders.append(folder)
        for target in sorted(arrows.get(folder, ())):
            if target not in order:
                visit(target)
                lowest[folder] = min(lowest[folder], lowest[target])
            elif target in open_folders:
                lowest[folder] = min(lowest[folder], order[target])
        if lowest[folder] == order[folder]:
            start = open_folders.index(folder)
            component = open_folders[start:]
            del open_folders[start:]
            if len(component) > 1:
                found.append(sorted(component))

    for folder in sorted(arrows):
        if folder not in order:
            visit(folder)
    return found


def private_imports(root: Path) -> list[str]:
    """Return imports of a private module or name from another package, tests included."""
    known = modules(root, (*FLOORS, "tests"))
    found = []
    for one in imports(known):
        if one.importer.partition(".")[0] == one.imported.partition(".")[0]:
            continue
        parts = [*one.imported.split("."), *one.names]
        private = [part for part in parts if part.startswith("_") and not part.startswith("__")]
        if private:
            found.append(f"{one.importer} imports {', '.join(private)} from {one.imported}")
    return sorted(set(found))


def modules_with_one_importer(root: Path) -> list[str]:
    """Return the modules that exactly one other module of the house imports, with that module."""
    importers: dict[str, set[str]] = defaultdict(set)
    for one in imports(modules(root)):
        importers[one.imported].add(one.importer)
    return [f"{name} <- {next(iter(by))}" for name, by in sorted(importers.items()) if len(by) == 1]


class Style(NamedTuple):
    """How the code of a package reads.

    Attributes:
        function_lines: the median number of lines of a function, docstring left out.
        comments: comment lines for 100 lines of code.
        comprehensions: comprehensions and generator expressions for 1,000 lines of code.
        one_line_docstrings: the share of public docstrings of functions and classes that have one line, in per cent.
        annotated: the share of annotated parameters, in per cent.
    """

    function_lines: float
    comments: float
    comprehensions: float
    one_line_docstrings: float
    annotated: float


def style_of(files: Sequence[Path]) -> Style:
    """Return how the code in these files reads."""
    lengths: list[int] = []
    docstrings: list[str] = []
    counts: Counter[str] = Counter()
    for path in files:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        docstring_lines = _docstring_lines(tree)
        # A licence above the first statement is no comment on the code.
        start = tree.body[0].lineno if tree.body else 1
        for number, line in enumerate(text.splitlines(), start=1):
            if number in docstring_lines or number < start or not line.strip():
                continue
            counts["comments" if line.lstrip().startswith("#") else "code"] += 1
            counts["comments"] += bool(re.search(r"\S\s{2,}# ", line))  # behind code, in this project's format
        for node in ast.walk(tree):
            if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
                counts["comprehensions"] += 1
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lengths.append(_length(node))
                counts.update(_annotations(node))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name[:1] != "_":
                docstrings += [text for text in [ast.get_docstring(node)] if text]
    one_line = sum("\n" not in text.strip() for text in docstrings)
    return Style(
        function_lines=median(lengths or [0]),
        comments=100 * counts["comments"] / max(counts["code"], 1),
        comprehensions=1000 * counts["comprehensions"] / max(counts["code"], 1),
        one_line_docstrings=100 * one_line / max(len(docstrings), 1),
        annotated=100 * counts["annotated"] / max(counts["parameters"], 1),
    )


def _docstring_lines(tree: ast.Module) -> set[int]:
    numbers: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and first.end_lineno:
                numbers |= set(range(first.lineno, first.end_lineno + 1))
    return numbers


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    docstring = ast.get_docstring(node, clean=False)
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    return lines - (docstring.count("\n") + 1 if docstring else 0)


def _annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Counter[str]:
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    named = [one for one in arguments if one.arg not in ("self", "cls")]
    annotated = sum(one.annotation is not None for one in named)
    return Counter(parameters=len(named), annotated=annotated)


def folder_lines(root: Path) -> dict[str, tuple[int, int]]:
    """Return the number of files and of lines of each folder."""
    counts: dict[str, tuple[int, int]] = {}
    for path in modules(root).values():
        folder = path.parent.relative_to(root).as_posix()
        files, lines = counts.get(folder, (0, 0))
        counts[folder] = files + 1, lines + path.read_text(encoding="utf-8").count("\n")
    return counts


def installed_files(package: str) -> list[Path]:
    """Return the Python files of an installed package, its tests left out.

    Raises:
        ValueError: it is not installed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"--anchor must be an installed package; got {package!r}")
    folder = Path(next(iter(spec.submodule_search_locations)))
    files = folder.rglob("*.py")
    return sorted(path for path in files if not {"tests", "_tests"} & set(path.parts) and "test" not in path.name)


def describe(root: Path) -> Iterator[str]:
    """Yield the picture of a checkout, line by line."""
    arrows = arrows_between_folders(root)
    yield f"{'folder':<42} {'files':>5} {'lines':>6}  imports from"
    for folder, (files, lines) in sorted(folder_lines(root).items()):
        yield f"{folder:<42} {files:>5} {lines:>6}  {', '.join(sorted(arrows.get(folder, ())))}"
    for title, found in (
        ("arrows back up", arrows_back_up(arrows)),
        ("folder cycles", [" <-> ".join(component) for component in cycles(arrows)]),
        ("private imports across packages", private_imports(root)),
        ("modules with one importer", modules_with_one_importer(root)),
    ):
        yield ""
        yield f"{title}: {len(found)}"
        yield from (f"  {line}" for line in found)


def style_table(named: Mapping[str, Sequence[Path]]) -> Iterator[str]:
    """Yield a table of style, a line for each set of files."""
    yield f"{'':<28} {'function':>9} {'comments':>9} {'compreh.':>9} {'one-line':>9} {'annotated':>9}"
    yield f"{'':<28} {'lines':>9} {'/ 100':>9} {'/ 1,000':>9} {'docs %':>9} {'%':>9}"
    for name, files in named.items():
        style = style_of(files)
        yield f"{name:<28} " + " ".join(f"{value:>9.1f}" for value in style)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the picture, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.meta.house", description="Draw the structure of the code.")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout, measured beside this one")
    parser.add_argument("--anchor", action="append", default=[], metavar="PACKAGE", help="an installed package beside")
    options = parser.parse_args(arguments)
    tables: dict[str, Sequence[Path]] = {}
    for label, root in (("", ROOT), ("before: ", options.against)):
        if root is not None:
            for package in FLOORS:
                tables[f"{label}{package}"] = list(modules(root, (package,)).values())
    try:
        tables |= {package: installed_files(package) for package in options.anchor}
    except ValueError as error:
        print(f"house: {error}", file=sys.stderr)
        return 2
    for line in (*describe(ROOT), "", *style_table(tables)):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
