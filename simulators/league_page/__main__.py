"""Renew ``docs/league.json`` from a stored run, and the marked places of ``docs/league.md`` from that file.

A place is marked by ``<!-- league: NAME -->`` and ends at ``<!-- end -->``.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qae_theory.runs import store
from qae_theory.runs.files import write_atomically
from simulators.league_page import ace, small_model, steered, tables
from simulators.league_page.cards import cards
from simulators.league_page.condensed import condensed, costs_of, rounded

DOCS = Path(__file__).parents[2] / "docs"
EXPERIMENT, STEERED, ACE = "league", "steered-k", "ace-sweep"
EVERYWHERE = {"success everywhere": "success_mean", "entropy everywhere": "sequence_per_success_at_0.1"}
USAGE = 2
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
    known = cards()
    makers: dict[str, Callable[[], str]] = {
        "run": lambda: run_text(data),
        "situations": lambda: tables.situation_table(data),
        "tuned": lambda: tables.tuned_table(data),
        "noise": lambda: tables.noise_table(data),
        "cards": lambda: tables.method_cards(data, known),
    }
    for name, measure in EVERYWHERE.items():
        makers[name] = lambda chosen=measure: tables.every_condition(data, chosen)  # type: ignore[misc]
    if data.get("ace"):
        makers["ace"] = lambda: ace.ace_table(data["ace"])
    if data.get("small_model"):
        makers["small model"] = lambda: small_model.small_model_table(data["small_model"])
    if data["steered"] is not None:
        makers |= {
            "hold": lambda: steered.hold_table(data["steered"]),
            "boundary": lambda: steered.boundary_table(data["steered"]),
            "routing": lambda: steered.routing_table(data["steered"]),
        }
    for situation in data["situations"]:
        makers[situation["name"]] = lambda chosen=situation: tables.effect_table(data, chosen)  # type: ignore[misc]
    return makers


def run_text(data: Mapping[str, Any]) -> str:
    """Return a sentence about the run that the figures come from."""
    return (
        f"The figures come from {data['run']}: {len(data['rules'])} rules, {len(data['conditions'])} conditions, "
        f"{data['seeds']} seeds, {data['steps']} updates; intervals at {data['level']:.0%} together."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Renew the stored figures if a results folder is given, then the page; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m simulators.league_page", description=__doc__)
    parser.add_argument("--results", type=Path, help="results folder with a run of `qae simulate league`")
    parser.add_argument("--small", type=Path, help="summary.json of a run of `qae validate --preset league`")
    parser.add_argument("--costs", type=Path, default=DOCS / "benchmarks.json", help="file that `make bench` writes")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of league.md and league.json")
    chosen = parser.parse_args(arguments)
    stored, page = chosen.docs / "league.json", chosen.docs / "league.md"
    try:
        if chosen.results is not None:
            run = store.newest(chosen.results, EXPERIMENT)
            if run is None:
                raise ValueError(f"--results must have a run of `qae simulate league`; got {str(chosen.results)!r}")
            costs = costs_of(json.loads(chosen.costs.read_text(encoding="utf-8")))
            earlier = json.loads(stored.read_text(encoding="utf-8")) if stored.exists() else {}
            kept = condensed(run, store.newest(chosen.results, STEERED), costs)
            swept = store.newest(chosen.results, ACE)
            kept["ace"] = earlier.get("ace") if swept is None else rounded(swept.analysis["settings"])
            _store(stored, {**kept, "small_model": earlier.get("small_model")})
        data = json.loads(stored.read_text(encoding="utf-8"))
        if chosen.small is not None:
            summary = json.loads(chosen.small.read_text(encoding="utf-8"))
            data["small_model"] = small_model.records_of(summary)
            _store(stored, data)
        write_atomically(page, filled(page.read_text(encoding="utf-8"), data))
    except (OSError, ValueError) as error:
        print(f"league_page: {error}", file=sys.stderr)
        return USAGE
    return 0


def _store(path: Path, data: Mapping[str, Any]) -> None:
    write_atomically(path, json.dumps(data, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    sys.exit(main())
