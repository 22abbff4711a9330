"""Tie the definitions in Coq to the shipped Python: by table, by symbols, by values.

Each tie writes a file of Coq that states what the shipped functions returned. They tie small sizes; what ties large
ones is the suite's comparison with its independent references. What Coq accepted is noted, so that a later run can see,
without Coq, whether the shipped functions still return it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from qae_theory.formal.tools import coq, layout, ties_symbols, ties_table, ties_values

# Coq holds each float within 1e-13 of its definition; another order of adding moves it by some 1e-16.
DRIFT = 1e-14


@dataclass(frozen=True)
class Returned:
    """Hold what the shipped functions return.

    Attributes:
        table: a hash of the exact values.
        symbols: a hash of the formulas.
        values: each float by its name.
    """

    table: str
    symbols: str
    values: Mapping[str, float]

    def differs_from(self, accepted: Returned) -> str | None:
        """Return which value is another one than Coq accepted; None if each is the same, floats up to rounding."""
        if self.table != accepted.table:
            return "the exact values of gate, quantile and advantages are other ones than Coq accepted"
        # A comparison that was dropped would otherwise pass unseen.
        if self.values.keys() != accepted.values.keys():
            return "other floats are compared than Coq accepted"
        for name, value in self.values.items():
            # A NaN is not within any distance, and so it differs.
            if not abs(value - accepted.values[name]) <= DRIFT:
                return f"{name} is {value!r}, and Coq accepted {accepted.values[name]!r}"
        return None


def returned() -> Returned:
    """Return all that the ties compare, asked of the shipped functions now; it takes about a second."""
    # Exact values and formulas must be the same; floats may differ by rounding.
    values = {case.name: case.value for case in ties_values.cases()}
    return Returned(_hash(ties_table.text()[0]), _hash(ties_symbols.text()[0]), values)


def noted(record: Mapping[str, object]) -> Returned:
    """Return what :func:`to_note` wrote.

    Raises:
        TypeError: the record holds other fields.
    """
    return Returned(**record)  # type: ignore[arg-type]


def to_note(values: Returned) -> dict[str, object]:
    """Return what the shipped functions return, as JSON can hold it.

    Python writes a float so that it reads the same again.
    """
    return asdict(values)


def check() -> str:
    """Let Coq check all three ties, and return how much each compared.

    Raises:
        CheckError: if a value is not the definition's, or a planted one is not refused.
    """
    table = _compile("TieTable", ties_table.text())
    symbols = _compile("TieSymbols", ties_symbols.text(), refusal=ties_symbols.REFUSED)
    values = _compile("TieValues", ties_values.text())
    return f"{table} values by table, {symbols} by symbols, {values} floats; planted changes refused"


def _compile(name: str, text_and_count: tuple[str, int], *, refusal: str | None = None) -> int:
    """Compile a file of ties, and return how many values it compares.

    With ``refusal``, each of its cases has a change that must be refused in these words.
    """
    text, count = text_and_count
    layout.GENERATED.mkdir(parents=True, exist_ok=True)
    file = layout.GENERATED / f"{name}.v"
    file.write_text(text, encoding="utf-8")
    answer = coq.coqc(file, print_refusals=True)
    if not answer.passed:
        raise coq.CheckError(f"{name}: the shipped Python and the definitions differ:\n{coq.first_error(answer)}")
    # As many refusals as cases: a change that Coq accepts shows a comparison that is blind.
    if refusal is not None and answer.output.count(refusal) != count:
        raise coq.CheckError(f"{name}: {answer.output.count(refusal)} of {count} planted changes were refused")
    return count


def _hash(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
