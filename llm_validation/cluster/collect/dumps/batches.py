"""Read dumped responses line by line into one :class:`Batch` a step, and let their texts go once they are measured.

There are rollouts, validations and probes of verl, and rollouts of ``qae train``. Whether a batch is whole is for
``gather``; what it holds is for ``measures`` and ``evaluations``.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from llm_validation.cluster.collect.dumps.anthropomorphic import anthropomorphic
from llm_validation.cluster.collect.dumps.correctness import stated
from llm_validation.cluster.collect.logs.entries import step_of
from llm_validation.cluster.collect.logs.lines import Account, read_records
from llm_validation.verl_engine.rollout_keys import is_padding, parts, rollouts_of
from llm_validation.verl_engine.update_probe import REQUIRED, by_rollout
from qae_theory.checks import LARGEST_REWARD

NOT_A_RESPONSE = "not a response of this kind of dump"
OTHER_STEP = "of another step than the file's name says"
PADDING = "a row that pads the batch"
AGAIN = "the same response again"
SUPERSEDED = "superseded by a later line of the same response"
_NAME = re.compile(r"(\d+)\.jsonl(\.gz)?")


class KeptLine(NamedTuple):
    """Hold what is kept of a response, and the line of which file it stands on."""

    record: dict[str, Any]
    account: Account
    number: int


@dataclass
class Batch:
    """Hold the responses of one step, by their keys."""

    step: int
    kept: dict[str, KeptLine] = field(default_factory=dict)

    def add(self, line: KeptLine) -> None:
        """Add a response; of two with the same key the later counts."""
        key = line.record["key"]
        before = self.kept.get(key)
        if before is not None and before.record == line.record:
            line.account.drop(line.number, AGAIN)
            return
        if before is not None:
            before.account.drop(before.number, SUPERSEDED)
        self.kept[key] = line

    def drop(self, reason: str) -> None:
        """Take all of its lines out of the result."""
        for line in self.kept.values():
            line.account.drop(line.number, reason)

    def responses(self) -> list[dict[str, Any]]:
        """Return one record a rollout.

        Of several outputs the last one's, which has the score; what a probe summed over tokens is summed over all.
        """
        records = [line.record for line in self.kept.values()]
        if records and "tokens" in records[0]:
            return [dict(record) for record in by_rollout(records)]
        return [records[row] for row in rollouts_of(self.kept).final]


# What is kept of a line, given the line and a name for one that has none; None for a line of another kind.
Parse = Callable[[Mapping[str, Any], str], dict[str, Any] | None]


def dump_files(folder: Path) -> dict[int, list[Path]]:
    """Return the files of each step in a folder; a compressed one before a plain one of the same step."""
    by_step: dict[int, list[Path]] = {}
    for path in sorted(folder.iterdir(), reverse=True) if folder.is_dir() else ():
        if match := _NAME.fullmatch(path.name):
            by_step.setdefault(int(match[1]), []).append(path)
    return dict(sorted(by_step.items()))


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
        elif is_padding(record["group"]):
            account.drop(number, PADDING)
        else:
            batches.setdefault(of_step, Batch(of_step)).add(KeptLine(record, account, number))


def responses_in(path: Path, parse: Parse) -> Iterator[dict[str, Any]]:
    """Yield what is kept of each response of a file, for a look at it that leaves no account.

    Args:
        path: JSON lines, a response each.
        parse: what is kept of a line.

    Raises:
        OSError: it cannot be read.
    """
    for number, line in read_records(path, Account(path.name)):
        record = parse(line, str(number)) if isinstance(line, dict) else None
        if record is not None and not is_padding(record["group"]):
            yield record


def rollout(line: Mapping[str, Any], where: str) -> dict[str, Any] | None:
    """Return group, summed reward, the scorer's verdict and anthropomorphic words of a line of verl's rollout dump."""
    score, text = line.get("score"), line.get("output")
    if not (_is_number(score) and isinstance(text, str)):
        return None
    key, group, by_text = _key(line, where)
    return {
        "key": key,
        "group": group,
        "by_text": by_text,
        "reward": float(score),
        "correct": stated(line.get("acc")),
        "words": anthropomorphic(text),
    }


def validation(line: Mapping[str, Any], where: str) -> dict[str, Any] | None:
    """Return benchmark, question and correctness of a line of verl's validation dump; None where it does not tell."""
    score = line.get("score")
    if not (_is_number(score) and isinstance(line.get("input"), str)):
        return None
    key, group, by_text = _key(line, where)
    benchmark = line.get("benchmark", line.get("data_source"))
    return {
        "key": key,
        "group": group,
        "by_text": by_text,
        "benchmark": benchmark if isinstance(benchmark, str) else None,
        "question": digest_of([line["input"], line.get("gts")]),
        "reward": float(score),
        "correct": stated(line.get("acc")),
    }


def probe(line: Mapping[str, Any], where: str) -> dict[str, Any] | None:
    """Return a line of the probe's dump, as ``update_probe`` makes it."""
    numbers = [name for name in REQUIRED if name != "uid"]
    if not (all(_is_number(line.get(name)) for name in numbers) and isinstance(line.get("uid"), str)):
        return None
    return {**line, "key": str(line.get("key") or where), "group": line["uid"]}


def own_rollout(line: Mapping[str, Any], where: str) -> dict[str, Any] | None:
    """Return a line of the ``rollouts.jsonl`` of ``qae train``; NaN for a response that could not be scored."""
    reward, correct, text = line.get("reward"), line.get("correct"), line.get("completion")
    if not isinstance(text, str) or not all(value is None or _is_number(value) for value in (reward, correct)):
        return None
    return {
        "key": where,
        "group": str(line.get("group")),
        "reward": math.nan if reward is None else float(reward),
        "correct": math.nan if correct is None else float(correct),
        "advantage": line.get("advantage"),
        "words": anthropomorphic(text),
    }


def digest_of(content: Any) -> str:
    """Return twelve hexadecimal digits that name a question by its content."""
    return _digest(json.dumps(content))


def _digest(text: str) -> str:
    # Foreign text can hold halves of surrogate pairs, which UTF-8 alone refuses.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _key(line: Mapping[str, Any], where: str) -> tuple[str, str, bool]:
    """Return a response's own name, its group's, and whether the prompt's text stands for the latter.

    Without a ``uid`` the response's place and its prompt take the names' stead.
    """
    uid = line.get("uid")
    if isinstance(uid, str) and uid:
        return uid, parts(uid).group, False
    return where, _digest(str(line.get("input"))), True


def _is_number(value: Any) -> TypeGuard[float]:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and abs(value) < LARGEST_REWARD  # so neither NaN nor infinite
