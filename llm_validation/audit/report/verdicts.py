"""Keep the ledger's verdicts as they stood when this package was made, so that a wheel has them too.

``python -m llm_validation.audit.report.verdicts`` takes them over from ``docs/ledger.json``.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path

_FILE = "verdicts.json"
NOT_RUN = "not run"  # of a claim that the stored ledger does not have
LEDGER = Path(__file__).parents[3] / "docs" / "ledger.json"


@cache
def verdicts() -> dict[str, str]:
    """Return the verdict of each claim by its id."""
    text = (files("llm_validation.audit.report") / _FILE).read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)
    return found


def of_ledger(path: Path = LEDGER) -> dict[str, str]:
    """Return the verdicts in a stored ledger.

    Raises:
        OSError: it cannot be read.
    """
    return {claim["id"]: claim["verdict"] for claim in json.loads(path.read_text(encoding="utf-8"))}


def main() -> None:
    """Take the verdicts over from the repository's ledger."""
    from qae_theory.runs.files import to_json, write_atomically

    write_atomically(Path(__file__).parent / _FILE, to_json(of_ledger()))


if __name__ == "__main__":
    main()
