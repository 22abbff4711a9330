"""Figures, not tests: the audit of a million responses of two kilobytes, beside pyarrow and pandas reading alone.

At most two minutes, 2 GiB and five times pyarrow's time is the aim. ``extra_info`` holds the peak memory of a process
of its own that runs ``qae audit`` on the same folder.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.audit.gather import gather
from llm_validation.audit.live.window import Window
from llm_validation.audit.report.contract import record
from llm_validation.audit.report.report import audit_log
from tests import ROOT

# Smaller on a machine that is only trying the benchmark out.
RESPONSES = int(os.environ.get("QAE_BENCH_RESPONSES", "1000000"))
STEPS, SIZE, BYTES = 50, 16, 2000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run's rollout dumps as verl's V1 trainer writes them, removed at the end."""
    root = tmp_path_factory.mktemp("dumps")
    rng = np.random.default_rng(0)
    per_step = RESPONSES // STEPS // SIZE
    text = "So the sum of the two numbers is found by adding them one after the other. " * (BYTES // 75)
    for step in range(1, STEPS + 1):
        right = rng.random((per_step, SIZE)) < rng.beta(1, 1, (per_step, 1))
        with (root / f"{step}.jsonl").open("w", encoding="utf-8") as file:
            for group in range(per_step):
                for i in range(SIZE):
                    row = {
                        "input": f"user\nQuestion {group} of {step}?",
                        "output": text[: BYTES - 150 + i],
                        "gts": "42",
                        "score": float(right[group, i]),
                        "step": step,
                        "uid": f"{step:04x}{group:08x}_{i}_0",
                    }
                    file.write(json.dumps(row) + "\n")
    yield root
    for path in root.iterdir():
        path.unlink()


def _audit(folder: Path) -> dict[str, Any]:
    return record(audit_log(gather([folder])))


def _arrow(folder: Path) -> int:
    import pyarrow.json

    return sum(pyarrow.json.read_json(path).num_rows for path in folder.glob("*.jsonl"))


def _pandas(folder: Path) -> int:
    import pandas

    return sum(len(pandas.read_json(path, lines=True)) for path in folder.glob("*.jsonl"))


def test_audit(benchmark: Any, folder: Path) -> None:
    """The whole audit, and the peak memory of a process that does nothing else."""
    benchmark.extra_info |= {"peer": "test_pyarrow", "responses": RESPONSES, "peak_mib": _peak(folder)}
    content = benchmark.pedantic(_audit, (folder,), rounds=1)
    assert content["groups"]["count"] == RESPONSES // STEPS // SIZE * STEPS


def test_pyarrow(benchmark: Any, folder: Path) -> None:
    """pyarrow reading the same files, and nothing else."""
    assert benchmark.pedantic(_arrow, (folder,), rounds=1) == RESPONSES // STEPS // SIZE * STEPS * SIZE


def test_pandas(benchmark: Any, folder: Path) -> None:
    """pandas reading the same files, and nothing else."""
    benchmark.extra_info["peer"] = "test_audit"
    assert benchmark.pedantic(_pandas, (folder,), rounds=1) == RESPONSES // STEPS // SIZE * STEPS * SIZE


def test_live_check(benchmark: Any) -> None:
    """Ten batches of 1,024 responses, checked once: at most 1 % of ten steps, which take minutes."""
    rng = np.random.default_rng(0)
    reward = (rng.random((64, SIZE)) < rng.beta(1, 1, (64, 1))).astype(float).ravel()
    groups = np.repeat(np.arange(64), SIZE).tolist()
    window = Window(10)

    def ten() -> None:
        for step in range(10):
            window.add(step, groups, reward, reward - 0.5)

    ten()  # identifies the estimator once
    benchmark(ten)


@pytest.mark.train
def test_live_share_of_a_step(benchmark: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TRL's trainer on a tiny model with 512 responses a step: time in the audit's window as a share of the run."""
    from datasets import Dataset
    from transformers.trainer_callback import PrinterCallback
    from trl import GRPOConfig, GRPOTrainer

    from llm_validation.audit.live.trl import watch
    from llm_validation.models.presets import build_model
    from llm_validation.models.tokenizer import build_tokenizer

    steps, spent, add = 10, list[float](), Window.add

    def timed(*args: Any, **columns: Any) -> dict[str, float]:
        start = time.perf_counter()
        found = add(*args, **columns)
        spent.append(time.perf_counter() - start)
        return found

    monkeypatch.setattr(Window, "add", timed)
    arguments = GRPOConfig(
        output_dir=str(tmp_path), max_steps=steps, per_device_train_batch_size=512, num_generations=16,
        max_completion_length=6, logging_steps=1, report_to=[], use_cpu=True, bf16=False, save_strategy="no",
        disable_tqdm=True, seed=0,
    )  # fmt: skip
    trainer = GRPOTrainer(
        model=build_model("tiny", seed=0),
        processing_class=build_tokenizer(),
        reward_funcs=[lambda completions, **_: [float(sum(map(ord, text)) % 2) for text in completions]],
        args=arguments,
        train_dataset=Dataset.from_list([{"prompt": f"{i}+{i}="} for i in range(64)]),
    )
    watch(trainer, every=5)
    trainer.remove_callback(PrinterCallback)
    benchmark.pedantic(trainer.train, rounds=1)
    assert len(spent) == steps
    # The estimator is identified once in a run, with the first full window; in a run of hours that is nothing.
    once = max(spent)
    benchmark.extra_info["identification_ms"] = round(1e3 * once, 1)
    benchmark.extra_info["share_of_a_step"] = round((sum(spent) - once) / benchmark.stats.stats.total, 5)


def _peak(folder: Path) -> float:
    """Peak resident memory of ``qae audit`` in a process of its own, MiB."""
    code = "import sys; from tests.benchmarks.test_audit import audit_alone; audit_alone(sys.argv[1])"
    run = subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return round(float(run.stdout) / 1024, 1)


def audit_alone(folder: str) -> None:
    """Audit and print the peak memory of this process, KiB."""
    _audit(Path(folder))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
