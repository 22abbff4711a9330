"""Small claims, evidence and outcomes for the tests of the ledger and of the commands. No test is here."""

from __future__ import annotations

from functools import partial
from typing import Any

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import (
    Claim,
    Effort,
    Evidence,
    Finding,
    Generality,
    Kind,
    Outcome,
    Role,
    Status,
    Step,
    StepOutcome,
)


def claim(name: str = "sum", **fields: Any) -> Claim:
    values = {
        "title": "Two and two",
        "statement": r"For $n = 2$, $n + n \le 4$.",
        "source": "arXiv 2509.22611, Eq. 4",
        "section": "Arithmetic",
        "needs": "theory",
    }
    return Claim(id=name, **{**values, **fields})


def finds(effort: Effort, *, passed: bool, criterion: str = "equality", detail: str = "2 + 2 = 4") -> Finding:
    del effort
    return Finding(passed, criterion, detail)


def raises(effort: Effort, *, error: type[BaseException] = ZeroDivisionError) -> Finding:
    del effort
    raise error("planted")


HOLDS = partial(finds, passed=True)
FAILS = partial(finds, passed=False, detail="2 + 2 = 5 fails")


def step(check: Any = HOLDS, control: Any = FAILS, *, citation: str | None = None) -> Step:
    return Step(
        says=r"The sum is $2n$.",
        check=check,
        planted="n + n = 5",
        control=control,
        citation=citation,
        generality=Generality.GENERAL,
    )


def evidence(
    name: str = "proof",
    kind: Kind = Kind.PROOF,
    role: Role = Role.FOR,
    steps: tuple[Step, ...] | None = None,
    of: str = "sum",
    **fields: Any,
) -> Evidence:
    return Evidence(of, name, kind, role, (step(),) if steps is None else steps, **fields)


def outcome(
    kind: Kind = Kind.PROOF,
    role: Role = Role.FOR,
    status: Status = Status.PASSED,
    *,
    name: str | None = None,
    of: str = "sum",
    covers: bool = False,
    **fields: Any,
) -> Outcome:
    name = name or f"{kind.value}-{role.value}".replace(" ", "-")
    return Outcome(of, name, kind, role, status, "a detail", 0.25, "package/module.py:7", covers, **fields)


def step_outcome(says: str, *, planted: str = "n + n = 5", citation: str | None = None) -> StepOutcome:
    finding = Finding(True, "equality", "2 + 2 = 4")
    return StepOutcome(says, planted, citation, "package/module.py:9", finding, True, "equality: 2 + 2 = 5 fails")


def ledger(*items: Evidence, claims: tuple[Claim, ...] = ()) -> Ledger:
    made = Ledger(list(claims) or [claim()])
    for item in items:
        made.add(item)
    return made
