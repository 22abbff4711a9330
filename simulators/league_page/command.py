"""Renew ``docs/league.json`` from a stored run, and the marked places of ``docs/league.md`` from that file."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qae_theory.runs import store
from qae_theory.runs.files import write_atomically
from simulators.league_page.condensed import condensed, costs_of, rounded
from simulators.league_page.page import filled
from simulators.league_page.small_model import records_of

DOCS = Path(__file__).parents[2] / "docs"
EXPERIMENT, STEERED, ACE = "league", "steered-k", "ace-sweep"
USAGE = 2


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
            data["small_model"] = records_of(summary)
            _store(stored, data)
        write_atomically(page, filled(page.read_text(encoding="utf-8"), data))
    except (OSError, ValueError) as error:
        print(f"league_page: {error}", file=sys.stderr)
        return USAGE
    return 0


def _store(path: Path, data: Mapping[str, Any]) -> None:
    write_atomically(path, json.dumps(data, separators=(",", ":")) + "\n")
