"""Choose which contexts of a model are listed in a trie: those that its responses reach with a given probability."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from llm_validation.probe.contexts import Contexts, pad_left
from llm_validation.probe.trie import Trie, trie_of
from qae_theory.arrays import Array
from qae_theory.checks import refuse

Prefix = tuple[int, ...]
LogProbs = Callable[[Contexts], Array]  # next-token log-probabilities [C, V] at contexts


def grown_trie(
    log_probs: LogProbs,
    prompts: Sequence[Sequence[int]],
    *,
    length: int,
    ends: Sequence[int],
    vocabulary: int,
    threshold: float,
    pad: int,
    besides: Iterable[Sequence[int]] = (),
) -> Trie:
    """Return the trie of all contexts that a response reaches with at least the probability ``threshold``.

    Contexts are found depth by depth: an extension is never likelier than what it extends, so that none is missed.

    Args:
        log_probs: returns the model's next-token log-probabilities at contexts.
        prompts: token ids of each prompt.
        length: greatest length of a response in tokens.
        ends: tokens that end a response.
        vocabulary: number of tokens.
        threshold: a probability in (0, 1].
        pad: token id of padding.
        besides: prefixes that are listed whatever their probability, for every prompt.

    Raises:
        ValueError: ``threshold`` is outside (0, 1].
    """
    if not 0 < threshold <= 1:
        refuse("threshold", threshold, "in (0, 1]")
    listed: list[list[Prefix]] = [[] for _ in prompts]
    newest: list[tuple[int, Prefix, float]] = [(query, (), 0.0) for query in range(len(prompts))]
    stops = set(ends)
    # The last token of a response is no context of another.
    for _ in range(length - 1):
        rows = [[*prompts[query], *prefix] for query, prefix, _ in newest]
        ids, mask = pad_left(rows, pad=pad)
        contexts = Contexts(ids, mask, np.arange(len(rows)), np.full(len(rows), ids.shape[1] - 1))
        reached = log_probs(contexts) + np.array([reach for _, _, reach in newest])[:, None]
        extensions: list[tuple[int, Prefix, float]] = []
        for row, token in np.argwhere(reached >= np.log(threshold)).tolist():
            query, prefix, _ = newest[row]
            if token not in stops:
                extensions.append((query, (*prefix, token), float(reached[row, token])))
        newest = extensions
        if not newest:
            break
        for query, prefix, _ in newest:
            listed[query].append(prefix)
    extra = [tuple(prefix) for prefix in besides]
    return trie_of([[*own, *extra] for own in listed], length=length, ends=ends, vocabulary=vocabulary)
