"""joblib's Ray backend with results as they come: a sweep on a Ray cluster, or on a Ray of this machine.

Ray is imported inside the function: the extra ``ray`` installs it.
"""

from __future__ import annotations

import os
import secrets
import sys
from typing import Any

NAME = "qae-ray"


def register() -> str:
    """Register the backend with joblib, start or join Ray, and return the backend's name.

    Joins the cluster of ``RAY_ADDRESS`` if that is set. Otherwise Ray starts here, for this process alone, without a
    dashboard, and with a token of its own in the environment, where Ray would write one to the home folder.
    """
    here = "RAY_ADDRESS" not in os.environ
    if here:
        _use_own_token()
    import ray
    from joblib import register_parallel_backend
    from ray.util.joblib.ray_backend import RayBackend

    class StreamingRayBackend(RayBackend):
        """Ray's backend calls back when a task is done, which is all that joblib's generators need."""

        supports_return_generator = True

    register_parallel_backend(NAME, StreamingRayBackend)
    if not ray.is_initialized():
        threads = {"env_vars": {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}}
        place: dict[str, Any] = {"address": "local", "include_dashboard": False} if here else {}
        ray.init(log_to_driver=False, runtime_env=threads, **place)
    return NAME


def _use_own_token() -> None:
    """Ray reads its mode of authentication when it is imported, and not again."""
    if "RAY_AUTH_MODE" not in os.environ and "ray" not in sys.modules:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
