"""Keep the lines of studies that take hours with the code; the ledger reads them where no results have them.

Of a line are kept the number of its seeds, the mean of their effects and their spread: interval, outcome, power and
control are computed from these whenever it is read. Lines of one id in several files are of different seeds, and are
pooled; a condition that is out in one of them, because RL does not learn in it, is out.

``python -m llm_validation.study.kept_lines FOLDER [NAME LOOKS [waiting]]`` keeps those of a finished study: all of them
under its size's name, or under another name those of the conditions that are looked at so often. Lines that wait, for
those of a study that is to be read together with theirs, lie in a folder of their own, which nothing reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import isclose
from pathlib import Path
from typing import Any, NamedTuple

from qae_theory.curves.outcomes import LEVEL, Line, Moments, line, moments_of_line, pooled, read_line
from qae_theory.curves.statistics import bonferroni
from qae_theory.runs.files import to_json, write_atomically
from qae_theory.runs.plain import finite_or_none

FOLDER = Path(__file__).with_name("kept")


class Kept(NamedTuple):
    """Hold a line with the runs that it comes from, as they are shown."""

    line: Line
    source: str


def kept_lines(folder: Path, study: str = "*") -> Mapping[str, Kept]:
    """Return every line that is kept in a folder with one file for each study, by the line's id.

    Args:
        folder: where the files are.
        study: the name of one study, whose lines alone are returned, as they were before others were pooled with them.
    """
    by_id: dict[str, list[tuple[dict[str, Any], str]]] = {}
    out: set[str] = set()
    for content in _contents(folder, study):
        out.update(content["out"])
        source = f"run {content['run']}, {content['name']}"
        for record in content["lines"]:
            by_id.setdefault(_id(record), []).append((record, source))
    return {
        line_id: Kept(_line([record for record, _ in parts]), f"{'; '.join(source for _, source in parts)}; kept")
        for line_id, parts in by_id.items()
        if line_id not in out
    }


def left_out(folder: Path) -> list[str]:
    """Return the ids of the lines whose condition is out in one of the studies that are kept in a folder."""
    return list(dict.fromkeys(name for content in _contents(folder, "*") for name in content["out"]))


def keep(study: Path, folder: Path, name: str = "", looks: int = 1) -> Path:
    """Write the lines of a finished study to ``folder/<name>.json`` and return that path.

    Args:
        study: the study's folder, with ``config.json``, ``lines.json`` and ``provenance.json``.
        folder: with one file for each study.
        name: of what is kept; the study's size if it has none.
        looks: how often the conditions are looked at whose lines are kept; all are where it is 1.
    """
    config, found, made = (
        json.loads((study / f"{file}.json").read_text(encoding="utf-8")) for file in ("config", "lines", "provenance")
    )
    name = name or config["preset"]
    looked_at = [
        record for record in found["lines"] if looks == 1 or isclose(record["level"], bonferroni(LEVEL, looks))
    ]
    content = {
        "run": made["run_id"],
        "name": name if looks > 1 else f"{name} size",
        "finished": made["finished"],
        "lines": list(_records(looked_at)),
        "out": [_id(record) for record in found["out"]],
    }
    path = folder / f"{name}.json"
    write_atomically(path, to_json(content))
    return path


def _contents(folder: Path, study: str) -> Iterator[Mapping[str, Any]]:
    """Yield what the files of a folder hold, by name."""
    for path in sorted(folder.glob(f"{study}.json")):
        yield json.loads(path.read_text(encoding="utf-8"))


def _id(record: Mapping[str, Any]) -> str:
    """Return the id of a record's line."""
    return f"{record['claim']}@{record['condition']}"


def _records(lines: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what is kept of each line."""
    for record in lines:
        moments = moments_of_line(read_line(record))
        facts = {name: record[name] for name in ("claim", "condition", "says", "unit", "smallest_effect", "level")}
        yield {**facts, **{name: finite_or_none(value) for name, value in moments._asdict().items()}}


def _line(records: Sequence[Mapping[str, Any]]) -> Line:
    """Return the line of all seeds together, at the strictest of the levels at which it was looked at."""
    first = records[0]
    return line(
        pooled([_moments(record) for record in records]),
        first["smallest_effect"],
        claim=first["claim"],
        condition=first["condition"],
        says=first["says"],
        unit=first["unit"],
        level=max(record["level"] for record in records),
    )


def _moments(record: Mapping[str, Any]) -> Moments:
    """Return the moments of a record, in which None stands for NaN."""
    mean, spread = (float("nan") if record[name] is None else float(record[name]) for name in ("mean", "spread"))
    return Moments(record["n"], mean, spread)


if __name__ == "__main__":
    import sys

    study_folder, *named = sys.argv[1:]
    given_name, given_looks, *place = named or ("", "1")
    print(keep(Path(study_folder), FOLDER.joinpath(*place), given_name, int(given_looks)))
