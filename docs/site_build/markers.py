"""What a page asks for by a comment: ``<!-- verdicts -->``, ``<!-- kinds -->``, ``<!-- public: MODULE -->``.

The texts are those of the code, so that no page says them a second time.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from paper_figures.report.html import badge
from qae_theory.claims.report import KIND_MEANING, VERDICT_MEANING
from qae_theory.claims.report_markdown import table

_MARKER = re.compile(r"^<!-- (verdicts|kinds|public)(?:: (\w+))? -->$", re.MULTILINE)


def filled(text: str, root: Path) -> str:
    """Return the page with every comment replaced; ``root`` is the folder of the packages."""
    return _MARKER.sub(lambda found: _made(found.group(1), found.group(2), root), text)


def public_names(package: Path) -> dict[str, str]:
    """Return what a package's ``__init__`` exports, by name: the full path of where it is defined."""
    tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
    imported: dict[str, str] = {}
    for node in ast.walk(tree):  # also below the top: names that are imported when first asked for
        if isinstance(node, ast.ImportFrom):
            imported |= {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    exported = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
    )
    return {name: imported[name] for name in exported}


def _made(marker: str, module: str | None, root: Path) -> str:
    if marker == "verdicts":
        return table(["Verdict", "What it means"], [[badge(one), words] for one, words in VERDICT_MEANING.items()])
    if marker == "kinds":
        return table(["Evidence", "What it is"], [[one.value, words] for one, words in KIND_MEANING.items()])
    names = public_names(root / str(module))
    links = [f"[`{module}.{name}`][{path}]" for name, path in names.items()]
    return "\n".join(f"* {link}" for link in links)
