"""Ids of claims in the text of a page as links to the claims.

Only ids that name nothing else: ``channels`` is an experiment too, ``identity`` a rung of the ladder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from paper_figures.report.html import badge, slug
from qae_theory.claims.ledger import read_catalogue
from qae_theory.claims.model import Verdict
from simulators.experiments import experiment_names

ONE_WORD = ("neutrality", "ebpo")  # ids without a hyphen that name nothing else
_VERDICTS = "|".join(r"\s+".join(verdict.value.split()) for verdict in Verdict)
_CODE_AND_VERDICT = re.compile(rf"<code>([\w@./-]+)</code>:\s+({_VERDICTS})\b")
_LINK_OR_CODE = re.compile(r"<a\b.*?</a>|<pre\b.*?</pre>|<h[1-6]\b.*?</h[1-6]>|<code>([\w@./-]+)</code>", re.DOTALL)


def places() -> dict[str, str]:
    """Return where each claim is, by its id: page and place, from the top of the site."""
    taken = set(experiment_names())
    return {
        claim.id: f"proofs/{slug(claim.section)}.html#claim-{claim.id}"
        for claim in read_catalogue()
        if ("-" in claim.id or claim.id in ONE_WORD) and claim.id not in taken
    }


def with_badges(page: str, where: Mapping[str, str]) -> str:
    """Return the page's HTML with the verdict behind a claim, ``<code>id</code>: proved``, in its colour.

    Args:
        page: HTML.
        where: page and place of each claim, as :func:`places` gives them.
    """

    def coloured(found: re.Match[str]) -> str:
        """Return the claim and its verdict as a badge; other code with a colon as it is."""
        claim, words = found.group(1), " ".join(found.group(2).split())
        return f"<code>{claim}</code> {badge(Verdict(words))}" if claim in where else found.group()

    return _CODE_AND_VERDICT.sub(coloured, page)


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
