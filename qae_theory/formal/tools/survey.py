"""Ask Coq what each claim's theorem says (``Check``) and which axioms it uses (``Print Assumptions``).

A statement is printed with only ``Definitions.v`` imported, so that a notion defined elsewhere shows its module's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

from qae_theory.formal.tools import coq, layout, sources

# The axioms of the classical real numbers, which every theorem may use.
CLASSICAL = frozenset(
    {
        "ClassicalDedekindReals.sig_forall_dec",
        "ClassicalDedekindReals.sig_not_dec",
        "FunctionalExtensionality.functional_extensionality_dep",
        "Classical_Prop.classic",
    }
)
# Coq's primitive integers and what they satisfy: interval arithmetic computes with them, in the files of decimals only.
INTEGERS = ("PrimInt63.", "Uint63.")
DECIMALS = "Decimals"

# Axioms that must be refused to a theorem of that module, and some that must not.
REFUSED = (
    ("Gate", "PrimInt63.add"),
    ("Gate", "Gate.assumed"),
    ("GateDecimals", "FloatAxioms.add_spec"),
    ("GateDecimals", "PrimFloat.add"),
    ("GateDecimals", "ProofIrrelevance.proof_irrelevance"),
)
ALLOWED = (("Gate", "Classical_Prop.classic"), ("GateDecimals", "Uint63.add_spec"))

_MARK = "theorem of claim"
_AXIOM = re.compile(r"^([\w.']+)(?=\s*:|\s*$)", flags=re.MULTILINE)


@dataclass(frozen=True)
class Surveyed:
    """Hold what Coq says of a claim's theorem.

    Attributes:
        claim: the claim's id.
        module: the module that proves the theorem.
        statement: the theorem as Coq prints it.
        axioms: each axiom's statement by its name.
    """

    claim: str
    module: str
    statement: str
    axioms: Mapping[str, str]

    @property
    def forbidden(self) -> list[str]:
        """Return the axioms that are not allowed to this theorem."""
        # The name of a module says whether it computes by interval arithmetic.
        integers = self.module.endswith(DECIMALS)
        return [name for name in self.axioms if name not in CLASSICAL and not (integers and name.startswith(INTEGERS))]

    @property
    def outside_definitions(self) -> list[str]:
        """Return notions in the statement that are defined in a module of this folder other than ``Definitions.v``."""
        # Notions of Compat are names for those of the libraries.
        own = "|".join(module for module in sources.modules() if module not in ("Compat", "Definitions"))
        return sorted(set(re.findall(rf"(?<![\w.])(?:QAE\.)?(?:{own})\.\w+", self.statement)))


def survey(theorems: Mapping[str, sources.Theorem], *, jobs: int = 2) -> list[Surveyed]:
    """Return what Coq says of the theorem of each claim.

    Args:
        theorems: the theorems by claim.
        jobs: programs of Coq that run at a time.

    Raises:
        CheckError: if Coq does not answer.
    """
    layout.GENERATED.mkdir(parents=True, exist_ok=True)
    claims = list(theorems)
    # Every jobs-th claim, so that the slow files of decimals are shared out.
    shares = []
    for start in range(jobs):
        shares.append({claim: theorems[claim] for claim in claims[start::jobs]})
    with ThreadPoolExecutor(jobs) as pool:
        answers = chain.from_iterable(pool.map(_survey_share, range(jobs), shares))
        by_claim = {each.claim: each for each in answers}
    # Back into the order of the claims, whichever program answered first.
    return [by_claim[claim] for claim in claims]


def failed_controls() -> list[str]:
    """Return the axioms that are wrongly allowed or wrongly refused; none if the list of allowed ones works."""

    def refused(module: str, axiom: str) -> bool:
        return bool(Surveyed("planted", module, "", {axiom: ""}).forbidden)

    wrong = [axiom for module, axiom in REFUSED if not refused(module, axiom)]
    return wrong + [axiom for module, axiom in ALLOWED if refused(module, axiom)]


def statements_text(surveyed: list[Surveyed]) -> str:
    """Return the text of ``statements.txt``."""
    return "\n\n".join(f"{each.claim} ({each.module}.v)\n{each.statement}" for each in surveyed) + "\n"


def axioms_text(surveyed: list[Surveyed]) -> str:
    """Return the text of ``axioms.txt``: per claim the names of its axioms, and at the end what each axiom states."""
    parts = []
    stated: dict[str, str] = {}
    for each in surveyed:
        parts.append("\n".join([each.claim, *(f"  {name}" for name in sorted(each.axioms))]))
        stated.update(each.axioms)
    parts.append("\n".join(["what the axioms state", *(f"  {name} : {stated[name]}" for name in sorted(stated))]))
    return "\n\n".join(parts) + "\n"


def definitions_used(statement: str) -> list[str]:
    """Return the names of ``Definitions.v`` that occur in a statement, in the file's order."""
    occurring = set(re.findall(r"\w+", statement))
    return [name for name in sources.defined() if name in occurring]


def _survey_share(index: int, theorems: Mapping[str, sources.Theorem]) -> list[Surveyed]:
    """Return what Coq says of a share of the theorems, asked in one file."""
    file = layout.GENERATED / f"Survey{index}.v"
    file.write_text("\n".join(_questions(theorems)) + "\n", encoding="utf-8")
    answer = coq.coqc(file)
    if not answer.passed:
        raise coq.CheckError(f"the survey of the theorems failed:\n{coq.first_error(answer)}")
    return _read(answer.output, theorems)


def _questions(theorems: Mapping[str, sources.Theorem]) -> list[str]:
    """Return the sentences of a file that asks Coq for statements and axioms."""
    used = sorted({theorem.module for theorem in theorems.values()})
    sentences = [
        "From QAE Require Import Compat Definitions.",
        f"From QAE Require {' '.join(used)}.",
        # Fixed, so that the committed texts are the same on every machine.
        "Set Printing Width 118.",
        "Set Printing Depth 100000.",
    ]
    for claim, theorem in theorems.items():
        full_name = f"QAE.{theorem.module}.{theorem.name}"
        sentences += [
            # A printed mark tells where one theorem's answers end and the next one's begin.
            f'Goal True. idtac "{_MARK} {claim}". Abort.',
            f"Check @{full_name}.",
            f"Print Assumptions {full_name}.",
        ]
    return sentences


def _read(output: str, theorems: Mapping[str, sources.Theorem]) -> list[Surveyed]:
    """Return what Coq printed, theorem by theorem.

    Raises:
        CheckError: if an answer is missing.
    """
    parts = re.split(rf"^{_MARK} (\S+)$", output, flags=re.MULTILINE)[1:]
    surveyed = []
    for claim, text in zip(parts[::2], parts[1::2], strict=True):
        statement, separator, axioms = text.partition("\nAxioms:\n")
        # Silence about axioms is not the same as none.
        if not separator and "Closed under the global context" not in statement:
            raise coq.CheckError(f"Coq said nothing of the axioms of {claim}")
        statement = statement.replace("Closed under the global context", "").strip()
        surveyed.append(Surveyed(claim, theorems[claim].module, _tidy(statement), _axioms(axioms)))
    if [each.claim for each in surveyed] != list(theorems):
        raise coq.CheckError("Coq did not answer for every theorem")
    return surveyed


def _tidy(statement: str) -> str:
    """Return the printed statement without the theorem's name, indented by two."""
    _, _, text = statement.partition(":")
    first, *rest = text.strip().split("\n")
    # Coq indents what follows the first line by the seven columns of "     : ".
    return "\n".join(f"  {line}" for line in [first, *(line.removeprefix(" " * 7) for line in rest)])


def _axioms(text: str) -> dict[str, str]:
    """Return names and statements, white space normalised: where the lines break depends on the context of printing."""
    parts = _AXIOM.split(text)[1:]
    return {name: " ".join(said.split()).removeprefix(": ") for name, said in zip(parts[::2], parts[1::2], strict=True)}
