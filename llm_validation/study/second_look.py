"""Write the page of the lines that were looked at twice: over all seeds, beside what the first look had said.

``python -m llm_validation.study.second_look`` writes docs/validation/second-look.md from the kept lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from llm_validation.study import sections
from llm_validation.study.analysis.curve_lines import Lines
from llm_validation.study.kept_lines import FOLDER, kept_lines, left_out
from llm_validation.study.stored_summary import STORED
from qae_theory.claims.model import Answer
from qae_theory.runs.files import write_atomically

PAGE = "second-look.md"
FIRST = "long"  # the study of the first look
OUT = "out"


def page(kept: Path = FOLDER) -> str:
    """Return the page, in Markdown; ``kept`` is where the lines of all studies are kept."""
    return "\n".join(_lines(kept)) + "\n"


def _lines(kept: Path) -> Iterator[str]:
    first, both = kept_lines(kept, FIRST), kept_lines(kept)
    again = {name: found for name, found in both.items() if name in first and found.line.n > first[name].line.n}
    gone = [name for name in first if name not in both]
    yield from ("# The second look", "")
    yield "Seeds were added to four parts of the study on tiny models, whatever their lines had said"
    yield "([the design](design.md)). Their lines are read here for the second and last time, over the seeds of all:"
    yield f"{', '.join(dict.fromkeys(found.source for found in again.values()))}."
    yield ""
    yield f"Of {len(again) + len(gone)} lines, by what the first look and what both together say:"
    yield ""
    moves = Counter((str(first[name].line.outcome), str(found.line.outcome)) for name, found in again.items())
    moves.update((str(first[name].line.outcome), OUT) for name in gone)
    kinds = [str(answer) for answer in Answer]
    rows = [[f"{before} at first", *(moves[before, after] for after in (*kinds, OUT))] for before in kinds]
    yield from sections.markdown_table(["", *kinds, OUT], rows)
    yield ""
    if gone:
        yield "Out are conditions in which RL does not learn in one of the studies:"
        yield f"{', '.join(f'`{name}`' for name in gone)}."
        yield ""
    out = [{"condition": name.partition("@")[2]} for name in left_out(kept)]
    yield from sections.outcomes(Lines([found.line for found in both.values()], out))
    yield from sections.lines(Lines([found.line for found in again.values()]))


if __name__ == "__main__":
    write_atomically(STORED / PAGE, page())
