"""Keep what an interrupted ``qae verify`` has checked, so that the next one goes on from there.

Each outcome is a line of JSON in ``<out>/verify/.checked-<key>/``, from which it is read back as data: nothing in it is
executed. The key is made of what is checked, of the code and of the installed packages; where one of them has changed,
nothing of the earlier run counts. A run that ends removes its folder.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from qae_theory.claims.model import Evidence, Outcome, Status
from qae_theory.runs.folders import run_id
from qae_theory.runs.locks import alone
from qae_theory.runs.provenance import installed_versions

OUTCOMES = "outcomes.jsonl"
_OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)
# What broke or was skipped may go otherwise at the next try, and is checked again.
_LASTING = (Status.PASSED, Status.NEGATIVE)


class Kept:
    """Hold the outcomes of an unfinished run, and add to them."""

    def __init__(self, file: Path) -> None:
        """Keep outcomes in this file; those that are there already count."""
        self._file = file
        self._found = {(outcome.claim, outcome.name): outcome for outcome in _read(file)}

    def of(self, evidence: Sequence[Evidence]) -> dict[tuple[str, str], Outcome]:
        """Return the outcomes of these pieces of evidence that are known already.

        Evidence that rests on stored results, or on what another program prepares, is always checked anew: what it
        reads may have changed, and the key does not see that.
        """
        lasting = [item for item in evidence if item.missing is None and item.prepare is None]
        keys = [(item.claim, item.name) for item in lasting]
        return {key: self._found[key] for key in keys if key in self._found}

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome that will be the same at the next try."""
        if outcome.status not in _LASTING:
            return
        self._found[outcome.claim, outcome.name] = outcome
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(_OUTCOME.dump_python(outcome, mode="json"), ensure_ascii=False) + "\n")

    def __len__(self) -> int:
        """Return how many outcomes are kept."""
        return len(self._found)


@contextmanager
def keeping(out: Path, config: Mapping[str, Any], code: str) -> Iterator[Kept]:
    """Yield what is kept of this run, which no other process works on meanwhile; drop it if the run ends well.

    Args:
        out: the results folder.
        config: what is checked, and at which size.
        code: the version of the code.

    Raises:
        BusyError: another process is at the same run.
        OSError: the results folder cannot be written.
    """
    key = run_id({**config, "packages": installed_versions()}, code)
    folder = out / "verify" / f".checked-{key}"
    with alone(folder):
        kept = Kept(folder / OUTCOMES)
        try:
            yield kept
        except BaseException:
            if not kept:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)


def _read(file: Path) -> Iterator[Outcome]:
    """Yield the outcomes of a file; a line that an interruption cut short, or that is damaged, is left out."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        try:
            yield _OUTCOME.validate_python(json.loads(line))
        except ValueError:  # pydantic's errors are of this kind
            continue
