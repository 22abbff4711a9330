"""Check the machine: the model, the GPUs, Ray, and the packages that only a GPU's machine has."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from llm_validation.cluster.checks.check import Check, absent, failed, fine
from llm_validation.cluster.checks.plugin import installed
from llm_validation.cluster.checks.sizes import gpus
from llm_validation.verl_engine.configuration.model import Model
from llm_validation.verl_engine.configuration.record import Configuration
from llm_validation.verl_engine.configuration.trainer import Trainer

OLDEST_RAY = (2, 41)  # what verl 0.9.1 asks for
PACKAGES = ("verl", "ray", "torch", "transformers", "vllm", "qae-verification")
_SECONDS_BETWEEN_LOOKS = 2.0


def check_model(model: Model, *, strict: bool) -> Check:
    """Look whether a folder has a model in it; a name is only repeated, since its files may come from the hub."""
    name, path = "model", str(model.path.or_else(""))
    if not path:
        return failed(name, f"{model.path.key} is empty")
    folder = Path(path).expanduser()
    if folder.is_dir():
        missing = [file for file in ("config.json", "tokenizer_config.json") if not (folder / file).is_file()]
        return failed(name, f"{folder} has no {', '.join(missing)}") if missing else fine(name, f"{folder}")
    if _is_a_folder_by_its_form(path, model):
        return absent(name, f"no folder {path}", strict=strict)
    return fine(name, f"{path}, by name: its files come from the Hugging Face cache or the hub")


def _is_a_folder_by_its_form(path: str, model: Model) -> bool:
    """Return whether a path is in the recipes' folder of models, or is no name of the hub, which has one slash."""
    of_the_recipes = path.startswith(f"{model.folder_of_models.or_else('')}/")
    no_name = Path(path).expanduser().is_absolute() or path.count("/") != 1 or path.startswith((".", "~"))
    return no_name or of_the_recipes


def check_engines(run: Configuration, *, strict: bool) -> Check:
    """Look whether what generates and what attends are installed: packages of the GPU's machine."""
    name = "engines"
    engine = str(run.rollout.engine.or_else(""))
    needed = [engine] if engine in ("vllm", "sglang") else []
    attention = run.model.attention.or_else("flash_attention_2")
    if attention == "flash_attention_2" and run.trainer.device.or_else("cuda") == "cuda":
        needed.append("flash_attn")
    missing = [package for package in needed if find_spec(package) is None]
    if missing:
        return absent(
            name, f"{', '.join(missing)} not installed; the cluster's image has them (Dockerfile)", strict=strict
        )
    versions_found = ", ".join(f"{package} {installed(package)}" for package in needed)
    return fine(name, versions_found or "none of a GPU's needed")


def check_ray() -> Check:
    """Look whether Ray is there, and new enough for verl."""
    name, found = "Ray", installed("ray")
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdecimal())
    if numbers < OLDEST_RAY:
        return failed(name, f"verl needs Ray {'.'.join(map(str, OLDEST_RAY))} or newer; found {found}")
    return fine(name, f"Ray {found}")


def check_gpus(trainer: Trainer, *, strict: bool, wait: float = 0.0) -> Check:
    """Compare the GPUs that are needed with those that are here.

    Args:
        trainer: the trainer's settings.
        strict: this is where the job runs; inside a Ray cluster the cluster's GPUs count then.
        wait: seconds that those may take to join.
    """
    name, needed = "GPUs", gpus(trainer)
    device = trainer.device
    if device.or_else("cuda") != "cuda":
        return fine(name, f"none needed: {device.key} is {device.value}")
    nodes = int(trainer.nodes.or_else(1))
    # Only the job itself may connect to the cluster: a login node or a laptop would start a driver there.
    if strict and os.environ.get("RAY_ADDRESS"):
        seen, where = joined(needed, wait), "in the Ray cluster"
    else:
        seen, where = devices(), "on this machine"
    comparison = f"{needed} needed ({nodes} x {needed // nodes}), {seen} seen {where}"
    if seen >= needed:
        return fine(name, comparison)
    more = "" if seen else "; from the first worker on, which loads the model and vLLM, nothing goes without one"
    return absent(name, f"{comparison}{more}", strict=strict)


def devices() -> int:
    """Return the number of CUDA devices that this process sees."""
    if find_spec("torch") is None:
        return 0
    import torch

    return int(torch.cuda.device_count())


def joined(needed: int, seconds: float) -> int:
    """Return the GPUs of the Ray cluster, once ``needed`` have joined or the ``seconds`` are over."""
    import ray

    until = time.monotonic() + seconds
    ray.init(address="auto", log_to_driver=False, logging_level="ERROR", runtime_env={})
    try:
        while True:
            there = int(ray.cluster_resources().get("GPU", 0))
            if there >= needed or time.monotonic() >= until:
                return there
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    finally:
        ray.shutdown()


def versions() -> Mapping[str, str]:
    """Return the versions that matter for a job, by package."""
    return {package: installed(package) for package in PACKAGES}
