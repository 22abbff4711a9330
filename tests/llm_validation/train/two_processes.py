"""One process of short runs on several: writes the rows that its loss gets, and the main one the rollouts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.llm_validation.train.tiny_runs import EXAMPLES, rows, settings, train

RUNS: dict[str, dict[str, Any]] = {
    "plain": {"prompts_per_step": 3},
    "dynamic": {"prompts_per_step": 4, "dynamic_sampling": True, "max_resamples": 40},
}


def main(folder: Path) -> None:
    for kind, changes in RUNS.items():
        run = train(settings(steps=2, **changes), folder, examples=EXAMPLES)
        index = run.trainer.accelerator.process_index
        (folder / f"{kind}-{index}.json").write_text(json.dumps([rows(run, output) for output in run.outputs]))
        assert bool(run.records) == (index == 0)
        if run.records:
            lines = [{"step": step, **record} for step, records in enumerate(run.records) for record in records]
            (folder / f"{kind}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
