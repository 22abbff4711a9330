"""What a collected run was asked to do, as far as reading its logs needs it: estimator, K, sizes, model.

Read from the job folder's ``resolved.yaml`` (flat, by dotted key) or from the configuration of ``qae train``. The base
install has no YAML reader, and a few scalars are all that is wanted; nothing here resolves more than ``${a.b}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Scalar = str | float | bool | None

_LINE = re.compile(r"""( *)(['"]?)([\w./+-]+)\2:(?:\s+(.*?))?\s*""")  # YAML 1.1 quotes the key n: it means false
_REFERENCE = re.compile(r"\$\{([\w.]+)\}")
_NULLS = {"": None, "null": None, "~": None, "true": True, "false": False}


@dataclass(frozen=True)
class RunSettings:
    """None where it is not known.

    ``std``, ``eps``, ``gate``: of the advantage. ``correct_above``: a response is correct whose summed reward is above
    it. ``prompts`` and ``group_size``: of a batch. ``samples``: of each question of a validation. ``aggregation``: how
    verl averages over tokens. ``last_step``: where the run is to end.
    """

    estimator: str | None = None
    k: str | None = None
    std: str | None = None
    eps: float | None = None
    gate: str | None = None
    correct_above: float | None = None
    prompts: int | None = None
    group_size: int | None = None
    samples: int | None = None
    model: str | None = None
    clip_high: float | None = None
    aggregation: str | None = None
    last_step: int | None = None

    def record(self) -> dict[str, Any]:
        """In JSON's types."""
        return asdict(self)

    @property
    def responses(self) -> int | None:
        """Responses of a step."""
        return None if self.prompts is None or self.group_size is None else self.prompts * self.group_size


def settings_of_verl(flat: Mapping[str, Scalar]) -> RunSettings:
    """From a composed configuration of verl, by dotted key."""
    normalised = flat.get("algorithm.norm_adv_by_std_in_grpo")
    estimator = _text(flat.get("algorithm.adv_estimator"))
    is_grpo = estimator in ("grpo", "grpo_vectorized")  # verl's own takes no option but the switch
    stated = None if is_grpo else _text(flat.get("algorithm.advantage_std"))
    own_std = "bessel" if is_grpo else None
    rollout, actor = "actor_rollout_ref.rollout", "actor_rollout_ref.actor"
    return RunSettings(
        estimator=estimator,
        k=_text(flat.get("algorithm.quantile_k")),
        std="none" if normalised is False and not stated else stated or own_std,
        eps=_number(flat.get("algorithm.advantage_eps")),
        gate=_text(flat.get("algorithm.advantage_gate")),
        correct_above=_number(flat.get("algorithm.correct_above")),
        prompts=_whole(flat.get("data.train_batch_size")),
        group_size=_whole(flat.get(f"{rollout}.n")),
        samples=_whole(flat.get(f"{rollout}.val_kwargs.n")),
        model=_text(flat.get("actor_rollout_ref.model.path")),
        clip_high=_number(flat.get(f"{actor}.clip_ratio_high")),
        aggregation=_text(flat.get(f"{actor}.loss_agg_mode")),
        last_step=_whole(flat.get("trainer.total_training_steps")),
    )


def settings_of_own(config: Mapping[str, Any]) -> RunSettings:
    """From the configuration of a run of ``qae train``."""
    options = config.get("options") or {}
    return RunSettings(
        estimator=config.get("estimator"),
        k=_text(options.get("k")),
        std=options.get("std"),
        eps=_number(options.get("eps")),
        prompts=_whole(config.get("prompts_per_step")),
        group_size=_whole(config.get("group_size")),
        model=config.get("model"),
        clip_high=_number(config.get("clip_high")),
        last_step=_whole(config.get("steps")),
    )


def read_flat(path: Path) -> dict[str, Scalar]:
    """The scalars of a YAML file of nested mappings, by dotted key; lists and long texts are passed over.

    Raises:
        OSError: it cannot be read.
    """
    return flat_scalars(path.read_text(encoding="utf-8", errors="replace"))


def flat_scalars(text: str) -> dict[str, Scalar]:
    r"""The scalars of such a text, with ``${a.b}`` replaced by what it names.

    >>> flat_scalars("a:\n  b: 1.0e-06\n  c: '0.4'\n  d: ${a.b}\n  e:\n  - 1\n  f: null\n")
    {'a.b': 1e-06, 'a.c': '0.4', 'a.d': 1e-06, 'a.e': None, 'a.f': None}
    """
    found: dict[str, Scalar] = {}
    above: list[tuple[int, str]] = []
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        indent, key, value = len(match[1]), match[3], match[4] or ""
        while above and above[-1][0] >= indent:
            above.pop()
        path = ".".join([*(name for _, name in above), key])
        above.append((indent, key))
        found[path] = _scalar(value)
    parents = {key.rpartition(".")[0] for key in found}
    leaves = {key: value for key, value in found.items() if key not in parents}
    return {key: _resolved(value, leaves) for key, value in leaves.items()}


def _scalar(text: str) -> Scalar:
    if text[:1] in ("'", '"') and text[-1:] == text[:1] and len(text) > 1:
        return text[1:-1].replace("''", "'") if text[0] == "'" else text[1:-1]
    if text in _NULLS:
        return _NULLS[text]
    try:
        return float(text) if re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?", text, re.IGNORECASE) else text
    except ValueError:  # 1.2.3
        return text


def _resolved(value: Scalar, leaves: Mapping[str, Scalar]) -> Scalar:
    for _ in range(8):  # of one that names another, and so on; a ring ends here
        match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
        if match is None or match[1] not in leaves:
            return value
        value = leaves[match[1]]
    return value


def _text(value: Any) -> str | None:
    """A number as the decimal that it prints as."""
    return None if value is None else str(value)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number == int(number) else None
