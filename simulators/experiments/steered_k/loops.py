"""Run the loop that steers K, and read from its entropy and its levels whether it holds and whether it oscillates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from qae_theory.arrays import Array
from simulators.engine import State, initial_state, update_once
from simulators.tabular.policy import node_entropies, policy
from simulators.update import Update
from simulators.worlds import World, random_bandits


class Run(NamedTuple):
    """Hold entropies ``[T + 1, S]`` in nats per response, the levels K ``[T, S]`` of the updates, and success."""

    entropies: Array
    levels: Array
    success_gain: Array


def run(
    world: World, updates: Sequence[Update], children: Sequence[np.random.SeedSequence], *, fixed: Sequence[float] = ()
) -> Run:
    """Return a run on bandits, whose update may change from step to step.

    Args:
        world: the bandits.
        updates: one for each step.
        children: one seed sequence for each of S seeds.
        fixed: the level of each update, where the rule does not remember it.
    """
    rngs = [np.random.default_rng(child) for child in children]
    start = random_bandits(world, rngs)
    state = initial_state(start.logits, start.env)
    entropies, levels = [mean_entropy(state)], []
    first = success(state, start.env.arm_rewards)
    for i, update in enumerate(updates):
        state = update_once(state, start.env, update, rngs).after
        entropies.append(mean_entropy(state))
        remembered = (state.memory or {}).get("k")
        levels.append(np.full(len(rngs), fixed[i]) if remembered is None else remembered)
    return Run(np.array(entropies), np.array(levels), success(state, start.env.arm_rewards) - first)


def mean_entropy(state: State) -> Array:
    """Return the mean entropy of the queries' policies, ``[S]`` in nats."""
    return np.asarray(node_entropies(policy(state.logits)).mean(axis=(-2, -1)))


def success(state: State, arm_rewards: Array) -> Array:
    """Return the mean success of the queries, ``[S]``."""
    return np.asarray((policy(state.logits).probs[..., 0, :] * arm_rewards).sum(axis=-1).mean(axis=-1))


def held(found: Run, *, band: float, window: tuple[int, int], bounds: tuple[float, float]) -> dict[str, Array]:
    """Return how well a run held the entropy that it started from, ``[S]`` each.

    Args:
        found: the run.
        band: half the width of the band round the starting entropy, in nats.
        window: first and last update that count.
        bounds: of K.

    Returns:
        ``in_band``, the share of the window's updates in the band; ``in_band_free``, the same among updates with K
        inside its bounds, NaN where there is none; ``distance``, the mean distance in nats; ``drift``, entropy at the
        window's end less the start; ``at_bound``, the share of the window with K at a bound.
    """
    first, last = window
    error = found.entropies[first : last + 1] - found.entropies[0]
    levels = found.levels[first : last + 1]
    low, high = bounds
    near, bound = np.abs(error) <= band, (levels <= low) | (levels >= high)
    free = (~bound).sum(axis=0)
    near_and_free = (near & ~bound).sum(axis=0)
    return {
        "in_band": near.mean(axis=0),
        "in_band_free": np.divide(near_and_free, free, out=np.full(len(free), np.nan), where=free > 0),
        "distance": np.abs(error).mean(axis=0),
        "drift": error[-1],
        "at_bound": bound.mean(axis=0),
        "success_gain": found.success_gain,
    }


def response(entropies: Array, levels: Array, settle: int) -> Array:
    r"""Return how far one update moves entropy per unit of K, for a K that goes up and down as a square wave, ``[S]``.

    g is the mean change per update at the upper level less that at the lower one, over the distance of the levels. It
    is measured at a frequency because Adam remembers: a K that is held moves entropy further than one that alternates.

    Args:
        entropies: ``[T + 1, S]``.
        levels: ``[T]``, of two values.
        settle: updates at the beginning that are left out.
    """
    change = np.diff(entropies, axis=0)[settle:]
    upper = levels[settle:] == levels.max()
    return np.asarray((change[upper].mean(axis=0) - change[~upper].mean(axis=0)) / np.ptp(levels))


def amplitudes(levels: Array, period: int) -> Array:
    """Return half the range of K in each whole period of a run, without the straight line through it, ``[P, S]``.

    Args:
        levels: ``[T, S]``.
        period: in updates.
    """
    found = []
    for begin in range(0, len(levels) - period + 1, period):
        part = levels[begin : begin + period]
        x = np.arange(period) - (period - 1) / 2
        slope = (x[:, None] * part).sum(axis=0) / (x**2).sum()
        found.append(np.ptp(part - slope * x[:, None], axis=0) / 2)
    return np.array(found)


def oscillates(of_periods: Array, *, wide: float) -> Array:
    """Return whether K still swings widely in the last two periods, ``[S]`` of bool.

    A stable loop has come to rest by then, up to what sampling noise and the steps of the gate, 1/G in K, leave.

    Args:
        of_periods: amplitudes ``[P, S]``, P >= 2.
        wide: the smallest mean amplitude that counts as a swing.
    """
    return np.asarray(of_periods[-2:].mean(axis=0) >= wide)


def update_at(base: Mapping[str, Any], k: float) -> Update:
    """Return QAE's update at a fixed level."""
    return Update(**base, method="qae", options={"k": f"{k:.6g}"})


def steered_update(base: Mapping[str, Any], options: Mapping[str, Any]) -> Update:
    """Return the update of the loop with these options."""
    return Update(**base, method="qae_steered", options=dict(options))
