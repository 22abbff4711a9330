"""The model that training starts from: a preset warmed up first, a packaged one converted first, or one as it is."""

from __future__ import annotations

from pathlib import Path

from llm_validation.common.reuse import THIS_CODE, Reuse
from llm_validation.models.presets import PRESETS
from llm_validation.models.pretrained import PRETRAINED, pretrained_folder
from llm_validation.models.warmup import Warmup, warm_model


def starting_model(
    model: str, task: str, warmup: Warmup | None, *, cache: Path, reuse: Reuse = THIS_CODE
) -> str | Path:
    """Return what ``presets.load_model`` takes for the model that training starts from.

    Args:
        model: a preset's name, a packaged model's name, a folder, or a hub's name.
        task: what a preset is warmed up on.
        warmup: how; None leaves a preset at its random weights. Other models are never warmed up.
        cache: the results folder, which keeps warmed-up and converted models.
        reuse: which kept models count.

    Raises:
        ValueError: an unknown task.
        PackageError: a packaged model is not installed.
        WarmupError: the preset did not reach its success.
        NotFinishedError: finished runs alone count, and there is none.
    """
    if model in PRESETS and warmup is not None:
        return warm_model(model, task, warmup, cache=cache, reuse=reuse)
    if model in PRETRAINED:
        return pretrained_folder(model, cache=cache, reuse=reuse)
    return model
