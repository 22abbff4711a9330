"""Store a probe of one checkpoint as a run of its own, found again by the checkpoint's contents and the settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llm_validation.common.reuse import THIS_CODE, Reuse, finished_run
from llm_validation.common.tables import PROBES_FILE, from_rows, write_table
from llm_validation.models.presets import load_model
from llm_validation.probe.batch import ProbeConfig, make_stepper
from llm_validation.probe.probe import by_sign, probe
from llm_validation.probe.steps import Moments, fingerprint
from qae_theory.checks import refuse
from qae_theory.runs.files import to_json
from qae_theory.runs.folders import write_run
from qae_theory.runs.plain import finite_or_none

EXPERIMENT = "probe"
MODULES = ("llm_validation.probe.run",)
SIGNS_FILE = "signs.json"
_OPTIMISER = "optimizer.pt"


def probe_checkpoint(
    source: str | Path,
    config: ProbeConfig,
    *,
    out: Path,
    sign_arm: str = "grpo",
    reuse: Reuse = THIS_CODE,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Probe a model and return the run's folder ``out/probe/<run id>``; a finished one is not run again.

    The folder holds ``signs.json`` (see ``probe.by_sign``; null for NaN) and, where a step could be taken,
    ``probes.parquet``, one row for each setting, arm and prompt (see ``probe.probe``).

    Args:
        source: a preset, a folder or a hub name; a training checkpoint brings its optimiser's moments.
        config: what is probed.
        out: the folder of results.
        sign_arm: the arm whose advantages' signs split the rollouts.
        reuse: which finished probes count.
        told: called after every step with how many are done, and of how many.

    Raises:
        ValueError: in one line: the model or the task cannot be had.
        NotFinishedError: finished probes alone count, and there is none.
    """
    model, tokenizer = load_model(source, seed=config.seed)
    moments = checkpoint_moments(Path(source), model)
    facts = config.model_dump(mode="json")
    identity = {"probe": facts, "sign_arm": sign_arm, "contents": _contents(model, moments)}
    finished = finished_run(out, EXPERIMENT, identity, modules=MODULES, reuse=reuse)
    if finished is not None:
        return finished
    total = len(config.settings) * len(config.arms)
    counter = iter(range(1, total + 1))
    stepper = make_stepper(model, tokenizer, config, moments=moments)
    with write_run(out, EXPERIMENT, identity, seed=config.seed, modules=MODULES) as run:
        rows = probe(stepper, config.settings, config.arms, told=lambda: told(next(counter), total))
        if rows:
            write_table(from_rows(rows), run.partial / PROBES_FILE)
        split = finite_or_none(by_sign(stepper, sign_arm))
        run.write(SIGNS_FILE, to_json({"arm": sign_arm, **split}))
    return run.folder


def checkpoint_moments(folder: Path, model: Any) -> Moments | None:
    """Return AdamW's moments in a training checkpoint, by parameter name; None where it has none.

    Args:
        folder: of the checkpoint.
        model: whose parameters they belong to.

    Raises:
        ValueError: the file is damaged, or belongs to another model.
    """
    path = folder / _OPTIMISER
    if not path.is_file():
        return None
    import torch
    from transformers import Trainer

    try:
        # Tensors alone are unpickled: a checkpoint may come from anywhere.
        state = torch.load(path, map_location="cpu", weights_only=True)["state"]
    except Exception as error:  # a damaged file raises many things
        raise ValueError(f"{path} cannot be read: {type(error).__name__}; probe another checkpoint") from None
    named = dict(model.named_parameters())
    decayed = set(Trainer.get_decay_parameter_names(None, model))
    # The trainer's optimiser numbers the parameters with weight decay first, then those without.
    order = [name for name in named if name in decayed] + [name for name in named if name not in decayed]
    moments = {order[number]: entry for number, entry in state.items() if "exp_avg" in entry}
    for name, entry in moments.items():
        if entry["exp_avg"].shape != named[name].shape:
            refuse(str(path), tuple(entry["exp_avg"].shape), f"moments of {name}, {tuple(named[name].shape)}")
    return moments or None


def read_signs(folder: Path) -> dict[str, Any]:
    """Return the contents of ``signs.json`` of a finished probe."""
    content: dict[str, Any] = json.loads((folder / SIGNS_FILE).read_text(encoding="utf-8"))
    return content


def _contents(model: Any, moments: Moments | None) -> str:
    """Return a hash of parameters and moments."""
    tensors = dict(model.named_parameters())
    for name, state in (moments or {}).items():
        for key, value in state.items():
            tensors[f"{name}.{key}"] = value
    return fingerprint(tensors)
