"""The pool of processes: time-outs, deaths, and processes that never start. The processes are this file's own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest

from llm_validation.verifiers import VerifierError
from llm_validation.verifiers.processes import pool as pool_module
from llm_validation.verifiers.processes.pool import WorkerPool
from llm_validation.verifiers.processes.worker import READY

SECONDS = 1.0


def echo(channel: Connection) -> None:
    """Answer with the first letter; hang for good, die or say too much where a job asks for it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as deaf as a loop in C
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel.send_bytes(READY)
    while True:
        try:
            _, word = channel.recv()
        except EOFError:
            return
        if word == "hang":
            while True:
                time.sleep(60)
        if word == "die":
            os._exit(11)
        channel.send_bytes(word.encode() if word == "babble" else word[:1].encode())


def dies_at_once(channel: Connection) -> None:
    os._exit(3)


def never_ready(channel: Connection) -> None:
    time.sleep(600)


def jobs(*words: str) -> list[tuple[str | None, str]]:
    return [(None, word) for word in words]


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    made = WorkerPool(2, seconds=SECONDS, serve=echo)
    yield made
    made.close()


def test_answers_come_in_the_order_of_the_jobs(pool: WorkerPool) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz" * 4
    assert pool.run(jobs(*letters)) == [letter.encode() for letter in letters]
    assert pool.run([]) == []


def test_hanging_and_dying_cost_their_own_job_only(pool: WorkerPool) -> None:
    pool.run(jobs("a", "b"))  # both processes are there
    start = time.monotonic()
    words = ["a", "hang", "b", "die", "c", "babble", "d", "hang", "e"]
    lost = [None if word in ("hang", "die", "babble") else word.encode() for word in words]
    assert pool.run(jobs(*words)) == lost
    # Two hangs of a second each, and four starts of a process.
    assert time.monotonic() - start < 2 * SECONDS + 4 * 10
    assert pool.run(jobs("x", "y", "z")) == [b"x", b"y", b"z"]


def test_a_hanging_process_is_killed_in_time(pool: WorkerPool) -> None:
    pool.run(jobs("a"))
    start = time.monotonic()
    assert pool.run(jobs("hang")) == [None]
    assert SECONDS <= time.monotonic() - start < SECONDS + 1  # killing takes milliseconds


def test_a_process_that_died_between_calls_costs_nothing(pool: WorkerPool) -> None:
    pool.run(jobs("a", "b"))
    ready = [worker.process for worker in pool._workers if worker.ready]
    assert ready
    for process in ready:
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    assert pool.run(jobs("x", "y", "z")) == [b"x", b"y", b"z"]


def test_no_answer_is_left_over_after_an_interrupt(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    pool.run(jobs("a", "b"))
    real = pool_module.wait

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pool_module, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pool.run(jobs("old", "old"))
    monkeypatch.setattr(pool_module, "wait", real)
    assert pool.run(jobs("new", "new")) == [b"n", b"n"]


def test_closing_ends_the_processes(pool: WorkerPool) -> None:
    pool.run(jobs("a", "b"))
    processes = [worker.process for worker in pool._workers]
    assert len(processes) == 2
    pool.close()
    assert not any(process.is_alive() for process in processes)
    with pytest.raises(VerifierError, match="has been closed"):
        pool.run(jobs("a"))


def test_a_process_that_does_not_start_is_an_error_not_a_score() -> None:
    failing = WorkerPool(1, seconds=SECONDS, serve=dies_at_once)
    with pytest.raises(VerifierError, match=r"did not start \(exit code 3\)"):
        failing.run(jobs("a"))
    failing.close()


def test_a_process_that_is_never_ready_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "START_SECONDS", 0.5)
    failing = WorkerPool(1, seconds=SECONDS, serve=never_ready)
    with pytest.raises(VerifierError, match=r"did not start \(not ready after 0.5 s\)"):
        failing.run(jobs("a"))
    assert failing._workers == []
