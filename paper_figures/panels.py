"""What a figure is made of: panels, each with its source on its face and a sentence for the caption.

A figure module has ``TITLE``, ``SHAPE`` (rows and columns of panels), maybe ``SIZE`` (inches of one panel) and
``PANELS``: titles with functions that read data and return a :class:`Panel`. Where the data are missing such a function
raises ``MissingError``, and nothing is drawn in its place: the caption names the command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from paper_figures.runs import NOT_RUN, Results, Run
from qae_theory.runs.stored import MissingError

Axes = Any  # Matplotlib's type; the library is imported only where something is drawn

EXACT = "theory, exact"
# Up to this many runs of one experiment are named one by one; more would not fit below a panel.
MANY = 4

Data = TypeVar("Data")


@dataclass(frozen=True)
class Panel:
    """One set of axes.

    Attributes:
        title: stands above the axes.
        caption: the panel's sentence in the caption, made from the data.
        draw: draws on the axes.
        sources: the runs that the data come from; none if the panel is computed from theory.
        stand_in: what is shown in the place of what the paper shows.
        missing: which command makes the data that are missing; the paper's own numbers may be drawn all the same.
        files: what is read besides runs.
    """

    title: str
    caption: str
    draw: Callable[[Axes], None]
    sources: tuple[Run, ...] = ()
    stand_in: str | None = None
    missing: str | None = None
    files: tuple[Path, ...] = ()

    @property
    def source(self) -> str:
        """Return the text on the panel's face: the data's source, or what is missing."""
        if self.missing is not None:
            return self.missing if self.blank else f"the paper's numbers only; ours {self.missing}"
        names = [_names(self.sources), *(path.name for path in self.files)]
        source = "; ".join(filter(None, names)) or EXACT
        return f"{self.stand_in}: {source}" if self.stand_in else source

    @property
    def blank(self) -> bool:
        """Return whether nothing is drawn."""
        return self.draw is _nothing


Builder = Callable[[Results], Panel]


def built(title: str, builder: Builder, results: Results) -> Panel:
    """Return the panel, or one that names the command which makes its data."""
    try:
        return builder(results)
    except MissingError as missing:
        return Panel(title, caption=f"{title}: {missing}.", draw=_nothing, missing=str(missing))


def first_with_data(*sources: Callable[[], Data]) -> Data:
    """Return what the first source gives that has data; the best source comes first.

    Raises:
        MissingError: no source has data; the message says once what each of them lacks.
    """
    lacking: list[str] = []
    for source in sources:
        try:
            return source()
        except MissingError as missing:
            lacking.append(str(missing))
    raise MissingError(joined_reasons(lacking, ", or ") or "no source")


def joined_reasons(lacking: Iterable[str], between: str) -> str:
    """Return several messages of ``MissingError`` as one, each once, with the commands together.

    Args:
        lacking: the messages.
        between: what separates two commands.
    """
    messages = list(dict.fromkeys(lacking))
    commands = [message.removeprefix(NOT_RUN) for message in messages if message.startswith(NOT_RUN)]
    others = [message for message in messages if not message.startswith(NOT_RUN)]
    joined = [NOT_RUN + between.join(commands)] if commands else []
    return "; ".join([*joined, *others])


def all_built(builders: Sequence[tuple[str, Builder]], results: Results) -> list[Panel]:
    """Return the panels in order; missing data of one panel cost no other panel."""
    return [built(title, builder, results) for title, builder in builders]


def _names(runs: Sequence[Run]) -> str:
    """Return the name of each run, or how many there are of an experiment of which there are many."""
    by_experiment: dict[str, list[Run]] = {}
    for run in runs:
        by_experiment.setdefault(run.experiment, []).append(run)
    names = []
    for experiment, of_experiment in by_experiment.items():
        if len(of_experiment) <= MANY:
            names += [run.named for run in of_experiment]
        else:
            names.append(f"{len(of_experiment)} runs of {experiment}")
    return "; ".join(names)


def _nothing(axes: Axes) -> None:
    """Draw nothing. A panel is known to be blank by this function."""
    axes.set_axis_off()
