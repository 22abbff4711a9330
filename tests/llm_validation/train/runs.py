"""A training run of a second, and what tests do with its folder; no tests are here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from llm_validation.train.settings import TrainConfig

# Success .15 is reached in two seconds and leaves groups of right and wrong answers.
SETTINGS: dict[str, Any] = {
    "model": "arithmetic",
    "warmup": {"success": 0.15},
    "steps": 4,
    "prompts_per_step": 4,
    "train_examples": 10,
    "save_every": 1,
}
OF_THE_RESULT = ("metrics.jsonl", "rollouts.jsonl", "model/model.safetensors")


def config(**changes: Any) -> TrainConfig:
    return TrainConfig.model_validate(SETTINGS | changes)


def results(folder: Path) -> dict[str, bytes]:
    """What two equal runs have in common, byte by byte."""
    return {name: (folder / name).read_bytes() for name in OF_THE_RESULT}


def everything(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def unfinished(out: Path) -> Path:
    """The folder of the one unfinished run."""
    (folder,) = (out / "train").glob(".partial-*")
    return folder


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
