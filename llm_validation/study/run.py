"""The study behind `qae validate`: warm-up, training runs, probes along the way, and the tables of all of them.

Every part is a run of its own in the results folder, so that a study that was interrupted goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from llm_validation.common.tables import PROBES_FILE, RUNS_FILE, Table, from_rows, read_table, write_table
from llm_validation.models.presets import PRESETS
from llm_validation.models.warmup import warm_model
from llm_validation.probe.run import probe_checkpoint, read_signs
from llm_validation.study.settings import EXPERIMENT, MODULES, Preset, StudyConfig, StudyRun, StudyTask, identity
from llm_validation.train.checkpoints import sealed, updates_of
from llm_validation.train.run import train
from qae_theory.runs.files import to_json
from qae_theory.runs.folders import find_run, write_run

WARM = "warm"
NAN = float("nan")
PARTS_FILE = "parts.json"


class Cell(NamedTuple):
    """A piece of work: a training run with its probes, or, with ``run`` None, a probe of the model it starts from."""

    task: StudyTask
    run: StudyRun | None
    seed: int

    @property
    def name(self) -> str:
        """As it is shown."""
        return f"{self.task.task}, {WARM if self.run is None else self.run.name}, seed {self.seed}"


class Probed(NamedTuple):
    """A probe's folder and the step that it was taken at."""

    step: int
    folder: Path
    whole: bool


class Done(NamedTuple):
    """What a cell has left in the results folder."""

    cell: Cell
    trained: Path | None
    probes: tuple[Probed, ...]


class StudyError(RuntimeError):
    """Cells failed; the others are kept. One line a cell."""


def cells(config: StudyConfig) -> list[Cell]:
    """All pieces of work, the long ones first."""
    runs = [Cell(task, run, seed) for seed in range(config.seeds) for run in config.runs for task in config.tasks]
    whole = [cell for cell in runs if cell.run is not None and cell.run.name in config.probed]
    warm = [Cell(task, None, number) for number in range(config.warm_probes) for task in config.tasks]
    return whole + warm + [cell for cell in runs if cell not in whole]


def finished_study(config: StudyConfig, preset: Preset, *, out: Path) -> Path | None:
    """The folder of this study by this code, if it is whole."""
    return find_run(out, EXPERIMENT, identity(config, preset), modules=MODULES)


def study(
    config: StudyConfig,
    preset: Preset,
    *,
    out: Path,
    workers: int,
    told: Callable[[str, int, int], None] = lambda says, done, total: None,
) -> Path:
    """Run what is left of the study, write its folder ``out/validate/<run id>`` and return it.

    The folder holds ``probes.parquet``, ``runs.parquet``, ``parts.json`` with the ids of the runs that it is made of,
    ``ladder.json``, ``ordering.json``, the report and its figures.

    Args:
        config: the study.
        preset: its size, for the record.
        out: the results folder.
        workers: processes.
        told: is told of every cell as it ends, how many have ended, and how many there are.

    Raises:
        StudyError: cells failed; the finished ones are kept for the next time.
        WarmupError: a preset did not reach its success.
    """
    for task in config.tasks:  # before the workers, which would each do it
        start_of(task, out)
        told(f"{task.task}: {task.model} is warmed up", 0, len(cells(config)))
    done = list(_work(config, out, workers, told))
    with write_run(out, EXPERIMENT, identity(config, preset), seed=config.seed, modules=MODULES) as run:
        probes, runs = probes_table(done), runs_table(config, done)
        write_table(probes, run.partial / PROBES_FILE)
        write_table(runs, run.partial / RUNS_FILE)
        parts = parts_of(done)
        run.write(PARTS_FILE, to_json(parts))
        facts = {"run_id": run.id, "parts": parts}
        _report(run.partial, {"probes": probes, "runs": runs}, identity(config, preset), facts)
    return run.folder


def start_of(task: StudyTask, out: Path) -> str | Path:
    """The model that training starts from."""
    if task.model in PRESETS and task.warmup is not None:
        return warm_model(task.model, task.task, task.warmup, cache=out)
    return task.model


def work(cell: Cell, config: StudyConfig, out: Path) -> Done:
    """Do one cell, or find it done."""
    if cell.run is None:
        probe = config.probe_config(cell.task, cell.seed)
        return Done(cell, None, (Probed(0, probe_checkpoint(start_of(cell.task, out), probe, out=out), True),))
    training = config.train_config(cell.task, cell.run, cell.seed)
    folder = train(training, out=out)
    probes = []
    for checkpoint in (kept := sealed(folder / "checkpoints")):
        whole = cell.run.name in config.probed and checkpoint == kept[-1]
        step = updates_of(checkpoint) // (training.inner_updates * training.inner_epochs)
        # Another batch at every checkpoint, the same one for every rule.
        probe = config.probe_config(cell.task, 1000 * (cell.seed + 1) + step, whole=whole)
        probes.append(Probed(step, probe_checkpoint(checkpoint, probe, out=out, sign_arm=_arm(cell.run)), whole))
    return Done(cell, folder, tuple(probes))


def probes_table(done: Sequence[Done]) -> Table:
    """All whole probes, one row a setting, arm and prompt, with what they were taken at."""
    tables = []
    for one in done:
        for probed in one.probes:
            if not probed.whole:
                continue
            table = read_table(probed.folder / PROBES_FILE)
            name = WARM if one.cell.run is None else one.cell.run.name
            facts = {
                "probe": f"{one.cell.task.task}/{name}/{one.cell.seed}/{probed.step}",
                "task": one.cell.task.task,
                "enumerable": bool(np.isfinite(table["success_prob"]).all()),
                "run": name,
                "seed": one.cell.seed,
                "step": probed.step,
            }
            rows = len(table["arm"])
            tables.append({**{key: np.full(rows, value) for key, value in facts.items()}, **table})
    return {key: np.concatenate([table[key] for table in tables]) for key in tables[0]}


def runs_table(config: StudyConfig, done: Sequence[Done]) -> Table:
    """All training runs, one row a step."""
    return from_rows(row for one in done if one.trained is not None for row in _steps(config, one))


def _steps(config: StudyConfig, done: Done) -> Iterator[dict[str, Any]]:
    cell = done.cell
    if cell.run is None or done.trained is None:
        return
    training = config.train_config(cell.task, cell.run, cell.seed)
    signs = {probed.step: read_signs(probed.folder) for probed in done.probes}
    for line in (done.trained / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        metrics = json.loads(line)
        zero, degenerate = metrics["zero_advantage_share"], metrics["degenerate_share"]
        split = signs.get(metrics["step"], {})
        yield {
            "task": cell.task.task,
            "run": cell.run.name,
            "estimator": cell.run.estimator,
            "k": float(cell.run.options.get("k", NAN)),
            "clip_high": training.clip_high,
            "optimiser": training.optimiser,
            "seed": cell.seed,
            "step": metrics["step"],
            "entropy": metrics["entropy"],
            "success": metrics["success_rate"],
            "zero_share": zero,
            "mixed_zero_share": (zero - degenerate) / (1 - degenerate) if degenerate < 1 else NAN,
            **{key: _number(split.get(key)) for key in SIGNS},
        }


SIGNS = ("entropy_positive", "entropy_negative", "entropy_zero", "growth_positive", "growth_negative")


def _number(value: Any) -> float:
    return NAN if value is None else float(value)


def _arm(run: StudyRun) -> str:
    """The probe's arm that is the run's rule."""
    return f"{run.estimator}-{run.options['k']}" if "k" in run.options else run.estimator


def _work(config: StudyConfig, out: Path, workers: int, told: Callable[[str, int, int], None]) -> Iterator[Done]:
    from joblib import Parallel, delayed, parallel_config

    listed = cells(config)
    with parallel_config(backend="loky", n_jobs=workers, inner_max_num_threads=1):
        outcomes = Parallel(return_as="generator_unordered", batch_size=1)(
            delayed(_attempt)(cell, config, out) for cell in listed
        )
    found, failed = {}, []
    for count, (cell, done, error) in enumerate(outcomes, start=1):
        found[cell.name] = done
        failed += [f"{cell.name}: {error}"] if done is None else []
        told(cell.name if done is not None else f"{cell.name} FAILED: {error}", count, len(listed))
    if failed:
        raise StudyError("; ".join(failed))
    yield from (found[cell.name] for cell in listed)  # in a fixed order, whoever was first


def _attempt(cell: Cell, config: StudyConfig, out: Path) -> tuple[Cell, Done | None, str]:
    try:
        return cell, work(cell, config, out), ""
    except Exception as error:  # one cell's failure must not take the others away
        return cell, None, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def parts_of(done: Sequence[Done]) -> dict[str, Any]:
    """Return the run ids behind each cell: its training run, if it trained, and its probes."""
    return {
        one.cell.name: {
            "train": one.trained.name if one.trained else None,
            "probe": [probed.folder.name for probed in one.probes],
        }
        for one in done
    }


def _report(folder: Path, tables: dict[str, Table], identity: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    from llm_validation.study.report import write_report

    write_report(folder, tables, identity, facts)
