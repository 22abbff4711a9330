"""The CPU as one of verl's platforms. Loaded by verl itself, so that verl and torch stand at the top."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from verl.plugin.platform.platform_base import PlatformBase
from verl.plugin.platform.platform_manager import PlatformRegistry
from verl.utils import distributed
from verl.workers.rollout.base import _ROLLOUT_REGISTRY
from verl.workers.rollout.replica import RolloutReplicaRegistry

from tests.llm_validation.verl_engine.cpu_verl.runs import MEETING

ROLLOUT = "cpu"  # what rollout.name is

# What verl calls of torch.cuda. Not `torch.cpu`, which lacks most of it.
DEVICE_MODULE = SimpleNamespace(
    is_available=lambda: False,
    get_device_name=lambda: "CPU",
    max_memory_allocated=lambda: 0,
    max_memory_reserved=lambda: 0,
    memory_allocated=lambda: 0,
    memory_reserved=lambda: 0,
    mem_get_info=lambda: (0, 0),
    empty_cache=lambda: None,
    synchronize=lambda: None,
    get_rng_state=torch.get_rng_state,
    set_rng_state=torch.set_rng_state,
)


@PlatformRegistry.register(platform="cpu")
class PlatformCPU(PlatformBase):
    device_name = property(lambda self: "cpu")
    vendor_name = property(lambda self: "none")
    device_module = property(lambda self: DEVICE_MODULE)

    def is_available(self) -> bool:
        return True

    def current_device(self) -> Any:
        """Not the index that it should be: ``tensor.to(0)`` is a GPU."""
        return torch.device("cpu")

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None:
        pass

    def synchronize(self, device_index: int | None = None) -> None:
        pass

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        torch.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None:
        pass

    def empty_cache(self) -> None:
        pass

    def get_device_capability(self, device_index: int = 0) -> tuple[int | None, int | None]:
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    @contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        yield

    def profiler_start(self) -> None:
        pass

    def profiler_stop(self) -> None:
        pass

    def ray_resource_name(self) -> str:
        """verl's resource pools count nothing but GPUs and NPUs."""
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return []

    def is_ipc_supported(self) -> bool:
        return False

    def cudart(self) -> Any:
        return None


def _join_processes(timeout_second: Any = None, backend: Any = None) -> None:
    """In the place of ``initialize_global_process_group_ray``, which would name the device ``cpu`` twice.

    The processes of a worker group meet at a file. At the port that verl names they could miss one another: verl closes
    it again before torch listens on it, so that any other process may take it.
    """
    if not torch.distributed.is_initialized():
        rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        place = Path(os.environ[MEETING]) / f"group-{os.environ['WG_PREFIX']}"
        store = torch.distributed.FileStore(str(place), size)
        torch.distributed.init_process_group(backend="gloo", store=store, rank=rank, world_size=size)


def _replica() -> Any:
    from tests.llm_validation.verl_engine.cpu_verl.rollout import Replica

    return Replica


distributed.initialize_global_process_group_ray = _join_processes
_ROLLOUT_REGISTRY[(ROLLOUT, "async")] = "tests.llm_validation.verl_engine.cpu_verl.rollout.Adapter"
RolloutReplicaRegistry.register(ROLLOUT, _replica)
