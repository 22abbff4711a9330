"""The process in which a score function is tried: it may hang, die or print, and nothing else suffers.

Loads the function as verl does and calls it in a thread that is not the main one, as verl does: a function that keeps
its time with ``signal.alarm`` works in the main thread only.
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
    """A response, with what it is a response to."""

    source: str
    answer: str
    response: str


class Answer(NamedTuple):
    """What the function said: the score, the other keys of its record, or the error."""

    score: float | None
    keys: tuple[str, ...] = ()
    error: str | None = None


def serve(channel: Connection, path: str, name: str, options: Mapping[str, Any]) -> None:
    """Answer cases until the channel ends."""
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
    """The function ``name`` of a module: ``pkg://package.module``, or the path of a file."""
    if path.startswith("pkg://"):
        module = importlib.import_module(path.removeprefix("pkg://").replace("/", "."))
    else:
        place = Path(path.removeprefix("file://"))
        spec = importlib.util.spec_from_file_location("score_function", place)
        if spec is None or spec.loader is None or not place.is_file():
            raise FileNotFoundError(f"no module {place}")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    function: Callable[..., Any] = getattr(module, name)
    return function


def score(function: Callable[..., Any], case: Case, options: Mapping[str, Any]) -> Answer:
    """One call, with the arguments of verl's reward managers."""
    try:
        said = function(
            data_source=case.source, solution_str=case.response, ground_truth=case.answer, extra_info={}, **options
        )
        if inspect.iscoroutine(said):
            said = asyncio.run(said)
        record = said if isinstance(said, Mapping) else {"score": said, "acc": said}
        number = float(record["score"])
        if not isfinite(number):
            return Answer(None, error=f"the score {number} is not a finite number")
        return Answer(number, tuple(map(str, record)))
    except Exception as error:  # the user's code: anything
        return Answer(None, error=f"{type(error).__name__}: {' '.join(str(error).split())}")
