"""Dumped responses: rollouts, validations and probes of verl, rollouts of ``qae train``. Texts are let go.

A dump is read line by line into one :class:`Batch` a step. Whether a batch is whole is for ``collect``, what it says
for ``recompute`` and ``evaluations``.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from llm_validation.cluster.collect.anthropomorphic import anthropomorphic
from llm_validation.cluster.collect.log_lines import Account, read_records
from llm_validation.cluster.collect.logs import step_of
from llm_validation.verl_engine.update_probe import REQUIRED
from qae_theory.checks import LARGEST_REWARD

NOT_A_RESPONSE = "not a response of this kind of dump"
OTHER_STEP = "of another step than the file's name says"
PADDING = "a row that pads the batch"
AGAIN = "the same response again"
SUPERSEDED = "superseded by a later line of the same response"
_PADDING = re.compile(r"pad[0-9a-f]{32}")  # verl's padding_utils
_NAME = re.compile(r"(\d+)\.jsonl(\.gz)?")


class Kept(NamedTuple):
    """A response and the line that it stands on."""

    record: dict[str, Any]
    account: Account
    number: int


@dataclass
class Batch:
    """The responses of one step, by their keys."""

    step: int
    kept: dict[str, Kept] = field(default_factory=dict)

    def add(self, one: Kept) -> None:
        """One more; of two with the same key the later counts."""
        before = self.kept.get(one.record["key"])
        if before is not None and before.record == one.record:
            one.account.drop(one.number, AGAIN)
            return
        if before is not None:
            before.account.drop(before.number, SUPERSEDED)
        self.kept[one.record["key"]] = one

    def drop(self, reason: str) -> None:
        """None of its lines is in the result."""
        for one in self.kept.values():
            one.account.drop(one.number, reason)

    def responses(self) -> list[dict[str, Any]]:
        """One record a response; of one that spoke in several turns, the last."""
        last: dict[str, tuple[int, dict[str, Any]]] = {}
        for key, one in self.kept.items():
            _, session, turn = _parts(key)
            if session not in last or turn >= last[session][0]:
                last[session] = turn, one.record
        return [record for _, record in last.values()]


Parse = Callable[[Mapping[str, Any], str], dict[str, Any] | None]


def dump_files(folder: Path) -> dict[int, list[Path]]:
    """The files of each step; a compressed one before a plain one of the same step."""
    found: dict[int, list[Path]] = {}
    for path in sorted(folder.iterdir(), reverse=True) if folder.is_dir() else ():
        if match := _NAME.fullmatch(path.name):
            found.setdefault(int(match[1]), []).append(path)
    return dict(sorted(found.items()))


def read_dump(path: Path, account: Account, parse: Parse, batches: dict[int, Batch], *, step: int | None) -> None:
    """Read a file's responses into the batches of their steps.

    Args:
        path: JSON lines, a response each.
        account: of the file.
        parse: what is kept of a line; None for a line that is no response of this kind.
        batches: by step, added to.
        step: the one that all lines must be of; None where a file has several.

    Raises:
        OSError: it cannot be read.
    """
    for number, line in read_records(path, account):
        of_step = step_of(line.get("step")) if isinstance(line, dict) else None
        if of_step is None or (record := parse(line, f"{account.name}:{number}")) is None:
            account.drop(number, NOT_A_RESPONSE)
        elif step is not None and of_step != step:
            account.drop(number, OTHER_STEP)
        elif _PADDING.fullmatch(record["group"]):
            account.drop(number, PADDING)
        else:
            batches.setdefault(of_step, Batch(of_step)).add(Kept(record, account, number))


def rollout(line: Mapping[str, Any], place: str) -> dict[str, Any] | None:
    """A line of verl's rollout dump: group, summed reward, anthropomorphic words."""
    score, text = line.get("score"), line.get("output")
    if not (_is_number(score) and isinstance(text, str)):
        return None
    key, group = _key(line, place)
    return {"key": key, "group": group, "reward": float(score), "words": anthropomorphic(text)}


def validation(line: Mapping[str, Any], place: str) -> dict[str, Any] | None:
    """A line of verl's validation dump: benchmark, question, whether it is correct; None in ``correct`` if not said."""
    score = line.get("score")
    if not (_is_number(score) and isinstance(line.get("input"), str)):
        return None
    key, group = _key(line, place)
    asked = json.dumps([line["input"], line.get("gts")])
    said = line.get("acc")
    correct = float(said) > 0.5 if isinstance(said, bool) or _is_number(said) else None
    benchmark = line.get("benchmark", line.get("data_source"))
    return {
        "key": key,
        "group": group,
        "benchmark": benchmark if isinstance(benchmark, str) else None,
        "question": hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()[:12],
        "reward": float(score),
        "correct": correct,
    }


def probe(line: Mapping[str, Any], place: str) -> dict[str, Any] | None:
    """A line of the probe's dump, as ``update_probe`` makes it."""
    numbers = [name for name in REQUIRED if name != "uid"]
    if not (all(_is_number(line.get(name)) for name in numbers) and isinstance(line.get("uid"), str)):
        return None
    return {**line, "key": str(line.get("key") or place), "group": line["uid"]}


def own_rollout(line: Mapping[str, Any], place: str) -> dict[str, Any] | None:
    """A line of the ``rollouts.jsonl`` of ``qae train``; NaN for a response that could not be scored."""
    reward, correct, text = line.get("reward"), line.get("correct"), line.get("completion")
    if not isinstance(text, str) or not all(value is None or _is_number(value) for value in (reward, correct)):
        return None
    return {
        "key": place,
        "group": str(line.get("group")),
        "reward": math.nan if reward is None else float(reward),
        "correct": math.nan if correct is None else float(correct),
        "advantage": line.get("advantage"),
        "words": anthropomorphic(text),
    }


def _key(line: Mapping[str, Any], place: str) -> tuple[str, str]:
    """Its own name and its group's; without a ``uid`` the prompt is the group, and no two lines are the same."""
    uid = line.get("uid")
    if isinstance(uid, str) and uid:
        return uid, _parts(uid)[0]
    return place, hashlib.sha256(str(line.get("input")).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _parts(key: str) -> tuple[str, str, int]:
    """Group, response and turn of verl's ``{group}_{session}_{turn}``."""
    parts = key.rsplit("_", 2)
    if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
        return parts[0], f"{parts[0]}_{parts[1]}", int(parts[2])
    return key, key, 0


def _is_number(value: Any) -> TypeGuard[float]:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and abs(value) < LARGEST_REWARD  # so neither NaN nor infinite
