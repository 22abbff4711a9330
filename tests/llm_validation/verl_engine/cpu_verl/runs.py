"""Runs of ``python -m llm_validation.verl_engine.trainer`` on the CPU, each a process of its own; verl loads there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import ROOT

CONFIGS = ROOT / "llm_validation" / "cluster" / "recipes" / "configs"
HERE = "tests.llm_validation.verl_engine.cpu_verl"
MARK = "QAE_TEST_RUN"  # in the environment of every process of a run
MEETING = "QAE_TEST_MEETING"  # names the folder in which the processes of a run find one another
LONGEST = 600.0  # seconds; a run takes a minute of processor time
RANKS = 2


@dataclass
class World:
    """Model and data that runs share."""

    model: Path
    data: Path


@dataclass
class CpuRun:
    """One job: a folder, and settings on top of an experiment."""

    world: World
    folder: Path
    experiment: str = "smoke-qae"
    settings: Sequence[str] = ()
    module: str = "llm_validation.verl_engine.trainer"
    attempts: int = 0
    _ray: Path = field(
        default_factory=lambda: Path(tempfile.mkdtemp(prefix="qae-", dir="/tmp"))
    )  # sockets' paths are short
    _mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def log(self, attempt: int | None = None) -> dict[int, Mapping[str, Any]]:
        """verl's file log of an attempt, by step."""
        path = self.folder / "logs" / f"attempt-{self.attempts if attempt is None else attempt}.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return {line["step"]: line["data"] for line in lines}

    def dump(self, step: int) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "probe" / f"{step}.jsonl").read_text().splitlines()]

    def output(self) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob("output-*.txt")))

    def start(self) -> subprocess.Popen[bytes]:
        self.attempts += 1
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "logs").mkdir(exist_ok=True)
        with (self.folder / f"output-{self.attempts}.txt").open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", self.module, *arguments(self)],
                cwd=self.folder,
                env=environment(self),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def run(self) -> None:
        """To the end."""
        process = self.start()
        try:
            status = process.wait(LONGEST)
        finally:
            self.end()
        assert status == 0, self.output()[-5000:]

    def run_until(self, step: int) -> None:
        """Kill it as soon as there is a checkpoint of that step."""
        process, tracker = self.start(), self.checkpoints / "latest_checkpointed_iteration.txt"
        deadline = time.monotonic() + LONGEST
        try:
            while not (tracker.exists() and tracker.read_text() == str(step)):
                assert process.poll() is None, self.output()[-5000:]
                assert time.monotonic() < deadline, self.output()[-5000:]
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        finally:
            self.end()

    def end(self) -> None:
        """End what is left of the run's processes: Ray's, which know nothing of the driver's death at once."""
        deadline = time.monotonic() + 30
        while left := list(marked(self._mark)):
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            assert time.monotonic() < deadline, f"processes {left} do not end"
            time.sleep(0.1)
        shutil.rmtree(self._ray, ignore_errors=True)
        self._ray.mkdir()

    def close(self) -> None:
        self.end()
        self._ray.rmdir()


def environment(run: CpuRun) -> dict[str, str]:
    ours = {
        "PYTHONPATH": str(ROOT),
        "VERL_PLATFORM": "cpu",
        "VERL_ENGINE_DEVICE": "cuda",
        "VERL_USE_EXTERNAL_MODULES": f"{HERE}.platform",
        "VERL_FILE_LOGGER_PATH": str(run.folder / "logs" / f"attempt-{run.attempts}.jsonl"),
        "RAY_AUTH_MODE": "disabled",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(run.folder / "cache"),
        MARK: run._mark,
        MEETING: str(run._ray),
    }
    return {**os.environ, **ours}


def arguments(run: CpuRun) -> list[str]:
    """The experiment, at the size of a CPU."""
    return [
        f"--config-dir={CONFIGS}",
        f"+experiment={run.experiment}",
        f"hydra.run.dir={run.folder / 'hydra'}",
        # where
        f"cluster.job={run.folder}",
        f"cluster.data={run.world.data}",
        f"data.val_files={run.world.data / 'digits-train.parquet'}",
        f"actor_rollout_ref.model.path={run.world.model}",
        "trainer.device=cpu",
        f"trainer.n_gpus_per_node={RANKS}",
        "ray_kwargs.ray_init.num_cpus=32",
        f"+ray_kwargs.ray_init.num_gpus={RANKS}",
        "+ray_kwargs.ray_init.include_dashboard=false",
        f"+ray_kwargs.ray_init._temp_dir={run._ray}",
        "transfer_queue.backend.SimpleStorage.num_data_storage_units=1",
        "data.dataloader_num_workers=0",
        "reward.num_workers=1",
        "actor_rollout_ref.rollout.agent.num_workers=1",
        "actor_rollout_ref.rollout.name=cpu",
        f"actor_rollout_ref.rollout.tensor_model_parallel_size={RANKS}",  # one replica
        "actor_rollout_ref.actor.fsdp_config.use_torch_compile=false",
        "actor_rollout_ref.actor.use_torch_compile=false",
        # how much
        "data.train_batch_size=4",
        "data.max_prompt_length=16",
        "data.max_response_length=3",
        "actor_rollout_ref.rollout.n=8",
        "actor_rollout_ref.actor.ppo_mini_batch_size=2",
        "actor_rollout_ref.actor.optim.lr=1e-3",
        "trainer.total_training_steps=3",
        "trainer.save_freq=1",
        "trainer.max_actor_ckpt_to_keep=null",
        "trainer.val_before_train=false",
        "trainer.test_freq=-1",
        "trainer.logger=[console,file]",
        # the same in every run
        "algorithm.filter_groups.enable=false",  # its refills depend on the order in which responses end
        f"trainer.v1.sampler.custom_sampler.path=pkg://{HERE}.sampler",
        "trainer.v1.sampler.custom_sampler.name=OrderedReplayBuffer",
        *run.settings,
    ]


def marked(mark: str) -> Iterator[int]:
    """Processes that have the mark in their environment."""
    wanted = f"{MARK}={mark}".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                found = wanted in (folder / "environ").read_bytes().split(b"\0")
                zombie = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
            except OSError:  # gone meanwhile, or somebody else's
                continue
            if found and not zombie:
                yield int(folder.name)
