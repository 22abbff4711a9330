"""Find in the Coq sources whatever leaves something unproved: axioms, admitted goals, switched-off checks.

``Print Assumptions`` finds the axioms that a theorem uses; this scan finds them where none uses them, and finds
variables that no section closes. Comments and strings are not looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from qae_theory.formal.tools import sources

_FORBIDDEN = {
    "an unproved statement": r"\b(?:Axioms?|Parameters?|Conjectures?|Admitted|admit|give_up|Admit\s+Obligations)\b",
    "a check switched off": (
        r"\bUnset\s+(?:Universe|Guard|Positivity)\s+Checking\b|\bbypass_check\b|\bSet\s+(?:Type\s+In\s+Type|"
        r"Impredicative\s+Set)\b|\bUnset\s+Universe\s+Minimization"
    ),
    "a module without a proof": r"\bDeclare\s+(?:Module|ML)\b|\bModule\s+Type\b|\bInclude\b|\bLoad\b|\bPrimitive\b",
}
_ATTRIBUTES = re.compile(r"(?:\s|#\[[^\]]*\]|\b(?:Local|Global|Polymorphic|Monomorphic|Cumulative)\b)*")
_OPEN_VARIABLE = re.compile(r"(?:Variables?|Hypothes[ie]s|Context)\b")
_SENTENCE = re.compile(r"[^.]*(?:\.(?!\s|$)[^.]*)*\.(?:\s|$)")

# One planted falsehood of each kind, and sources that must pass.
PLANTED = (
    "Axiom a : False.",
    "Lemma a : False. Proof. Admitted.",
    "Lemma a : False. Proof. admit. Qed.",
    "Parameter a : nat.",
    "Conjecture a : False.",
    "Variable a : nat.",
    "Hypothesis a : False.",
    "Section S. Variable a : nat. End S. Hypotheses b c : False.",
    "Context (a : False).",
    "Local Hypothesis a : False.",
    "#[local] Variable a : False.",
    "Unset Universe Checking.",
    "Unset Guard Checking.",
    "Unset Positivity Checking.",
    "#[bypass_check(guard)] Fixpoint f (n : nat) : nat := f n.",
    "Module Type M. End M.",
    "Declare Module M : N.",
    "Local Axiom a : False.",
    '(* " (* " *) Axiom a : False. (* " *) " *)',
)
HARMLESS = (
    "(* Axiom a : False. (* Admitted *) *) Lemma a : True. Proof. exact I. Qed.",
    'Definition a := "Axiom"%string.',
    "Section S. Variable a : nat. Hypothesis b : a = a. Section T. Context (c : nat). End T. End S.",
)


@dataclass(frozen=True)
class Finding:
    """Hold a forbidden word.

    Attributes:
        module: where it stands.
        words: the word.
        reason: why it is forbidden.
    """

    module: str
    words: str
    reason: str

    def __str__(self) -> str:
        return f"{self.module}.v: {self.words!r} is {self.reason}"


def scan_all() -> list[Finding]:
    """Return the findings in all modules."""
    findings: list[Finding] = []
    for module in sources.modules():
        findings += scan(module, sources.path(module).read_text(encoding="utf-8"))
    return findings


def scan(module: str, source: str) -> list[Finding]:
    """Return the findings in one source text.

    Args:
        module: the name that findings are reported under.
        source: the text, comments included.
    """
    # A word in a comment leaves nothing open.
    code = sources.without_comments(source)
    findings = []
    for reason, pattern in _FORBIDDEN.items():
        findings += [Finding(module, match.group(), reason) for match in re.finditer(pattern, code)]
    return findings + _open_variables(module, code)


def failed_controls() -> list[str]:
    """Return the planted texts that the scan misses, and the harmless ones that it reports; none if the scan works."""
    # Both ways: what it must find, and what it must leave alone.
    missed = [text for text in PLANTED if not scan("Planted", text)]
    return missed + [text for text in HARMLESS if scan("Harmless", text)]


def _open_variables(module: str, code: str) -> list[Finding]:
    """Return variables and hypotheses outside every section, where they would be axioms."""
    findings = []
    open_sections: list[str] = []
    for sentence in _SENTENCE.findall(code):
        tokens = sentence.split()
        if not tokens:
            continue
        if tokens[0] == "Section":
            open_sections.append(tokens[1].rstrip("."))
        # A module ends with End as well; only the section that was opened last is closed.
        elif tokens[0] == "End" and open_sections and tokens[1].rstrip(".") == open_sections[-1]:
            open_sections.pop()
        elif not open_sections and (variable := _OPEN_VARIABLE.match(_ATTRIBUTES.sub("", sentence, count=1))):
            findings.append(Finding(module, variable.group(), "outside every section, so an axiom"))
    return findings
