"""Read the run's own configuration where it lies beside the logs: verl's, TRL's in W&B, and ``qae train``'s.

YAML is read as flat scalars by dotted key: the base install has no YAML reader, and a few numbers are all that is
wanted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from llm_validation.audit.model.settings import EPS_OF_TRL, AuditSettings, estimator_of, std_of_trl
from llm_validation.audit.reading.base import SettingsReader
from llm_validation.audit.reading.head import Head
from llm_validation.audit.reading.opening import pieces
from llm_validation.verl_engine.configuration.flat_yaml import flat_scalars
from llm_validation.verl_engine.configuration.record import read_flat

_ACTOR, _ROLLOUT = "actor_rollout_ref.actor.", "actor_rollout_ref.rollout."
_VERL = re.compile(rb"^['\"]?actor_rollout_ref['\"]?:", re.MULTILINE)
_TRL = re.compile(rb"^\s*['\"]?num_generations['\"]?:", re.MULTILINE)


def _flat(head: Head) -> dict[str, Any]:
    """Return the scalars; W&B wraps each first key's content in ``value``."""
    found = flat_scalars(b"".join(pieces(head.path)).decode("utf-8", "replace"))
    return {re.sub(r"^([^.]+)\.value(?=\.|$)", r"\1", name): value for name, value in found.items()}


def _verl(head: Head) -> AuditSettings:
    flat = _flat(head)
    batch, mini = _whole(flat.get("data.train_batch_size")), _whole(flat.get(_ACTOR + "ppo_mini_batch_size"))
    epochs = _whole(flat.get(_ACTOR + "ppo_epochs")) or 1
    both = _number(flat.get(_ACTOR + "clip_ratio"))
    low, high = (_number(flat.get(f"{_ACTOR}clip_ratio_{side}")) for side in ("low", "high"))
    return _usable(
        {
            "estimator": estimator_of(flat.get("algorithm.adv_estimator")),
            "k": flat.get("algorithm.quantile_k"),
            "std": read_flat(flat).algorithm.std,
            "eps": _number(flat.get("algorithm.advantage_eps")),
            "group_size": _whole(flat.get(_ROLLOUT + "n")),
            "clip_low": both if low is None else low,
            "clip_high": both if high is None else high,
            "updates_per_batch": None if batch is None or mini is None else -(-batch // mini) * epochs,
            "entropy_coefficient": _number(flat.get(_ACTOR + "entropy_coeff")),
            "temperature": _number(flat.get(_ROLLOUT + "temperature")),
            "top_p": _number(flat.get(_ROLLOUT + "top_p")),
            "max_tokens": _whole(flat.get("data.max_response_length")),
            "aggregation": flat.get(_ACTOR + "loss_agg_mode"),
            "correct_above": _number(flat.get("algorithm.correct_above")),
        }
    )


def _trl(head: Head) -> AuditSettings:
    flat = _flat(head)
    per_generation = _whole(flat.get("steps_per_generation"))
    accumulated = _whole(flat.get("gradient_accumulation_steps"))
    inner = _whole(flat.get("num_iterations")) or 1
    low, high = _number(flat.get("epsilon")), _number(flat.get("epsilon_high"))
    updates = None if not per_generation or not accumulated else max(1, per_generation // accumulated) * inner
    return _usable(
        {
            "estimator": "grpo",
            "std": std_of_trl(flat.get("scale_rewards", "group")),
            "eps": EPS_OF_TRL,
            "group_size": _whole(flat.get("num_generations")),
            "clip_low": low,
            "clip_high": low if high is None else high,
            "updates_per_batch": updates,
            "entropy_coefficient": _number(flat.get("entropy_coef")),
            "temperature": _number(flat.get("temperature")),
            "top_p": _number(flat.get("top_p")),
            "max_tokens": _whole(flat.get("max_completion_length")),
        }
    )


def _own(head: Head) -> AuditSettings:
    config = json.loads(b"".join(pieces(head.path)))
    options = config.get("options") or {}
    return _usable(
        {
            "estimator": estimator_of(config.get("estimator")),
            **{name: options.get(name) for name in ("k", "std", "eps")},
            "group_size": _whole(config.get("group_size")),
            "clip_low": _number(config.get("clip_low")),
            "clip_high": _number(config.get("clip_high")),
            "updates_per_batch": (_whole(config.get("inner_updates")) or 1) * (_whole(config.get("inner_epochs")) or 1),
            "entropy_coefficient": 0.0,
            "temperature": _number(config.get("temperature")),
            "max_tokens": _whole(config.get("max_new_tokens")),
        }
    )


def _usable(values: Mapping[str, Any]) -> AuditSettings:
    """Return the settings that are known and allowed; another's configuration is no reason to stop."""
    settings = AuditSettings()
    for name, value in values.items():
        if value is None:
            continue
        try:
            settings = AuditSettings.model_validate(settings.known() | {name: value})
        except ValueError:
            continue
    return settings


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number == int(number) and number > 0 else None


def _is_own(head: Head) -> bool:
    if head.kind not in ("lines", "document"):
        return False
    return all(name in head.text for name in (b'"estimator"', b'"group_size"', b'"prompts_per_step"'))


READERS = (
    SettingsReader("verl-config", lambda head: head.kind == "text" and bool(_VERL.search(head.text)), _verl),
    SettingsReader("trl-config", lambda head: head.kind == "text" and bool(_TRL.search(head.text)), _trl),
    SettingsReader("qae-config", _is_own, _own),
)
