"""Show bends to a killer, each in a forked child: ``python -m tests.mutation.bends.run verify|pytest JOBS COUNT OUT``.

The parent imports once and works the plan's references out, so that a child compares at once. A bend is shown the
agreement of its own function; those that survive it, whatever else reaches the function, the quickest first, up to the
first that fails. Time never kills: a child that is not done after an hour counts as one that survived.
"""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from qae_theory.proofs.contract.shipped_agrees import TIES
from qae_theory.runs.files import to_json, write_atomically
from tests.mutation.bends.bend import Bend, draw, every_bend, function_of, install, replace_code
from tests.mutation.checks import NamedCheck, ask, profile
from tests.mutation.forking import forked

KILLED, SURVIVED = 1, 0
AN_HOUR = 3600.0


def main() -> int:
    """Show the bends to the killer that the command line names and store what became of each."""
    killer, jobs, count, out = sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    bends = [bend for tie in TIES for bend in every_bend(tie.function)] if count == "all" else draw(int(count))
    return ask(killer, partial(judge, bends=bends, jobs=jobs, out=out, killer=killer))


def judge(checks: Sequence[NamedCheck], bends: list[Bend], jobs: int, out: Path, killer: str) -> None:
    """Show every bend its function's own agreement; what survives, the other checks that reach the function."""
    for tie in TIES:
        for cell in tie.cells(True):
            cell.expected  # noqa: B018 - worked out here, once for all children
    gc.freeze()
    by_name, by_bend = dict(checks), {bend.name: bend for bend in bends}

    def own(bend: Bend) -> list[str]:
        marks = (f"shipped-agrees-{bend.function}::", f"says[{bend.function}]")
        return [name for name in by_name if any(mark in name for mark in marks)]

    killers = dict(shown(by_name, by_bend, own, jobs))
    print(f"{killer}: {_summary(killers)} by the agreement of their own function", flush=True)
    _store(killers, by_bend, out, killer)
    left = {name: by_bend[name] for name, check in killers.items() if check is None}
    if not left:
        return
    reached, seconds = profile(checks, _watch_functions, deadline=AN_HOUR)
    print(f"{killer}: {len(checks)} checks, {sum(seconds.values()):.0f} s without a bend", flush=True)

    def others(bend: Bend) -> list[str]:
        names = set(by_name) - set(own(bend))
        return sorted((name for name in names if bend.function in reached[name]), key=seconds.__getitem__)

    for name, check in shown(by_name, left, others, jobs):
        killers[name] = check
        print(f"{killer}: {name}: {check or 'survives'}", flush=True)
        _store(killers, by_bend, out, killer)
    print(f"{killer}: {_summary(killers)} by all", flush=True)


def shown(
    checks: dict[str, Callable[[], bool]],
    bends: dict[str, Bend],
    relevant: Callable[[Bend], list[str]],
    jobs: int,
) -> Iterator[tuple[str, str | None]]:
    """Yield each bend with the first of its relevant checks that fails, None where none does."""
    with tempfile.TemporaryDirectory() as folder:
        places = {name: Path(folder) / str(i) for i, name in enumerate(bends)}

        def child(name: str) -> int:
            install(bends[name])
            for check in relevant(bends[name]):
                if not checks[check]():
                    places[name].write_text(check)
                    return KILLED
            return SURVIVED

        for name, _ in forked(bends, child, at_once=jobs, deadline=lambda _: AN_HOUR):
            yield name, places[name].read_text() if places[name].exists() else None


def _summary(killers: dict[str, str | None]) -> str:
    return f"{sum(check is not None for check in killers.values())} of {len(killers)} killed"


def _store(killers: dict[str, str | None], bends: dict[str, Bend], out: Path, killer: str) -> None:
    rows = []
    for name, check in killers.items():
        bend = bends[name]
        row = {"function": bend.function, "condition": bend.condition.says, "change": bend.change.says}
        rows.append({**row, "killed_by": check})
    write_atomically(out / f"bends-{killer}.json", to_json(rows))


def _watch_functions(hits: set[str]) -> None:
    """Let every call of a public function add its name."""

    def noted(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def made(original: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                hits.add(name)
                return original(*args, **kwargs)

            return call

        return made

    for tie in TIES:
        replace_code(function_of(tie.function), noted(tie.function))


if __name__ == "__main__":
    sys.exit(main())
