"""Show the figures: each picture on white ground, its caption by panel, and the commands that make it again."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape

from paper_figures.report.content import Content
from paper_figures.report.html import commands, slug, table
from paper_figures.report.pictures import Picture
from qae_theory.claims.text import HtmlText


def figures(content: Content, text: HtmlText) -> str:
    """Return a list of links, and all figures."""
    links, pictures = "", ""
    for picture in content.pictures:
        links += f'<li><a href="#{_id(picture)}">{escape(picture.title)}</a></li>'
        pictures += _picture(picture, content.commands_for(picture), text)
    return f'<ul class="index">{links}</ul>{pictures}' if links else ""


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
    return (
        f'<div class="picture" id="{_id(picture)}"><h3 id="{name}">{escape(picture.title)}</h3><figure>'
        f'<div class="scroll plot" tabindex="0" role="group" aria-labelledby="{name}">{image}</div>'
        f"<figcaption><ul>{''.join(_source(panel, text) for panel in picture.panels)}</ul>"
        f"<details><summary>Caption: numbers and intervals</summary>{_captions(picture, text)}</details>"
        f"{_values(picture, name)}{commands(command_lines)}</figcaption></figure></div>"
    )


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
