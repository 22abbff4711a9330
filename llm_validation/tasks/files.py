"""Questions from a JSON-lines file, or from a Hugging Face dataset by name or folder.

A record has a prompt and an answer, in one of the layouts of the public sets of mathematics: keys ``prompt``,
``problem`` or ``question``; ``answer``, ``solution`` (what it has in its last box) or ``reward_model.ground_truth``.
A prompt may be a list of chat messages.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from llm_validation.tasks.base import Example, Source, whole_number
from llm_validation.verifiers.extraction.boxes import last_box
from qae_theory.checks import refuse

# Enough for a worked solution of a school problem.
DEFAULT_MAX_NEW_TOKENS = 1024

# Short names of the public sets.
HUB_NAMES: Mapping[str, str] = {
    "DAPO-Math-17k": "BytedTsinghua-SIA/DAPO-Math-17k",
    "AIME24": "HuggingFaceH4/aime_2024",
    "AIME25": "math-ai/aime25",
    "AMC23": "math-ai/amc23",
}
_PROMPT_KEYS = ("prompt", "problem", "question")
_EVAL_SPLITS = ("eval", "validation", "test")


def file_source(source: str) -> Source:
    """Return how the answers of a file or dataset are checked: by ``math``, whatever they are."""
    return Source(source, "math", DEFAULT_MAX_NEW_TOKENS, enumerable=False)


def is_file(source: str) -> bool:
    """Return whether the source names a JSON-lines file rather than a dataset."""
    return Path(source).suffix in (".jsonl", ".json") or Path(source).is_file()


def file_examples(source: str, *, count: int | None, seed: int) -> list[Example]:
    """Return the questions of a JSON-lines file.

    A file is one split: name another file for evaluation. A record that is there twice counts once.

    Args:
        source: Path of the file.
        count: How many; all, in the order of the file, for None.
        seed: Chooses which, without repetition, where ``count`` is given.

    Raises:
        ValueError: one line: no such file, a line that is no JSON, a record without prompt or answer, nothing in it.
    """
    path = Path(source)
    try:
        with path.open("rb") as lines:
            examples = _unique(_file_records(path, lines))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from None
    return _choose(source, examples, count=count, seed=seed)


def hub_examples(source: str, *, split: str, count: int | None, seed: int) -> list[Example]:
    """Return the questions of a Hugging Face dataset: a short name, ``owner/name``, or a folder.

    ``split`` is a split of the dataset; ``eval`` also finds its validation or test split, and a dataset of one split
    gives that one.

    Raises:
        ValueError: one line: not installed, not found or offline, no such split, or as :func:`file_examples`.
    """
    name = HUB_NAMES.get(source, source)
    rows = _hub_split(source, _load(name), split)
    records = ((f"{source}, record {number}", row) for number, row in enumerate(rows, start=1))
    return _choose(source, _unique(records), count=count, seed=seed)


def _file_records(path: Path, lines: Iterable[bytes]) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            yield where, json.loads(line)
        except RecursionError:
            raise ValueError(f"{where}: not JSON that can be read (too deeply nested)") from None
        except ValueError as error:  # no JSON, no UTF-8, or a number of too many digits
            raise ValueError(f"{where}: not JSON ({error})") from None


def _load(name: str) -> Mapping[str, Iterable[Any]]:
    try:
        from datasets import load_dataset
    except ImportError:
        raise ValueError(
            "datasets by name need the package datasets; pip install 'qae-verification[train]' brings it"
        ) from None
    try:
        loaded: Mapping[str, Iterable[Any]] = load_dataset(name)
    except Exception as error:  # the package raises its own, the hub's, fsspec's and the network's errors
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"dataset {name!r} could not be loaded (offline, or no such dataset?): {first_line}") from None
    return loaded


def _hub_split(source: str, splits: Mapping[str, Iterable[Any]], split: str) -> Iterable[Any]:
    for wanted in (split, *(_EVAL_SPLITS if split == "eval" else ())):
        if wanted in splits:
            return splits[wanted]
    if len(splits) == 1:
        return next(iter(splits.values()))
    return refuse(f"split of {source}", split, f"one of {', '.join(splits)}")


def _unique(records: Iterable[tuple[str, Any]]) -> list[Example]:
    """Return every question once: one of the public sets repeats each of its records a hundred times."""
    return list(dict.fromkeys(_example(where, record) for where, record in records))


def _example(where: str, record: Any) -> Example:
    if not isinstance(record, Mapping):
        raise ValueError(f"{where}: not an object with prompt and answer")
    fields = {str(key).lower(): value for key, value in record.items()}
    prompt = next((text for key in _PROMPT_KEYS if (text := _prompt_text(fields.get(key)))), None)
    if prompt is None:
        raise ValueError(f"{where}: no prompt (one of {', '.join(_PROMPT_KEYS)})")
    answer = _answer_text(fields)
    if answer is None:
        raise ValueError(f"{where}: no answer (answer, solution or reward_model.ground_truth)")
    return Example(prompt, answer)


def _prompt_text(value: Any) -> str | None:
    """Return a text as it is, and of a chat the contents of its messages, one after the other."""
    if isinstance(value, str):
        return value if value.strip() else None
    if not isinstance(value, (list, tuple)):
        return None
    contents: list[Any] = [message.get("content") if isinstance(message, Mapping) else None for message in value]
    return "\n\n".join(contents) if contents and all(isinstance(text, str) for text in contents) else None


def _answer_text(fields: Mapping[str, Any]) -> str | None:
    reward_model = fields.get("reward_model")
    truth = reward_model.get("ground_truth") if isinstance(reward_model, Mapping) else None
    solution = fields.get("solution")
    boxed = (last_box(solution) or solution) if isinstance(solution, str) else solution
    return next((text for value in (fields.get("answer"), truth, boxed) if (text := _scalar_text(value))), None)


def _scalar_text(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    return str(value).strip() or None


def _choose(source: str, examples: list[Example], *, count: int | None, seed: int) -> list[Example]:
    whole_number("seed", seed, least=0)
    if not examples:
        raise ValueError(f"{source} is empty: no record with prompt and answer")
    if count is None:
        return examples
    whole_number("count", count, least=1)
    if count > len(examples):
        refuse("count", count, f"at most the {len(examples)} different records of {source}")
    return [examples[i] for i in np.random.default_rng(seed).permutation(len(examples))[:count]]
