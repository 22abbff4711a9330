"""The logs and dumps of a run, of any source, as one result folder ``results/cluster/<id>``.

Every complete step is kept; what is not is dropped and said, line by line, in ``dropped.json``. A step is complete when
its line is whole and so are the dumps of responses that there are of it; a validation when it has all its responses.
What the dumps say again of the logged metrics is put beside them, and every disagreement is a line of
``findings.json``. The folder's name is the hash of what was read and of the code: collecting the same again finds it,
and after more steps there is a new folder, the older one staying what it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from llm_validation.cluster.collect.anthropomorphic import WORDS
from llm_validation.cluster.collect.gather import Collection, Told, gather
from llm_validation.cluster.collect.log_sources import OWN_EVALUATION, OWN_RUN, Places, find
from llm_validation.cluster.collect.merge import summary
from llm_validation.cluster.collect.paper_rows import ROWS, unlike
from llm_validation.cluster.collect.paper_tables import markdown, paper_tables
from llm_validation.cluster.collect.recompute import PREFIX
from qae_theory.runs.collected import EXPERIMENT, Collected
from qae_theory.runs.files import to_json, write_atomically
from qae_theory.runs.folders import find_run, write_run
from qae_theory.runs.store import collected

MODULES = ("llm_validation.cluster.collect.collect",)
VERL = ("actor/", "critic/", "val-core/", "val-aux/")


def collect(
    sources: Path | Sequence[Path],
    out: Path,
    *,
    name: str | None = None,
    steps: tuple[int, int] | None = None,
    responses: int | None = None,
    told: Told | None = None,
) -> Path:
    """Read the logs of one run and write its result folder ``out/cluster/<id>``, whole or not at all.

    In the folder: ``config.json``, ``metrics.jsonl`` (a line a step: the logged metrics, and after ``recomputed/`` what
    the dumps say), ``evaluations.json``, ``findings.json``, ``dropped.json``, ``tables.json`` and ``tables.md``,
    ``provenance.json``. ``out/cluster/tables.json`` and ``tables.md`` are written anew, from all collected runs.

    Args:
        sources: a job folder, log files of one run in the order of its attempts, or other sources that
            :func:`llm_validation.cluster.collect.log_sources.find` knows.
        out: the results folder.
        name: of the experiment, for sources that do not say it.
        steps: first and last step to keep.
        responses: how many a whole step has, where the configuration does not say so or says otherwise.
        told: called before each file.

    Returns:
        The folder.

    Raises:
        ValueError: one line: a source that is not there or not of one run, a name that is not free.
        NothingFoundError: there is no complete step and no evaluation.
        OSError: something cannot be read or written.
    """
    places = find([sources] if isinstance(sources, Path) else sources)
    label, named_by = _name(places, name)
    wanted = None if steps is None else range(steps[0], steps[1] + 1)
    found = gather(places, wanted=wanted, responses=responses, told=told)
    config = _config(found, label, named_by, steps, responses)
    folder = find_run(out, EXPERIMENT, config, modules=MODULES) or _write(found, config, out)
    write_tables(out)
    return folder


def write_tables(out: Path) -> None:
    """The paper's tables from all runs collected below ``out``, as JSON and Markdown."""
    tables = paper_tables(collected(out))
    write_atomically(out / EXPERIMENT / "tables.json", to_json(tables))
    write_atomically(out / EXPERIMENT / "tables.md", markdown(tables))


def _name(places: Places, name: str | None) -> tuple[str, str]:
    """The run's name and who gave it."""
    said = places.facts.get("experiment")
    own = not {OWN_RUN, OWN_EVALUATION}.isdisjoint(places.kinds)
    if said is not None and name is not None and name != said:
        raise ValueError(f"--name must be left out or {said!r}, as job.json says; got {name!r}")
    if own and name in ROWS:
        raise ValueError(f"--name must not be a row of the paper for a run of `qae train`; got {name!r}")
    if said is not None:
        return str(said), "job.json"
    if name is not None:
        return name, "--name"
    config = places.own
    if config:
        level = f" K={config['options']['k']}" if config.get("options", {}).get("k") else ""
        return f"{config.get('model')} on {config.get('task')}, {config.get('estimator')}{level}", "config.json"
    return "unnamed", "nobody"


def _config(
    found: Collection, label: str, named_by: str, steps: tuple[int, int] | None, responses: int | None
) -> dict[str, Any]:
    """What determines the folder: the content of every file read, and what was asked for."""
    places = found.places
    metrics = {metric for record in found.merged.steps for metric in record.metrics}
    own = not {OWN_RUN, OWN_EVALUATION}.isdisjoint(places.kinds)
    engine = "trl" if own else "verl" if any(metric.startswith(VERL) for metric in metrics) else "unknown"
    overrides = places.facts.get("overrides") or []
    against = unlike(label, places.settings, [str(one) for one in overrides])
    if engine != "verl":
        against.append("its log is not verl's")
    return {
        "experiment": EXPERIMENT,
        "name": label,
        "named_by": named_by,
        "row": None if against else label,
        "no_row_because": against,
        "engine": engine,
        "run": found.run,
        "overrides": overrides,
        "settings": places.settings.record(),
        "kinds": places.kinds,
        "steps": None if steps is None else list(steps),
        "responses": responses,
        "inputs": [{"file": one.name, "sha256": one.sha256} for one in found.accounts],
    }


def _write(found: Collection, config: Mapping[str, Any], out: Path) -> Path:
    with write_run(out, EXPERIMENT, config, seed=0, modules=MODULES) as run:
        run.append_metrics(_lines(found))
        abandoned = {record.step for record in found.merged.steps if record.abandoned}
        listed = [{**one.record(), "abandoned": one.step in abandoned} for one in found.evaluations]
        run.write("evaluations.json", _a_line_each("evaluations", listed))
        run.write("findings.json", _a_line_each("findings", [one.record() for one in found.findings]))
        run.write("dropped.json", to_json(_dropped(found)))
        tables = paper_tables([Collected.being_written(run.partial)])
        run.write("tables.json", to_json(tables))
        run.write("tables.md", markdown(tables))
    return run.folder


def _a_line_each(name: str, records: Sequence[Mapping[str, Any]]) -> str:
    """A JSON object with one list, an entry a line: there can be hundreds."""
    lines = ",\n".join(json.dumps(dict(one), allow_nan=False) for one in records)
    return f'{{"{name}": [\n{lines}\n]}}\n'


def _lines(found: Collection) -> Iterator[dict[str, Any]]:
    for record in found.merged.steps:
        measures = [kind[record.step].measures for kind in found.dumped.values() if record.step in kind]
        mine = {f"{PREFIX}{name}": value for one in measures for name, value in one.items()}
        labels = {"step": record.step, "attempt": record.attempt, "abandoned": record.abandoned}
        yield labels | {name: value for name, value in (record.metrics | mine).items() if name not in labels}


def _dropped(found: Collection) -> dict[str, Any]:
    words = f"anthropomorphic words, a list of this project's choice: {', '.join(WORDS)}"
    return {
        "steps": {**summary(found.merged), "not_whole": found.not_whole},
        "files": [account.record() for account in found.accounts],
        "notes": [*found.notes, words] if found.dumped["rollouts"] else found.notes,
    }
