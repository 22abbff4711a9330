"""Run a command that does not outlive its parent.

``python -m llm_validation.cluster.jobs.ends_with_parent PARENT COMMAND...`` runs it.

A trainer left behind by a job that was killed would write into the folder in which the next attempt writes.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>: the signal that this process gets when its parent dies


def main(arguments: list[str]) -> None:
    """Replace this process by the command, which the kernel kills when the parent process ends.

    Args:
        arguments: the id of the parent process, then the command and its arguments.
    """
    parent, *command = arguments
    if sys.platform == "linux":
        # The setting outlives exec, not fork: the command's own children are its own matter.
        # prctl takes five numbers; the last three are unused here and have to be 0.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # A parent that ended before the setting was made sends no signal: this process has another parent by now.
    if os.getppid() != int(parent):
        sys.exit(f"the process {parent} that was to wait for {command[0]} has ended")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
