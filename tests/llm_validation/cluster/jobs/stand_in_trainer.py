"""What verl's trainer does to a job folder, without training: logs, rollouts, checkpoints. No tests are here.

Its "model" is a hash that every step changes, saved and loaded with the checkpoints: a run that was resumed wrongly
ends with another hash. Files are written in small pieces, so that a kill falls between them.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import time
import zipfile
from pathlib import Path

STEPS = 12
SAVE_EVERY = 3
KEEP = 2
RANKS = 2
PIECES = 4


def option(name: str) -> str | None:
    """The value of a Hydra override, the last one given."""
    found = [word.split("=", 1)[1] for word in sys.argv if word.lstrip("+").startswith(f"{name}=")]
    return found[-1].removeprefix("'").removesuffix("'").replace("\\'", "'") if found else None


def advance(state: str, step: int) -> str:
    return hashlib.sha256(f"{state} {step}".encode()).hexdigest()


def final_state(steps: int = STEPS) -> str:
    """What an uninterrupted run ends with."""
    state = "begin"
    for step in range(1, steps + 1):
        state = advance(state, step)
    return state


def archive(text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("state", text)
    return content.getvalue()


def write_slowly(path: Path, content: bytes, pause: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb", buffering=0) as file:
        for i in range(PIECES):
            file.write(content[i * len(content) // PIECES : (i + 1) * len(content) // PIECES])
            time.sleep(pause)


def save(folder: Path, step: int, state: str, pause: float) -> None:
    """In verl's order: a file a rank, the data loader's state, the tracker; then it forgets an older actor."""
    path = folder / f"global_step_{step}"
    for rank in range(RANKS):
        for kind in ("model", "optim", "extra_state"):
            name = f"{kind}_world_size_{RANKS}_rank_{rank}.pt"
            write_slowly(path / "actor" / name, archive(f"{state} {rank}"), pause)
    write_slowly(path / "data.pt", archive(str(step)), pause)
    with (folder / "latest_checkpointed_iteration.txt").open("w") as file:
        time.sleep(pause)  # verl's own is as little atomic
        file.write(str(step))


def load(path: Path) -> str:
    """The state, which every rank must have."""
    found = set()
    for rank in range(RANKS):
        with zipfile.ZipFile(path / "actor" / f"model_world_size_{RANKS}_rank_{rank}.pt") as file:
            state, of = file.read("state").decode().split()
            assert int(of) == rank
            found.add(state)
    (state,) = found
    return state


def main() -> None:
    pause = float(os.environ.get("STAND_IN_PAUSE", "0"))
    dies_at = int(os.environ.get("STAND_IN_DIES_AT", "-1"))
    checkpoints, rollouts = (
        Path(option("trainer.default_local_dir") or ""),
        Path(option("trainer.rollout_data_dir") or ""),
    )
    if option("trainer.resume_mode") == "resume_path":
        begin = Path(option("trainer.resume_from_path") or "")
        done, state = int(begin.name.removeprefix("global_step_")), load(begin)
    else:
        assert option("trainer.resume_mode") == "disable"
        done, state = 0, "begin"
    print(f"from step {done}")
    rollouts.mkdir(exist_ok=True, parents=True)
    saved: list[int] = []
    with Path(os.environ["VERL_FILE_LOGGER_PATH"]).open("wb", buffering=0) as log:
        for step in range(done + 1, STEPS + 1):
            time.sleep(PIECES * pause)
            state = advance(state, step)
            if step == dies_at:
                sys.exit("no memory is left")
            if step % SAVE_EVERY == 0:
                save(checkpoints, step, state, pause)
                saved.append(step)
                for old in saved[:-KEEP]:
                    for file in (checkpoints / f"global_step_{old}" / "actor").glob("*"):
                        file.unlink()
            (rollouts / f"{step}.jsonl").write_text(json.dumps({"step": step, "state": state}) + "\n")
            log.write(json.dumps({"step": step, "data": {"state": state, "pid": os.getpid()}}).encode() + b"\n")
    print("the end")


if __name__ == "__main__":
    main()
