"""Collected runs of a cluster for tests of figures: what ``qae cluster collect`` writes, as far as figures read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.paper_figures.stored import store

NOTE = "anthropomorphic words, a list of this project's choice: wait, hmm"


def store_cluster(
    root: Path,
    row: str | None,
    *,
    run: str,
    lines: Sequence[Mapping[str, Any]] = (),
    evaluations: Sequence[Mapping[str, Any]] = (),
    name: str | None = None,
    model: str = "/models/Qwen3-8B-Base",
    engine: str = "verl",
) -> Path:
    """A collected run of a row of the paper, or of none of them where ``row`` is None."""
    labelled = [{"attempt": 1, "abandoned": False, **line} for line in lines]
    return store(
        root,
        "cluster",
        records=labelled or [{"step": 0, "attempt": None, "abandoned": False}],
        files={
            "evaluations.json": {"evaluations": [{"abandoned": False, **one} for one in evaluations]},
            "dropped.json": {"notes": [NOTE]},
        },
        config={
            "name": name or row,
            "row": row,
            "engine": engine,
            "run": run,
            "named_by": "job.json",
            "settings": {"model": model},
        },
        run=run,
    )


def evaluation(step: int, shares: Mapping[int, float], benchmark: str = "AIME24", half: float = 0.1) -> dict[str, Any]:
    """An evaluation with pass@k by k, and intervals of this half width."""
    estimates = {
        str(k): {"estimate": share, "low": share - half, "high": share + half, "level": 0.95, "draws": 30}
        for k, share in shares.items()
    }
    return {"step": step, "benchmark": benchmark, "source": "validation dump", "pass_at_k": estimates, "counts": {}}
