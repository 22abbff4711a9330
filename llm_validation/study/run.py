"""Run the study behind `qae validate`: warm-up, training runs, probes along the way, and the tables of all of them.

Every part is a run of its own in the results folder, so that a study that was interrupted goes on where it was. What
the tables say is computed in ``report``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from llm_validation.common.reuse import THIS_CODE, NotFinishedError, Reuse, code_of
from llm_validation.common.tables import PROBES_FILE, Table, from_rows, read_table, write_table
from llm_validation.models.presets import PRESETS, load_model, parameter_count
from llm_validation.models.start import starting_model
from llm_validation.probe.run import probe_checkpoint, read_signs
from llm_validation.study.bandit import bandit_probes
from llm_validation.study.follow import HELD_OUT, follow, read_follow
from llm_validation.study.report import write_report
from llm_validation.study.settings import EXPERIMENT, MODULES, Preset, StudyConfig, StudyRun, StudyTask, identity
from llm_validation.train.checkpoints import sealed, updates_of
from llm_validation.train.folder import found_run
from llm_validation.train.process_state import quiet
from llm_validation.train.run import train
from qae_theory.runs.files import to_json
from qae_theory.runs.folders import find_run, write_run
from qae_theory.runs.workers import quiet_tracker

Stage = Literal["train", "follow", "probe"]
STAGES: tuple[Stage, ...] = get_args(Stage)
WARM = "warm"
NAN = float("nan")
PARTS_FILE, MISSING_FILE = "parts.json", "missing.json"


class Cell(NamedTuple):
    """A piece of work: a training run with its probes, or a probe of the model that training starts from.

    Attributes:
        task: the task, with its model.
        run: the rule that is trained with; None for the probe of the start.
        seed: the run's seed, or the number of the probe.
    """

    task: StudyTask
    run: StudyRun | None
    seed: int

    @property
    def name(self) -> str:
        """Return the cell's name as it is shown."""
        return f"{self.task.name}, {WARM if self.run is None else self.run.name}, seed {self.seed}"


class Probed(NamedTuple):
    """Hold a probe's folder, the step at which it was taken, and whether steps were taken in it or only signs read."""

    step: int
    folder: Path
    whole: bool


class Done(NamedTuple):
    """Hold what a cell has left in the results folder: its training run, what was followed along it, its probes."""

    cell: Cell
    trained: Path | None
    probes: tuple[Probed, ...]
    followed: Path | None = None


class How(NamedTuple):
    """State how a study is worked through, which determines none of its results.

    Attributes:
        only: the stage after which the study stops.
        reuse: which finished parts count. Where those alone do, the study is written from the cells whose parts are all
            finished.
    """

    only: Stage | None = None
    reuse: Reuse = THIS_CODE


ALL = How()


class StudyError(RuntimeError):
    """Raised where cells failed; the others are kept, and the message has a part for each that failed."""


def cells(config: StudyConfig) -> list[Cell]:
    """Return all pieces of work: part by part as configured, in a part seed by seed, probes of the start last."""
    runs: list[tuple[StudyTask, StudyRun]] = []
    for run in config.all_runs:
        runs += [(task, run) for task in config.tasks if not run.tasks or task.task in run.tasks]
    listed: list[Cell] = []
    for part in dict.fromkeys(run.part for _, run in runs):
        here = [(task, run) for task, run in runs if run.part == part]
        # Seed by seed, so that a study that is stopped early has the same seeds of every rule.
        for seed in range(max(config.seeds_of(run) for _, run in here)):
            listed += [Cell(task, run, seed) for task, run in here if seed < config.seeds_of(run)]
    for number in range(config.warm_probes):
        listed += [Cell(task, None, number) for task in config.tasks]
    return listed


def finished_study(config: StudyConfig, preset: Preset, *, out: Path) -> Path | None:
    """Return the folder of this study by this code, if it is whole; None otherwise."""
    folder = find_run(out, EXPERIMENT, identity(config, preset), modules=MODULES)
    if folder is None or json.loads((folder / MISSING_FILE).read_text(encoding="utf-8")):
        return None  # what is written from a part of a study has its id, and gives way to the whole
    return folder


def study(
    config: StudyConfig,
    preset: Preset,
    *,
    out: Path,
    workers: int,
    told: Callable[[str, int, int], None] = lambda says, done, total: None,
    how: How = ALL,
) -> Path | None:
    """Run what is left of the study, write its folder ``out/validate/<run id>`` and return it.

    The folder holds ``probes.parquet``, ``runs.parquet``, ``follow.parquet``, ``parts.json`` with the ids of the runs
    that it is made of, ``missing.json`` with the parts that are not finished, and what ``report.write_report`` makes.

    Args:
        config: the study.
        preset: its size, for the record.
        out: the folder of results.
        workers: number of processes.
        told: called as each cell ends with its name, how many have ended, and how many there are.
        how: how it is worked through.

    Returns:
        The folder; None where a stage was asked for and done, after which there is no study yet.

    Raises:
        StudyError: cells failed; the finished ones are kept for the next time. Or there is no cell to write of.
        WarmupError: a preset did not reach its success.
    """
    for task in config.tasks:  # before the workers start, each of which would warm up the same model
        if not task.own_start and not how.reuse.only:
            start_of(task, 0, out, reuse=how.reuse)
            told(f"{task.name}: {task.model} is ready", 0, len(cells(config)))
    # All cells come before the study's folder: where one fails, its parts are kept and no half study is written.
    done = list(_work(config, out, workers, told, how))
    if how.only is not None:
        return None
    if not done:
        raise StudyError(f"no part of this study is finished in {out}")
    with write_run(out, EXPERIMENT, identity(config, preset), seed=config.seed, modules=MODULES) as run:
        tables = {
            "probes": probes_table(config, done),
            "runs": runs_table(config, done),
            "follow": follow_table(config, done),
        }
        for name, table in tables.items():
            write_table(table, run.partial / f"{name}.parquet")
        parts = parts_of(done)
        missing = [cell.name for cell in cells(config) if cell.name not in parts]
        run.write(PARTS_FILE, to_json(parts))
        run.write(MISSING_FILE, to_json(missing))
        facts = {"run_id": run.id, "missing": missing, "models": model_facts(config, out), "speed": speeds(done)}
        write_report(run.partial, tables, identity(config, preset), facts)
    return run.folder


def model_facts(config: StudyConfig, out: Path) -> dict[str, dict[str, Any]]:
    """Return for each substrate its model, parameters, vocabulary, and whether it is pretrained."""
    facts = {}
    for task in config.tasks:
        # Warming up changes neither the size nor the vocabulary of a preset, so that its random weights will do.
        source = task.model if task.model in PRESETS else starting_model(task.model, task.task, None, cache=out)
        with quiet():
            model, tokenizer = load_model(source)
        facts[task.name] = {
            "model": task.model,
            "parameters": parameter_count(model),
            "vocabulary": len(tokenizer),
            "pretrained": task.model not in PRESETS,
        }
    return facts


def speeds(done: Sequence[Done]) -> list[dict[str, Any]]:
    """Return the seconds of a step of each substrate's first run, and how many of them TRL's training steps took."""
    by_substrate: dict[str, dict[str, Any]] = {}
    for finished in done:
        cell = finished.cell
        if finished.trained is None or cell.run is None or cell.task.name in by_substrate:
            continue
        timing = (finished.trained / "timing.jsonl").read_text(encoding="utf-8").splitlines()
        steps = [json.loads(line) for line in timing]
        seconds = [step["step_time"] for step in steps if "step_time" in step]
        provenance = json.loads((finished.trained / "provenance.json").read_text(encoding="utf-8"))
        if seconds:
            by_substrate[cell.task.name] = {
                "substrate": cell.task.name,
                "rule": cell.run.name,
                "condition": cell.run.part,
                "seconds": float(provenance["seconds"]) / len(steps),
                "update_seconds": float(np.median(seconds)),  # a median: one pause of the machine must not count
                "steps": len(steps),
            }
    return list(by_substrate.values())


def start_of(task: StudyTask, seed: int, out: Path, *, reuse: Reuse = THIS_CODE) -> str | Path:
    """Return the model that a seed's training starts from: a preset's name or a folder."""
    return starting_model(task.model, task.task, task.start(seed), cache=out, reuse=reuse)


def work(cell: Cell, config: StudyConfig, out: Path, how: How = ALL) -> Done:
    """Do one cell, or find it done.

    Raises:
        NotFinishedError: finished parts alone count, and one is missing.
    """
    if cell.run is None:
        return _warm_probe(cell, config, out, how)
    training = config.train_config(cell.task, cell.run, cell.seed)
    folder = found_run(training, out=out, any_code=how.reuse.any_code)
    if folder is None:
        if how.reuse.only:
            raise NotFinishedError(f"{cell.name} is not trained")
        folder = train(training, out=out)
    if how.only == "train":
        return Done(cell, folder, ())
    # A checkpoint is numbered by optimiser updates, the study's curves by steps, each one batch of rollouts.
    updates = training.inner_updates * training.inner_epochs
    kept = {updates_of(checkpoint) // updates: checkpoint for checkpoint in sealed(folder / "checkpoints")}
    listed = [(0, start_of(cell.task, cell.seed, out, reuse=how.reuse)), *kept.items()]
    followed = follow(listed, config.follow_config(cell.task, cell.seed), out=out, reuse=how.reuse)
    if how.only == "follow":
        return Done(cell, folder, (), followed)
    return Done(cell, folder, tuple(_probes(cell, config, kept, training.steps, out, how)), followed)


def _warm_probe(cell: Cell, config: StudyConfig, out: Path, how: How) -> Done:
    """Probe the model that training starts from."""
    if how.only in ("train", "follow"):
        return Done(cell, None, ())
    probe = config.probe_config(cell.task, cell.seed)
    start = start_of(cell.task, cell.seed, out, reuse=how.reuse)
    return Done(cell, None, (Probed(0, probe_checkpoint(start, probe, out=out, reuse=how.reuse), True),))


def _probes(
    cell: Cell, config: StudyConfig, kept: Mapping[int, Path], steps: int, out: Path, how: How
) -> Iterator[Probed]:
    """Yield a run's probes: with steps at the checkpoints that the study probes, else entropy by sign only."""
    if cell.run is None:
        return
    whole = {nearest(kept, share * steps) for share in config.probe_at if cell.run.name in config.probed}
    signed = cell.run.part in config.signs and (not config.sign_rules or _arm(cell.run) in config.sign_rules)
    signs = {nearest(kept, share * steps) for share in config.sign_at if signed}
    for step in sorted(whole | signs):
        # Another batch at every checkpoint, the same one for every rule.
        probe = config.probe_config(cell.task, 1000 * (cell.seed + 1) + step, whole=step in whole)
        folder = probe_checkpoint(kept[step], probe, out=out, sign_arm=_arm(cell.run), reuse=how.reuse)
        yield Probed(step, folder, step in whole)


def nearest(steps: Iterable[int], wanted: float) -> int:
    """Return the step nearest to a wanted one, the later one of two.

    >>> nearest([10, 20, 30], 25.0)
    30
    """
    return min(steps, key=lambda step: (abs(step - wanted), -step))


def probes_table(config: StudyConfig, done: Sequence[Done]) -> Table:
    """Return all whole probes, one row for each setting, arm and prompt, with what they were taken at.

    The bandit's rows come last. A probe without a mixed group has no rows: late in training every answer may be right.

    Raises:
        StudyError: no probe has rows.
    """
    tables = []
    for finished in done:
        task, run, seed = finished.cell
        name = WARM if run is None else run.name
        for probed in finished.probes:
            if not probed.whole or not (probed.folder / PROBES_FILE).is_file():
                continue
            table = read_table(probed.folder / PROBES_FILE)
            facts = {
                "probe": f"{task.task}/{name}/{seed}/{probed.step}",
                "task": task.task,
                "substrate": task.name,
                # The success probability is NaN where responses are sampled.
                "enumerable": bool(np.isfinite(table["success_prob"]).all()),
                "run": name,
                "seed": seed,
                "step": probed.step,
            }
            rows = len(table["arm"])
            tables.append({**{key: np.full(rows, value) for key, value in facts.items()}, **table})
    # A learning rate means another thing for a table of logits than for a network. A step's size in log pi means the
    # same.
    sizes = sorted({setting.size for setting in config.settings if setting.size is not None})
    if sizes and config.bandit_probes:
        tables.append(dict(bandit_probes(config.arms, sizes, probes=config.bandit_probes, seed=config.seed)))
    if not tables:
        raise StudyError("probes: no step could be taken in any, since no group had two rewards; probe earlier")
    joined = {}
    for key in tables[0]:
        joined[key] = np.concatenate([table[key] for table in tables])
    return joined


def runs_table(config: StudyConfig, done: Sequence[Done]) -> Table:
    """Return all training runs, one row per step."""
    rows: list[dict[str, Any]] = []
    for finished in done:
        rows += _steps(config, finished)
    return from_rows(rows)


def follow_table(config: StudyConfig, done: Sequence[Done]) -> Table:
    """Return all checkpoints of all training runs, one row each: what was measured on questions that stay the same."""
    rows = []
    for finished in done:
        if finished.followed is None:
            continue
        for record in read_follow(finished.followed):
            figures = {}
            for prefix in SETS:
                for name in FOLLOWED:
                    figures[f"{prefix}{name}"] = _number(record[f"{prefix}{name}"])
            facts = _facts(config, finished)
            rows.append({**facts, "step": record["step"], **figures, "exact": record["exact"]})
    return from_rows(rows)


SETS = ("", HELD_OUT)
FOLLOWED = (
    *("pass1", "pass16", "sequence_entropy", "entropy_low", "entropy_high"),
    *("token_entropy", "length", "open_mass"),
)


def _facts(config: StudyConfig, done: Done) -> dict[str, Any]:
    """Return what a training run was, as columns of each of its rows."""
    cell = done.cell
    assert cell.run is not None
    training = config.train_config(cell.task, cell.run, cell.seed)
    return {
        "task": cell.task.task,
        "substrate": cell.task.name,
        "part": cell.run.part,
        "run": cell.run.name,
        "estimator": cell.run.estimator,
        "k": float(cell.run.options.get("k", NAN)),
        "clip_low": training.clip_low,
        "clip_high": training.clip_high,
        "optimiser": training.optimiser,
        "adam_eps": training.adam_eps,
        "learning_rate": training.learning_rate,
        "updates": training.inner_updates * training.inner_epochs,
        "loss": training.loss,
        "rounding": training.rounding,
        "looks": cell.run.looks,
        "seed": cell.seed,
    }


def _steps(config: StudyConfig, done: Done) -> Iterator[dict[str, Any]]:
    """Yield one row for each step of a training run, with entropy by sign where it was measured."""
    if done.cell.run is None or done.trained is None:
        return
    facts = _facts(config, done)
    signs = {probed.step: read_signs(probed.folder) for probed in done.probes}
    for line in (done.trained / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        metrics = json.loads(line)
        zero, degenerate = metrics["zero_advantage_share"], metrics["degenerate_share"]
        split = signs.get(metrics["step"], {})
        yield {
            **facts,
            "step": metrics["step"],
            "entropy": metrics["entropy"],
            "success": metrics["success_rate"],
            "length": metrics["completions/mean_length"],
            "gradient_norm": _number(metrics["grad_norm"]),
            "clipped_low": metrics["clip_ratio/low_mean"],
            "clipped_high": metrics["clip_ratio/high_mean"],
            "zero_share": zero,
            "mixed_zero_share": (zero - degenerate) / (1 - degenerate) if degenerate < 1 else NAN,
            **{key: _number(split.get(key)) for key in SIGNS},
        }


SIGNS = ("entropy_positive", "entropy_negative", "entropy_zero", "growth_positive", "growth_negative")


def _number(value: Any) -> float:
    """Return a number as a float; NaN stands for None, since a column has one type."""
    return NAN if value is None else float(value)


def _arm(run: StudyRun) -> str:
    """Return the probe's arm that is the run's rule."""
    return f"{run.estimator}-{run.options['k']}" if "k" in run.options else run.estimator


def _work(
    config: StudyConfig, out: Path, workers: int, told: Callable[[str, int, int], None], how: How
) -> Iterator[Done]:
    """Do all cells in worker processes and yield what they left, in the order of :func:`cells`.

    Raises:
        StudyError: cells failed.
    """
    from joblib import Parallel, delayed, parallel_config

    listed = cells(config)
    # Cells take from minutes to hours, so that each is handed out alone, to the worker that is free, and told as it
    # ends. The workers share the cores among them: one thread each.
    with quiet_tracker(), parallel_config(backend="loky", n_jobs=workers, inner_max_num_threads=1):
        outcomes = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs")(
            delayed(_attempt)(cell, config, out, how) for cell in listed
        )
    by_name, failed = {}, []
    for count, (cell, done, error) in enumerate(outcomes, start=1):
        by_name[cell.name] = done
        failed += [f"{cell.name}: {error}"] if error else []
        told(f"{cell.name} FAILED: {error}" if error else cell.name, count, len(listed))
    if failed:
        raise StudyError("; ".join(failed))
    for cell in listed:  # in a fixed order, whichever ended first
        done = by_name[cell.name]
        if done is not None:
            yield done


def _attempt(cell: Cell, config: StudyConfig, out: Path, how: How) -> tuple[Cell, Done | None, str]:
    """Do one cell and return it with what it left, or with the error that ended it in one line."""
    try:
        return cell, work(cell, config, out, how), ""
    except NotFinishedError:
        return cell, None, ""
    except Exception as error:  # one cell's failure must not take the others' work away
        return cell, None, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def parts_of(done: Sequence[Done]) -> dict[str, Any]:
    """Return the run ids behind each cell, and the code that made its training run."""
    parts = {}
    for finished in done:
        parts[finished.cell.name] = {
            "train": finished.trained.name if finished.trained else None,
            "code": code_of(finished.trained) if finished.trained else None,
            "follow": finished.followed.name if finished.followed else None,
            "probe": [probed.folder.name for probed in finished.probes],
        }
    return parts
