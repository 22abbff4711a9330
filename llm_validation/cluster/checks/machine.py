"""Checks of the place: job folder, disk, model, GPUs, Ray, and the packages that only a GPU's machine has."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from llm_validation.cluster.checks.check import Check, Config, absent, failed, fine, select, warned
from llm_validation.cluster.checks.plugin import installed
from llm_validation.cluster.checks.sizes import gpus
from llm_validation.cluster.estimate.model_sizes import shape_of
from llm_validation.cluster.jobs.folder import JobFolder

# Parameters and Adam's two moments in float32, as FSDP keeps them: bytes a parameter of a checkpoint.
CHECKPOINT_BYTES = 12
OLDEST_RAY = (2, 41)  # what verl 0.9.1 asks for


def check_model(config: Config, *, strict: bool) -> Check:
    """A folder has a model in it; a name is only said."""
    name, path = "model", str(select(config, "actor_rollout_ref.model.path", ""))
    if not path:
        return failed(name, "actor_rollout_ref.model.path is empty")
    folder = Path(path).expanduser()
    if folder.is_dir():
        missing = [file for file in ("config.json", "tokenizer_config.json") if not (folder / file).is_file()]
        return failed(name, f"{folder} has no {', '.join(missing)}") if missing else fine(name, f"{folder}")
    if folder.is_absolute() or path.count("/") != 1 or path.startswith((".", "~")) or _is_of_ours(config, path):
        return absent(name, f"no folder {path}", strict=strict)
    return fine(name, f"{path}, by name: its files come from the Hugging Face cache or the hub")


def _is_of_ours(config: Config, path: str) -> bool:
    """Whether a relative path is below the folder of models that the configuration names."""
    return path.startswith(f"{select(config, 'cluster.models', '')}/")


def checkpoint_bytes(config: Config) -> int | None:
    """Size of one checkpoint: 12 bytes a parameter; None for a model of unknown shape."""
    try:
        parameters = shape_of(str(select(config, "actor_rollout_ref.model.path", ""))).parameters
    except ValueError:
        return None
    adam = str(select(config, "actor_rollout_ref.actor.optim.optimizer", "AdamW")).lower().startswith("adam")
    return parameters * (CHECKPOINT_BYTES if adam else CHECKPOINT_BYTES // 3)


def checkpoints_at_once(config: Config) -> int:
    """Checkpoints on the disk at the same time; verl deletes the older one of one only after the newer is written."""
    every, keep = (select(config, f"trainer.{key}") for key in ("save_freq", "max_actor_ckpt_to_keep"))
    if every is None or int(every) < 1:
        return 0
    written = -(-int(select(config, "trainer.total_training_steps", 0)) // int(every)) or 1
    return written if keep is None else min(written, max(int(keep), 2))


def check_disk(config: Config, job_dir: Path | None) -> Check:
    """There is room for the checkpoints, for what an interrupted save leaves, and for the one of a counterfactual."""
    name, size, count = "disk space", checkpoint_bytes(config), checkpoints_at_once(config)
    if size is None:
        return warned(name, "not known how large a checkpoint is: the model's shape is not known here")
    spare = bool(count) + bool(select(config, "trainer.probe.counterfactual_every", 0))
    needed = size * (count + spare)
    says = f"{count} checkpoints of {_amount(size)} and {spare} in the making need {_amount(needed)}"
    if job_dir is None:
        return fine(name, f"{says}; --job-dir DIR has the space looked at")
    free = shutil.disk_usage(nearest(job_dir)).free + _held(job_dir)
    if free < needed:
        return failed(name, f"{says}; {_amount(free)} are free or already theirs on {nearest(job_dir)}")
    return fine(name, f"{says}; {_amount(free)} are free or already theirs")


def _held(job_dir: Path) -> int:
    """Bytes of the checkpoints that are there already: the new ones take their place."""
    return sum(file.stat().st_size for file in (job_dir / "checkpoints").rglob("*") if file.is_file())


def check_job_dir(job_dir: Path | None, *, strict: bool) -> Check:
    """The job's folder can be written."""
    name = "job folder"
    if job_dir is None:
        return fine(name, "not looked at without --job-dir DIR")
    place = nearest(job_dir)
    try:
        with tempfile.TemporaryFile(dir=place):
            return fine(name, f"{job_dir}: {place} can be written")
    except OSError as error:
        says = f"{job_dir}: {place} cannot be written ({error.strerror})"
        return failed(name, says) if strict or job_dir.exists() else absent(name, says, strict=strict)


def check_resume(config: Config, job_dir: Path | None) -> Check:
    """The checkpoint that the job would go on from is of as many GPUs as it has."""
    name = "resume"
    newest = JobFolder(job_dir).newest_checkpoint() if job_dir is not None else None
    if newest is None:
        return fine(name, "begins at step 0")
    if newest.world_size not in (None, gpus(config)):
        return failed(
            name, f"{newest.path} is of {newest.world_size} GPUs, the run of {gpus(config)}: verl's FSDP cannot read it"
        )
    return fine(name, f"goes on from step {newest.step}")


def check_gpus(config: Config, *, strict: bool, wait: float = 0.0) -> Check:
    """GPUs that are needed, and those that are here: the Ray cluster's where the job runs in one."""
    name, needed = "GPUs", gpus(config)
    if select(config, "trainer.device", "cuda") != "cuda":
        return fine(name, f"none needed: trainer.device is {select(config, 'trainer.device')}")
    nodes = int(select(config, "trainer.nnodes", 1))
    if strict and os.environ.get("RAY_ADDRESS"):
        found, where = joined(needed, wait), "in the Ray cluster"
    else:
        found, where = devices(), "on this machine"
    says = f"{needed} needed ({nodes} x {needed // nodes}), {found} seen {where}"
    if found >= needed:
        return fine(name, says)
    more = "" if found else "; from the first worker on, which loads the model and vLLM, nothing goes without one"
    return absent(name, f"{says}{more}", strict=strict)


def devices() -> int:
    """CUDA devices that this process sees."""
    if find_spec("torch") is None:
        return 0
    import torch

    return int(torch.cuda.device_count())


def joined(needed: int, seconds: float) -> int:
    """GPUs of the Ray cluster, once enough have joined or the time is over."""
    import ray

    until = time.monotonic() + seconds
    ray.init(address="auto", log_to_driver=False, logging_level="ERROR", runtime_env={})
    try:
        while True:
            found = int(ray.cluster_resources().get("GPU", 0))
            if found >= needed or time.monotonic() >= until:
                return found
            time.sleep(2.0)
    finally:
        ray.shutdown()


def check_ray() -> Check:
    """Ray is there, and new enough for verl."""
    name, found = "Ray", installed("ray")
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdecimal())
    if numbers < OLDEST_RAY:
        return failed(name, f"verl needs Ray {'.'.join(map(str, OLDEST_RAY))} or newer; found {found}")
    return fine(name, f"Ray {found}")


def check_engines(config: Config, *, strict: bool) -> Check:
    """What generates and what attends are installed: packages of the GPU's machine."""
    name = "engines"
    engine = str(select(config, "actor_rollout_ref.rollout.name", ""))
    needed = [engine] if engine in ("vllm", "sglang") else []
    attention = select(config, "actor_rollout_ref.model.override_config.attn_implementation", "flash_attention_2")
    if attention == "flash_attention_2" and select(config, "trainer.device", "cuda") == "cuda":
        needed.append("flash_attn")
    missing = [package for package in needed if find_spec(package) is None]
    if missing:
        return absent(
            name, f"{', '.join(missing)} not installed; the cluster's image has them (Dockerfile)", strict=strict
        )
    return fine(name, ", ".join(f"{package} {installed(package)}" for package in needed) or "none of a GPU's needed")


def nearest(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    place = path.absolute()
    while not place.is_dir():
        place = place.parent
    return place


def _amount(size: float) -> str:
    return f"{size / 2**30:.3g} GiB"


def versions() -> Mapping[str, Any]:
    """Versions that matter for a job."""
    return {
        package: installed(package) for package in ("verl", "ray", "torch", "transformers", "vllm", "qae-verification")
    }
