"""Hypothesis profiles; one state of signals and environment, however pytest was started; markers. No test is here."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Generator
from importlib.util import find_spec
from typing import Any

import numba
import pytest
from hypothesis import HealthCheck, settings

# What a shell, a terminal or a CI system may have set, and what would change colours, widths or the results folder.
for _name in (
    *("CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "FORCE_COLOR", "GITHUB_ACTIONS", "LINES", "NO_COLOR", "PY_COLORS"),
    *("QAE_RESULTS", "TTY_COMPATIBLE", "TTY_INTERACTIVE"),
):
    os.environ.pop(_name, None)
os.environ.update(TERM="xterm", LC_ALL="C.UTF-8")

# Machines differ in speed: a deadline would fail a slow one. Checks on speed are in the benchmarks.
settings.register_profile(
    "ci", derandomize=True, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "dev")

# Marker and package: without it, the tests that are about it are deselected, not skipped.
OPTIONAL = {"torch": "torch", "ray": "ray", "train": "trl", "vllm": "vllm", "verl": "verl"}
MISSING = tuple(marker for marker, package in OPTIONAL.items() if find_spec(package) is None)
_LEFT_OUT = pytest.StashKey[set[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Register what may otherwise be unknown, take the signals' defaults back, and start counting."""
    # A shell that starts pytest in the background ignores interrupts, nohup hang-ups; tests send both to processes.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    config.addinivalue_line("markers", "xdist_group(name): tests that share a worker, and so its caches")
    config.stash[_LEFT_OUT] = set()
    if "PYTEST_XDIST_WORKER" in os.environ:  # the workers share the cores already; more threads only wait for them
        numba.set_num_threads(1)
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch reads it when it is first imported


@pytest.fixture(autouse=True)
def _interrupts_arrive() -> None:
    """Ctrl-C interrupts at the start of each test, whatever an earlier one or a library has left behind."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header(config: pytest.Config) -> str:
    """Say at the top what is not there, and what is left out."""
    state = f"not installed, their tests deselected: {', '.join(MISSING)}" if MISSING else "all installed"
    effort = f"effort of the evidence: {os.environ.get('QAE_EFFORT', 'quick')}"
    left_out = "; long tests left out (`make test-slow`)" if config.option.markexpr.strip() == "not slow" else ""
    return f"optional packages: {state}; {effort}{left_out}"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """The garbage collector rests meanwhile: all of it stays, and looking through it takes a third of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect (not skip) the tests that are about a package that is not installed."""
    for item in items:  # examples in docstrings carry no marker of their own
        if isinstance(item, pytest.DoctestItem) and any("torch" in example.source for example in item.dtest.examples):
            item.add_marker("torch")
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in MISSING)]
    names = {item.nodeid for item in left_out}
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item.nodeid not in names]
    config.stash[_LEFT_OUT].update(names)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist passes on what it deselected."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["left_out"] = sorted(session.config.stash[_LEFT_OUT])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """The controller of pytest-xdist gathers what the workers deselected (each collects everything)."""
    node.config.stash[_LEFT_OUT].update(getattr(node, "workeroutput", {}).get("left_out", ()))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say at the end how many tests were deselected and why."""
    count = len(config.stash[_LEFT_OUT])
    if count:
        wanted = ", ".join(f"{name} (`make test-{name}` installs it)" for name in MISSING)
        terminalreporter.write_line(f"{count} tests deselected, not installed: {wanted}")
