"""A page or a hint that tells somebody to run a target of make names one that there is."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("qae_theory", "simulators", "llm_validation", "paper_figures", "tests", "docs")
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")


def named(text: str, *, page: bool = False) -> set[str]:
    """Return the targets that a text names between backticks; of a page also those that begin a line of a block."""
    found = set(re.findall(r"`make ([a-z][a-z-]*[a-z])(?=[` ])", text))
    for block in re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL) if page else ():
        found |= set(re.findall(r"^make ([a-z][a-z-]*)", block, re.MULTILINE))
    return found


@cache
def targets(folder: Path) -> frozenset[str]:
    """Return the targets of the Makefiles from the repository's root down to a folder."""
    above = frozenset() if folder == ROOT else targets(folder.parent)
    makefile = folder / "Makefile"
    if not makefile.is_file():
        return above
    return above | frozenset(re.findall(r"^([a-z-]+):", makefile.read_text(encoding="utf-8"), re.MULTILINE))


def test_every_named_target_exists() -> None:
    wrong, found = {}, set()
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    for path in [*paths, *(ROOT / name for name in PAGES)]:
        if path.suffix not in (".py", ".toml", ".sh", ".md") or "node_modules" in path.parts or path == Path(__file__):
            continue
        here = named(path.read_text(encoding="utf-8"), page=path.suffix == ".md")
        found |= here
        if here - targets(path.parent):
            wrong[str(path.relative_to(ROOT))] = sorted(here - targets(path.parent))
    assert wrong == {}
    assert {"pretrained", "validate", "drift", "wheel"} <= found  # docstrings, messages, settings and pages are seen


def test_a_target_that_is_missing_is_noticed() -> None:
    assert named("run `make pretraned`, or ``make verify ARGS=--quick``") - targets(ROOT) == {"pretraned"}
    assert named("```\nmake pretraned\nmake test\n```\nmake it so\n", page=True) - targets(ROOT) == {"pretraned"}
