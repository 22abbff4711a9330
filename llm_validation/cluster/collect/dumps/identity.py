"""Decide which responses form a group where a dump names none, and say where that is not known.

Without a ``uid`` a group is what has one prompt text. That is refused where the sizes show that it cannot be right: one
text for all, or a question that stands twice in a batch. The rule is that of ``qae audit``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from llm_validation.audit.model.identity import by_prompt
from llm_validation.cluster.collect.dumps.groups import Response

GROUPS_OF_ONE = "every group has one response, so that there is no baseline and no gate to look at"


class Groups(NamedTuple):
    """Hold responses with the groups that are known; ``remark`` says what is not as it should be, with the sizes."""

    responses: Sequence[Response]
    known: bool
    remark: str | None


def identified(responses: Sequence[Response], group_size: int | None) -> Groups:
    """Return the responses of one step, each a group of its own where the groups are not known.

    Args:
        responses: of one step, one a rollout.
        group_size: G; None where the configuration does not state it.
    """
    if any(response.get("by_text") for response in responses):
        names = {response["group"]: number for number, response in enumerate(responses)}
        keys = np.array([names[response["group"]] for response in responses], dtype=np.int64)
        found = by_prompt(np.zeros(len(responses), dtype=np.int64), keys, group_size)
        if found.reason is not None:
            remark = f"{found.reason.partition(';')[0]} ({_sizes(found.sizes.tolist())})"
            return Groups([{**one, "group": str(row)} for row, one in enumerate(responses)], False, remark)
    sizes = Counter(response["group"] for response in responses)
    alone = len(sizes) > 1 and max(sizes.values()) == 1
    return Groups(responses, True, f"{GROUPS_OF_ONE} ({_sizes(list(sizes.values()))})" if alone else None)


def _sizes(sizes: Sequence[int]) -> str:
    """Return how many groups of which size there are.

    >>> _sizes([8, 8, 16])
    '2 of 8, 1 of 16 responses'
    """
    counts = sorted(Counter(sizes).items())
    return ", ".join(f"{count} of {size}" for size, count in counts) + " responses"
