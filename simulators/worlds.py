"""Draw random starting points: how hard the queries are, and policies with exactly that success probability."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from qae_theory import checks
from qae_theory.arrays import Array
from qae_theory.runs.settings import Strict
from qae_theory.softmax import log_softmax
from simulators.environments import Environment, bandit
from simulators.tabular.groups import Generators

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Probability = Annotated[float, Field(gt=0, lt=1)]


class Difficulty(Strict):
    """Distribution of a query's initial success probability.

    ``kind`` is one of four. ``uniform`` is uniform on (low, high). ``beta`` has parameters a and b. ``bimodal`` is
    ``low`` with probability ``share`` and ``high`` otherwise. ``histogram`` names a JSON ``file`` with ``edges`` [B +
    1] in [0, 1] and ``weights`` [B], and is uniform within a bin. Draws are kept within [floor, 1 - floor], since log p
    and log(1 - p) must be finite.
    """

    kind: Literal["uniform", "beta", "bimodal", "histogram"] = "uniform"
    low: Annotated[float, Field(ge=0, le=1)] = 0.0
    high: Annotated[float, Field(ge=0, le=1)] = 1.0
    a: Positive = 1.0
    b: Positive = 1.0
    share: Probability = 0.5
    file: str | None = None
    floor: Annotated[float, Field(gt=0, lt=0.5)] = 1e-3

    @model_validator(mode="after")
    def _complete(self) -> Difficulty:
        """Refuse bounds in the wrong order, and a histogram's file that is missing, unreadable or not asked for."""
        if self.low >= self.high:
            raise ValueError(f"low must be below high; got {self.low} and {self.high}")
        if (self.kind == "histogram") != (self.file is not None):
            raise ValueError("file must be given for kind 'histogram', and for no other")
        if self.file is not None:
            read_histogram(Path(self.file))
        return self


class World(Strict):
    """Describe a family of bandits: ``queries`` queries with ``arms`` arms, about ``correct_share`` of them correct.

    ``spread`` is the standard deviation of the logits among the correct arms and among the wrong arms.
    """

    queries: int = Field(default=64, ge=1)
    arms: int = Field(default=16, ge=2)
    correct_share: Probability = 0.25
    spread: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    difficulty: Difficulty = Difficulty()


class Start(NamedTuple):
    """Hold an environment and the logits ``[S, Q, n]`` that training starts from."""

    env: Environment
    logits: Array


def random_bandits(world: World, rngs: Generators) -> Start:
    """Return one draw of the family for each seed, from that seed's generator alone.

    Args:
        world: the family.
        rngs: S generators.

    Returns:
        The environment of all seeds, and logits ``[S, Q, n]``.
    """
    rewards, logits = zip(*(_random_bandit(world, rng) for rng in rngs), strict=True)
    return Start(bandit(np.stack(rewards)), np.stack(logits))


def success_probs(difficulty: Difficulty, count: int, rng: np.random.Generator) -> Array:
    """Return initial success probabilities drawn from a distribution of difficulty.

    Args:
        difficulty: the distribution.
        count: number of draws.
        rng: the generator that they come from.

    Returns:
        ``[count]``, within [floor, 1 - floor].
    """
    if difficulty.kind == "uniform":
        draws = rng.uniform(difficulty.low, difficulty.high, count)
    elif difficulty.kind == "beta":
        draws = rng.beta(difficulty.a, difficulty.b, count)
    elif difficulty.kind == "bimodal":
        draws = np.where(rng.random(count) < difficulty.share, difficulty.low, difficulty.high)
    else:
        edges, weights = read_histogram(Path(str(difficulty.file)))
        chosen_bin = rng.choice(len(weights), count, p=weights)
        draws = edges[chosen_bin] + rng.random(count) * (edges[chosen_bin + 1] - edges[chosen_bin])
    return np.clip(draws, difficulty.floor, 1 - difficulty.floor)


def read_histogram(path: Path) -> tuple[Array, Array]:
    """Return an empirical histogram of difficulty, read from a JSON file.

    Args:
        path: a file with ``edges`` and ``weights``.

    Returns:
        Edges ``[B + 1]`` in [0, 1], ascending, and weights ``[B]``, which sum to 1.

    Raises:
        ValueError: the file cannot be read, or is no such histogram; the message names ``file``.
    """
    allowed = "a JSON file with increasing 'edges' in [0, 1] and one non-negative weight a bin in 'weights'"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        edges = np.asarray(content["edges"], dtype=np.float64)
        weights = np.asarray(content["weights"], dtype=np.float64)
    except (OSError, ValueError, KeyError, TypeError):
        checks.refuse("file", str(path), allowed)
    fits = edges.ndim == weights.ndim == 1 and len(edges) == len(weights) + 1 and len(weights) >= 1
    if not fits or not np.all(np.diff(edges) > 0) or edges[0] < 0 or edges[-1] > 1:
        checks.refuse("file", str(path), allowed)
    if not np.all(np.isfinite(weights) & (weights >= 0)) or weights.sum() <= 0:
        checks.refuse("file", str(path), allowed)
    return edges, weights / weights.sum()


def _random_bandit(world: World, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return rewards and logits ``[Q, n]`` of random queries, each with the success probability drawn for it."""
    p = success_probs(world.difficulty, world.queries, rng)[:, None]
    shape = (world.queries, world.arms)
    # Every query has at least one correct and one wrong arm, so that no success probability is fixed at 0 or 1.
    count = np.clip(rng.binomial(world.arms, world.correct_share, world.queries), 1, world.arms - 1)
    correct = np.argsort(rng.random(shape), axis=-1) < count[:, None]
    noise = world.spread * rng.standard_normal(shape)
    # A softmax over each kind of arm by itself, with the other kind at probability 0: -1e300 underflows to it.
    within_correct = log_softmax(np.where(correct, noise, -1e300))
    within_wrong = log_softmax(np.where(correct, -1e300, noise))
    # log p + log(share among correct arms): the correct arms then sum to p.
    logits = np.where(correct, np.log(p) + within_correct, np.log1p(-p) + within_wrong)
    return correct.astype(np.float64), logits
