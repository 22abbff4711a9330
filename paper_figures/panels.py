"""What a figure is made of: panels, each with its source on its face and a sentence for the caption.

A figure module has ``TITLE``, ``SHAPE`` (rows, columns), maybe ``SIZE`` (inches of one panel) and ``PANELS``: titles
with functions that read data and return a :class:`Panel`, or raise ``MissingError``: then a watermarked panel is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from paper_figures.runs import NOT_RUN, Results, Run
from qae_theory.runs.stored import MissingError

Axes = Any  # matplotlib's, which is imported only where something is drawn

EXACT = "theory, exact"
MANY = 4  # runs of one experiment that are named one by one

Found = TypeVar("Found")


@dataclass(frozen=True)
class Panel:
    """One set of axes.

    ``says`` is the caption's sentence, made from the data. ``sources`` are the runs that the data come from, ``files``
    what is read besides; neither if the panel is computed from theory. ``stand_in`` says what is shown in the place of
    what the paper shows.
    ``missing`` says which command makes the data that are not there; the paper's own numbers may be drawn all the same.
    """

    title: str
    says: str
    draw: Callable[[Axes], None]
    sources: tuple[Run, ...] = ()
    stand_in: str | None = None
    missing: str | None = None
    files: tuple[Path, ...] = ()

    @property
    def source(self) -> str:
        """What stands on the panel's face."""
        if self.missing is not None:
            return self.missing if self.blank else f"the paper's numbers only; ours {self.missing}"
        said = "; ".join(filter(None, [_named(self.sources), *(path.name for path in self.files)])) or EXACT
        return f"{self.stand_in}: {said}" if self.stand_in else said

    @property
    def blank(self) -> bool:
        """Whether nothing is drawn."""
        return self.draw is _nothing


Builder = Callable[[Results], Panel]


def built(title: str, builder: Builder, results: Results) -> Panel:
    """The panel, or one that says which command makes its data."""
    try:
        return builder(results)
    except MissingError as missing:
        return Panel(title, f"{title}: {missing}.", _nothing, missing=str(missing))


def first_found(*sources: Callable[[], Found]) -> Found:
    """What the first source gives that has data, the best source first.

    Raises:
        MissingError: none has; with what each lacks, once.
    """
    lacking: list[str] = []
    for source in sources:
        try:
            return source()
        except MissingError as missing:
            lacking.append(str(missing))
    raise MissingError(lacking_said(lacking, ", or ") or "no source")


def lacking_said(lacking: Iterable[str], between: str) -> str:
    """Several messages of ``MissingError`` as one, the commands together."""
    said = list(dict.fromkeys(lacking))
    commands = [one.removeprefix(NOT_RUN) for one in said if one.startswith(NOT_RUN)]
    others = [one for one in said if not one.startswith(NOT_RUN)]
    return "; ".join([*([NOT_RUN + between.join(commands)] if commands else []), *others])


def all_built(builders: Sequence[tuple[str, Builder]], results: Results) -> list[Panel]:
    """Panels in order; a missing one costs no other."""
    return [built(title, builder, results) for title, builder in builders]


def _named(runs: Sequence[Run]) -> str:
    """Each run, or how many there are of an experiment of which there are many."""
    by_experiment: dict[str, list[Run]] = {}
    for run in runs:
        by_experiment.setdefault(run.experiment, []).append(run)
    return "; ".join(
        "; ".join(run.named for run in of) if len(of) <= MANY else f"{len(of)} runs of {experiment}"
        for experiment, of in by_experiment.items()
    )


def _nothing(axes: Axes) -> None:
    axes.set_axis_off()
