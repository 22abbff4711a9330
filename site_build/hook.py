"""What MkDocs calls while it builds the site: generated pages before, tables and checks after."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # MkDocs looks for no package in the folder that it runs in

from mkdocs.exceptions import PluginError  # noqa: E402
from mkdocs.structure.files import File, Files  # noqa: E402

from paper_figures.report.content import registered  # noqa: E402
from paper_figures.report.entries import lines_of  # noqa: E402
from site_build import built, commands, gallery, markers, proofs, readme  # noqa: E402
from site_build.formulas import Formulas  # noqa: E402

FIGURES = ROOT / "docs" / "figures"
LEDGER = ROOT / "docs" / "ledger.json"


def on_config(config: Any) -> Any:
    """Formulas as MathML, in pages and in docstrings."""
    config.markdown_extensions.append(Formulas())
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made from the ledger, the figures, the command and the repository's own texts."""
    for name, text in generated_pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put figures and texts of the code where a page asks for them."""
    up = "../" * page.file.src_uri.count("/")
    return markers.filled(gallery.with_pictures(markdown, gallery.stored(FIGURES), up), ROOT)


def on_page_content(html: str, **_: Any) -> str:
    """Tables and code scroll in boxes of their own."""
    return built.with_focusable_code(built.with_scrolling_tables(html))


def on_post_page(output: str, **_: Any) -> str:
    """Name what the theme leaves without a name."""
    return built.with_named_search(output)


def on_post_build(config: Any) -> None:
    """Refuse a site that loads anything from elsewhere, or that names a place of this machine."""
    faults = []
    for path in sorted(Path(config.site_dir).rglob("*")):
        if path.suffix in (".html", ".css"):
            text = path.read_text(encoding="utf-8")
            faults += [f"{path.name} loads {address}" for address in built.loaded_from_elsewhere(text)]
            faults += [f"{path.name} names {ROOT}"] if str(ROOT) in text else []
    if faults:
        raise PluginError("; ".join(faults))


def generated_pages() -> dict[str, str]:
    """All generated pages, by name.

    Raises:
        PluginError: a formula of the ledger has no MathML.
    """
    lines = lines_of(json.loads(LEDGER.read_text(encoding="utf-8")), registered())
    made, fallbacks = proofs.pages(lines, "[the stored ledger](../ledger.json)")
    if fallbacks:
        raise PluginError(f"no MathML for {', '.join(fallbacks)}")
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    titles = readme.titles_of(ROOT / "docs")
    return {
        "index.md": readme.front_page((ROOT / "README.md").read_text(encoding="utf-8"), proofs.INDEX, titles),
        "contributing.md": readme.rebased(contributing, titles),
        gallery.PAGE: gallery.page(gallery.stored(FIGURES), FIGURES),
        commands.PAGE: commands.page(commands.command_tree()),
        **made,
    }
