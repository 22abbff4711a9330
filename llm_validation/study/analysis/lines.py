"""Gather all lines of a study: those about training curves and those about one step."""

from __future__ import annotations

from collections.abc import Mapping

from llm_validation.common.tables import Table
from llm_validation.study.analysis.curve_lines import USUAL, Choices, Lines, shape_lines
from llm_validation.study.analysis.step_lines import step_lines


def study_lines(tables: Mapping[str, Table], choices: Choices = USUAL) -> Lines:
    """Return every line that counts, and every condition that is out.

    Args:
        tables: ``probes``, ``runs`` and ``follow``.
        choices: how effects are read off.
    """
    curves = shape_lines(tables, choices)
    steps, out = step_lines(tables["probes"], scale=choices.scale, level=choices.level)
    return Lines([*curves.lines, *steps], [*curves.out, *out])
