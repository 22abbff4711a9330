"""The pages that are made from the ledger, the figures, the command and the repository's own texts."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from docs.site_build import claim_links, commands, gallery, proofs, readme, sources, study
from paper_figures.report.content import registered
from paper_figures.report.entries import LedgerLine, ledger_lines

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FIGURES = DOCS / "figures"
LEDGER = DOCS / "ledger.json"


def pages() -> dict[str, str]:
    """Return all generated pages, by name.

    Raises:
        ValueError: a formula of the ledger has no MathML, or README.md has lost its table.
    """
    lines = _stored_lines()
    lengths = sources.lengths_of(proofs.places(lines), ROOT)
    of_claims, fallbacks = proofs.pages(lines, "[the stored ledger](../ledger.json)", lengths)
    if fallbacks:
        raise ValueError(f"no MathML for {', '.join(fallbacks)}")
    titles = readme.titles_of(DOCS)
    return {
        "index.md": readme.front_page((ROOT / "README.md").read_text(encoding="utf-8"), proofs.INDEX, titles),
        "changelog.md": readme.rebased((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), titles),
        "contributing.md": readme.rebased((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), titles),
        gallery.PAGE: gallery.page(gallery.stored(FIGURES), FIGURES),
        commands.PAGE: commands.page(commands.command_tree()),
        **of_claims,
    }


def claim_places() -> dict[str, str]:
    """Return where each claim of the stored ledger is, by its id; a claim that is not in it yet has no page."""
    stored = {record["id"] for record in _stored_records()}
    return {claim: place for claim, place in claim_links.places().items() if claim in stored}


def study_files() -> dict[str, str]:
    """Return the files with what the studies' pages are too short for, by name."""
    files = {}
    for page in study.PAGES:
        made = study.cut((DOCS / page).read_text(encoding="utf-8")).files
        files |= {str(PurePosixPath(page).with_name(name)): text for name, text in made.items()}
    return files


def source_pages() -> dict[str, str]:
    """Return the pages of the source files that the stored ledger's evidence points to, as HTML, by name."""
    return sources.pages(proofs.places(_stored_lines()), ROOT)


def _stored_lines() -> list[LedgerLine]:
    """Return the lines of the stored ledger, with the evidence that is registered now."""
    return ledger_lines(_stored_records(), registered())


def _stored_records() -> list[dict[str, Any]]:
    return json.loads(LEDGER.read_text(encoding="utf-8"))
