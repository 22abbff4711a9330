"""Ids of claims in the text of a page as links to the claims.

Only ids that name nothing else: ``channels`` is an experiment too, ``identity`` a rung of the ladder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from paper_figures.report.html import slug
from qae_theory.claims.ledger import read_catalogue
from simulators.experiments import experiment_names

ONE_WORD = ("neutrality", "ebpo")  # ids without a hyphen that name nothing else
_LINK_OR_CODE = re.compile(r"<a\b.*?</a>|<pre\b.*?</pre>|<h[1-6]\b.*?</h[1-6]>|<code>([\w@./-]+)</code>", re.DOTALL)


def places() -> dict[str, str]:
    """Return where each claim is, by its id: page and place, from the top of the site."""
    taken = set(experiment_names())
    return {
        claim.id: f"proofs/{slug(claim.section)}.html#claim-{claim.id}"
        for claim in read_catalogue()
        if ("-" in claim.id or claim.id in ONE_WORD) and claim.id not in taken
    }


def linked(page: str, where: Mapping[str, str], up: str) -> str:
    """Return the page's HTML with links to the claims that it names.

    Args:
        page: HTML.
        where: page and place of each claim, as :func:`places` gives them.
        up: the way from the page to the top of the site.
    """

    def link(found: re.Match[str]) -> str:
        """Return a claim's id with a link around it; what is a link already, or names no claim, as it is."""
        place = where.get(found.group(1) or "")
        return f'<a href="{up}{place}">{found.group()}</a>' if place else found.group()

    return _LINK_OR_CODE.sub(link, page)
