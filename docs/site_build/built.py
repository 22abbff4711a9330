"""What is done to, and asked of, a page of HTML that was built."""

from __future__ import annotations

import re
from html import unescape

_TABLE = re.compile(r"<table>(.*?)</table>", re.DOTALL)
_PICTURE = re.compile(r'<img\b[^>]*\bclass="plot"[^>]*>')
_LOADED = re.compile(
    r"""<(?:script|img|source|iframe|embed|object|video|audio)\b[^>]*?\b(?:src|srcset|data)\s*=\s*["']?([^"'\s>]+)"""
    r"""|<link\b(?=[^>]*\brel\s*=\s*["']?(?:stylesheet|icon|preload|preconnect|dns-prefetch|modulepreload|manifest))"""
    r"""[^>]*?\bhref\s*=\s*["']?([^"'\s>]+)"""
    r"""|(?:url\(|@import\s+(?:url\()?)\s*["']?([^"')\s;]+)""",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(r"^(?:[a-z]+:)?//", re.IGNORECASE)


def with_scrolling_tables(page: str) -> str:
    """Return the page with each table in a box that scrolls by itself, with the keyboard too."""
    box = '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table class="data">'
    return _TABLE.sub(lambda found: f"{box}{found.group(1)}</table></div>", page)


def with_scrolling_pictures(page: str) -> str:
    """Return the page with each figure in a box that scrolls, so that a phone can show it at a size that is read."""
    box = '<span class="scroll picture" tabindex="0" role="group" aria-label="Picture">'
    return _PICTURE.sub(lambda found: f"{box}{found.group()}</span>", page)


def with_focusable_code(page: str) -> str:
    """Return the page with blocks of code that the keyboard can scroll.

    The theme's script lets it only where there is a mouse.
    """
    return page.replace("<pre>", '<pre tabindex="0">')


def with_named_search(page: str) -> str:
    """Return the page with a name on the theme's dialog of the search, for those who do not see it."""
    return page.replace('<div class="md-search"', '<div class="md-search" aria-label="Search"', 1)


def loaded_from_elsewhere(text: str) -> list[str]:
    """Return the addresses of other places from which a page or a style sheet loads something; links are not meant."""
    found = (unescape(next(filter(None, match.groups()), "")) for match in _LOADED.finditer(text))
    return [address for address in found if _ELSEWHERE.match(address)]
