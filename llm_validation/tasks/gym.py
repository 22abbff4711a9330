"""Questions of the reasoning-gym generators: ``gym:NAME``.

Only its generators are used. Its scorers are not: several evaluate the text they score. A family is accepted if its
answer is the only right one, which its class says by not bringing a scorer of its own, or which is in the list below.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from llm_validation.tasks.base import Example, Source, held_out, known_split, whole_number
from llm_validation.verifiers.integers import canonical_integer
from qae_theory.checks import refuse

PREFIX = "gym:"
# Half of what a file's questions get: these ask for a short calculation or a choice.
DEFAULT_MAX_NEW_TOKENS = 512

# Their scorers only forgive notation: the answer is one integer.
_ONE_INTEGER = frozenset({"chain_sum", "products"})
# A prompt's hash decides its split, so several draws are made for one that is kept; repeated prompts cost more.
_DRAWS_PER_EXAMPLE = 50
_LOOKED_AT = 16  # answers that decide which verifier fits


def gym_source(source: str) -> Source:
    """Return how the answers of ``gym:NAME`` are checked: ``math`` where they are integers, else ``choice``.

    Raises:
        ValueError: as :func:`gym_examples`.
    """
    looked_at = gym_examples(source, split="train", count=_LOOKED_AT, seed=0)
    integers = all(canonical_integer(example.answer) is not None for example in looked_at)
    return Source(source, "math" if integers else "choice", DEFAULT_MAX_NEW_TOKENS, enumerable=False)


def gym_examples(source: str, *, split: str, count: int, seed: int) -> list[Example]:
    """Return ``count`` questions of a reasoning-gym family in its default configuration, with prompts of that split.

    Raises:
        ValueError: if the package is missing, the family unknown, its answers not unique or its prompts too few.
    """
    known_split(split)
    whole_number("count", count, least=1)
    whole_number("seed", seed, least=0)
    wanted = split == "eval"
    examples = []
    for example in _generate(source, seed=seed, draws=_DRAWS_PER_EXAMPLE * count):
        if held_out(example.prompt) == wanted:
            examples.append(example)
        if len(examples) == count:
            return examples
    raise ValueError(f"{source} has too few prompts in its {split} split: {len(examples)} of {count} drawn")


def _generate(source: str, *, seed: int, draws: int) -> Iterator[Example]:
    dataset = _dataset(source.removeprefix(PREFIX), seed=seed, draws=draws)
    for index in range(draws):
        entry = dataset[index]
        if not isinstance(entry["answer"], str) or not entry["answer"].strip():
            raise ValueError(f"{source} has a question without an answer in text")
        yield Example(entry["question"], entry["answer"])


def _dataset(name: str, *, seed: int, draws: int) -> Any:
    try:
        import reasoning_gym
        from reasoning_gym.dataset import ProceduralDataset
        from reasoning_gym.factory import DATASETS
    except ImportError:
        raise ValueError(
            "gym: sources need the package reasoning-gym; pip install 'qae-verification[gym]' brings it"
        ) from None
    names = sorted(
        name
        for name, (kind, _) in DATASETS.items()
        if name in _ONE_INTEGER or kind.score_answer is ProceduralDataset.score_answer
    )
    if name not in names:
        refuse("the family after gym:", name, f"one with a single right answer: {', '.join(names)}")
    # The generators seed item i with seed + i: neighbouring seeds would share all but one of their questions.
    spread = int(np.random.SeedSequence(seed).generate_state(1)[0] >> 1)
    return reasoning_gym.create_dataset(name, seed=spread, size=draws)
