"""The lines that the shipped presets and experiments make, and the catalogue's entries for them.

Lines are read off tables of a preset's shape, in which RL learns everywhere. ``python -m
tests.llm_validation.study.analysis.planned`` prints ``qae_theory/claims/catalogue/7_lines.toml``; a test holds the
catalogue against them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from llm_validation.common.tables import from_rows
from llm_validation.study.analysis.curve_lines import shape_lines
from llm_validation.study.analysis.step_lines import LADDER, ORDERING, SAYS
from llm_validation.study.bandit import bandit_probes
from llm_validation.study.settings import Preset, StudyConfig, StudyRun, StudyTask, shipped_config
from qae_theory.curves import families, sparsity
from qae_theory.curves.families import FAMILIES, Family
from simulators.experiments import get_experiment
from simulators.experiments.condition_lines import slug
from simulators.experiments.masks.cells import scales
from simulators.settings import changed_config
from tests.llm_validation.study.analysis.synthetic import Truth, _checkpoint, _point, _step

STEPS = 8
PRESETS: tuple[Preset, ...] = ("long", "pretrained")
TITLES = {
    "shape-entropy-rises-with-k": "Entropy rises with K",
    "shape-qae-holds-entropy": "QAE holds more entropy than GRPO",
    "shape-entropy-collapses": "Entropy collapses",
    "shape-entropy-explodes": "Entropy explodes",
    "shape-negative-samples-lead-growth": "Negative samples lead the growth of entropy",
    "shape-negative-samples-hold-more-entropy": "Negative samples hold more entropy",
    "shape-mask-ordering": "Which mask tracks QAE",
    "shape-sparsity-over-training": "Most advantages are zero throughout training",
    LADDER: "The identity's prediction goes with the measured change",
    ORDERING: "Proposition 4.2's order on real steps",
}
SOURCES = {
    "shape-entropy-rises-with-k": "arXiv 2509.22611, Fig. 9",
    "shape-qae-holds-entropy": "arXiv 2509.22611, Figs. 1, 10",
    "shape-entropy-collapses": "arXiv 2509.22611, Sec. 1",
    "shape-entropy-explodes": "arXiv 2509.22611, Fig. 1",
    "shape-negative-samples-lead-growth": "arXiv 2509.22611, Figs. 4a, 5b",
    "shape-negative-samples-hold-more-entropy": "arXiv 2509.22611, Figs. 4a, 5b",
    "shape-mask-ordering": "arXiv 2509.22611, Figs. 6b, c",
    "shape-sparsity-over-training": "arXiv 2509.22611, Fig. 5c",
    LADDER: "arXiv 2509.22611, Sec. 4.3",
    ORDERING: "arXiv 2509.22611, Prop. 4.2",
}


def planned_lines(preset: Preset) -> list[tuple[str, str, str]]:
    """Return claim, condition and what is said of each line that a preset makes, where RL learns everywhere."""
    config = shipped_config(preset)
    found = [(line.claim, line.condition, line.says) for line in shape_lines(shaped_tables(config)).lines]
    return found + list(_step_lines(config))


def shaped_tables(config: StudyConfig) -> dict[str, Any]:
    """Return tables ``runs`` and ``follow`` with every run of a study, and curves that were drawn."""
    rng = np.random.default_rng(0)
    runs: list[dict[str, Any]] = []
    follow: list[dict[str, Any]] = []
    for task in config.tasks:
        for run in config.runs_of(task):
            for seed in range(config.seeds_of(run)):
                for step in range(STEPS + 1):
                    done, known = step / STEPS, _facts(config, task, run, seed)
                    point = _point(Truth(noise=0.01), run.estimator, known["k"], known["clip_high"], done, rng)
                    if step:
                        row = _step(Truth(noise=0.01), run.estimator, done, step, STEPS, point, rng)
                        runs.append({**known, "step": step, **_without_signs(config, run, row)})
                    follow.append({**known, "step": step, **_checkpoint(point)})
    return {"runs": from_rows(runs), "follow": from_rows(follow)}


def _facts(config: StudyConfig, task: StudyTask, run: StudyRun, seed: int) -> dict[str, Any]:
    training = config.train_config(task, run, seed)
    return {
        "task": task.task,
        "substrate": task.name,
        "part": run.part,
        "run": run.name,
        "estimator": run.estimator,
        "k": float(run.options.get("k", "nan")),
        "clip_low": training.clip_low,
        "clip_high": training.clip_high,
        "optimiser": training.optimiser,
        "adam_eps": training.adam_eps,
        "learning_rate": training.learning_rate,
        "updates": training.inner_updates * training.inner_epochs,
        "loss": training.loss,
        "rounding": training.rounding,
        "looks": run.looks,
        "seed": seed,
    }


def _without_signs(config: StudyConfig, run: StudyRun, row: dict[str, float]) -> dict[str, float]:
    """Entropy by sign is measured of some parts only."""
    rule = f"{run.estimator}-{run.options['k']}" if "k" in run.options else run.estimator
    if run.part in config.signs and config.sign_at and (not config.sign_rules or rule in config.sign_rules):
        return row
    nan = float("nan")
    return {name: nan if name.startswith(("growth_", "entropy_")) else value for name, value in row.items()}


def _step_lines(config: StudyConfig) -> Iterator[tuple[str, str, str]]:
    sizes = sorted(one.size for one in config.settings if one.optimiser == "sgd" and one.size is not None)
    places = [task.name for task in config.tasks]
    if config.bandit_probes and sizes:
        assert len(bandit_probes(("mean",), sizes[:1], probes=1, seed=0)["arm"]) > 0
        places.append("bandit")
    for place in places:
        for size in sizes:
            for claim in (LADDER, ORDERING):
                yield claim, f"{place}/sgd-1update-size{size:g}", SAYS[claim]


def laboratory_lines() -> list[tuple[str, str, str]]:
    """Return claim, condition and what is said of each line that the laboratory's shipped experiments plan."""
    return [*_k_sweep(), *_sign_split(), *_masks(), *_sparsity()]


def _config(name: str) -> Any:
    return changed_config(get_experiment(name), [], quick=False)


def _laboratory(family: Family, condition: str) -> tuple[str, str, str]:
    return family.claim, f"bandit/{slug(condition)}", family.says


def _k_sweep() -> Iterator[tuple[str, str, str]]:
    for condition in _config("k-sweep").conditions:
        for reading in families.READINGS:
            yield _laboratory(families.RISES, f"{condition.name} {reading}")


def _sign_split() -> Iterator[tuple[str, str, str]]:
    config = _config("sign-split")
    for condition in config.conditions:
        for rule in config.rules:
            yield _laboratory(families.LEADS_GROWTH, f"{condition.name} {rule}")
            yield _laboratory(families.LEVEL_GAP, f"{condition.name} {rule} level")
            yield _laboratory(families.GROWTH_GAP, f"{condition.name} {rule} growth")


def _masks() -> Iterator[tuple[str, str, str]]:
    for condition in _config("masks").conditions:
        for scale in scales(condition):
            yield _laboratory(families.TRACKS, f"{condition.name} {scale} success")
            yield _laboratory(families.TRACKS_ENTROPY, f"{condition.name} {scale} entropy")
            yield _laboratory(families.LEADS, f"{condition.name} {scale} lead")


def _sparsity() -> Iterator[tuple[str, str, str]]:
    for named in _config("sparsity").difficulties:
        for reading in sparsity.READINGS.values():
            yield _laboratory(families.SPARSITY, f"{named.name} {reading}")


def entries(lines: Sequence[tuple[str, str, str]], needs: str) -> Iterator[str]:
    """Yield the catalogue's entries."""
    for claim, condition, says in dict.fromkeys(lines):
        yield "[[claim]]"
        yield f'id = "{claim}@{condition}"'
        yield f'title = "{TITLES[claim]}: {condition.replace("/", ", ")}"'
        yield f"statement = '''On {condition.partition('/')[0]}, under {condition.partition('/')[2]}: {says}.'''"
        yield f'source = "{SOURCES[claim]}"'
        yield f'needs = "{needs}"'
        yield 'reading = "stronger than stated"'
        yield f'family = "{claim}"'
        yield f'condition = "{condition}"'
        yield ""


def main() -> None:
    """Print the entries of all presets; the substrate of a line says which preset makes it."""
    listed = [line for preset in PRESETS for line in planned_lines(preset)]
    assert {line[0] for line in listed} <= {*(family.claim for family in FAMILIES.values()), LADDER, ORDERING}
    print('section = "Empirical claims by condition"\n')
    print("\n".join(entries(listed, "llm_validation")))
    print("\n".join(entries(laboratory_lines(), "simulators")).rstrip())


if __name__ == "__main__":
    main()
