"""The stored figures as a page, and single ones in other pages: read from the index that ``qae figures`` writes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qae_theory.claims.text import markdown_plain

PAGE = "figures.md"
FOLDER = "figures/"  # beside that page
INDEX = "figures.json"
NONE = "No figure is stored here. `qae figures` draws them all from your own results."
_WANTED = re.compile(r"^<!-- figure: (\w+) -->$", re.MULTILINE)


def stored(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Return the entries of the index whose picture is there; none where nothing is stored."""
    index = folder / INDEX
    if not index.is_file():
        return {}
    entries = json.loads(index.read_text(encoding="utf-8"))
    return {name: entry for name, entry in entries.items() if (folder / f"{name}.png").is_file()}


def page(entries: Mapping[str, Mapping[str, Any]], folder: Path) -> str:
    """Return the page of all stored figures with their captions."""
    says = "Each panel says on its face what it is drawn from. `qae figures` draws them again from your own results."
    figures = [_section(name, entry, folder) for name, entry in entries.items()]
    return "\n\n".join(["# Figures and tables", *([says, *figures] if figures else [NONE])]) + "\n"


def with_pictures(text: str, entries: Mapping[str, Mapping[str, Any]], folder: Path, up: str) -> str:
    """Return the page with ``<!-- figure: NAME -->`` replaced by the picture, or by nothing where it is not stored.

    Args:
        text: a page.
        entries: as :func:`stored` gives them.
        folder: where the pictures are.
        up: the way from the page's folder to ``docs/``.
    """

    def picture(found: re.Match[str]) -> str:
        """Return the picture that a comment asks for, with its title and a link to its caption."""
        name = found.group(1)
        if name not in entries:
            return ""
        caption = f"*{markdown_plain(entries[name]['title'])}* ([caption]({up}{PAGE}#{name}))"
        return f"{_image(name, entries[name], folder, up + FOLDER)}\n\n{caption}"

    return _WANTED.sub(picture, text)


def _section(name: str, entry: Mapping[str, Any], folder: Path) -> str:
    panels = "\n".join(map(_caption, entry["panels"]))
    there = [suffix for suffix in ("pdf", "csv") if (folder / f"{name}.{suffix}").is_file()]
    links = [f"[{suffix.upper()}]({FOLDER}{name}.{suffix})" for suffix in there]
    again = ", ".join([*links, f"`qae figures {name}`"])
    title = f"## {markdown_plain(entry['title'])} {{ #{name} }}"
    return "\n\n".join([title, _shown(name, entry, folder), panels, again])


def _caption(panel: Mapping[str, Any]) -> str:
    source = "" if panel["missing"] else f" *Source: {markdown_plain(panel['source'])}.*"
    return f"* {markdown_plain(panel['says'])}{source}"


def _shown(name: str, entry: Mapping[str, Any], folder: Path) -> str:
    """Return the picture; of a table its text, which is stored beside it."""
    text = folder / f"{name}.md"
    if not text.is_file():
        return _image(name, entry, folder, FOLDER)
    return "\n".join(line for line in text.read_text(encoding="utf-8").splitlines() if not line.startswith("#")).strip()


def _image(name: str, entry: Mapping[str, Any], folder: Path, place: str) -> str:
    """Return a picture with its width in pixels, by which a phone shows it larger than its window."""
    width = int.from_bytes((folder / f"{name}.png").read_bytes()[16:20], "big")
    titles = "; ".join(panel["title"] for panel in entry["panels"])
    words = f"{markdown_plain(entry['title'])}. Panels: {markdown_plain(titles)}."
    return f'![{words}]({place}{name}.png){{ .plot style="--width: {width}" }}'
