"""The decision about one response: from what it claims and the right answer to an outcome, without processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from llm_validation.verifiers.agreement.agree import agree
from llm_validation.verifiers.answers.kinds import Group, Reading
from llm_validation.verifiers.answers.read import readings
from llm_validation.verifiers.exact.equality.decide import Verdict
from llm_validation.verifiers.exact.expressions.effort import Effort
from llm_validation.verifiers.extraction.boxes import last_box
from llm_validation.verifiers.extraction.lines import tidied
from llm_validation.verifiers.extraction.tags import tagged
from llm_validation.verifiers.judging.outcomes import Outcome
from llm_validation.verifiers.reading.tokens import UnreadableError

_OF_VERDICT = {
    Verdict.EQUAL: Outcome.RIGHT,
    Verdict.UNEQUAL: Outcome.WRONG,
    Verdict.UNDECIDED: Outcome.UNDECIDED,
}
Rewrite = Callable[[Sequence[Reading]], Sequence[Reading]]


def judged(
    claim: Sequence[str], gold: str, effort: Callable[[], Effort], rewrite: Rewrite = lambda found: found
) -> Outcome:
    """Return the outcome of one response.

    Args:
        claim: the answers that it gives at once; see :class:`~llm_validation.verifiers.extraction.Extraction`.
        gold: the right answer, as the question has it.
        effort: what may be spent, anew for each use.
        rewrite: what is done with readings before they are compared; the worker resolves calculus in them.
    """
    right = gold_readings(gold)
    if right is None:
        return Outcome.UNSCORABLE
    try:
        found = claimed_readings(claim, effort)
    except UnreadableError:
        return Outcome.UNREADABLE
    return _OF_VERDICT[agree(rewrite(found), rewrite(right), effort())]


@lru_cache(maxsize=8192)
def gold_readings(gold: str) -> tuple[Reading, ...] | None:
    """Return the readings of a right answer; None if it cannot be read."""
    try:
        return tuple(readings(gold_answer(gold)))
    except UnreadableError:
        return None


def gold_answer(gold: str) -> str:
    r"""Return the answer in a gold text: its last box, its tag, what follows its last ``####``, or all of it.

    >>> gold_answer("2 + 2 = 4, so it is four.\n#### 4"), gold_answer(r"\boxed{7}")
    ('4', '7')
    """
    boxed = last_box(gold) if "boxed" in gold or "fbox" in gold else None
    if boxed is not None:
        return tidied(boxed)
    tags = tagged(gold)
    if tags and tags[-1].content is not None:
        return tidied(tags[-1].content)
    return tidied(gold.rpartition("####")[2])


def claimed_readings(claim: Sequence[str], effort: Callable[[], Effort]) -> Sequence[Reading]:
    """Return the readings of what a response claims; joined answers are one list, unless they are all the same.

    Raises:
        UnreadableError: it claims nothing, or a part cannot be read.
    """
    if not claim:
        raise UnreadableError("no answer")
    parts = [readings(part) for part in dict.fromkeys(claim)]
    if len(parts) == 1 or all(agree(parts[-1], other, effort()) is Verdict.EQUAL for other in parts[:-1]):
        return parts[-1]
    found = []
    for comma in ("list", "thousands"):
        fitting = [[one for one in part if one.comma in (None, comma)] for part in parts]
        if all(fitting):
            items = tuple(options[-1].answer for options in fitting)
            found.append(Reading(Group("list", items, joined=True), None))
    if not found:
        raise UnreadableError("commas that are read in different ways")
    return found
