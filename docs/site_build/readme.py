"""Make pages of the site from files of the repository, so that each text has one source.

They are README.md, in part, CONTRIBUTING.md and CHANGELOG.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from qae_theory.claims.readme import BEGIN, BOTTOM_BEGIN, BOTTOM_END, END

DOCS = "docs/"
# Files outside docs/ that the site has.
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
}
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_ATTRIBUTE = re.compile(r'\b(src|srcset|href)="docs/')


def front_page(readme: str, verdicts: str, titles: Mapping[str, str]) -> str:
    """Return README.md up to the end of the section with the claims' counts, and beside them a link to ``verdicts``.

    Raises:
        ValueError: the markers around the counts are not there.
    """
    # A list does not begin right after a comment in the site's Markdown.
    for mark in (BOTTOM_BEGIN, BOTTOM_END):
        readme = readme.replace(f"{mark}\n", "")
    before, begin, rest = readme.partition(BEGIN)
    made, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md needs the lines {BEGIN} and {END}")
    counts = made.strip().split("\n", 1)[0]
    of_section = after.partition("\n## ")[0]
    link = f"{counts} [The table of all verdicts, each with its proof]({verdicts})."
    return f"{rebased(before, titles)}{link}{rebased(of_section, titles)}\n"


def rebased(text: str, titles: Mapping[str, str]) -> str:
    """Return a text with links from the repository's root turned into links from ``docs/``.

    Links to files that the site lacks become plain text. A link that shows nothing but the path of a page shows its
    title, by ``titles``: page's name to title.
    """

    def link(found: re.Match[str]) -> str:
        """Return a link as it has to be on the site, or its text alone."""
        picture, words, target = found.groups()
        path, mark, place = target.partition("#")
        if "://" in target or not path:
            return found.group()
        page = PAGES.get(path) or (path.removeprefix(DOCS) if path.startswith(DOCS) else None)
        if page is None:
            return words
        shown = titles.get(page, words) if words.strip("`") == path else words
        return f"{picture}[{shown}]({page}{mark}{place})"

    return _ATTRIBUTE.sub(r'\1="', _LINK.sub(link, text))


def titles_of(docs: Path) -> dict[str, str]:
    """Return the first heading of every page in a folder, by the page's name there."""
    found = {}
    for path in docs.rglob("*.md"):
        heading = re.search(r"^# (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        if heading:
            found[path.relative_to(docs).as_posix()] = heading.group(1)
    return found
