"""Say where the sources, the committed results and the compiled files of the Coq proofs lie."""

from __future__ import annotations

import os
from pathlib import Path

FORMAL = Path(__file__).resolve().parents[1]
THEORIES = FORMAL / "theories"

# Written by a checking run and committed, so that a reader without Coq sees what is proved.
CLAIMS = FORMAL / "claims.txt"
STATEMENTS = FORMAL / "statements.txt"
AXIOMS = FORMAL / "axioms.txt"
PINS = FORMAL / "Pins.v"
CHANGED_PINS = FORMAL / "ChangedPins.v"
CHECKED = FORMAL / "checked.json"

# Compiled files, never committed.
BUILD = Path(os.environ.get("QAE_FORMAL_BUILD", FORMAL / "build"))
COMPILED = BUILD / "theories"
# What passed here, and of which state of the sources; written last.
PASSED = BUILD / "passed.json"
GENERATED = BUILD / "generated"
