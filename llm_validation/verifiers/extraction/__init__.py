"""Where a response says its answer: one setting, the same object wherever responses are scored."""

from __future__ import annotations

from llm_validation.verifiers.extraction.rule import EXTRACTIONS, Extraction, extraction_rule

__all__ = ["EXTRACTIONS", "Extraction", "extraction_rule"]
