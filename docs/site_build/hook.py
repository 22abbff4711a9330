"""What MkDocs calls while it builds the site: generated pages before, tables and checks after."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # MkDocs looks for no package in the folder that it runs in

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from docs.site_build import built, claim_links, gallery, generated, markers, study
from docs.site_build.formulas import Formulas

CLAIMS = generated.claim_places()
NO_INDEX = 'var __index = {"config": {"lang": ["en"], "separator": " ", "pipeline": []}, "docs": []}\n'


def on_config(config: Any) -> Any:
    """Return the configuration with formulas as MathML, in pages and in docstrings."""
    config.markdown_extensions.append(Formulas())
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages."""
    for name, text in (generated.pages() | generated.source_pages() | generated.study_files()).items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put figures and texts of the code where a page asks for them."""
    if page.file.src_uri in study.PAGES:
        markdown = study.cut(markdown).text
    figures = generated.FIGURES
    pictured = gallery.with_pictures(markdown, gallery.stored(figures), figures, _up(page))
    return markers.filled(pictured, generated.ROOT)


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Return the page with boxes that scroll around what is wide, and with links from ids of claims to the claims."""
    text = built.with_scrolling_pictures(built.with_focusable_code(built.with_scrolling_tables(html)))
    if page.file.src_uri.startswith("proofs/"):
        return text
    return claim_links.linked(claim_links.with_badges(text, CLAIMS), CLAIMS, _up(page))


def on_post_page(output: str, **_: Any) -> str:
    """Name what the theme leaves without a name."""
    return built.with_named_search(output)


def on_post_build(config: Any) -> None:
    """Refuse a site that loads anything from elsewhere, or that names a place of this machine."""
    here = str(generated.ROOT)
    # Opened from disk, where the theme hides its search, a page loads the index as a script all the same.
    (Path(config.site_dir) / "search" / "search_index.js").write_text(NO_INDEX, encoding="utf-8")
    faults = []
    for path in sorted(Path(config.site_dir).rglob("*")):
        if path.suffix in (".html", ".css"):
            text = path.read_text(encoding="utf-8")
            faults += [f"{path.name} loads {address}" for address in built.loaded_from_elsewhere(text)]
            faults += [f"{path.name} names {here}"] if here in text else []
    if faults:
        raise PluginError("; ".join(faults))


def _up(page: Any) -> str:
    """Return the way from a page to the top of the site."""
    return "../" * str(page.file.src_uri).count("/")
