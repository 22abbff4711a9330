"""Compile the theories, two files at a time, each once per hash of its source and of all that it requires.

The compiled files lie in ``build/theories`` beside copies of the sources, so that a half-edited source never meets a
compiled file of another state. ``build/keys.json`` says of which state each compiled file is.
"""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from qae_theory.formal.tools import coq, layout, sources

_KEYS = layout.BUILD / "keys.json"
_LONGEST = 240  # seconds; the slowest file takes a tenth of this on two busy cores


def stale() -> list[str]:
    """Return the modules whose compiled file is missing or of another state of the sources."""
    known = _known_keys()
    return [module for module, key in _wanted_keys().items() if known.get(module) != key or not _compiled(module)]


def compile_all(*, jobs: int = 2) -> dict[str, float]:
    """Compile what is stale, and return the seconds that each compiled module took.

    Args:
        jobs: files that are compiled at a time.

    Raises:
        CheckError: with Coq's message, at the first file that does not compile.
    """
    # What is stale is known before anything is removed.
    wanted, todo = _wanted_keys(), stale()
    layout.COMPILED.mkdir(parents=True, exist_ok=True)
    _remove_others(set(wanted))
    known = {module: key for module, key in _known_keys().items() if module in wanted and module not in todo}
    waiting = dict.fromkeys(todo)
    running: dict[Future[tuple[coq.Answer, float]], str] = {}
    seconds: dict[str, float] = {}
    with ThreadPoolExecutor(jobs) as pool:
        while waiting or running:
            # A module starts as soon as all that it requires is compiled.
            for module in [name for name in waiting if known.keys() >= sources.requirements(name)]:
                del waiting[module]
                running[pool.submit(_compile, module)] = module
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                module = running.pop(future)
                answer, seconds[module] = future.result()
                if not answer.passed:
                    for other in running:
                        other.cancel()
                    raise coq.CheckError(f"{module}.v does not compile:\n{coq.first_error(answer)}")
                known[module] = wanted[module]
                # After each file: what is compiled is not lost if a later one fails.
                _KEYS.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return seconds


def _compile(module: str) -> tuple[coq.Answer, float]:
    """Compile a copy of a module's source; return Coq's answer and the seconds that it took."""
    # A source that is edited meanwhile must not meet a compiled file of its old state.
    copy = layout.COMPILED / f"{module}.v"
    shutil.copyfile(sources.path(module), copy)
    start = time.monotonic()
    answer = coq.coqc(copy, timeout=_LONGEST)
    return answer, time.monotonic() - start


def _wanted_keys() -> dict[str, str]:
    """Return the keys of the sources; a compiled file of another version of Coq cannot be read."""
    version = coq.version()
    return {module: f"{version} {key}" for module, key in sources.keys().items()}


def _known_keys() -> dict[str, str]:
    """Return of which state each compiled file is."""
    if not _KEYS.is_file():
        return {}
    known: dict[str, str] = json.loads(_KEYS.read_text(encoding="utf-8"))
    return known


def _compiled(module: str) -> bool:
    """Return whether a module has a compiled file."""
    return (layout.COMPILED / f"{module}.vo").is_file()


def _remove_others(modules: set[str]) -> None:
    """Remove the files of modules that are no more, which another file could still require."""
    for file in layout.COMPILED.iterdir():
        if file.name.lstrip(".").split(".")[0] not in modules:
            file.unlink()
