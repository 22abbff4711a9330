"""The source files that evidence points to, as pages with a place for each line: they need no network."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

FOLDER = "source"
_WHERE = re.compile(r"<code>(\w[\w/]*\.(?:py|v)):(\d+)</code>")
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{name}</title>
<style>
:root {{
  color-scheme: light dark;
  --page: #ffffff; --ink: #1c2127; --soft: #59626d; --here: #fff3c4; --link: #0b57a4;
}}
@media (prefers-color-scheme: dark) {{
  :root {{ --page: #14181d; --ink: #e4e8ec; --soft: #a3adb8; --here: #4a3f12; --link: #82b8f5; }}
}}
body {{ margin: 1rem; background: var(--page); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.1rem; overflow-wrap: anywhere; }}
a {{ color: var(--link); }}
pre {{ overflow-x: auto; font: .85rem/1.45 ui-monospace, Menlo, Consolas, monospace; }}
pre span::before {{
  content: attr(data-line); color: var(--soft);
  display: inline-block; width: 4ch; margin-right: 1.5ch; text-align: right;
}}
pre span:target {{ background: var(--here); }}
</style>
</head>
<body>
<main>
<h1>{name}</h1>
<p><a href="{up}proofs/index.html">The ledger</a></p>
<pre tabindex="0"><code>{lines}</code></pre>
</main>
</body>
</html>
"""


def pages(named: Iterable[str], root: Path) -> dict[str, str]:
    """Return a page for each file that the places name and that is there, by the page's name.

    Args:
        named: places such as ``qae_theory/softmax.py:12``.
        root: the folder of the packages.
    """
    return {page_name(name): _page(name, path) for name, path in _files(named, root)}


def page_name(file: str) -> str:
    """Return the name of a file's page, from the top of the site."""
    return f"{FOLDER}/{file}.html"


def linked(text: str, lengths: Mapping[str, int], up: str) -> str:
    """Return HTML with a link around each place in a file that has a page.

    Args:
        text: HTML, in which places are code.
        lengths: number of lines of each file that has a page.
        up: the way from the page to the top of the site.
    """

    def link(found: re.Match[str]) -> str:
        """Return the place as a link; to the file alone where it has become shorter than the line's number."""
        file, line = found.group(1), int(found.group(2))
        if file not in lengths:
            return found.group()
        place = f"#L{line}" if line <= lengths[file] else ""
        return f'<a href="{up}{page_name(file)}{place}">{found.group()}</a>'

    return _WHERE.sub(link, text)


def lengths_of(named: Iterable[str], root: Path) -> dict[str, int]:
    """Return the number of lines of each file that the places name and that is there."""
    return {name: len(_lines(path)) for name, path in _files(named, root)}


def _files(named: Iterable[str], root: Path) -> list[tuple[str, Path]]:
    """Return name and path of each file that the places name and that is there, in the order of the names."""
    names = sorted({place.partition(":")[0] for place in named})
    return [(name, root / name) for name in names if (root / name).is_file()]


def _page(name: str, path: Path) -> str:
    lines = []
    for number, line in enumerate(_lines(path), 1):
        lines.append(f'<span id="L{number}" data-line="{number}">{html.escape(line, quote=False)}\n</span>')
    up = "../" * page_name(name).count("/")
    return _PAGE.format(name=html.escape(name), up=up, lines="".join(lines))


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()
