"""What a training run does to its process, and how that is undone: signals, random states, chatter."""

from __future__ import annotations

import random
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


class Stop:
    """Whether the user has asked for a stop."""

    wanted = False


@contextmanager
def stoppable(stop: Stop, says: Callable[[str], None]) -> Iterator[None]:
    """Ctrl-C asks for a stop at the end of the step; a second one stops at once. Of the main thread only."""
    # Python lets no other thread set a handler.
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: Any) -> None:
        if stop.wanted:
            raise KeyboardInterrupt
        stop.wanted = True
        says("stopping at the end of this step, with a checkpoint; Ctrl-C again stops at once")

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def random_states_restored() -> Iterator[None]:
    """TRL seeds the global generators of Python, NumPy and torch; afterwards they are as they were."""
    import torch

    states = random.getstate(), np.random.get_state()  # noqa: NPY002  it is what TRL seeds
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002


@contextmanager
def quiet() -> Iterator[None]:
    """Keep back the engines' progress bars, and their remarks about tied weights and each other's settings."""
    from transformers.utils import logging

    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()
