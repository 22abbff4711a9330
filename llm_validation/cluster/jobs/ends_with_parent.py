"""Run a command that does not outlive its parent.

``python -m llm_validation.cluster.jobs.ends_with_parent PARENT COMMAND...`` runs it.

A trainer left behind by a job that was killed would write into the folder in which the next attempt writes.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become the command, to be killed when the parent process (by its id) ends."""
    parent, *command = arguments
    if sys.platform == "linux":
        # The setting outlives exec, not fork: the command's own children are its own matter.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):  # it ended before the setting was made
        sys.exit(f"the process {parent} that was to wait for {command[0]} has ended")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
