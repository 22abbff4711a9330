"""`inner-epochs`: every rule runs, clips are counted by side and regime, planted effects are found and no others."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from simulators.engine import initial_state, update_once
from simulators.experiments.base import Record
from simulators.experiments.common.rules import COMPARED
from simulators.experiments.inner_epochs.analysis import analyse, statements
from simulators.experiments.inner_epochs.cells import EXPERIMENT, InnerEpochsConfig, clips_by_regime
from simulators.settings import make_config, shipped_config
from simulators.update import Update
from simulators.worlds import World, random_bandits

TINY: dict[str, Any] = {
    "seeds": 2,
    "steps": 2,
    "world": {"queries": 4, "arms": 4},
    "group_size": 4,
    "epochs": (1, 6),
    "clip_highs": (0.2, np.inf),
    "gains": (0.001,),
}
TOTALS = ("low_in_hard", "low_in_easy", "high_in_hard", "high_in_easy")


def records(config: InnerEpochsConfig, seed: int = 0) -> list[Record]:
    return [
        record
        for cell in EXPERIMENT.cells(config)
        for record in EXPERIMENT.run_cell(json.loads(json.dumps(cell.settings)), np.random.SeedSequence([seed, 0]))
    ]


def planted(config: InnerEpochsConfig, raised: float, clips: dict[str, int]) -> list[Record]:
    """Every rule's entropy is this much higher without clip-high; noise .01 a run."""
    rng = np.random.default_rng(3)
    return [
        {
            "method": method,
            "epochs": epochs,
            "clip_high": str(clip),
            "seed": s,
            **dict.fromkeys(("entropy_change", "entropy_change_at_0.001"), raised * (clip > 1) + rng.normal(0, 0.01)),
            "success_gain": 0.1,
            "clip_low_fraction": 0.0,
            "clip_high_fraction": 0.0,
            "bound_violations": 0.0,
            "rows": 8.0,
            **(dict.fromkeys(TOTALS, 0) | clips if method == "qae" else dict.fromkeys(TOTALS, 5)),
        }
        for method in config.methods
        for epochs in config.epochs
        for clip in config.clip_highs
        for s in range(12)
    ]


def test_every_rule_runs_and_only_the_seed_matters() -> None:
    config = InnerEpochsConfig(**TINY)
    assert config.methods == COMPARED
    found = records(config)
    assert len(found) == len(COMPARED) * 2 * 2 * 2
    assert found == records(config)
    assert found != records(config, seed=1)
    analysis = EXPERIMENT.analyse(config, json.loads(json.dumps(found)))
    json.dumps(analysis, allow_nan=False)
    assert analysis["bounds"]["one pass"]["bound_violations"] == 0
    # seeds x updates x queries of the runs of every rule and clip-high
    assert analysis["bounds"]["one pass"]["rows"] == len(COMPARED) * 2 * 2 * 2 * 4


def test_one_pass_never_clips_and_many_do() -> None:
    rows = records(InnerEpochsConfig(**{**TINY, "methods": ("qae", "grpo"), "step_size": 3.0}))
    clipped = {epochs: sum(row[t] for row in rows for t in TOTALS if row["epochs"] == epochs) for epochs in (1, 6)}
    assert clipped[1] == 0
    assert clipped[6] > 0
    unbounded = [row for row in rows if row["clip_high"] == "inf"]
    assert sum(row["high_in_hard"] + row["high_in_easy"] for row in unbounded) == 0


def test_clips_are_counted_by_the_rule_s_own_k() -> None:
    rngs = [np.random.default_rng(s) for s in np.random.SeedSequence(4).spawn(2)]
    bandits = random_bandits(World(queries=64, arms=4), rngs)

    def counts(method: str, **options: str) -> dict[str, int]:
        update = Update(method=method, options=options, group_size=5, epochs=8, step_size=2.0)
        fresh = [np.random.default_rng(s) for s in np.random.SeedSequence(5).spawn(2)]
        step = update_once(initial_state(bandits.logits, bandits.env), bandits.env, update, fresh)
        found = {name: int(count.sum()) for name, count in clips_by_regime(step, update).items()}
        everywhere = sum(int(p.clipped_low.sum() + p.clipped_high.sum()) for p in step.passes)
        assert sum(found.values()) == everywhere
        return found

    for k in ("0.3", "0.4", "0.7"):  # claim `clip-sides`, at every level
        found = counts("qae", k=k)
        assert found["low_in_hard"] == found["high_in_easy"] == 0
        assert found["low_in_easy"] > 0 < found["high_in_hard"]
    assert all(count > 0 for count in counts("grpo").values())


def test_finds_a_planted_effect_of_clip_high_and_one_sided_clips() -> None:
    config = InnerEpochsConfig(**{**TINY, "methods": ("qae", "grpo")})
    found = analyse(config, planted(config, 0.2, {"high_in_hard": 3, "low_in_easy": 2}))
    assert found["raised_by_clip_high"]["entropy_change"]["raised"] == ["qae epochs=6", "grpo epochs=6"]
    assert all(s.found and not s.control_found for s in statements(found))
    lowered = analyse(config, planted(config, -0.2, {"high_in_hard": 3, "low_in_easy": 2, "high_in_easy": 1}))
    assert lowered["raised_by_clip_high"]["entropy_change_at_0.001"]["lowered"] == ["qae epochs=6", "grpo epochs=6"]
    assert [s.found for s in statements(lowered)] == [True, False]


def test_finds_nothing_where_nothing_is() -> None:
    config = InnerEpochsConfig(**{**TINY, "methods": ("qae", "grpo")})
    found = analyse(config, planted(config, 0.0, {}))
    # Intervals at 99 % together: with the generator fixed, this holds or it does not; it was not chosen to.
    assert found["raised_by_clip_high"]["entropy_change"]["not found"] == ["qae epochs=6", "grpo epochs=6"]
    assert not any(s.found for s in statements(found))  # no clip at all speaks for no side


def test_sides_are_stated_only_with_qae_and_its_control() -> None:
    config = InnerEpochsConfig(**{**TINY, "methods": ("dr_grpo", "grpo")})
    assert statements(analyse(config, planted(config, 0.0, {}))) == []


def test_runs_that_do_not_get_so_far_have_no_figure() -> None:
    config = InnerEpochsConfig(**{**TINY, "methods": ("qae", "grpo")})
    rows = [{**row, "entropy_change_at_0.001": None} for row in planted(config, 0.0, {})]
    found = analyse(config, rows)
    assert found["runs"]["qae epochs=1 clip_high=0.2"]["entropy_per_success_at_0.001"] is None
    assert len(found["raised_by_clip_high"]["entropy_change_at_0.001"]["not found"]) == 2


def test_refuses_runs_that_miss_or_repeat_a_seed() -> None:
    config = InnerEpochsConfig(**{**TINY, "methods": ("qae", "grpo")})
    rows = planted(config, 0.0, {})
    for spoilt in (rows[1:], [*rows, rows[0]]):
        with pytest.raises(ValueError, match="records must be each of 12 seeds once"):
            analyse(config, spoilt)


@pytest.mark.parametrize("quick", [True, False])
def test_shipped_sizes_are_read(quick: bool) -> None:
    config = shipped_config(EXPERIMENT, quick=quick)
    assert isinstance(config, InnerEpochsConfig)
    assert config.clip_highs[-1] == np.inf


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": [4, 1]}, "epochs must be two or more increasing numbers"),
        ({"clip_highs": [0.2]}, "clip_highs must be two or more increasing numbers"),
        ({"clip_highs": [-0.1, 0.2]}, "clip_highs.0"),
        ({"methods": ["qae", "qae"]}, "methods must be one or more different rules"),
        ({"methods": ["nosuch"]}, "methods.0: .*nosuch"),
        ({"clip_low": 1.5}, "clip_low"),
    ],
)
def test_refuses_bad_settings(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_config(EXPERIMENT, [TINY, change])
