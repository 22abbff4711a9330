"""Fill the marked places of ``docs/league.md`` from the stored figures.

A place is marked by ``<!-- league: NAME -->`` and ends at ``<!-- end -->``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from simulators.league_page import ace, small_model, steered, tables
from simulators.league_page.cards import cards

EVERYWHERE = {"success everywhere": "success_mean", "entropy everywhere": "sequence_per_success_at_0.1"}
_PLACE = re.compile(r"<!-- league: ([\w ]+) -->\n.*?<!-- end -->", re.DOTALL)


def filled(text: str, data: Mapping[str, Any]) -> str:
    """Return a page with every marked place made anew from the stored figures.

    Raises:
        ValueError: a place has a name that nothing makes.
    """
    makers = made_by(data)

    def made(place: re.Match[str]) -> str:
        """Return the place with its content."""
        if place[1] not in makers:
            raise ValueError(f"place must be one of {', '.join(makers)}; got {place[1]!r}")
        return f"<!-- league: {place[1]} -->\n{makers[place[1]]()}\n<!-- end -->"

    return _PLACE.sub(made, text)


def made_by(data: Mapping[str, Any]) -> dict[str, Callable[[], str]]:
    """Return what makes each place, by name."""
    makers: dict[str, Callable[[], str]] = {
        "run": partial(run_text, data),
        "situations": partial(tables.situation_table, data),
        "tuned": partial(tables.tuned_table, data),
        "noise": partial(tables.noise_table, data),
        "cards": partial(tables.method_cards, data, cards()),
    }
    for name, measure in EVERYWHERE.items():
        makers[name] = partial(tables.every_condition, data, measure)
    if data.get("ace"):
        makers["ace"] = partial(ace.ace_table, data["ace"])
    if data.get("small_model"):
        makers["small model"] = partial(small_model.small_model_table, data["small_model"])
    if data["steered"] is not None:
        makers |= {
            "hold": partial(steered.hold_table, data["steered"]),
            "boundary": partial(steered.boundary_table, data["steered"]),
            "routing": partial(steered.routing_table, data["steered"]),
        }
    for situation in data["situations"]:
        makers[situation["name"]] = partial(tables.effect_table, data, situation)
    return makers


def run_text(data: Mapping[str, Any]) -> str:
    """Return a sentence about the run that the figures come from."""
    return (
        f"The figures come from {data['run']}: {len(data['rules'])} rules, {len(data['conditions'])} conditions, "
        f"{data['seeds']} seeds, {data['steps']} updates; intervals at {data['level']:.0%} together."
    )
