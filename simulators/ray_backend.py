"""joblib's Ray backend with results as they come: a sweep on a Ray cluster, or on a Ray of this machine.

Ray is imported inside the function: the extra ``ray`` installs it.
"""

from __future__ import annotations

import os
from typing import Any

NAME = "qae-ray"


def register() -> str:
    """Register the backend with joblib, start or join Ray, and return the backend's name.

    Joins the cluster of ``RAY_ADDRESS`` if that is set. Otherwise Ray starts here, for this process alone, without the
    token that it would write to the home folder, and without a dashboard.
    """
    import ray
    from joblib import register_parallel_backend
    from ray.util.joblib.ray_backend import RayBackend

    class StreamingRayBackend(RayBackend):
        """Ray's backend calls back when a task is done, which is all that joblib's generators need."""

        supports_return_generator = True

    register_parallel_backend(NAME, StreamingRayBackend)
    if not ray.is_initialized():
        local = "RAY_ADDRESS" not in os.environ
        if local:
            os.environ.setdefault("RAY_AUTH_MODE", "disabled")
        options: dict[str, Any] = {"include_dashboard": False} if local else {}
        threads = {"env_vars": {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}}
        ray.init(log_to_driver=False, runtime_env=threads, **options)
    return NAME
