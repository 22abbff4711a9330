"""High-entropy tokens at three steps, of Figures 3 and 8: of these no run keeps what they are drawn from.

``qae train``, ``qae probe`` and the dumps of a cluster run have the sum or mean of the entropy over a response's
tokens, and its text, but not the entropy at each token.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from paper_figures.panels import Builder, Panel
from paper_figures.paper import facts
from paper_figures.runs import MissingError, Results

NOT_KEPT = (
    "no command makes this: qae train, qae probe and qae cluster collect keep the entropy of responses, not of single "
    "tokens"
)


def snapshots(number: str) -> Sequence[tuple[str, Builder]]:
    """A panel for each step that the paper shows in this figure; three even if the paper's facts are not there."""
    return tuple((f"snapshot {place + 1}", _snapshot(number, place)) for place in range(3))


def paper_steps(number: str) -> list[int]:
    """The steps that the paper shows."""
    match = re.search(r"steps ((?:\d+, )*\d+)", facts()["figures"][number])
    if match is None:
        raise MissingError(f"the paper's facts do not say the steps of Figure {number}")
    return [int(step) for step in match[1].split(", ")]


def _snapshot(number: str, place: int) -> Builder:
    def build(results: Results) -> Panel:
        del results
        raise MissingError(f"step {paper_steps(number)[place]} of the paper's run: {NOT_KEPT}")

    return build
