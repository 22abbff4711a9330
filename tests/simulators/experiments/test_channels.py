"""`channels`: runs end to end, finds a planted split, does not find one that is not there."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from qae_theory.arrays import Array
from simulators.experiments.base import Record
from simulators.experiments.channels.analysis import analyse, lattice, statements
from simulators.experiments.channels.cells import (
    EXPERIMENT,
    ChannelsConfig,
    channels,
    entropy_at_common_gain,
    idle_channels,
)
from simulators.experiments.channels.shapley import subsets
from simulators.settings import make_config, shipped_config

TINY: dict[str, Any] = {"seeds": 2, "steps": 2, "world": {"queries": 2, "arms": 3}, "group_size": 3, "epochs": 2}
NAMES = ("coupling", "noise", "optimiser", "norm_clip")


def records(config: ChannelsConfig, seed: int = 0) -> list[Record]:
    return [
        record
        for cell in EXPERIMENT.cells(config)
        for record in EXPERIMENT.run_cell(cell.settings, np.random.SeedSequence([seed, cell.stream]))
    ]


def planted(effects: dict[str, float], seeds: int = 12) -> list[Record]:
    """Gaps of an additive game with these effects; each seed has its own noise on every channel."""
    noise = np.random.default_rng(1).normal(0, 0.1, (seeds, len(NAMES)))
    rows = []
    for on in subsets(NAMES):
        for s in range(seeds):
            gap = sum(effects.get(name, 0.0) + noise[s, NAMES.index(name)] for name in on)
            rows.append({"on": " + ".join(on), "seed": s, "gap": gap, "gap_progress": 0.5 * gap, "success_gap": 0.0})
    return rows


def test_runs_end_to_end_and_only_the_seed_matters() -> None:
    config = ChannelsConfig(**TINY)
    found = records(config)
    assert len(EXPERIMENT.cells(config)) == 2**8
    assert found == records(config)
    assert found != records(config, seed=1)
    analysis = EXPERIMENT.analyse(config, json.loads(json.dumps(found)))
    json.dumps(analysis, allow_nan=False)
    assert analysis["gap"]["largest_gap_all_off"] < 1e-9
    assert analysis["idle"] == ["weighting"]
    listed = statements(analysis)
    assert [s.found for s in listed[:2]] == [True, True]  # nothing left with all off; no part of weighting
    assert not any(s.control_found for s in listed)


def test_a_rule_against_itself_has_no_gap_anywhere() -> None:
    config = ChannelsConfig(**{**TINY, "rules": ("psr", "psr")})
    found = records(config)
    assert {row["gap"] for row in found} == {0.0}
    assert idle_channels(config) == channels(config)
    assert [s.says for s in statements(EXPERIMENT.analyse(config, found))] == [
        "with every channel off the two rules train alike"
    ]


@pytest.mark.parametrize(
    ("rules", "more", "less"),
    [
        (("high_entropy", "grpo"), "tokens", None),
        (("psr", "nsr"), None, "rewards"),
        (("a_grae", "qae"), None, "tokens"),
    ],
)
def test_a_pair_has_the_channels_that_it_can_differ_in(
    rules: tuple[str, str], more: str | None, less: str | None
) -> None:
    names = channels(ChannelsConfig(**{**TINY, "rules": rules}))
    assert more is None or more in names
    assert less not in names


@pytest.mark.parametrize("rules", [("high_entropy", "grpo"), ("a_grae", "qae")])
def test_rules_without_a_closed_form_run_too(rules: tuple[str, str]) -> None:
    config = ChannelsConfig(**{**TINY, "rules": rules, "replicas": 2})
    for cell in EXPERIMENT.cells(config)[:: len(channels(config)) + 3]:
        assert len(EXPERIMENT.run_cell(cell.settings, np.random.SeedSequence(0))) == 2


def test_finds_a_planted_part_and_no_other() -> None:
    config = ChannelsConfig(**TINY)
    # Error rate 1 % over all channels and readings; a part of ten standard errors is missed once in 10^6.
    found = analyse(config, planted({"noise": 1.0, "norm_clip": -1.0}), NAMES, ())
    by_name = {s.says.split(":")[0]: s for s in statements(found)[1:]}
    assert {name for name, s in by_name.items() if s.found} == {"noise", "optimiser or norm_clip"}
    assert not any(s.control_found for s in by_name.values())
    assert found["gap"]["by_channel"]["noise"]["shapley"]["found"]
    assert found["gap"]["by_channel"]["norm_clip"]["last"]["estimate"] < 0
    assert not any(pair["found"] for pair in found["gap"]["interactions"].values())


def test_an_idle_channel_must_have_no_part() -> None:
    config = ChannelsConfig(**TINY)
    said = {s.says.split(":")[0]: s for s in statements(analyse(config, planted({}), NAMES, ("coupling",)))}
    assert not said["coupling"].found  # the noise planted on every channel is more than rounding


def test_shows_an_interaction() -> None:
    rows = planted({})
    for row in rows:
        row["gap"] += 1.0 * ("coupling" in row["on"] and "noise" in row["on"])
    found = analyse(ChannelsConfig(**TINY), rows, NAMES, ())["gap"]["interactions"]
    assert [pair for pair, figure in found.items() if figure["found"]] == ["coupling x noise"]
    assert found["coupling x noise"]["estimate"] == pytest.approx(1.0)


def test_refuses_a_lattice_with_holes_or_doubles() -> None:
    rows = planted({})
    for spoilt in (rows[:-1], [*rows, rows[0]], []):
        with pytest.raises(ValueError, match="records must be one for each of 16 subsets"):
            lattice(spoilt, NAMES, "gap")


def test_progress_is_that_of_the_slower_run() -> None:
    def curve(*values: float) -> Array:
        return np.array([values])

    # Common gain .1: A has it half way through its first update, at entropy 1.5; B at its end, at 1.8.
    gap = entropy_at_common_gain(
        success_a=curve(0.2, 0.4, 0.5),
        entropy_a=curve(2, 1, 0),
        success_b=curve(0.2, 0.25, 0.3),
        entropy_b=curve(2, 1.9, 1.8),
    )
    assert gap == pytest.approx([1.5 - 1.8])


@pytest.mark.parametrize("quick", [True, False])
def test_shipped_sizes_are_read(quick: bool) -> None:
    config = shipped_config(EXPERIMENT, quick=quick)
    assert isinstance(config, ChannelsConfig)
    assert len(EXPERIMENT.cells(config)) == 256


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rules": ["qae", "nosuch"]}, "rules.1: .*nosuch"),
        ({"options": [{"k": "1.5"}, {}]}, "k must be"),
        ({"options": [{"nosuch": 1}, {}]}, "nosuch must be left out"),
        ({"epochs": 1}, "epochs"),
        ({"group_size": 1}, "group_size"),
        ({"lengths": [0, 2]}, "lengths.0"),
        ({"lengths": []}, "lengths"),
    ],
)
def test_refuses_bad_settings_in_one_line(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        make_config(EXPERIMENT, [TINY, change])
    assert "\n" not in str(error.value)
