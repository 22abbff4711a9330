"""Pin the statements: ``Pins.v`` says each again and is typed by its theorem; ``ChangedPins.v`` changes one token.

``Pins.v`` is committed. It compiles only while every theorem still says what is pinned there, and it imports nothing
of this folder but ``Definitions.v``, so that a pinned statement can use no notion that is defined elsewhere. Each
statement of ``ChangedPins.v`` differs in one token, and Coq must refuse the theorem as its proof with a type mismatch:
the negative control.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from qae_theory.formal.tools import coq, layout, sources

_REFUSED = "The command has indeed failed with message:"
# What one token is changed to. The order is that of trying: the relation that is claimed first, then numbers.
_OTHER = {
    "<=": "<",
    "<": "<=",
    "<->": "->",
    "<>": "=",
    "=": "<>",
    "+": "-",
    "*": "+",
    "/\\": "\\/",
    "true": "false",
    "false": "true",
}
_TOKEN = re.compile(r"<->|->|=>|:=|<=|>=|<>|/\\|\\/|\w+|[^\w\s]")
_RELATIONS = ("<=", "<", "=", "<>")
_SECONDS = 20  # for one refusal: Coq may unfold two statements far before it sees that they differ


@dataclass(frozen=True)
class Change:
    """Hold a statement with one token changed.

    Attributes:
        statement: the changed statement.
        words: the change in words, such as ``<= becomes <``.
    """

    statement: str
    words: str


def pins_text(theorems: Mapping[str, sources.Theorem]) -> str:
    """Return the text of ``Pins.v``: each claim's statement, proved by its theorem."""
    parts = ["(** The statement of each claim's theorem, said again and proved by the theorem. *)", _header(theorems)]
    parts += [
        f"Definition pin_{theorem.name} :\n  {theorem.statement} :=\n  @QAE.{theorem.module}.{theorem.name}."
        for theorem in theorems.values()
    ]
    return "\n\n".join(parts) + "\n"


def changed_pins_text(theorems: Mapping[str, sources.Theorem], changes: Mapping[str, Change]) -> str:
    """Return the text of ``ChangedPins.v``, with one change per claim.

    Args:
        theorems: the theorem of each claim.
        changes: the changed statement of each claim.
    """
    parts = [
        "(** The pinned statements, one token changed in each: none of them is proved by the theorem. *)",
        _header(theorems),
    ]
    parts += [_refusal(theorems[claim], change) for claim, change in changes.items()]
    return "\n\n".join(parts) + "\n"


def find_changes(theorems: Mapping[str, sources.Theorem]) -> dict[str, Change]:
    """Return a change for each claim.

    It is that of ``ChangedPins.v`` where it still is one, else the first that Coq refuses.
    """
    stored = _stored_changes()
    changes = {}
    for claim, theorem in theorems.items():
        kept = stored.get(theorem.name)
        # A stored change is kept as long as it fits, since finding one takes Coq's time.
        still_a_change = kept is not None and kept in candidates(theorem.statement)
        changes[claim] = kept if kept is not None and still_a_change else find_change(theorem)
    return changes


def check_pins() -> None:
    """Compile ``Pins.v``.

    Raises:
        CheckError: if a theorem does not say what is pinned.
    """
    answer = _compile("Pins", layout.PINS.read_text(encoding="utf-8"))
    if not answer.passed:
        raise coq.CheckError(f"a theorem is not what Pins.v says:\n{coq.first_error(answer)}")


def check_changed_pins(theorems: Mapping[str, sources.Theorem]) -> int:
    """Compile ``ChangedPins.v``; return how many changed statements were refused for a type mismatch.

    Raises:
        CheckError: if a change is accepted, is refused for another reason, or is missing for a claim.
    """
    text = layout.CHANGED_PINS.read_text(encoding="utf-8")
    answer = _compile("ChangedPins", text)
    if not answer.passed:
        raise coq.CheckError(f"a changed statement was accepted:\n{coq.first_error(answer)}")
    refused = _mismatches(answer.output)
    wrong = [theorem.name for theorem in theorems.values() if theorem.name not in refused]
    # Neither a claim without a refusal, nor a refusal of something else.
    if wrong or text.count("\nFail ") != len(refused):
        raise coq.CheckError(f"no change of these statements was refused for a type mismatch: {', '.join(wrong)}")
    return len(refused)


def find_change(theorem: sources.Theorem) -> Change:
    """Return the first change of one token that Coq accepts as a statement and refuses as the theorem's type.

    Raises:
        CheckError: if there is none.
    """
    for change in candidates(theorem.statement):
        text = "\n\n".join([_header({"": theorem}), _refusal(theorem, change)])
        answer = _compile("OneChange", text + "\n")
        # Accepted as a statement, refused as the theorem's type: both are needed.
        if answer.passed and _mismatches(answer.output) == {theorem.name}:
            return change
    raise coq.CheckError(f"no change of one token of {theorem.name} is refused for a type mismatch")


def candidates(statement: str) -> Iterator[Change]:
    """Yield statements with one token changed, the last relation first: it is nearest to what is concluded.

    >>> next(candidates("forall x : R, 0 < x -> 0 <= x ^ 2")).words
    '<= becomes <'
    """
    tokens = list(_TOKEN.finditer(statement))
    relations = [token for token in reversed(tokens) if token.group() in _RELATIONS]
    others = [token for token in reversed(tokens) if token.group() in _OTHER and token.group() not in _RELATIONS]
    numbers = [token for token in reversed(tokens) if token.group().isdigit()]
    for token in [*relations, *others, *numbers]:
        old = token.group()
        # A number is changed to the next one.
        new = _OTHER.get(old) or str(int(old) + 1)
        yield Change(statement[: token.start()] + new + statement[token.end() :], f"{old} becomes {new}")


def _stored_changes() -> dict[str, Change]:
    """Return the changes of ``ChangedPins.v`` by the name of the theorem."""
    if not layout.CHANGED_PINS.is_file():
        return {}
    pattern = r"\(\* (.*?) \*\)\nDefinition changed_(\w+) : Prop :=\n  (.*?)\.\nFail "
    stored = re.findall(pattern, layout.CHANGED_PINS.read_text(encoding="utf-8"), flags=re.DOTALL)
    return {name: Change(statement, words) for words, name, statement in stored}


def _header(theorems: Mapping[str, sources.Theorem]) -> str:
    """Return the first lines of a file of pins, which import nothing of this folder but the definitions."""
    used = sorted({theorem.module for theorem in theorems.values()})
    return "\n".join(
        [
            "From QAE Require Import Compat Definitions.",
            f"From QAE Require {' '.join(used)}.",
            "Set Implicit Arguments.",
            "Unset Strict Implicit.",
        ]
    )


def _refusal(theorem: sources.Theorem, change: Change) -> str:
    """Return the text that states a change and lets Coq refuse the theorem as its proof."""
    name = theorem.name
    return (
        f"(* {change.words} *)\nDefinition changed_{name} : Prop :=\n  {change.statement}.\n"
        f"Fail Timeout {_SECONDS} Definition pin_{name} : changed_{name} := @QAE.{theorem.module}.{name}."
    )


def _mismatches(output: str) -> set[str]:
    """Return the names of the theorems that were refused because their type is another one."""
    names = set()
    for message in output.split(_REFUSED)[1:]:
        mismatch = re.search(
            r'The term "@?(?:\w+\.)*(\w+)"\s+has\s+type.*'
            r'while\s+it\s+is\s+expected\s+to\s+have\s+type\s+"changed_(\w+)"',
            message,
            flags=re.DOTALL,
        )
        # Refused for a type mismatch, and as the proof of its own change: any other failure shows nothing.
        if mismatch and mismatch.group(1) == mismatch.group(2):
            names.add(mismatch.group(1))
    return names


def _compile(name: str, text: str) -> coq.Answer:
    """Compile a text as a file of that name, and return what Coq answered."""
    layout.GENERATED.mkdir(parents=True, exist_ok=True)
    file = layout.GENERATED / f"{name}.v"
    file.write_text(text, encoding="utf-8")
    return coq.coqc(file, print_refusals=True)
