"""A job for Ray: a worker imports verl, finds the plug-in there and computes a batch with it. No tests are here."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

GROUPS, SIZE, LENGTH = 24, 16, 7
K = "0.4"


def rewards() -> np.ndarray[Any, np.dtype[np.float64]]:
    """DAPO's +1 and -1, with groups of every kind."""
    right = np.random.default_rng(0).random((GROUPS, SIZE)) < np.linspace(0, 1, GROUPS)[:, None]
    return np.where(right, 1.0, -1.0)


def in_worker(scores: np.ndarray[Any, Any], order: np.ndarray[Any, Any]) -> dict[str, Any]:
    """What a worker of verl does with a batch: import verl, and nothing of ours by name."""
    import torch
    import verl
    from omegaconf import OmegaConf
    from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY
    from verl.trainer.ppo.ray_trainer import compute_advantage

    rows = scores.size
    uid = np.repeat([f"prompt {i}" for i in range(GROUPS)], SIZE).astype(object)[order]
    lengths = torch.arange(rows) % LENGTH + 1
    mask = (torch.arange(LENGTH) < lengths[:, None]).float()
    token_rewards = torch.zeros(rows, LENGTH)
    token_rewards[torch.arange(rows), lengths - 1] = torch.tensor(scores.ravel()[order], dtype=torch.float32)
    batch = {"token_level_rewards": token_rewards, "response_mask": mask}
    data = verl.DataProto.from_dict(tensors=batch, non_tensors={"uid": uid})
    config = OmegaConf.create({"adv_estimator": "qae", "quantile_k": K, "advantage_std": "bessel"})
    found = compute_advantage(data, "qae", num_repeat=SIZE, config=config).batch["advantages"]
    return {
        "registered": [name for name in ADV_ESTIMATOR_REGISTRY if "qae" in str(name)],
        "advantages": (found.sum(1) / lengths).tolist(),
        "spread": float((found - found[:, :1] * mask).abs().max()),
        "pid": os.getpid(),
    }


def main() -> None:
    """Run it in a worker, and compare with `qae_theory`."""
    import ray

    from qae_theory import advantages

    ray.init()
    scores = rewards()
    order = np.random.default_rng(1).permutation(scores.size)
    result = ray.get(ray.remote(num_cpus=1)(in_worker).remote(scores, order))
    expected = np.asarray(advantages(scores, "qae", k=K, std="bessel", eps=1e-6)).ravel()[order]
    result["worst"] = float(np.abs(np.array(result.pop("advantages")) - expected).max())
    result["nonzero"] = int((expected != 0).sum())
    result["driver"] = os.getpid()
    print("RESULT", json.dumps(result))


if __name__ == "__main__":
    main()
