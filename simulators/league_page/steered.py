"""Make the tables about the steered K and about misrouted groups, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulators.league_page.tables import interval_text, table

HOLD = {
    "in_band": "updates in the band",
    "in_band_free": "of those with K inside its bounds",
    "at_bound": "updates with K at a bound",
    "drift": "entropy at the end, less its start",
    "success_gain": "success gained",
}


def hold_table(steered: Mapping[str, Any]) -> str:
    """Return what fixed levels and the loop did to entropy, by condition."""
    rows = []
    for condition, by_arm in steered["hold"].items():
        for arm, figures in by_arm.items():
            rows.append([condition, arm, *(interval_text(figures[name]) for name in HOLD)])
    return table(["condition", "K", *HOLD.values()], rows)


def boundary_table(steered: Mapping[str, Any]) -> str:
    """Return the predicted largest stable gain by delay, and the share of seeds that swing at multiples of it.

    A delay at which entropy does not answer K has no prediction, and no multiples of one.
    """
    # Every delay that has multiples has the same ones.
    factors = list(dict.fromkeys(factor for found in steered["boundary"].values() for factor in found["swinging"]))
    rows = []
    for delay, found in steered["boundary"].items():
        edge, predicted = found["edge"], found["predicted_gain"]
        rows.append(
            [
                delay,
                f"{found['response']:.2g}",
                "-" if predicted is None else f"{predicted:.0f}",
                *(_share(found["swinging"].get(factor)) for factor in factors),
                "-" if edge is None else f"{edge:.2f}",
            ]
        )
    head = ["delay", "response g", "predicted gain", *(f"x{factor}" for factor in factors), "measured over predicted"]
    return table(head, rows)


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.2f}"


def routing_table(steered: Mapping[str, Any], group_size: int = 16) -> str:
    """Return the share of misrouted groups of one size, at K and at the corrected level."""
    rows = []
    for route in of_size(steered["routing"], group_size):
        rows.append(
            [
                f"{route['false_positive']:g}",
                f"{route['false_negative']:g}",
                "shared" if route["shared"] else "independent",
                route["k"],
                f"{route['wrong']:.3f}",
                f"{route['wrong_corrected']:.3f}",
            ]
        )
    return table(["accepts wrong", "rejects right", "errors", "K", "misrouted", "misrouted, corrected"], rows)


def of_size(routes: Sequence[Mapping[str, Any]], group_size: int) -> list[Mapping[str, Any]]:
    """Return the routes of one group size, or of the largest where there is none of that size."""
    sizes = {route["group_size"] for route in routes}
    wanted = group_size if group_size in sizes else max(sizes)
    return [route for route in routes if route["group_size"] == wanted]
