"""Write one summary of all stored studies: their substrates and runs together, each line over all its seeds.

``python -m llm_validation.study.stored_summary [FOLDER]`` joins the ``summary.json`` of every folder in FOLDER,
docs/validation unless it is given, to that of FOLDER itself. Joined again nothing changes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from llm_validation.study.analysis.summary import SUMMARY, merged
from llm_validation.study.kept_lines import FOLDER as KEPT
from llm_validation.study.kept_lines import kept_lines
from qae_theory.runs.files import to_json, write_atomically
from qae_theory.runs.plain import eight_digits

STORED = Path("docs") / "validation"


class _Facts(NamedTuple):
    preset: str
    seed: int  # of the study's first runs, which its summary numbers from 0


def stored_summary(folder: Path, kept: Path = KEPT) -> dict[str, Any]:
    """Return the summary of the study in a folder and of those in the folders within.

    Args:
        folder: of the first study; the runs of others with its preset have the numbers that they would have had in it.
        kept: where the lines of all studies are kept.
    """
    first = _facts(folder)
    summaries = [_read(folder / SUMMARY)]
    for path in sorted(folder.glob(f"*/{SUMMARY}")):
        of_study, facts = _read(path), _facts(path.parent)
        if facts.preset == first.preset:
            for substrate in of_study["substrates"].values():
                for run in substrate["runs"]:
                    run["seed"] += facts.seed - first.seed
        summaries.append(of_study)
    whole: dict[str, Any] = eight_digits(merged(summaries, [found.line for found in kept_lines(kept).values()]))
    return whole


def _facts(folder: Path) -> _Facts:
    return _Facts(_read(folder / "config.json")["preset"], int(_read(folder / "provenance.json")["seed"]))


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    stored = Path(sys.argv[1]) if len(sys.argv) > 1 else STORED
    write_atomically(stored / SUMMARY, to_json(stored_summary(stored)))
