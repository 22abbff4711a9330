"""A Ray cluster of this machine alone, with a job server, for tests. No tests are here.

Everything of it is below one process, and is ended with it: ``ray stop`` would end other clusters on the machine too.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

RAY = Path(sys.executable).with_name("ray")
LONGEST = 120.0  # seconds that the job server may take to answer


@dataclass(frozen=True)
class Cluster:
    """``address`` of the job server, and the variables with which a process reaches it."""

    address: str
    variables: dict[str, str]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def cluster(cpus: int = 2) -> Iterator[Cluster]:
    """Start it, with a token of its own; end it."""
    port, server = free_port(), free_port()
    variables = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")} | variables
    with tempfile.TemporaryDirectory(prefix="ray") as place:  # a short path: sockets lie in it
        words = [str(RAY), "start", "--head", "--block", f"--num-cpus={cpus}", f"--port={port}", f"--temp-dir={place}"]
        words += ["--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={server}"]
        words += [
            "--node-ip-address=127.0.0.1",
            "--object-store-memory=200000000",
            f"--ray-client-server-port={free_port()}",
        ]
        words += [f"--dashboard-agent-listen-port={free_port()}"]
        with open(os.devnull, "w") as nothing:
            process = subprocess.Popen(words, env=environment, stdout=nothing, stderr=nothing, start_new_session=True)
        try:
            wait_for(f"http://127.0.0.1:{server}", environment)
            yield Cluster(f"http://127.0.0.1:{server}", environment)
        finally:
            end(process)


def wait_for(address: str, environment: dict[str, str]) -> None:
    until = time.monotonic() + LONGEST
    while subprocess.run(
        [str(RAY), "job", "list", "--address", address], env=environment, capture_output=True
    ).returncode:
        assert time.monotonic() < until, "the job server does not answer"
        time.sleep(0.5)


def end(process: subprocess.Popen[bytes]) -> None:
    """End it and everything below it at once; asked to end, Ray would take half a minute."""
    members = [process.pid, *descendants(process.pid)]
    for pid in members:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


def descendants(pid: int) -> list[int]:
    """Every process below this one."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, new = [], [pid]
    while new:
        new = [child for child, parent in parents.items() if parent in new]
        found += new
    return found
