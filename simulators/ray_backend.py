"""Run a sweep on a Ray cluster, or on a Ray of this machine, by joblib's Ray backend with results as they come.

Ray is imported inside the function, because only the extra ``ray`` installs it.
"""

from __future__ import annotations

import os
import secrets
import sys
from typing import Any

NAME = "qae-ray"


def register() -> str:
    """Register the backend with joblib, start or join Ray, and return the backend's name.

    The cluster of ``RAY_ADDRESS`` is joined if that is set. Otherwise Ray starts here, for this process alone and
    without a dashboard. It then gets a token of its own in the environment, where Ray would write one to the home
    folder.
    """
    here = "RAY_ADDRESS" not in os.environ
    if here:
        _use_own_token()
    import ray
    from joblib import register_parallel_backend
    from ray.util.joblib.ray_backend import RayBackend

    class StreamingRayBackend(RayBackend):
        """joblib's Ray backend, which may hand out results as they come.

        It calls back when a task is done, and joblib's generators need nothing else; the class attribute only says so.
        """

        supports_return_generator = True

    register_parallel_backend(NAME, StreamingRayBackend)
    if not ray.is_initialized():
        # Every core already has a worker, so that threads inside a worker would only compete for the cores.
        threads = {"env_vars": {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}}
        where: dict[str, Any] = {"address": "local", "include_dashboard": False} if here else {}
        ray.init(log_to_driver=False, runtime_env=threads, **where)
    return NAME


def _use_own_token() -> None:
    """Set a random token for Ray, unless the user has chosen a mode of authentication or Ray is imported already.

    Ray reads its mode of authentication when it is imported, and not again.
    """
    if "RAY_AUTH_MODE" not in os.environ and "ray" not in sys.modules:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
