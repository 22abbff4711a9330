"""The ladder's statistics against loops and against a known truth, with falsehoods that must show."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from llm_validation.common.resampling import Resampling, cluster_sums, interval, resampled_totals
from llm_validation.common.tables import select
from llm_validation.study.analysis.ladder import (
    FLOOR,
    RUNGS,
    STATISTICS,
    Rows,
    contrast_rows,
    contrasts,
    ladder,
    rung_rows,
    statistics_of,
    sums_of,
)
from llm_validation.study.analysis.pairs import FAVOURABLE, matched, pairs, setting_names
from qae_theory.arrays import Array
from tests.llm_validation.study.analysis.synthetic import ADAM, SGD, probes

ERROR_RATE = 1e-4  # of each binomial test on a number of covering intervals; fixed before looking
# Sums of a few thousand products of size one, and a difference of two of them.
CLOSE = 1e-9


def how(seed: int = 0, **options: Any) -> Resampling:
    return Resampling(np.random.default_rng(seed), **{"resamples": 400, **options})


def by_loops(x: list[float], y: list[float], low: list[float], high: list[float]) -> dict[str, float]:
    """Every statistic by its definition, row by row."""
    n = len(x)
    mean_x, mean_y = sum(x) / n, sum(y) / n
    sxx = sum((a - mean_x) ** 2 for a in x)
    syy = sum((b - mean_y) ** 2 for b in y)
    sxy = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    signs = [(a > 0) == (b > 0) for a, b in zip(x, y, strict=True) if abs(a) > FLOOR and abs(b) > FLOOR]
    inside = [a <= b <= c for a, b, c in zip(low, y, high, strict=True) if math.isfinite(a) and math.isfinite(c)]
    return {
        "bias": sum(a - b for a, b in zip(x, y, strict=True)) / n,
        "slope": sxy / sxx,
        "r2": (sxy / math.sqrt(sxx * syy)) ** 2,
        "explained": 1 - sum((b - a) ** 2 for a, b in zip(x, y, strict=True)) / syy,
        "sign_agreement": sum(signs) / len(signs),
        "coverage": sum(inside) / len(inside),
    }


def test_every_statistic_is_the_loops() -> None:
    table = probes(np.random.default_rng(0), count=5, prompts=3, slope=0.7, bias=0.3, settings=(SGD, ADAM))
    table["change"][::7] = 0.0
    table["identity_low"][::5] = math.nan
    found = ladder(table, how())
    settings = setting_names(table)
    for kind, chosen in (("tasks", [False, True]), ("plain", [False]), ("standardised", [True])):
        for setting in (FAVOURABLE, "adam eps 1e-08, 16 updates, clipped"):
            for rung in ("identity", "sampled"):
                rows = [
                    i for i in range(len(settings)) if settings[i] == setting and bool(table["scaled"][i]) in chosen
                ]
                columns = ([float(table[name][i]) for i in rows] for name in _names(rung))
                record = found[kind]["digits"][setting][rung]
                for name, value in by_loops(*columns).items():
                    assert record[name]["estimate"] == pytest.approx(value, abs=CLOSE), (kind, setting, rung, name)
                assert record["rows"] == len(rows)
                assert record["probes"] == 5


def _names(rung: str) -> tuple[str, str, str, str]:
    return rung, "change", f"{rung}_low", f"{rung}_high"


def test_contrasts_are_the_loops() -> None:
    table = probes(np.random.default_rng(1), count=4, prompts=3, slope=-0.5)
    found = ladder(table, how())["contrasts"]["digits"][FAVOURABLE]
    where = {
        (probe, arm, prompt): i
        for i, (probe, arm, prompt) in enumerate(
            zip(*(table[name].tolist() for name in ("probe", "arm", "prompt")), strict=True)
        )
    }
    plain = [(f"quantile-{k}", other) for k in ("0.4", "0.8") for other in ("constant-0", "mean", "constant-1")]
    for name, compared in (("quantile - others", plain), ("qae-0.8 - grpo", [("qae-0.8", "grpo")])):
        couples = [
            (where[probe, one, prompt], where[probe, other, prompt])
            for one, other in compared
            for probe in np.unique(table["probe"]).tolist()
            for prompt in range(3)
        ]
        t = {key: table[key].tolist() for key in _names("identity")}
        x, y = ([t[key][i] - t[key][j] for i, j in couples] for key in ("identity", "change"))
        low = [t["identity_low"][i] - t["identity_high"][j] for i, j in couples]
        high = [t["identity_high"][i] - t["identity_low"][j] for i, j in couples]
        for statistic, value in by_loops(x, y, low, high).items():
            assert found[name]["identity"][statistic]["estimate"] == pytest.approx(value, abs=CLOSE)
        assert found[name]["identity"]["rows"] == len(couples)
    assert set(contrasts(table["arm"])) == set(found)


def test_the_known_truth_and_controls() -> None:
    """Slope 2, bias .5: found; a slope of 1 and a bias of 0 are outside, and the rung of noise explains nothing."""
    table = probes(np.random.default_rng(2), count=40, slope=2.0, bias=0.5)
    record = ladder(table, how())["tasks"]["digits"][FAVOURABLE]
    identity, noise = record["identity"], record["sampled"]
    assert identity["slope"]["low"] <= 2 <= identity["slope"]["high"]
    assert identity["slope"]["low"] > 1.9
    # x + .5 - 2x averages to .5 less the mean of x, which is 0 up to 1/sqrt(1920).
    assert abs(identity["bias"]["estimate"] - 0.5) < 0.1
    assert identity["bias"]["low"] > 0
    # Of variance 4.01, 4 is explained by the line; the prediction as it stands misses by x - .5, of square 1.25.
    assert identity["r2"]["low"] > 0.99
    assert identity["explained"]["estimate"] == pytest.approx(1 - 1.25 / 4.01, abs=0.03)
    assert noise["r2"]["high"] < 0.02
    assert noise["explained"]["high"] < 0
    assert noise["sign_agreement"]["low"] < 0.5 < noise["sign_agreement"]["high"]
    assert record["second_order"]["explained"]["estimate"] == 1
    # Two standard deviations of Gaussian noise hold 95 %.
    assert ladder(probes(np.random.default_rng(3), count=40), how())["tasks"]["digits"][FAVOURABLE]["identity"][
        "coverage"
    ]["estimate"] == pytest.approx(0.9545, abs=0.02)


def test_a_prediction_without_spread_has_no_slope() -> None:
    """The centred identity says the same of every arm: of contrasts, nothing but rounding."""
    table = probes(np.random.default_rng(4), count=5)
    table["centred"] = 1.0 + 1e-13 * np.random.default_rng(5).normal(size=len(table["arm"]))
    record = ladder(table, how())["contrasts"]["digits"][FAVOURABLE]["quantile - others"]["centred"]
    for name in ("slope", "r2", "sign_agreement"):
        assert record[name] == {"estimate": None, "low": None, "high": None}
    assert record["sign_rows"] == 0
    assert record["bias"]["estimate"] is not None


def test_changes_below_the_floor_have_no_sign() -> None:
    table = probes(np.random.default_rng(6), count=3, slope=1.0, noise=0.0)
    table["change"] *= -1e-12  # all signs wrong, and all of them rounding
    record = ladder(table, how())["tasks"]["digits"][FAVOURABLE]["identity"]
    assert (record["sign_agreement"]["estimate"], record["sign_rows"]) == (None, 0)
    seen = ladder(table, how(), floor=1e-15)["tasks"]["digits"][FAVOURABLE]["identity"]
    assert seen["sign_agreement"]["estimate"] == 0
    assert seen["sign_rows"] > 0


def test_rows_without_a_prediction_are_left_out() -> None:
    table = probes(np.random.default_rng(7), count=4, bias=1.0)
    table["identity"][table["probe"] == "digits-0"] = math.nan
    table["second_order"][:] = math.nan
    found = ladder(table, how())["tasks"]["digits"][FAVOURABLE]
    rest = {name: column[table["probe"] != "digits-0"] for name, column in table.items()}
    expected = ladder(rest, how())["tasks"]["digits"][FAVOURABLE]["identity"]
    for name in STATISTICS:
        assert found["identity"][name]["estimate"] == pytest.approx(expected[name]["estimate"], abs=CLOSE)
    assert (found["identity"]["probes"], expected["probes"]) == (3, 3)
    assert found["second_order"]["rows"] == 0
    assert all(found["second_order"][name]["estimate"] is None for name in STATISTICS)


def test_one_probe_has_estimates_and_no_interval() -> None:
    record = ladder(probes(np.random.default_rng(8), count=1), how())["tasks"]["digits"][FAVOURABLE]["identity"]
    assert record["slope"]["estimate"] is not None
    assert record["slope"]["low"] is None


def test_tasks_and_settings_are_kept_apart() -> None:
    table = probes(np.random.default_rng(9), count=3, settings=(SGD, ADAM), tasks=("digits", "sums"))
    found = ladder(table, how())
    assert set(found["tasks"]) == {"digits", "sums"}
    assert all(len(settings) == 2 for settings in found["tasks"].values())
    here = select(table, task="sums", optimiser="adam")
    alone = ladder(here, how())["tasks"]["sums"]
    for setting, rungs in alone.items():
        for rung in RUNGS:
            assert found["tasks"]["sums"][setting][rung]["bias"]["estimate"] == rungs[rung]["bias"]["estimate"]


def test_a_missing_column_is_named() -> None:
    table = probes(np.random.default_rng(11), count=1)
    del table["sampled_low"]
    with pytest.raises(ValueError, match="'sampled_low'"):
        ladder(table, how())


# Intervals


def test_intervals_are_those_of_rows_resampled_by_probe() -> None:
    """The same draws, with the rows of each drawn probe copied and every statistic computed by the loops."""
    table = probes(np.random.default_rng(12), count=4, prompts=2, arms=("mean", "constant-0"), probe_noise=0.5)
    rows = rung_rows(table, "identity")
    sums = sums_of(rows, 4, FLOOR)
    assert np.array_equal(sums.sums[:, 0], cluster_sums(rows.clusters, 4, np.ones((16, 1)))[:, 0])
    drawn = np.random.default_rng(13).multinomial(4, [0.25] * 4, size=50)
    estimated = statistics_of(drawn @ sums.sums, sums.mean_x, sums.mean_y, FLOOR)
    for number, times in enumerate(drawn):
        index = [i for i in range(16) for _ in range(times[rows.clusters[i]])]
        expected = by_loops(*(column[index].tolist() for column in rows[:4]))
        for name in STATISTICS:
            assert estimated[name][number] == pytest.approx(expected[name], abs=CLOSE)


REPEATS = 400


def drawn_rows(rng: np.random.Generator, *, clustered: bool) -> Rows:
    """20 probes of 4 rows, slope 1.5, no bias; a probe's rows share a shift of standard deviation 1 nat."""
    codes = np.repeat(np.arange(20), 4)
    x = rng.normal(size=80)
    y = 1.5 * x + rng.normal(size=20)[codes] + 0.1 * rng.normal(size=80)
    return Rows(x, y, y - 1, y + 1, codes if clustered else np.arange(80))


def covering(statistic: str, truth: float, *, clustered: bool = True) -> int:
    rng = np.random.default_rng(14)
    found = 0
    for _ in range(REPEATS):
        rows = drawn_rows(rng, clustered=clustered)
        count = int(rows.clusters.max()) + 1
        sums = sums_of(rows, count, FLOOR)
        totals = resampled_totals(sums.sums, Resampling(rng, resamples=300))
        estimate, resampled = (
            statistics_of(some, sums.mean_x, sums.mean_y, FLOOR)[statistic] for some in (sums.sums.sum(axis=0), totals)
        )
        one = interval(float(estimate), resampled, count, 0.9)
        assert one["low"] is not None
        assert one["high"] is not None
        found += one["low"] <= truth <= one["high"]
    return found


@pytest.mark.parametrize(("statistic", "truth"), [("slope", 1.5), ("bias", 0.0)])
def test_intervals_cover_the_truth(statistic: str, truth: float) -> None:
    """At least 90 % minus four points: of 20 probes only."""
    assert stats.binomtest(covering(statistic, truth), REPEATS, 0.86, alternative="less").pvalue >= ERROR_RATE


def test_controls_a_wrong_slope_is_not_covered_nor_a_bias_of_rows_that_hang_together() -> None:
    assert stats.binomtest(covering("slope", 1.3), REPEATS, 0.86, alternative="less").pvalue < ERROR_RATE
    found = covering("bias", 0.0, clustered=False)
    assert stats.binomtest(found, REPEATS, 0.86, alternative="less").pvalue < ERROR_RATE


def test_the_work_of_a_resample_does_not_grow_with_the_rows() -> None:
    """A hundred thousand rows of 200 probes are 200 rows of sums."""
    rng = np.random.default_rng(15)
    x = rng.normal(size=100_000)
    codes = np.repeat(np.arange(200), 500)
    sums = sums_of(Rows(x, x + rng.normal(size=len(x)), x - 1, x + 1, codes), 200, FLOOR)
    assert sums.sums.shape == (200, 11)
    # R^2 is 1/2 and one standard deviation holds 68 %, with errors below 1 %.
    found = statistics_of(resampled_totals(sums.sums, how(resamples=1000)), sums.mean_x, sums.mean_y, FLOOR)
    assert np.allclose(found["r2"], 0.5, atol=0.02)
    assert np.allclose(found["coverage"], 0.6827, atol=0.02)


def planted(change: Callable[[dict[str, Array]], None]) -> dict[str, Any]:
    table = probes(np.random.default_rng(16), count=10)
    change(table)
    found: dict[str, Any] = ladder(table, how())["contrasts"]["digits"][FAVOURABLE]["quantile - others"]["identity"]
    return found


def test_control_arms_exchanged_turn_the_contrast_round() -> None:
    """A match of the wrong arms would not be seen in the changes themselves."""

    def exchange(table: dict[str, Array]) -> None:
        table["identity"] = np.where(table["arm"] == "quantile-0.4", -table["identity"], table["identity"])

    assert planted(lambda table: None)["r2"]["low"] > 0.9
    assert planted(exchange)["r2"]["high"] < 0.9


def test_contrast_rows_of_nothing() -> None:
    table = probes(np.random.default_rng(17), count=1, arms=("mean", "quantile-0.4"))
    match = matched(table, pairs(table["arm"]))
    assert len(match) == 1
    rows = contrast_rows(rung_rows(table, "identity"), list(match.values()))
    assert len(rows.predicted) == 6
