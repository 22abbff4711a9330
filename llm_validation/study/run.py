"""The study behind `qae validate`: warm-up, training runs, probes along the way, and the tables of all of them.

Every part is a run of its own in the results folder, so that a study that was interrupted goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from llm_validation.common.reuse import code_of
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

Stage = Literal["train", "follow", "probe"]
STAGES: tuple[Stage, ...] = get_args(Stage)
WARM = "warm"
NAN = float("nan")
PARTS_FILE, MISSING_FILE = "parts.json", "missing.json"


class Cell(NamedTuple):
    """A piece of work: a training run with its probes, or, with ``run`` None, a probe of the model it starts from."""

    task: StudyTask
    run: StudyRun | None
    seed: int

    @property
    def name(self) -> str:
        """Return the cell's name as it is shown."""
        return f"{self.task.name}, {WARM if self.run is None else self.run.name}, seed {self.seed}"


class Probed(NamedTuple):
    """A probe's folder and the step that it was taken at."""

    step: int
    folder: Path
    whole: bool


class Done(NamedTuple):
    """What a cell has left in the results folder: its training run, what was followed along it, its probes."""

    cell: Cell
    trained: Path | None
    probes: tuple[Probed, ...]
    followed: Path | None = None


class How(NamedTuple):
    """How a study is worked through, which determines none of its results.

    ``only`` stops after the stage of that name; ``any_code`` counts finished parts that other code made; ``partial``
    writes the study from the parts that are finished, and does none.
    """

    only: Stage | None = None
    any_code: bool = False
    partial: bool = False


ALL = How()


class StudyError(RuntimeError):
    """Cells failed; the others are kept. One line a cell."""


def cells(config: StudyConfig) -> list[Cell]:
    """Return all pieces of work, part by part as configured, in a part seed by seed, with the probes last."""
    runs = [(task, run) for run in config.all_runs for task in config.tasks if not run.tasks or task.task in run.tasks]
    found = []
    for part in dict.fromkeys(run.part for _, run in runs):
        here = [(task, run) for task, run in runs if run.part == part]
        for seed in range(max(config.seeds_of(run) for _, run in here)):
            found += [Cell(task, run, seed) for task, run in here if seed < config.seeds_of(run)]
    return found + [Cell(task, None, number) for number in range(config.warm_probes) for task in config.tasks]


def finished_study(config: StudyConfig, preset: Preset, *, out: Path) -> Path | None:
    """Return the folder of this study by this code, if it is whole."""
    return find_run(out, EXPERIMENT, identity(config, preset), modules=MODULES)


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
        out: the results folder.
        workers: processes.
        told: is told of every cell as it ends, how many have ended, and how many there are.
        how: how it is worked through.

    Returns:
        The folder; None where a stage was asked for and done, after which there is no study yet.

    Raises:
        StudyError: cells failed; the finished ones are kept for the next time.
        WarmupError: a preset did not reach its success.
    """
    for task in config.tasks:  # before the workers, which would each do it
        if not task.own_start:
            start_of(task, 0, out, any_code=how.any_code)
            told(f"{task.name}: {task.model} is ready", 0, len(cells(config)))
    done = list(_work(config, out, workers, told, how))
    if how.only is not None:
        return None
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
    """Return of each substrate its model, how many parameters it has, its vocabulary, and whether it is pretrained."""
    found = {}
    for task in config.tasks:
        source = task.model if task.model in PRESETS else starting_model(task.model, task.task, None, cache=out)
        with quiet():
            model, tokenizer = load_model(source)
        found[task.name] = {
            "model": task.model,
            "parameters": parameter_count(model),
            "vocabulary": len(tokenizer),
            "pretrained": task.model not in PRESETS,
        }
    return found


def speeds(done: Sequence[Done]) -> list[dict[str, Any]]:
    """Return the seconds of a step of each substrate's first run, and how many of them TRL's training steps took."""
    found: dict[str, dict[str, Any]] = {}
    for one in done:
        if one.trained is None or one.cell.run is None or one.cell.task.name in found:
            continue
        lines = [json.loads(line) for line in (one.trained / "timing.jsonl").read_text(encoding="utf-8").splitlines()]
        seconds = [line["step_time"] for line in lines if "step_time" in line]
        provenance = json.loads((one.trained / "provenance.json").read_text(encoding="utf-8"))
        if seconds:
            found[one.cell.task.name] = {
                "substrate": one.cell.task.name,
                "rule": one.cell.run.name,
                "condition": one.cell.run.part,
                "seconds": float(provenance["seconds"]) / len(lines),
                "update_seconds": float(np.median(seconds)),
                "steps": len(lines),
            }
    return list(found.values())


def start_of(task: StudyTask, seed: int, out: Path, *, any_code: bool = False) -> str | Path:
    """Return the model that a seed's training starts from."""
    return starting_model(task.model, task.task, task.start(seed), cache=out, any_code=any_code)


def work(cell: Cell, config: StudyConfig, out: Path, how: How = ALL) -> Done | None:
    """Do one cell, or find it done; None where only finished parts count and one is missing."""
    if cell.run is None:
        return _warm_probe(cell, config, out, how)
    training = config.train_config(cell.task, cell.run, cell.seed)
    folder = found_run(training, out=out, any_code=how.any_code)
    if folder is None:
        if how.partial:
            return None
        folder = train(training, out=out)
    if how.only == "train":
        return Done(cell, folder, ())
    updates = training.inner_updates * training.inner_epochs
    kept = {updates_of(checkpoint) // updates: checkpoint for checkpoint in sealed(folder / "checkpoints")}
    listed = [(0, start_of(cell.task, cell.seed, out, any_code=how.any_code)), *kept.items()]
    followed = follow(listed, config.follow_config(cell.task, cell.seed), out=out, any_code=how.any_code)
    if how.only == "follow":
        return Done(cell, folder, (), followed)
    return Done(cell, folder, tuple(_probes(cell, config, kept, training.steps, out)), followed)


def _warm_probe(cell: Cell, config: StudyConfig, out: Path, how: How) -> Done:
    if how.only in ("train", "follow"):
        return Done(cell, None, ())
    probe = config.probe_config(cell.task, cell.seed)
    start = start_of(cell.task, cell.seed, out, any_code=how.any_code)
    return Done(cell, None, (Probed(0, probe_checkpoint(start, probe, out=out), True),))


def _probes(cell: Cell, config: StudyConfig, kept: Mapping[int, Path], steps: int, out: Path) -> Iterator[Probed]:
    """Probe a run's checkpoints: whole ones of the runs that the study probes, else entropy by sign only."""
    if cell.run is None:
        return
    whole = {nearest(kept, share * steps) for share in config.probe_at if cell.run.name in config.probed}
    signed = cell.run.part in config.signs and (not config.sign_rules or _arm(cell.run) in config.sign_rules)
    signs = {nearest(kept, share * steps) for share in config.sign_at if signed}
    for step in sorted(whole | signs):
        # Another batch at every checkpoint, the same one for every rule.
        probe = config.probe_config(cell.task, 1000 * (cell.seed + 1) + step, whole=step in whole)
        folder = probe_checkpoint(kept[step], probe, out=out, sign_arm=_arm(cell.run))
        yield Probed(step, folder, step in whole)


def nearest(steps: Iterable[int], wanted: float) -> int:
    """Return the step nearest to a wanted one, the later one of two.

    >>> nearest([10, 20, 30], 25.0)
    30
    """
    return min(steps, key=lambda step: (abs(step - wanted), -step))


def probes_table(config: StudyConfig, done: Sequence[Done]) -> Table:
    """Return all whole probes, one row a setting, arm and prompt, with what they were taken at; and the bandit's."""
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
                "substrate": one.cell.task.name,
                "enumerable": bool(np.isfinite(table["success_prob"]).all()),
                "run": name,
                "seed": one.cell.seed,
                "step": probed.step,
            }
            rows = len(table["arm"])
            tables.append({**{key: np.full(rows, value) for key, value in facts.items()}, **table})
    sizes = sorted({setting.size for setting in config.settings if setting.size is not None})
    if sizes and config.bandit_probes:
        tables.append(dict(bandit_probes(config.arms, sizes, probes=config.bandit_probes, seed=config.seed)))
    joined = {}
    for key in tables[0]:
        joined[key] = np.concatenate([table[key] for table in tables])
    return joined


def runs_table(config: StudyConfig, done: Sequence[Done]) -> Table:
    """Return all training runs, one row a step."""
    return from_rows(row for one in done if one.trained is not None for row in _steps(config, one))


def follow_table(config: StudyConfig, done: Sequence[Done]) -> Table:
    """Return all checkpoints of all training runs, one row each: what was measured on questions that stay the same."""
    rows = []
    for one in done:
        if one.followed is None:
            continue
        for record in read_follow(one.followed):
            figures = {f"{prefix}{name}": _number(record[f"{prefix}{name}"]) for prefix in SETS for name in FOLLOWED}
            rows.append({**_facts(config, one), "step": record["step"], **figures, "exact": record["exact"]})
    return from_rows(rows)


SETS = ("", HELD_OUT)
FOLLOWED = (
    *("pass1", "pass16", "sequence_entropy", "entropy_low", "entropy_high"),
    *("token_entropy", "length", "open_mass"),
)


def _facts(config: StudyConfig, done: Done) -> dict[str, Any]:
    """Return what a training run was, as columns."""
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
        "seed": cell.seed,
    }


def _steps(config: StudyConfig, done: Done) -> Iterator[dict[str, Any]]:
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
    return NAN if value is None else float(value)


def _arm(run: StudyRun) -> str:
    """Return the probe's arm that is the run's rule."""
    return f"{run.estimator}-{run.options['k']}" if "k" in run.options else run.estimator


def _work(
    config: StudyConfig, out: Path, workers: int, told: Callable[[str, int, int], None], how: How
) -> Iterator[Done]:
    from joblib import Parallel, delayed, parallel_config

    listed = cells(config)
    with parallel_config(backend="loky", n_jobs=workers, inner_max_num_threads=1):
        outcomes = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs")(
            delayed(_attempt)(cell, config, out, how) for cell in listed
        )
    found, failed = {}, []
    for count, (cell, done, error) in enumerate(outcomes, start=1):
        found[cell.name] = done
        failed += [f"{cell.name}: {error}"] if error else []
        told(f"{cell.name} FAILED: {error}" if error else cell.name, count, len(listed))
    if failed:
        raise StudyError("; ".join(failed))
    for cell in listed:  # in a fixed order, whoever was first
        done = found[cell.name]
        if done is not None:
            yield done


def _attempt(cell: Cell, config: StudyConfig, out: Path, how: How) -> tuple[Cell, Done | None, str]:
    try:
        return cell, work(cell, config, out, how), ""
    except Exception as error:  # one cell's failure must not take the others away
        return cell, None, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def parts_of(done: Sequence[Done]) -> dict[str, Any]:
    """Return the run ids behind each cell, and the code that made its training run."""
    return {
        one.cell.name: {
            "train": one.trained.name if one.trained else None,
            "code": code_of(one.trained) if one.trained else None,
            "follow": one.followed.name if one.followed else None,
            "probe": [probed.folder.name for probed in one.probes],
        }
        for one in done
    }
