"""Print what converts a pickle, to be run by hand: none is ever loaded, as it runs what its author wrote."""

from __future__ import annotations

from pathlib import Path

REASON = "a pickle, which could run any code when loaded; convert it yourself: "

_SNIPPET = """\
python - <<'END'   # only if you trust the file: loading a pickle runs what is in it
import json, torch
data = torch.load({path!r}, weights_only=False, map_location="cpu")  # a plain pickle: pickle.load(open(..., "rb"))
rows = data["samples"] if isinstance(data, dict) and "samples" in data else data
step = data.get("rollout_id", 0) if isinstance(data, dict) else 0
with open({out!r}, "w") as file:
    for row in rows:
        row = row if isinstance(row, dict) else vars(row)
        reward = row.get("reward", row.get("score"))
        reward = reward.get("score") if isinstance(reward, dict) else reward
        group = row.get("group_index", row.get("group", row.get("uid", row.get("prompt"))))
        response = {{"step": step, "group": str(group), "reward": reward, "tokens": row.get("response_length")}}
        response["truncated"] = "truncated" in str(row.get("status", "")).lower()
        file.write(json.dumps(response) + "\\n")
END"""


def snippet(path: Path) -> str:
    """Return commands that convert a pickled dump to a format that is read here."""
    return _SNIPPET.format(path=str(path), out=f"{path.stem}.jsonl")
