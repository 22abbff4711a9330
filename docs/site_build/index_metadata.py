"""What hatchling asks for when it builds a wheel: README.md as an index page can show it, and the project's links.

An index page has no other file of the repository, so that a relative link would lead nowhere. Where the environment
variable ``QAE_PROJECT_URL`` names the public repository, links become absolute, to the version's tag; otherwise each
becomes its words. Nothing is imported from the project: a build has only this file.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PAPER = "https://arxiv.org/abs/2509.22611"
VARIABLE = "QAE_PROJECT_URL"
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)


def index_page(readme: str, url: str, version: str) -> str:
    """Return README.md with links that work on a page of a package index.

    Args:
        readme: the file's text.
        url: of the public repository, without a slash at its end; empty where there is none.
        version: of the package, whose tag the links lead to.
    """

    def link(found: re.Match[str]) -> str:
        """Return a link that is absolute, or its words; a picture that is nowhere is left out."""
        picture, words, target = found.groups()
        if "://" in target:
            return found.group()
        if url:
            return f"{picture}[{words}]({url}/{'raw' if picture else 'blob'}/v{version}/{target})"
        return "" if picture else words

    return re.sub(r"\n{3,}", "\n\n", _LINK.sub(link, _COMMENT.sub("", readme)))


def links(url: str, version: str) -> dict[str, str]:
    """Return the project's links: the paper's always, and those of the repository where it is known."""
    if not url:
        return {"Paper": PAPER}
    return {
        "Repository": url,
        "Changelog": f"{url}/blob/v{version}/CHANGELOG.md",
        "Issues": f"{url}/issues",
        "Paper": PAPER,
    }


class IndexMetadata(MetadataHookInterface):
    """Give hatchling the two fields that pyproject.toml calls dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set ``readme`` and ``urls``."""
        url, version = os.environ.get(VARIABLE, "").rstrip("/"), metadata["version"]
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": index_page(text, url, version)}
        metadata["urls"] = links(url, version)
