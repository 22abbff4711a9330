"""Show the figures: each picture on white ground, its caption by panel, and the commands that make it again."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape

from paper_figures.report.content import Content
from paper_figures.report.html import commands, folded, slug, table
from paper_figures.report.pictures import Picture
from qae_theory.claims.text import HtmlText


def figures(content: Content, text: HtmlText) -> str:
    """Return all figures, each folded under its title."""
    return "".join(_picture(picture, content.commands_for(picture), text) for picture in content.pictures)


def _id(picture: Picture) -> str:
    return f"picture-{slug(picture.name)}"


def _picture(picture: Picture, command_lines: Sequence[str], text: HtmlText) -> str:
    """Return a picture with its sources, its caption, its values if it is a table, and its commands."""
    width, height = picture.size
    name = f"{_id(picture)}-name"
    # The picture is part of the page, so that the page can be sent as one file.
    image = (
        f'<img src="data:image/png;base64,{b64encode(picture.png).decode()}" width="{width}" height="{height}"'
        f' style="--width: {width}" alt="{escape(picture.alt)}">'
    )
    shown = (
        f'<figure><div class="scroll plot" tabindex="0" role="group" aria-labelledby="{name}">{image}</div>'
        f"<figcaption><ul>{''.join(_source(panel, text) for panel in picture.panels)}</ul>"
        f"<details><summary>Caption: numbers and intervals</summary>{_captions(picture, text)}</details>"
        f"{_values(picture, name)}{commands(command_lines)}</figcaption></figure>"
    )
    title = f'<span id="{name}">{escape(picture.title)}</span>{_state(picture)}'
    return f'<div class="picture" id="{_id(picture)}">{folded(title, shown)}</div>'


def _state(picture: Picture) -> str:
    """Return how many of the panels have no data of ours; nothing where all have."""
    without = sum(1 for panel in picture.panels if panel["missing"])
    return f' <span class="missing">{without} of {len(picture.panels)} panels not run</span>' if without else ""


def _source(panel: Mapping[str, str | None], text: HtmlText) -> str:
    """Return a panel's title and what the panel is drawn from, as its face says."""
    missing = ' class="missing"' if panel["missing"] else ""
    title = text.plain(str(panel["title"]))
    return f"<li><b>{title}</b> <span{missing}>{text.plain(str(panel['source']))}</span></li>"


def _captions(picture: Picture, text: HtmlText) -> str:
    return "".join(f"<p>{text.plain(str(panel['says']))}</p>" for panel in picture.panels)


def _values(picture: Picture, name: str) -> str:
    """Return a table's values as text; nothing for a figure."""
    if not picture.table:
        return ""
    head, *body = [list(map(escape, cells)) for cells in picture.table]
    values = table(head, body, labelled_by=name, kind="values")
    return f"<details><summary>The values as text</summary>{values}</details>"
