"""Try a score function in a process of its own, where it may hang, die or print and nothing else suffers.

The function is loaded as verl loads it and called in a thread that is not the main one, as verl calls it: a function
that keeps its time with ``signal.alarm`` works in the main thread only.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from math import isfinite
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

READY = "ready"


class Case(NamedTuple):
    """Hold a response, with the data source and the reference answer of what it responds to."""

    source: str
    answer: str
    response: str


class Scored(NamedTuple):
    """Hold what the function made of a case: the score and the keys of its record, or the error."""

    score: float | None
    keys: tuple[str, ...] = ()
    error: str | None = None


def serve(channel: Connection, path: str, name: str, options: Mapping[str, Any]) -> None:
    """Score the cases that come over a channel until it ends.

    Args:
        channel: gives a :class:`Case`, takes a :class:`Scored`; first it takes ``READY``, or why the function does not
            load.
        path: of the module, as in :func:`load`.
        name: of the function.
        options: keyword arguments for every call.
    """
    try:
        function = load(path, name)
    except Exception as error:  # the user's code: anything
        channel.send(f"{type(error).__name__}: {error}")
        return
    channel.send(READY)
    with ThreadPoolExecutor(1) as pool:
        while True:
            try:
                case = channel.recv()
            except EOFError:
                return
            channel.send(pool.submit(score, function, case, options).result())


def load(path: str, name: str) -> Callable[..., Any]:
    """Return the function ``name`` of a module.

    Args:
        path: ``pkg://package.module``, or the path of a file.
        name: of the function.

    Raises:
        FileNotFoundError: the file is not there. What the module itself raises is passed on.
    """
    if path.startswith("pkg://"):
        module = importlib.import_module(path.removeprefix("pkg://").replace("/", "."))
    else:
        file = Path(path.removeprefix("file://"))
        spec = importlib.util.spec_from_file_location("score_function", file)
        if spec is None or spec.loader is None or not file.is_file():
            raise FileNotFoundError(f"no module {file}")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    function: Callable[..., Any] = getattr(module, name)
    return function


def score(function: Callable[..., Any], case: Case, options: Mapping[str, Any]) -> Scored:
    """Return what one call gives, made with the arguments of verl's reward managers."""
    try:
        returned = function(
            data_source=case.source, solution_str=case.response, ground_truth=case.answer, extra_info={}, **options
        )
        if inspect.iscoroutine(returned):
            returned = asyncio.run(returned)
        # verl's managers make the same record of a function that returns a number alone.
        record = returned if isinstance(returned, Mapping) else {"score": returned, "acc": returned}
        number = float(record["score"])
        if not isfinite(number):
            return Scored(None, error=f"the score {number} is not a finite number")
        return Scored(number, tuple(map(str, record)))
    except Exception as error:  # the user's code: anything
        return Scored(None, error=f"{type(error).__name__}: {' '.join(str(error).split())}")
