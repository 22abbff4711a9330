"""Make the table of ACE's open choices, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulators.league_page.condensed import PER_SUCCESS
from simulators.league_page.tables import interval_text, table


def ace_table(settings: Sequence[Mapping[str, Any]]) -> str:
    """Return what each alpha changes against GRPO, without and with a division of the shift by the length."""
    (per_success,) = (name for name in settings[0] if name.startswith(PER_SUCCESS))
    rows: dict[tuple[str, float], list[str]] = {}
    for setting in settings:
        cells = rows.setdefault((setting["condition"], setting["alpha"]), [])
        for measure in ("success_mean", per_success):
            figure = setting[measure]
            cells.append("-" if figure is None else interval_text(figure))
    head = ["condition", "alpha"]
    for variant in ("", ", by length"):
        head += [f"success{variant}", f"entropy per success{variant}"]
    return table(head, [[condition, f"{alpha:g}", *cells] for (condition, alpha), cells in rows.items()])
