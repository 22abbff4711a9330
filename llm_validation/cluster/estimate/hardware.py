"""Hold what GPUs can do on paper.

How much of it a run reaches is among the assumptions (``assumptions``), not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from qae_theory.checks import refuse

GIB = float(2**30)


@dataclass(frozen=True)
class Gpu:
    """Describe a GPU on paper.

    Attributes:
        name: as in :data:`GPUS`.
        memory_gib: its memory in GiB, as the driver reports it.
        flops: dense BF16 operations per second, without sparsity.
        bandwidth: bytes per second from its memory.
        source: where the figures come from.
    """

    name: str
    memory_gib: float
    flops: float
    bandwidth: float
    source: str

    @property
    def memory(self) -> float:
        """Return its memory in bytes."""
        return self.memory_gib * GIB


_VERL = "FLOPs: verl/utils/flops_counter.py 0.9.1; memory and bandwidth: NVIDIA's data sheet"
GPUS: Mapping[str, Gpu] = {
    gpu.name: gpu
    for gpu in (
        # Memory as the driver reports it, a little below the name's round number.
        Gpu("H100", 79.6, 989e12, 3.35e12, _VERL),
        Gpu("H800", 79.6, 989e12, 3.35e12, _VERL),
        Gpu("H200", 140.4, 989e12, 4.8e12, _VERL),
        Gpu("H20", 95.6, 148e12, 4.0e12, _VERL),
        Gpu("A100", 79.3, 312e12, 2.039e12, _VERL),
        Gpu("A800", 79.3, 312e12, 2.039e12, _VERL),
    )
}
DEFAULT = "H100"


def gpu_named(name: str = DEFAULT, memory_gib: float | None = None) -> Gpu:
    """Return a GPU by name, with another amount of memory where that is given.

    Args:
        name: one of :data:`GPUS`.
        memory_gib: memory in GiB; by default the kind's own.

    Raises:
        ValueError: no GPU has this name, or the memory is not finite and positive.
    """
    if name not in GPUS:
        refuse("gpu", name, f"one of {', '.join(GPUS)}")
    if memory_gib is None:
        return GPUS[name]
    if not 0 < memory_gib < float("inf"):
        refuse("gpu_memory", memory_gib, "a finite number of GiB > 0")
    return replace(GPUS[name], memory_gib=float(memory_gib))
