"""Event files by TensorBoard's own writer; no tests are here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def event_file(path: Path, scalars: Mapping[int, Mapping[str, float]]) -> Path:
    """Write one event file under this name."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(file_version="brain.Event:2", wall_time=1.0).SerializeToString())
        for step, values in scalars.items():
            for tag, value in values.items():
                summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
                writer.write(Event(step=step, wall_time=1.0, summary=summary).SerializeToString())
    return path
