"""Runs of ``simulators`` in which exactly one thing is wrong, and how often each check finds it. No test is here.

``python -m tests.llm_validation.audit.planted 200`` prints the table of ``docs/audit.md``: hits in the planted world
and false alarms in the healthy one, over so many seeds. What is planted, the thresholds and the error rates were fixed
before the table was first made.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from llm_validation.audit.checks.registry import run_checks
from llm_validation.audit.checks.steps.onset import change_of
from llm_validation.audit.model.chunk import Chunk
from llm_validation.audit.model.entries import columns as step_columns
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.series import Steps
from llm_validation.audit.model.settings import AuditSettings
from llm_validation.audit.model.table import make_table
from qae_theory import advantages
from simulators import Update, World, initial_state, random_bandits, train
from simulators.measures import state_measures
from simulators.worlds import Difficulty
from tests import ROOT

Array = np.ndarray[Any, np.dtype[Any]]

STEPS, QUERIES, SIZE = 40, 16, 8
HEALTHY = Difficulty(kind="beta", a=2.0, b=2.0)
MIXED_SETTINGS = {"estimator": "grpo", "updates_per_batch": 4, "entropy_coefficient": 0.0, "max_tokens": 1000}
ONSET = (15, 30)  # steps among which a change is planted
SLOW, FAST = 0.1, 0.3  # step sizes; at the larger one the entropy falls to half as the bandits are learnt
SHARP = 4.0  # standard deviation of the logits of a policy with little entropy


@dataclass(frozen=True)
class Run:
    """One run as arrays: ``[T, Q, G]`` for responses, ``[T]`` for series."""

    correct: Array
    reward: Array
    advantage: Array
    tokens: Array
    truncated: Array
    gap: Array
    """Distance of the sampler's log-probabilities from the trainer's, nats a token."""
    entropy: Array
    settings: Mapping[str, Any]
    components: Mapping[str, Array] = field(default_factory=dict)
    one_group_each: bool = False
    onset: int | None = None

    def log(self) -> Log:
        """Return what the logs of the run would say."""
        steps, queries, size = self.reward.shape
        rows = self.reward.size
        group = np.repeat(np.arange(steps * queries), size)
        tokens, gap = self.tokens.ravel().astype(float), self.gap.ravel()
        columns = {
            "correct": self.correct.ravel(),
            "advantage": self.advantage.ravel(),
            "tokens": tokens,
            "truncated": self.truncated.ravel().astype(float),
            "logp_distance": np.abs(gap) * tokens,
            "ratio_sum": np.exp(gap) * tokens,
            "ratio_squares": np.exp(2 * gap) * tokens,
            "ratio_outside": (np.abs(np.expm1(gap)) > 0.2) * tokens,
        }
        chunk = Chunk(
            ROOT, "id",
            np.repeat(np.arange(1, steps + 1), queries * size),
            self.reward.ravel(),
            key=(np.arange(rows) if self.one_group_each else group).astype(np.uint64),
            columns=columns,
            components={name: column.ravel() for name, column in self.components.items()},
        )  # fmt: skip
        settings = AuditSettings.model_validate(dict(self.settings))
        means = {step + 1: {"entropy": float(value)} for step, value in enumerate(self.entropy)}
        for step in range(steps):
            means[step + 1]["completions/mean_length"] = float(self.tokens[step].mean())
            means[step + 1]["success_rate"] = float(self.correct[step].mean())
        return Log([make_table("planted", [chunk], settings).responses], Steps(*step_columns(means)), settings)


@cache
def simulated(
    seeds: int, difficulty: Difficulty = HEALTHY, switch: str | None = None, step_size: float = SLOW
) -> list[Run]:
    """Return the runs of bandits trained by GRPO; ``switch`` is what they change to at a step of their own.

    From then on every step sharpens the policy's logits by a third (``collapse``), or flattens them by as much
    (``explosion``), beside what GRPO does.
    """
    rngs = [np.random.default_rng(np.random.SeedSequence(12, spawn_key=(seed,))) for seed in range(seeds)]
    spread = SHARP if switch == "explosion" else 1.0  # a policy near the uniform one cannot gain half as much again
    start = random_bandits(World(queries=QUERIES, arms=16, difficulty=difficulty, spread=spread), rngs)
    onsets = np.array([int(rng.integers(*ONSET)) for rng in rngs])
    plain = Update(method="grpo", group_size=SIZE, step_size=step_size)
    state, found = initial_state(start.logits, start.env), []
    for number in range(1, STEPS + 1):
        step = next(iter(train(state, start.env, plain, 1, rngs)))
        found.append((step, state_measures(step, start.env)["token_entropy"]))
        state = step.after
        if switch is not None:
            logits = state.logits.copy()
            for seed in np.flatnonzero(onsets <= number):
                logits[seed] = logits[seed] * (1.35 if switch == "collapse" else 0.7)
            state = state._replace(logits=logits, behaviour=logits)
    correct = np.stack([step.rollouts.correct for step, _ in found], axis=1)
    entropy = np.stack([value for _, value in found], axis=1)
    return [_run(correct[seed], entropy[seed], rngs[seed], onsets[seed] if switch else None) for seed in range(seeds)]


def _run(correct: Array, entropy: Array, rng: np.random.Generator, onset: int | None) -> Run:
    tokens = rng.integers(300, 700, correct.shape)
    advantage = advantages(correct, "grpo").astype(np.float32).astype(np.float64)
    noise = np.exp(rng.normal(0, 0.03, len(entropy)))
    return Run(
        correct, correct, advantage, tokens, np.zeros(correct.shape, dtype=bool),
        rng.normal(0, 3e-3, correct.shape), entropy * noise, MIXED_SETTINGS, onset=onset,
    )  # fmt: skip


# What is planted, by the finding that it is to give.


def _with_reward(run: Run, reward: Array, name: str = "grpo", **options: Any) -> Run:
    made = advantages(reward, name, **options).astype(np.float32).astype(np.float64)
    return replace(run, reward=reward, advantage=made)


def _named(run: Run, name: str, **options: Any) -> Run:
    configured = {**run.settings, "estimator": name, **{k: str(v) for k, v in options.items() if k == "k"}}
    return replace(_with_reward(run, run.reward, name, **options), settings=configured)


def _with_settings(run: Run, **settings: Any) -> Run:
    return replace(run, settings={**run.settings, **settings})


def _rng(run: Run) -> np.random.Generator:
    return np.random.default_rng(int(run.tokens.sum()))


def phantom_gradient(run: Run) -> Run:
    """A tenth of the responses gets an overlong penalty of up to one half."""
    rng = _rng(run)
    penalty = np.where(rng.random(run.reward.shape) < 0.1, rng.uniform(0.1, 0.5, run.reward.shape), 0)
    return _with_reward(run, run.correct - penalty)


def phantom_advantage(run: Run) -> Run:
    """Rewards of 0.7, 1.7 and float32 arithmetic that divides by a small standard deviation, as verl's."""
    reward = np.float32(0.7) + run.correct.astype(np.float32)
    mean = reward.cumsum(axis=-1, dtype=np.float32)[..., -1:] / np.float32(SIZE)
    centred = reward - mean
    std = np.sqrt((centred**2).sum(axis=-1, keepdims=True, dtype=np.float32) / np.float32(SIZE - 1))
    made = (centred / (std + np.float32(1e-6))).astype(np.float64)
    return replace(run, reward=reward.astype(np.float64), advantage=made)


def truncation_mass(run: Run) -> Run:
    """A third of the wrong responses was cut off."""
    return replace(run, truncated=(run.correct == 0) & (_rng(run).random(run.correct.shape) < 0.33))


def dead_component(run: Run) -> Run:
    """A second reward function that gives each group one number, and so nothing to tell."""
    per_group = np.broadcast_to(_rng(run).random((*run.correct.shape[:2], 1)), run.correct.shape)
    return replace(run, components={"accuracy": run.correct, "format": per_group})


def other_rule(run: Run) -> Run:
    """The run is configured as GRPO and QAE's advantages are used."""
    return replace(_with_reward(run, run.reward, "qae"), settings=run.settings)


Plant = Callable[[Run], Run]
PLANTED: Mapping[str, tuple[Difficulty, str | None, Plant]] = {
    "phantom-gradient": (HEALTHY, None, phantom_gradient),
    "phantom-advantage": (HEALTHY, None, phantom_advantage),
    "gate-leak": (HEALTHY, None, lambda run: _named(run, "qae_linear", k="0.4")),
    "groups-of-one": (HEALTHY, None, lambda run: replace(run, one_group_each=True)),
    "advantage-equals-reward": (HEALTHY, None, lambda run: replace(run, advantage=run.reward)),
    "estimator-mismatch": (HEALTHY, None, other_rule),
    "uniform-groups": (Difficulty(kind="bimodal", low=0.01, high=0.99), None, lambda run: run),
    "data-too-hard": (Difficulty(kind="beta", a=0.3, b=6.0), None, lambda run: run),
    "data-too-easy": (Difficulty(kind="beta", a=6.0, b=0.3), None, lambda run: run),
    "clip-inert": (HEALTHY, None, lambda run: _with_settings(run, updates_per_batch=1)),
    "entropy-bonus-on": (
        HEALTHY,
        None,
        lambda run: replace(run, settings={**run.settings, "entropy_coefficient": 0.01}),
    ),
    "truncation-mass": (HEALTHY, None, truncation_mass),
    "logp-mismatch": (HEALTHY, None, lambda run: replace(run, gap=run.gap * 30)),
    "single-sign-mass": (Difficulty(kind="beta", a=10.0, b=90.0), None, lambda run: _named(run, "qae", k="0.4")),
    "reward-component-dead": (HEALTHY, None, dead_component),
    "onset-collapse": (HEALTHY, "collapse", lambda run: run),
    "onset-explosion": (HEALTHY, "explosion", lambda run: run),
}
# What the planted thing brings with it by nature, besides the finding that bears its name.
COMPANIONS: Mapping[str, frozenset[str]] = {
    "groups-of-one": frozenset({"single-sign-mass"}),
    "advantage-equals-reward": frozenset({"estimator-mismatch", "single-sign-mass", "phantom-advantage"}),
    "data-too-hard": frozenset({"uniform-groups"}),
    "data-too-easy": frozenset({"uniform-groups"}),
    "gate-leak": frozenset(),
}


def found_in(run: Run) -> set[str]:
    """Return the ids of all findings in a run."""
    return {finding.id for finding in run_checks(run.log())[0]}


@dataclass(frozen=True)
class Score:
    """Hits among the planted runs, false alarms among the healthy ones, and other findings among the planted ones."""

    finding: str
    hits: int
    false_alarms: int
    others: Mapping[str, int]
    seeds: int


def scores(seeds: int, names: Sequence[str] = tuple(PLANTED)) -> list[Score]:
    """Return the score of every check over so many seeds."""
    healthy = [found_in(run) for run in simulated(seeds)]
    rows = []
    for name in names:
        difficulty, switch, plant = PLANTED[name]
        found = [found_in(plant(run)) for run in simulated(seeds, difficulty, switch)]
        expected = {name} | COMPANIONS.get(name, frozenset())
        others: dict[str, int] = {}
        for one in found:
            for extra in one - expected:
                others[extra] = others.get(extra, 0) + 1
        rows.append(Score(name, sum(name in one for one in found), sum(name in one for one in healthy), others, seeds))
    return rows


@dataclass(frozen=True)
class Onset:
    """How an onset is found: by the changepoint, and by a threshold on the entropy alone."""

    switch: str
    hits: int
    median_error: float
    false_alarms: int
    drifting_false_alarms: int
    """In runs whose entropy falls smoothly to half as they learn."""
    threshold_hits: int
    threshold_median_error: float
    threshold_false_alarms: int
    threshold_drifting_false_alarms: int
    seeds: int


def by_threshold(run: Run, switch: str) -> int | None:
    """Return the first step at which the entropy is half, or one and a half, of its mean over the first five."""
    level = run.entropy[:5].mean()
    off = run.entropy < 0.5 * level if switch == "collapse" else run.entropy > 1.5 * level
    return int(np.argmax(off)) + 1 if off.any() else None


def onsets(seeds: int) -> list[Onset]:
    """Return how exactly onsets are found, with the plain threshold beside it."""
    rows = []
    for switch in ("collapse", "explosion"):
        name = f"onset-{switch}"
        runs, healthy = simulated(seeds, HEALTHY, switch), simulated(seeds)
        drifting = simulated(seeds, HEALTHY, None, FAST)
        errors, plain = [], []
        for run in runs:
            assert run.onset is not None
            change = change_of(run.log())
            if change is not None and name in found_in(run):
                errors.append(abs(change.onset - (run.onset + 1)))
            step = by_threshold(run, switch)
            if step is not None:
                plain.append(abs(step - (run.onset + 1)))
        rows.append(
            Onset(
                switch,
                len(errors),
                float(np.median(errors)) if errors else float("nan"),
                sum(name in found_in(run) for run in healthy),
                sum(name in found_in(run) for run in drifting),
                len(plain),
                float(np.median(plain)) if plain else float("nan"),
                sum(by_threshold(run, switch) is not None for run in healthy),
                sum(by_threshold(run, switch) is not None for run in drifting),
                seeds,
            )
        )
    return rows


def main() -> None:
    """Print both tables as Markdown, or as JSON with ``--json``."""
    seeds = int(sys.argv[1])
    found, steps = scores(seeds), onsets(seeds)
    if "--json" in sys.argv:
        tables = {"scores": [vars(one) for one in found], "onsets": [vars(one) for one in steps]}
        print(json.dumps(tables, indent=1))
        return
    print(
        "| planted | found | false alarms in the healthy run | other findings in the planted run |\n|---|---|---|---|"
    )
    for one in found:
        others = ", ".join(f"{name} {count}" for name, count in sorted(one.others.items())) or "none"
        print(f"| `{one.finding}` | {one.hits} of {one.seeds} | {one.false_alarms} of {one.seeds} | {others} |")
    print("\n| | found by | found | median error, steps | false alarms, healthy | false alarms, drifting |")
    print("|---|---|---|---|---|---|")
    for row in steps:
        ours = (row.hits, row.median_error, row.false_alarms, row.drifting_false_alarms)
        plain = (
            row.threshold_hits,
            row.threshold_median_error,
            row.threshold_false_alarms,
            row.threshold_drifting_false_alarms,
        )
        for how, (hits, error, healthy, drifting) in (("changepoint", ours), ("threshold on entropy", plain)):
            print(f"| {row.switch} | {how} | {hits} of {row.seeds} | {error:g} | {healthy} | {drifting} |")


if __name__ == "__main__":
    main()
