"""What a task is: a generator of questions with exact answers, and how its answers are checked.

A prompt belongs to the evaluation split or to the training split by its own hash, so that no seed can put one prompt
in both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from qae_theory.checks import refuse

SPLITS = ("train", "eval")
HELD_OUT = 5  # one prompt in this many is held out for evaluation

# A family that yields less than one new example in this many draws has no such split worth the name.
_DRAWS_PER_EXAMPLE = 1000


@dataclass(frozen=True)
class Example:
    """One question and its exact answer in canonical text."""

    prompt: str
    answer: str


@dataclass(frozen=True)
class Source:
    """How the answers of one source of questions are checked.

    Args:
        name: The name that :func:`llm_validation.tasks.load_examples` takes.
        verifier: The name that :func:`llm_validation.verifiers.get_verifier` takes.
        max_new_tokens: Longest response, its end of text included; a default for files and reasoning-gym.
        enumerable: Whether every response of that length can be listed for a vocabulary of characters.
    """

    name: str
    verifier: str
    max_new_tokens: int
    enumerable: bool


@dataclass(frozen=True)
class Task(Source):
    """A procedural family: ``make`` draws one question, independent of all others."""

    summary: str
    make: Callable[[np.random.Generator], Example]


def held_out(prompt: str) -> bool:
    """Return whether this prompt is for evaluation: its text alone decides, in the same way on every machine."""
    return _stable_hash(prompt) % HELD_OUT == 0


def draw_examples(task: Task, *, split: str, count: int, seed: int) -> list[Example]:
    """Return ``count`` independent draws of the task, given that the prompt is in the split.

    The first n of a longer list are the list of length n. Small families repeat prompts, as independent draws do.

    Raises:
        ValueError: for an unknown split, or a count or seed that is no such number.
    """
    known_split(split)
    whole_number("count", count, least=1)
    whole_number("seed", seed, least=0)
    rng = np.random.default_rng([seed, SPLITS.index(split), _stable_hash(task.name)])
    wanted = split == "eval"
    examples: list[Example] = []
    for _ in range(_DRAWS_PER_EXAMPLE * count):
        example = task.make(rng)
        if held_out(example.prompt) == wanted:
            examples.append(example)
        if len(examples) == count:
            return examples
    raise ValueError(f"task {task.name!r} has too few prompts in its {split} split: {len(examples)} of {count} drawn")


def known_split(split: str) -> str:
    """Return the split of that name, or refuse the name."""
    if split not in SPLITS:
        refuse("split", split, " or ".join(map(repr, SPLITS)))
    return split


def whole_number(name: str, value: object, *, least: int) -> int:
    """Return the value as an integer not below ``least``."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        refuse(name, value, f"an integer >= {least}")
    return int(value)


def _stable_hash(text: str) -> int:
    """Return a hash of a text that is the same in every process, as Python's own ``hash`` is not."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
