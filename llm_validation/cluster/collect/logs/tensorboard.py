"""Read event files of TensorBoard. The package is imported inside functions only: the base install has none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llm_validation.cluster.collect.logs.entries import Entry, numbers_of
from llm_validation.cluster.collect.logs.lines import Account, hash_of

EVENTS = "events.out.tfevents"  # in the name of every event file
EVENT_UNIT = "events"  # what an account of such a file counts
NOT_A_SCALAR = "without scalars: a header, a text, a histogram"
# Every event has its length before it and a checksum of each: 8 + 4 + 4 bytes.
_FRAME_BYTES = 16


def read_tensorboard(path: Path, account: Account, attempt: int) -> Iterator[Entry]:
    """Yield an entry for every event with scalars. Behind a damaged or cut-off event nothing is read.

    Raises:
        ValueError: TensorBoard is not installed; says how to get it.
    """
    try:
        from tensorboard.backend.event_processing import event_file_loader
        from tensorboard.compat.proto import event_pb2
    except ImportError:
        raise ValueError(
            f"{path.name} needs tensorboard, which is not installed; pip install -c constraints.txt "
            "'qae-verification[train]', or `pip install tensorboard`"
        ) from None
    account.unit = EVENT_UNIT
    account.sha256 = hash_of(path)
    read = 0
    # The loader ends at a damaged event without saying so: what it left is counted below.
    for content in event_file_loader.RawEventFileLoader(str(path)).Load():
        read += len(content) + _FRAME_BYTES
        number, event = account.add(), event_pb2.Event.FromString(content)
        scalars = {value.tag: _scalar(value) for value in event.summary.value}
        known = {tag: value for tag, value in scalars.items() if value is not None}
        if known:
            yield Entry(int(event.step), numbers_of(known), attempt, account, number)
        else:
            account.drop(number, NOT_A_SCALAR)
    left = path.stat().st_size - read
    if left > 0:
        account.notes.append(f"{left} bytes at the end are damaged or cut off and were not read")


def _scalar(value: Any) -> float | None:
    """Return a scalar, in either of the two forms that TensorBoard has had; None for a value of another sort."""
    if value.HasField("simple_value"):
        return float(value.simple_value)
    if value.HasField("tensor") and not value.tensor.tensor_shape.dim:
        from tensorboard.util import tensor_util

        array = tensor_util.make_ndarray(value.tensor)
        return float(array) if array.dtype.kind in "biuf" else None
    return None
