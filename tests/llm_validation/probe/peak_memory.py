"""Peak memory of one call beyond what is held before it, in a process of its own. No test is here.

Run as a program with cases such as ``logits:512:151936:float32``; it prints bytes, one line each. The high-water mark
of the resident set counts whatever is allocated, by whom ever, and never falls: what is held before the call has to be
its mark. It is that of /proc: ``getrusage`` hands on the mark of the process that started this one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests import ROOT

FEATURES = 64


def measured(cases: Sequence[str]) -> list[int]:
    """Bytes a case, from fresh processes."""
    command = [sys.executable, "-m", "tests.llm_validation.probe.peak_memory", *cases]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=300)
    return [int(line) for line in done.stdout.split()]


def calls(kind: str, rows: int, vocabulary: int, dtype: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """A small call that loads and compiles everything, and the call that is measured."""
    import torch

    from llm_validation.probe.token_stats import token_stats, token_stats_from_hidden

    numbers, tokens = getattr(torch, dtype), torch.arange(rows)
    if kind == "hidden":
        hidden, weight = _noise(numbers, rows, FEATURES), _noise(numbers, vocabulary, FEATURES)
        few = weight[:10].contiguous()
        return (
            lambda: token_stats_from_hidden(hidden[:2], few, tokens[:2]),
            lambda: token_stats_from_hidden(hidden, weight, tokens),
        )
    if kind == "slice":
        sequences, pairs = _noise(numbers, 2, rows // 2 + 1, vocabulary)[:, :-1], tokens.view(2, -1)
        return lambda: token_stats(sequences[:, :1], 0 * pairs[:, :1]), lambda: token_stats(sequences, pairs)
    logits = _noise(numbers, rows, vocabulary)
    function = {"logits": lambda z: token_stats(z, tokens[: len(z)]), "softmax": lambda z: torch.softmax(z, -1)}[kind]
    small = logits[:2, :10].contiguous()
    return lambda: function(0 * small), lambda: function(logits)


def _noise(numbers: Any, *shape: int) -> Any:
    """Made in place: no copy of it lifts the mark."""
    import torch

    return torch.empty(*shape, dtype=numbers).normal_(std=2.0, generator=torch.Generator().manual_seed(0))


def _high_water_mark() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


def _measure(case: str) -> int:
    kind, rows, vocabulary, dtype = case.split(":")
    small, call = calls(kind, int(rows), int(vocabulary), dtype)
    small()
    before = _high_water_mark()
    kept = call()
    peak = _high_water_mark() - before
    del kept
    return peak


def _main() -> int:
    """A process a case, forked before torch has any threads, so that torch is loaded once."""
    import torch  # noqa: F401

    for case in sys.argv[1:]:
        child = os.fork()
        if child == 0:
            print(_measure(case), flush=True)
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
