"""Write the logs and dumps of a run, of any source, as one result folder ``results/cluster/<id>``.

Every complete step is kept; what is not is dropped and told, line by line, in ``dropped.json``. A step is complete when
its line is whole and so are the dumps of responses that there are of it; a validation when it has all its responses.
What the dumps tell again of the logged metrics is put beside them, and every disagreement is a line of
``findings.json``. The folder's name is the hash of what was read and of the code: collecting the same again finds it,
and after more steps there is a new folder, the older one staying what it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from llm_validation.cluster.collect.gather import gather
from llm_validation.cluster.collect.paper_tables import markdown, paper_tables
from llm_validation.cluster.collect.result import Asked, identity_of, metrics_lines, texts_of
from llm_validation.cluster.collect.sources import find
from llm_validation.common.reading_bar import Announce
from qae_theory.runs.collected import EXPERIMENT, Collected
from qae_theory.runs.files import to_json, write_atomically
from qae_theory.runs.folders import find_run, write_run
from qae_theory.runs.store import collected

MODULES = ("llm_validation.cluster.collect.collect",)


def collect(
    sources: Path | Sequence[Path],
    out: Path,
    *,
    name: str | None = None,
    steps: tuple[int, int] | None = None,
    responses: int | None = None,
    announce: Announce | None = None,
) -> Path:
    """Read the logs of one run and write its result folder ``out/cluster/<id>``, whole or not at all.

    In the folder: ``config.json``, ``metrics.jsonl`` (a line a step: the logged metrics, and after ``recomputed/`` what
    the dumps give), ``evaluations.json``, ``findings.json``, ``dropped.json``, ``tables.json`` and ``tables.md``,
    ``provenance.json``. ``out/cluster/tables.json`` and ``tables.md`` are written anew, from all collected runs.

    Args:
        sources: a job folder, log files of one run in the order of its attempts, or other sources that
            :func:`llm_validation.cluster.collect.sources.find` knows.
        out: the results folder.
        name: of the experiment, for sources that do not tell it.
        steps: first and last step to keep.
        responses: how many a whole step has, where the configuration does not state it or states it otherwise.
        announce: called before each file.

    Returns:
        The folder.

    Raises:
        ValueError: one line: a source that is not there or not of one run, a name that is not free.
        NothingFoundError: there is no complete step and no evaluation.
        OSError: something cannot be read or written.
    """
    files = find([sources] if isinstance(sources, Path) else sources)
    label = files.label(name)
    asked = Asked(steps, responses)
    collection = gather(files, wanted=asked.wanted, responses=responses, announce=announce)
    identity = identity_of(collection, label, asked)
    folder = find_run(out, EXPERIMENT, identity, modules=MODULES)
    if folder is None:
        with write_run(out, EXPERIMENT, identity, seed=0, modules=MODULES) as run:
            run.append_metrics(metrics_lines(collection))
            for file, text in texts_of(collection).items():
                run.write(file, text)
            tables = paper_tables([Collected.being_written(run.partial)])
            run.write("tables.json", to_json(tables))
            run.write("tables.md", markdown(tables))
        folder = run.folder
    write_tables(out)
    return folder


def write_tables(out: Path) -> None:
    """Write the paper's tables from all runs collected below ``out``, as JSON and Markdown."""
    tables = paper_tables(collected(out))
    write_atomically(out / EXPERIMENT / "tables.json", to_json(tables))
    write_atomically(out / EXPERIMENT / "tables.md", markdown(tables))
