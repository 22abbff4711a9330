"""Show the formal proofs as evidence: what Coq has checked here, claim by claim. Nothing is compiled.

``make formal`` compiles the theories, pins each statement, refuses a changed one, refutes the planted falsehoods, holds
the definitions against the shipped Python, and notes all of it for these very sources. Here ``coqchk``, Coq's
independent checker, reads the compiled theories once, and each claim's theorem is looked up in what was noted. Where
Coq is missing, or these sources were not checked here, the evidence is skipped and says what a stored record says.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache, partial

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.formal import reader
from qae_theory.formal.tools import layout, record, scan, sources, survey

NAME = "Coq"

# Claims whose theorem states that the unqualified statement fails.
REFUTED = frozenset(
    {
        "eq4-released-code",
        "gate-nonbinary",
        "gate-query-group",
        "sparsity-80",
        "sparsity-monotone",
        "prop41-constant",
        "prop41-rarer-is-larger",
        "prop41-token-normaliser",
        "masks-special-case",
        "prop42-policy-gradient-strict",
        "prop42-natural-gradient-strict",
        "prop42-sampled-group",
        "prop42-sign",
        "prop42-finite-step",
        "ratio-box-clip",
        "correlated-verifier",
        "ebpo",
    }
)
# For a claim with an assumption: the claim whose theorem shows the statement failing without it.
WITHOUT = {
    "eq4-released-code-if": "eq4-released-code",
    "gate-query-group-if": "gate-query-group",
    "prop41-token-normaliser-if": "prop41-token-normaliser",
    "prop42-finite-step-if": "prop42-finite-step",
    "ratio-box-clip-if": "ratio-box-clip",
    "correlated-verifier-if": "correlated-verifier",
}


def register(ledger: Ledger) -> None:
    """Add a piece of evidence for each claim that has a theorem, and one for what fails without an assumption."""
    assuming = {claim.id for claim in ledger.claims if claim.assumption is not None}
    for claim in sources.claims():
        role = Role.AGAINST if claim in REFUTED else Role.UNDER if claim in assuming else Role.FOR
        ledger.add(_evidence(claim, NAME, role, theorem_of=claim))
    for claim, unqualified in WITHOUT.items():
        ledger.add(_evidence(claim, f"{NAME}, without the assumption", Role.WITHOUT, theorem_of=unqualified))


def _evidence(claim: str, name: str, role: Role, *, theorem_of: str) -> Evidence:
    return Evidence(
        claim=claim,
        name=name,
        kind=Kind.FORMAL,
        role=role,
        steps=_steps(theorem_of),
        missing=lambda effort: record.unavailable(),
        prepare=_prepare,
    )


def _prepare() -> None:
    """Let ``coqchk`` read the compiled theories once for all claims."""
    if record.unavailable() is None:
        record.coqchk_says()


def _steps(claim: str) -> tuple[Step, ...]:
    return (
        Step(
            says="Coq's independent checker accepts the theorem, and the theorem says what is pinned in Pins.v.",
            check=partial(_pinned, claim),
            planted="the pinned statement with one token changed",
            control=partial(_changed_pin, claim),
            generality=Generality.GENERAL,
        ),
        Step(
            says="The theorem rests on the axioms of the classical real numbers only, in a file of decimals also on "
            "Coq's primitive integers.",
            check=partial(_axioms_allowed, claim),
            planted="the same theorem resting on an axiom about primitive floats as well",
            control=partial(_axioms_allowed, claim, further=("FloatAxioms.add_spec",)),
            generality=Generality.GENERAL,
        ),
        Step(
            says="Nothing is left open in the sources of the theorem and of all that it requires: no admitted goal, "
            "axiom, open variable or switched-off check.",
            check=partial(_nothing_open, claim),
            planted="a proof that ends with Admitted",
            control=_open_goal,
            generality=Generality.GENERAL,
        ),
        Step(
            says=f"Of the definitions in its statement, Coq has held these against the shipped functions, which still "
            f"return the same: {_tied_definitions(claim)}.",
            check=_tied,
            planted="each shipped float times 1 + 1e-9",
            control=partial(_tied, factor=1 + 1e-9),
            generality=Generality.INSTANCES,
            tie=True,
        ),
    )


def _pinned(claim: str) -> Finding:
    theorem = _theorem(claim)
    accepted, said = record.coqchk_says()
    pins = layout.PINS.read_text(encoding="utf-8").split()
    pinned = f"Definition pin_{theorem.name} : {theorem.statement} := @QAE.{theorem.module}.{theorem.name}.".split()
    holds = accepted and _contains(pins, pinned)
    return Finding(holds, "type of the theorem", f"theorem {theorem.name} of {theorem.module}.v; coqchk: {said}")


def _changed_pin(claim: str) -> Finding:
    """Return what became of the changed statement; it counts as refused only if it is noted for these sources."""
    theorem = _theorem(claim)
    text = layout.CHANGED_PINS.read_text(encoding="utf-8")
    change = re.search(rf"\(\* (.*?) \*\)\nDefinition changed_{theorem.name} : Prop :=", text)
    refused = change is not None and _passed_here()
    return Finding(
        not refused, "type of the theorem", f"{change.group(1)}: type mismatch" if change else "no change is recorded"
    )


def _axioms_allowed(claim: str, further: tuple[str, ...] = ()) -> Finding:
    theorem = _theorem(claim)
    axioms = dict.fromkeys([*_axioms()[claim], *further], "")
    found = survey.Surveyed(claim, theorem.module, theorem.statement, axioms)
    detail = ", ".join(name.rpartition(".")[2] for name in axioms)
    return Finding(not found.forbidden, "axioms on the whitelist", f"{detail}; forbidden: {found.forbidden or 'none'}")


def _nothing_open(claim: str) -> Finding:
    modules = sorted(_required(_theorem(claim).module))
    faults = [fault for module in modules for fault in scan.scan(module, _source(module))]
    return Finding(not faults, "nothing left open", f"{len(modules)} files" if not faults else str(faults[0]))


def _open_goal() -> Finding:
    faults = scan.scan("planted", "Theorem planted : True.\nAdmitted.\n")
    return Finding(not faults, "nothing left open", str(faults[0]) if faults else "not found")


def _tied_definitions(claim: str) -> str:
    """Return the names of a statement's tied definitions, with the shipped functions and the kinds of tie."""
    ties = reader.readings()[claim].ties.items()
    return "; ".join(f"`{name}` (`{functions}`: {how})" for name, (functions, how) in ties)


def _tied(factor: float = 1.0) -> Finding:
    """Return whether the shipped functions, times a factor, return what Coq has held against the definitions."""
    now = record.returned()
    values = {name: value * factor for name, value in now.values.items()}
    difference = replace(now, values=values).differs_from(record.accepted())
    return Finding(difference is None, "comparison inside Coq", difference or "they return what `make formal` compared")


@cache
def _passed_here() -> bool:
    """Ask once in a process: Coq is called for its version, and every source is hashed."""
    return record.passed_here()


@cache
def _theorem(claim: str) -> sources.Theorem:
    found, _ = sources.claim_theorems()
    return found[claim]


@cache
def _axioms() -> dict[str, list[str]]:
    """Return the axioms of each claim's theorem, as ``axioms.txt`` lists them."""
    blocks = layout.AXIOMS.read_text(encoding="utf-8").split("\n\n")
    return {claim: [name.strip() for name in names] for claim, *names in (block.splitlines() for block in blocks)}


def _required(module: str) -> set[str]:
    """Return a module and all that it requires."""
    found = {module}
    for name in sources.requirements(module):
        found |= _required(name)
    return found


@cache
def _source(module: str) -> str:
    return sources.path(module).read_text(encoding="utf-8")


def _contains(words: list[str], part: list[str]) -> bool:
    return f" {' '.join(part)} " in f" {' '.join(words)} "
