"""The ties between the definitions in Coq and the shipped Python: by table, by symbols, by values.

Each writes a file of Coq that states what the shipped functions returned. They tie small sizes; what ties large ones is
the suite's comparison with its independent references.
"""

from __future__ import annotations

from qae_theory.formal.tools import coq, layout, ties_symbols, ties_table, ties_values


def check() -> str:
    """Let Coq check all three ties; say how much each compared.

    Raises:
        CheckError: if a value is not the definition's, or a planted one is not refused.
    """
    table = _compile("TieTable", ties_table.text())
    symbols = _compile("TieSymbols", ties_symbols.text(), refusal=ties_symbols.REFUSED)
    values = _compile("TieValues", ties_values.text())
    return f"{table} values by table, {symbols} by symbols, {values} floats; planted changes refused"


def _compile(name: str, text_and_count: tuple[str, int], *, refusal: str | None = None) -> int:
    """Compile a file of ties; with ``refusal``, each of its cases has a change that must be refused in these words."""
    text, count = text_and_count
    layout.GENERATED.mkdir(parents=True, exist_ok=True)
    file = layout.GENERATED / f"{name}.v"
    file.write_text(text, encoding="utf-8")
    answer = coq.coqc(file, print_refusals=True)
    if not answer.passed:
        raise coq.CheckError(f"{name}: the shipped Python and the definitions differ:\n{coq.first_error(answer)}")
    if refusal is not None and answer.output.count(refusal) != count:
        raise coq.CheckError(f"{name}: {answer.output.count(refusal)} of {count} planted changes were refused")
    return count
