"""Where a training run lies: ``.partial-<run id>`` while it is unfinished, ``<run id>`` from the moment it is whole."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_validation.common.reuse import json_or_none, newest_with
from llm_validation.train.checkpoints import MANIFEST, fingerprints
from llm_validation.train.settings import TrainConfig
from qae_theory.runs.code import code_version
from qae_theory.runs.files import file_hashes, to_json, write_atomically
from qae_theory.runs.folders import run_id
from qae_theory.runs.locks import LOCK
from qae_theory.runs.provenance import provenance

EXPERIMENT = "train"
MODULES = ("llm_validation.train.run",)
# Files of a checkpoint that only going on needs.
_OF_THE_TRAINER = ("optimizer.pt", "scheduler.pt", "rng_state*", "trainer_state.json", "training_args.bin", MANIFEST)


@dataclass(frozen=True)
class RunFolder:
    """The places of one run, found by what determines its results."""

    id: str
    code: str
    identity: Mapping[str, Any]
    parent: Path

    @property
    def finished(self) -> Path:
        """Return the folder of the whole run."""
        return self.parent / self.id

    @property
    def partial(self) -> Path:
        """Return the folder of the unfinished run."""
        return self.parent / f".partial-{self.id}"

    @property
    def checkpoints(self) -> Path:
        """Return the folder of the unfinished run's checkpoints."""
        return self.partial / "checkpoints"

    def is_finished(self) -> bool:
        """Return whether the whole run is there."""
        return self.finished.is_dir()


def run_folder(config: TrainConfig, *, out: Path) -> RunFolder:
    """Return the places of this configuration, run by this code, below ``out``."""
    facts = identity(config)
    code = code_version(MODULES)
    return RunFolder(run_id(facts, code), code, facts, out / EXPERIMENT)


def found_run(config: TrainConfig, *, out: Path, any_code: bool = False) -> Path | None:
    """Return the finished run of this configuration, or None.

    Args:
        config: the run.
        out: the results folder.
        any_code: whether a run that other code made counts, where this code made none. Settings that its record lacks
            count as their defaults.
    """
    folder = run_folder(config, out=out)
    if folder.is_finished():
        return folder.finished
    wanted = dict(folder.identity)
    return newest_with(folder.parent, lambda stored: _filled(stored) == wanted) if any_code else None


def _filled(stored: Any) -> Any:
    """Return a stored identity with the defaults of settings that it does not have; None where it is none."""
    if not isinstance(stored, Mapping):
        return None
    contents = {key: stored[key] for key in ("contents",) if key in stored}
    try:
        config = TrainConfig.model_validate({key: value for key, value in stored.items() if key != "contents"})
    except ValueError:
        return None
    return config.model_dump(mode="json", exclude={"report_to"}) | contents


def identity(config: TrainConfig) -> dict[str, Any]:
    """Return what determines a run: its settings, and the contents of local files of model, questions and template.

    Where metrics are sent besides is not part of it.
    """
    facts = config.model_dump(mode="json", exclude={"report_to"})
    sources = (("model", config.model), ("task", config.task), ("chat_template", config.chat_template))
    local = {name: Path(source) for name, source in sources if source is not None}
    contents = {name: _content(path) for name, path in local.items() if path.exists()}
    return facts | ({"contents": contents} if contents else {})


def begin(folder: RunFolder) -> None:
    """Say in the unfinished folder what is being run there."""
    folder.checkpoints.mkdir(parents=True, exist_ok=True)
    write_atomically(folder.partial / "config.json", to_json(dict(folder.identity)))


def left_by_other_code(folder: RunFolder) -> list[Path]:
    """Unfinished runs of the same configuration that other code has begun: they are not gone on with."""
    others = (path for path in sorted(folder.parent.glob(".partial-*")) if path != folder.partial)
    return [path for path in others if json_or_none(path / "config.json") == folder.identity]


def finish(folder: RunFolder, last: Path, *, seed: int, seconds: float) -> Path:
    """Make the run whole: model, provenance, and the rename.

    Args:
        folder: of the run; this process holds its lock.
        last: the checkpoint after the last step.
        seed: for the provenance.
        seconds: since this process began.

    Returns:
        The finished run's folder.
    """
    model = folder.partial / "model"
    shutil.rmtree(model, ignore_errors=True)  # half of one, if the last try was cut off here
    shutil.copytree(last, model, ignore=shutil.ignore_patterns(*_OF_THE_TRAINER))
    files = {name: digest for name, digest in file_hashes(folder.partial).items() if name != LOCK}
    facts = provenance(seed=seed, code=folder.code)
    facts |= {"seconds": round(seconds, 3), "files": files, "model": fingerprints(model)}
    write_atomically(folder.partial / "provenance.json", to_json({"run_id": folder.id, **facts}))
    folder.partial.rename(folder.finished)
    (folder.finished / LOCK).unlink(missing_ok=True)
    return folder.finished


def _content(path: Path) -> str:
    """Hash of a file, or of the files of a folder."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(json.dumps(fingerprints(path), sort_keys=True).encode()).hexdigest()
