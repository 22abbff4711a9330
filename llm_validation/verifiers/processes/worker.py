"""The process that does what takes unforeseen time: calculus, hard identities, regular expressions of the user's.

It builds trees of SymPy directly, from the trees of this project: SymPy's own parser evaluates its input, and is out of
reach here (the first wall). The second wall is in ``wall``. The process may be killed at any moment.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from llm_validation.verifiers.judging.outcomes import Outcome
from llm_validation.verifiers.processes.wall import Wall

Judge = Callable[[tuple[str, ...], str], Outcome]

# One byte each, so that the parent unpickles nothing that comes from here.
READY, REFUSED = b"r", b"!"
REPLIES = {
    Outcome.RIGHT: b"1",
    Outcome.WRONG: b"0",
    Outcome.UNREADABLE: b"u",
    Outcome.UNDECIDED: b"?",
    Outcome.UNSCORABLE: b"g",
}
OUTCOMES = {reply: outcome for outcome, reply in REPLIES.items()}

# What SymPy imports late should be there before the time of the first job runs.
_LATE_MODULES = ("sympy.integrals.manualintegrate", "sympy.physics.units", "sympy.solvers.solveset")
_WARM_UP = (
    (r"\int_0^1 x dx", r"\frac{1}{2}"),
    (r"\frac{d}{dx} x^2", "2x"),
    (r"\sum_{k=1}^{n} k", r"\frac{n(n+1)}{2}"),
    (r"\lim_{x \to 0} \frac{\sin x}{x}", "1"),
    (r"\ln(xy)", r"\ln x+\ln y"),
)
_NUMERAL = re.compile(r"(?P<integer>[+-]?[0-9]+)(?:/(?P<below>[0-9]+))?")


class Job(NamedTuple):
    """One response to score.

    Args:
        claim: what the response gives as its answer, where that is known.
        gold: the right answer.
        judge: the name of what compares them, of ``JUDGES``.
        pattern: the regular expression that looks for the claim in ``response``; None where it is known.
        response: where the pattern looks.
    """

    claim: tuple[str, ...]
    gold: str
    judge: str = "math"
    pattern: str | None = None
    response: str = ""


def serve(jobs: Connection) -> None:
    """Answer jobs until the other end closes."""
    from llm_validation.verifiers.processes.calculus import thorough_judge

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which kills this process
    for module in _LATE_MODULES:
        import_module(module)
    for response, answer in _WARM_UP:
        thorough_judge((response,), answer)
    replace_evaluation()  # after the imports: modules of SymPy pass names of their own through parse_expr
    wall = Wall()
    wall.close()
    jobs.send_bytes(READY)
    while True:
        try:
            job = jobs.recv()
        except EOFError:
            return
        before = wall.refusals
        reply = _reply(job, thorough_judge)
        jobs.send_bytes(REFUSED if wall.refusals > before else reply)


def _reply(job: Job, thorough_judge: Judge) -> bytes:
    from llm_validation.verifiers.extraction import Extraction
    from llm_validation.verifiers.judging.exact_answers import choice_outcome, integer_outcome

    judges: dict[str, Judge] = {"math": thorough_judge, "integer": integer_outcome, "choice": choice_outcome}
    try:
        claim = job.claim if job.pattern is None else Extraction(job.pattern).claim(job.response)
        return REPLIES[judges[job.judge](claim, job.gold)]
    except (Exception, RecursionError, MemoryError):
        return REPLIES[Outcome.UNDECIDED]


def replace_evaluation() -> None:
    """Put :func:`numeral` wherever SymPy's ``parse_expr`` is reached from."""
    vars(import_module("sympy.parsing.sympy_parser"))["parse_expr"] = numeral


def numeral(text: str, *_: object, **__: object) -> Any:
    """Return what ``parse_expr`` makes of an exact numeral, without evaluation.

    Raises:
        ValueError: it is none.
    """
    from sympy import Integer, Rational

    found = _NUMERAL.fullmatch(text.strip())
    if found is None:
        raise ValueError("only numerals are read")
    below = found["below"]
    return Integer(int(found["integer"])) if below is None else Rational(int(found["integer"]), int(below))
