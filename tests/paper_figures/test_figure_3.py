"""Figures 3 and 8: entropies of shared contexts by hand, and the shares of tokens against the runs' texts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import log
from pathlib import Path
from typing import Any

import pytest

from paper_figures.tokens import plug_in_entropy, seen_tokens, shares
from tests.paper_figures.small_runs import store_training, study_settings
from tests.paper_figures.stored import Drawn, drawn, line, store, texts

GRPO: dict[str, Any] = {"name": "grpo", "estimator": "grpo"}
LEVELS = [{"name": f"qae-{k}", "estimator": "qae", "options": {"k": k}} for k in ("0.2", "0.5")]
SURE, SPLIT = ["11"] * 4, ["10", "20", "30", "40"]


def store_texts(root: Path, rule: Mapping[str, Any], seed: int, groups: Sequence[Sequence[str]], **more: int) -> None:
    """A training run of two steps with these texts in each group at both."""
    folder = store_training(root, rule, seed, [2.0, 2.0])
    lines = [
        {"step": step, "group": group, "completion": text, "tokens": more.get("tokens", len(text) + 1)}
        for step in (1, 2)
        for group, of in enumerate(groups)
        for text in of
    ]
    store(
        root,
        "train",
        records=[{"step": step, "completions/mean_length": 2.0} for step in (1, 2)],
        files={"rollouts.jsonl": lines},
        config=_config(folder),
        run=folder.name,
    )


def _config(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))


def bars(found: Drawn, panel: int = 0) -> dict[str, float]:
    axes = found.axes(panel)
    names = [tick.get_text() for tick in axes.get_xticklabels()]
    return dict(zip(names, (one.get_height() for one in axes.patches), strict=True))


def test_plug_in_entropy() -> None:
    assert plug_in_entropy(["a", "b", "b", "b"]) == pytest.approx(-(log(1 / 4) + 3 * log(3 / 4)) / 4)
    assert plug_in_entropy(["a"] * 5) == 0


def test_only_shared_contexts_are_seen() -> None:
    found = seen_tokens([(0, "12"), (0, "13"), (0, "2"), (1, "4")])
    first, second = plug_in_entropy(["1", "1", "2"]), log(2)
    assert sorted(found) == sorted([("1", first), ("1", first), ("2", first), ("2", second), ("3", second)])


def test_shares_among_the_highest_fifth() -> None:
    low = [("a", 0.0)] * 3 + [("end", 0.1)] * 5
    found = shares([[*low, ("b", 0.9), ("c", 0.9)], [*low, ("b", 0.9), ("b", 0.9)]])
    assert found.tokens == ["a", "b", "c", "end"]
    assert found.high.tolist() == [[0, 0.5, 0.5, 0], [0, 1, 0, 0]]
    assert found.every.tolist() == [[0.3, 0.1, 0.1, 0.5], [0.3, 0.2, 0, 0.5]]


@pytest.mark.parametrize(("name", "rule"), [("figure_3", GRPO), ("figure_8", LEVELS[1])])
def test_high_entropy_tokens_are_those_where_samples_part(tmp_path: Path, name: str, rule: dict[str, Any]) -> None:
    store(tmp_path, "validate", config=study_settings(GRPO, *LEVELS))
    for seed in (0, 1):
        store_texts(tmp_path, rule, seed, [SURE, SPLIT])
        store_texts(tmp_path, LEVELS[0], seed, [SURE, SURE])
    found = drawn(name, tmp_path)
    # Of SURE all 12 tokens are seen, of SPLIT the first 4: the fifth with the largest entropy is those 4.
    assert bars(found) == {"1": 0.25, "2": 0.25, "3": 0.25, "4": 0.25, "end": 0.0}
    assert line(found.axes(0), "among all")[1] == pytest.approx([9 / 16, 1 / 16, 1 / 16, 1 / 16, 4 / 16])
    assert [axes.get_title(loc="left") for axes in found.figure.axes] == [
        "step 1, small Qwen3",
        "step 1, small Qwen3",
        "step 2, small Qwen3",
    ]
    shown = {"figure_3": "GRPO", "figure_8": "QAE, K = 0.5"}[name]
    (source,) = texts(found.axes(0), "source")
    assert source.startswith(f"not the paper's model: Qwen3 of preset arithmetic on addition, {shown}; entropy of a")
    assert f"Step 2 under {shown}: among the 20% of tokens" in found.caption


def test_changed_texts_change_bars_and_caption(tmp_path: Path) -> None:
    store(tmp_path, "validate", config=study_settings(GRPO, seeds=1))
    store_texts(tmp_path, GRPO, 0, [SURE, SPLIT])
    before = drawn("figure_3", tmp_path)
    store_texts(tmp_path, GRPO, 0, [SURE, ["50", "60", "70", "80"]])
    after = drawn("figure_3", tmp_path)
    assert bars(after) == {"1": 0, "5": 0.25, "6": 0.25, "7": 0.25, "8": 0.25, "end": 0}
    assert before.caption != after.caption


def test_tokens_that_are_not_characters_are_refused(tmp_path: Path) -> None:
    store(tmp_path, "validate", config=study_settings(GRPO, seeds=1))
    store_texts(tmp_path, GRPO, 0, [SURE, SPLIT], tokens=1)
    missing = drawn("figure_3", tmp_path).missing[0]
    assert missing is not None
    assert missing.endswith("are not single characters")


def test_without_runs_the_command_is_named(tmp_path: Path) -> None:
    assert drawn("figure_8", tmp_path).missing == ["not run: qae validate"] * 3
    store(tmp_path, "validate", config=study_settings(GRPO), files={"parts.json": {}})
    assert (
        drawn("figure_8", tmp_path).missing[0]
        == "validate, run 0123456789ab, quick size, settings changed has no QAE: qae validate"
    )
    run = "validate, run 0123456789ab, quick size, settings changed"
    said = f"the training runs of {run} are not there: qae validate makes them again"
    assert drawn("figure_3", tmp_path).missing[2] == said
