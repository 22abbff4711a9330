"""Kills training runs at random moments, lets each go on, and compares what they end with; no tests are here.

It is a process of its own, which has imported everything and forks a child for each attempt: starting Python with
torch and TRL anew would take longer than the run. No thread of torch's has been started by then.
"""

from __future__ import annotations

import gc
import hashlib
import json
import mmap
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PHASES = ("loading", "training", "generating", "saving", "finishing")
COMPARED = ("metrics.jsonl", "rollouts.jsonl", "config.json", "model/model.safetensors", "model/config.json")
LONGEST = 60.0  # seconds that a run may take; it takes about one
MOST_SKIPPED = {"finishing": 1}  # it happens once in a run
POLL = 0.0005  # seconds between looks at a child


class Phase:
    """What a child is doing, in memory that parent and child share."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    @property
    def name(self) -> str:
        return PHASES[self._byte[0]]

    @name.setter
    def name(self, name: str) -> None:
        self._byte[0] = PHASES.index(name)

    @contextmanager
    def during(self, name: str) -> Iterator[None]:
        before, self.name = self.name, name
        yield
        self.name = before

    def watch(self, owner: Any, function: str, name: str) -> None:
        """Have the phase be ``name`` inside the function."""
        watched = getattr(owner, function)

        def noted(*args: Any, **kwargs: Any) -> Any:
            with self.during(name):
                return watched(*args, **kwargs)

        setattr(owner, function, noted)


class Child:
    """A forked process that does some work and ends."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.pid = os.fork()
        self.status: int | None = None
        if self.pid == 0:
            try:
                work()
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)

    def ends_within(self, seconds: float) -> bool:
        until = time.perf_counter() + seconds
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.perf_counter() >= until:
                return False
            else:
                time.sleep(POLL)
        assert self.status == 0, f"the child failed with {self.status}"
        return True

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


SABOTAGES: dict[str, Callable[[], None]] = {}


def sabotage(function: Callable[[], None]) -> Callable[[], None]:
    """A way to go on wrongly that the comparison has to find, by its name."""
    SABOTAGES[function.__name__] = function
    return function


@sabotage
def random_states_forgotten() -> None:
    from transformers import Trainer

    Trainer._load_rng_state = lambda self, checkpoint: None


@sabotage
def optimiser_forgotten() -> None:
    from transformers import Trainer

    Trainer._load_optimizer_and_scheduler = lambda self, checkpoint: None


@sabotage
def questions_begun_again() -> None:
    from transformers import trainer

    trainer.skip_first_batches = lambda batches, skipped: batches


@sabotage
def logs_not_cut_back() -> None:
    from llm_validation.train import logs as run_logs

    kept = run_logs.Log.__init__

    def as_it_is(self: Any, path: Path, start: Any = None) -> None:
        kept(self, path, _position(path))

    run_logs.Log.__init__ = as_it_is  # type: ignore[method-assign]


@sabotage
def saved_between_generations() -> None:
    from llm_validation.train.guard import callback_class

    on_step_end = callback_class().on_step_end

    def always(self: Any, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        on_step_end(self, args, state, control, **kwargs)
        control.should_save = True

    callback_class().on_step_end = always


@sabotage
def place_in_the_generation_forgotten() -> None:
    from trl import GRPOTrainer

    train = GRPOTrainer.train

    def one_off(self: Any, **kwargs: Any) -> Any:
        self._step = 1  # as if the checkpoint lay between two batches of rollouts
        return train(self, **kwargs)

    GRPOTrainer.train = one_off


def _position(path: Path) -> dict[str, Any]:
    content = path.read_bytes() if path.exists() else b""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


Moment = Callable[[Child], bool]  # waits; whether the child is to be killed now, for it has not ended


class Killer:
    """Runs one configuration in children, into one folder."""

    def __init__(self, settings: dict[str, Any], root: Path, seed: int) -> None:
        from llm_validation.train.settings import TrainConfig

        self.config = TrainConfig.model_validate(settings)
        self.out, self.reference = root / "out", root / "reference"
        self.random = random.Random(seed)
        self.phase = Phase()
        self.landed: Counter[str] = Counter()
        self.finished = self.resumed = 0
        self.differences: list[str] = []
        self.seconds = 0.0

    def learn(self) -> None:
        """The run that is not killed, twice: the first also warms up the model, the second is timed."""
        for _ in range(2):
            shutil.rmtree(self.out / "train", ignore_errors=True)
            started = time.perf_counter()
            assert Child(self._work).ends_within(LONGEST), "the run hangs"
            self.seconds = time.perf_counter() - started
        self._run().rename(self.reference)

    def kill_at_random(self, times: int) -> None:
        """Kill at moments drawn evenly from the length of a whole run, so many times."""
        while self.landed.total() < times:
            delay = self.random.uniform(0, self.seconds)
            self.attempt(lambda child, delay=delay: not child.ends_within(delay))

    def kill_during(self, name: str) -> None:
        """Kill a little after a phase has begun, until one kill has fallen into it."""
        before = self.landed[name]
        while self.landed[name] == before:
            skipped, delay = self.random.randrange(MOST_SKIPPED.get(name, 4)), self.random.uniform(0, 0.01)
            self.attempt(lambda child, skipped=skipped, delay=delay: self._reaches(child, name, skipped, delay))

    def complete(self) -> None:
        """Let the run that is going on end."""
        while not self.finished or self._partial():
            self.attempt(lambda child: not child.ends_within(LONGEST))

    def attempt(self, moment: Moment) -> None:
        """Begin the run, or go on with it, and kill it at that moment; compare what it ends with, if it does."""
        self.resumed += any(folder.glob("checkpoints/*/manifest.json") for folder in self._partial())
        self.phase.name = "loading"
        child = Child(self._work)
        if moment(child):
            child.kill()
            self.landed[self.phase.name] += 1
            return
        self.finished += 1
        self.differences += differing(self.reference, self._run())
        shutil.rmtree(self.out / "train")

    def go_on_wrongly(self, name: str, step: int) -> list[str]:
        """Kill the run right after the lines of a step are written, go on with a sabotage: what differs then."""
        shutil.rmtree(self.out / "train", ignore_errors=True)
        always = ("saved_between_generations",)  # the harm is done before the kill

        def dies() -> None:
            SABOTAGES.get(name if name in always else "", lambda: None)()
            _die_at(step)
            self._work()

        def goes_on() -> None:
            SABOTAGES.get(name, lambda: None)()
            self._work()

        child = Child(dies)
        os.waitpid(child.pid, 0)
        assert self._partial(), "the run was to be killed before its end"
        assert Child(goes_on).ends_within(LONGEST), "the run hangs"
        found = differing(self.reference, self._run())
        shutil.rmtree(self.out / "train")
        return found

    def _work(self) -> None:
        from transformers import Trainer
        from trl import GRPOTrainer

        from llm_validation.train import run as training

        self.phase.watch(GRPOTrainer, "_generate_and_score_completions", "generating")
        self.phase.watch(Trainer, "_save_checkpoint", "saving")
        self.phase.watch(Trainer, "train", "training")
        self.phase.watch(training, "finish", "finishing")
        training.train(self.config, out=self.out)

    def _reaches(self, child: Child, name: str, skipped: int, delay: float) -> bool:
        """Whether the child begins the phase after having begun it ``skipped`` times, and is alive a little later."""
        inside, seen = False, 0
        while not child.ends_within(0):
            begun = self.phase.name == name
            seen += begun and not inside
            inside = begun
            if seen > skipped:
                return not child.ends_within(delay)
        return False

    def _run(self) -> Path:
        (run,) = (folder for folder in (self.out / "train").iterdir() if not folder.name.startswith("."))
        return run

    def _partial(self) -> list[Path]:
        return list((self.out / "train").glob(".partial-*"))


def _die_at(step: int) -> None:
    from llm_validation.train.logs import Logs

    write = Logs.step

    def last(self: Any, number: int, *args: Any) -> None:
        write(self, number, *args)
        if number == step:
            os.kill(os.getpid(), signal.SIGKILL)

    Logs.step = last  # type: ignore[method-assign]


def differing(one: Path, other: Path) -> list[str]:
    """Files of two finished runs whose bytes differ."""
    return [name for name in COMPARED if (one / name).read_bytes() != (other / name).read_bytes()]


def report(plan: dict[str, Any]) -> dict[str, Any]:
    """Do what a plan says; where the kills fell and what differed."""
    killer = Killer(plan["config"], Path(plan["root"]), plan["seed"])
    killer.learn()
    for name in plan["during"]:
        killer.kill_during(name)
    while killer.resumed < plan["resumed"]:
        killer.kill_during("saving")
    aimed = dict(killer.landed)
    killer.landed.clear()
    killer.kill_at_random(plan["times"])
    killer.complete()
    return {
        "random": dict(killer.landed),
        "aimed": aimed,
        "finished": killer.finished,
        "resumed": killer.resumed,
        "differences": killer.differences,
        "sabotages": {name: killer.go_on_wrongly(name, plan["dies_at"]) for name in plan.get("sabotages", ())},
        "seconds": killer.seconds,
    }


def main() -> None:
    """Read plans as JSON from the standard input, print their reports as JSON on the last line."""
    import torch
    import trl  # noqa: F401
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    from llm_validation.train import trainer

    torch.set_num_threads(1)
    trainer.trainer_class()
    get_checkpoint_conversion_mapping("qwen3")  # children would each compile its patterns
    gc.freeze()  # and look through all that is loaded here for garbage
    print(json.dumps([report(plan) for plan in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
