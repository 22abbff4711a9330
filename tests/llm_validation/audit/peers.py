"""The same runs given to ``qae audit`` and to three other tools, and what each says. No test is here.

``python -m tests.llm_validation.audit.peers BIN FILE`` writes the answers into FILE (JSON), where BIN is the folder of
the commands ``rldoctor``, ``rlprobe``, ``rlvr-audit`` and ``python`` of one scratch environment. Each tool gets the run
in the form that it reads: rldoctor metrics under TRL's names, rlprobe a recording by its own recorder, rlvr-audit the
rewards of each group, ``qae audit`` responses and metrics. Nothing that a form has room for is held back.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from llm_validation.audit.checks.registry import CHECKS
from qae_theory import advantages
from tests.llm_validation.audit.audited import audited
from tests.llm_validation.audit.planted import FAST, HEALTHY, PLANTED, Run, simulated
from tests.llm_validation.audit.worlds import lines

VERSIONS = {"rldoctor": "0.2.0", "rlprobe": "0.1.0", "rlvr-audit": "0.1.0"}
FIXTURES = Path(__file__).parent / "fixtures"
TOOLS = ("qae audit", *VERSIONS)
_SECONDS = 120  # that a tool may take


@dataclass(frozen=True)
class Case:
    """A run, and what is true of it."""

    truth: str
    make: Callable[[], Run]


def _planted(name: str) -> Callable[[], Run]:
    def make() -> Run:
        difficulty, switch, plant = PLANTED[name]
        return plant(simulated(1, difficulty, switch)[0])

    return make


def one_group_a_step() -> Run:
    """Return a run with one group in each of 100 steps, of which 63 are all wrong: no step has a share but 0 or 1."""
    run, steps = simulated(1)[0], 100
    correct = np.zeros((steps, 1, run.correct.shape[-1]))
    correct[np.random.default_rng(0).permutation(steps)[63:], 0, :4] = 1
    made = advantages(correct, "grpo").astype(np.float32).astype(np.float64)
    part = {name: np.resize(getattr(run, name), correct.shape) for name in ("tokens", "truncated", "gap")}
    return replace(
        run, correct=correct, reward=correct, advantage=made, entropy=np.resize(run.entropy[-10:], steps), **part
    )


CASES: Mapping[str, Case] = {
    "healthy": Case("a run of GRPO in which nothing is wrong", lambda: simulated(1)[0]),
    "learns fast": Case(
        "a healthy run whose entropy falls to half because it learns", lambda: simulated(1, HEALTHY, None, FAST)[0]
    ),
    "one group a step": Case("63 % of the groups are all wrong; each step has one group", one_group_a_step),
    "phantom-gradient": Case(
        "an overlong penalty gives advantages to groups that are all right or all wrong", _planted("phantom-gradient")
    ),
    "phantom-advantage": Case("groups of equal rewards have advantages, from rounding", _planted("phantom-advantage")),
    "estimator-mismatch": Case("configured as GRPO, with the advantages of QAE", _planted("estimator-mismatch")),
    "gate-leak": Case("the interpolated quantile opens the gate in some groups", _planted("gate-leak")),
    "groups-of-one": Case("each response has a group of its own", _planted("groups-of-one")),
    "data-too-hard": Case("most groups are all wrong", _planted("data-too-hard")),
    "truncation-mass": Case("a third of the wrong responses was cut off", _planted("truncation-mass")),
    "logp-mismatch": Case("sampler and trainer differ by .07 nats a token", _planted("logp-mismatch")),
    "onset-collapse": Case("the policy is sharpened from one step on", _planted("onset-collapse")),
    "onset-explosion": Case("the policy is flattened from one step on", _planted("onset-explosion")),
}  # fmt: skip

# Files as their writers left them, and what they are.
FILES: Mapping[str, str] = {
    "trl/checkpoint-4/trainer_state.json": "TRL, 4 steps of metrics",
    "trl/completions": "TRL, 16 groups of 4; advantages of GRPO with Bessel's std and eps 1e-4",
    "trl/runs": "TRL, 4 steps of metrics in TensorBoard's events",
    "verl/file.jsonl": "verl's FileLogger, 4 steps; `pg_clipfrac_lower` .5 is the dual clip",
    "verl/console.txt": "verl's console, the same 4 steps",
    "verl/offline.wandb": "W&B's offline log, the same 4 steps",
    "verl/history.csv": "W&B's table, the same 4 steps",
    "verl/rollouts": "verl's dump, 16 groups of 4: 5 all wrong, 3 all right",
}


def write_run(run: Run, folder: Path) -> None:
    """Write responses and metrics as ``qae audit`` reads them."""
    steps, queries, size = run.reward.shape
    rows = []
    for step in range(steps):
        for query in range(queries):
            for place in range(size):
                at = (step, query, place)
                gap, tokens = float(run.gap[at]), float(run.tokens[at])
                name = f"{step}-{query}-{place}" if run.one_group_each else f"{step}-{query}"
                rows.append(
                    {
                        "step": step + 1, "group": name, "reward": float(run.reward[at]), "tokens": tokens,
                        "advantage": float(run.advantage[at]), "correct": float(run.correct[at]),
                        "truncated": bool(run.truncated[at]), "logp_distance": abs(gap) * tokens,
                        "ratio_sum": np.exp(gap) * tokens, "ratio_squares": np.exp(2 * gap) * tokens,
                        "ratio_outside": float(abs(np.expm1(gap)) > 0.2) * tokens,
                    }
                )  # fmt: skip
    lines(folder / "responses.jsonl", rows)
    lines(folder / "metrics.jsonl", metrics_of(run))


def metrics_of(run: Run) -> list[dict[str, float]]:
    """Return what TRL would log of a run."""
    spread = run.reward.std(axis=-1, ddof=1)
    if run.one_group_each:  # a group of one has no spread
        spread = np.zeros_like(spread)
    return [
        {
            "step": step + 1,
            "reward": float(run.reward[step].mean()),
            "reward_std": float(spread[step].mean()),
            "frac_reward_zero_std": float((spread[step] == 0).mean()),
            "entropy": float(run.entropy[step]),
            "completions/mean_length": float(run.tokens[step].mean()),
            "completions/clipped_ratio": float(run.truncated[step].mean()),
            "sampling/sampling_logp_difference/mean": float(np.abs(run.gap[step]).mean()),
        }
        for step in range(len(run.reward))
    ]


def by_qae(run: Run, folder: Path) -> str:
    """Return the findings of ``qae audit`` with their severities."""
    write_run(run, folder / "run")
    return _said(audited(folder / "run", **dict(run.settings)))


def _said(content: Mapping[str, Any]) -> str:
    named = [f"{one['severity']}: {one['id']}" for one in content["findings"]]
    named += [f"refused: {one['reason']}" for one in content["refused"]]
    checked = len(CHECKS) - len(content["unchecked"])
    return "; ".join(named) or f"nothing in {checked} checks, {len(content['unchecked'])} not possible"


def by_rldoctor(run: Run, folder: Path, tools: Path) -> str:
    """Return rldoctor's findings on the metrics."""
    return rldoctor_on(lines(folder / "log.jsonl", metrics_of(run)), tools)


def rldoctor_on(path: Path, tools: Path) -> str:
    """Return rldoctor's findings on a file."""
    done = _run([str(tools / "rldoctor"), "diagnose", str(path), "-f", "json"])
    if done.returncode or not done.stdout.startswith("{"):
        return f"refused: {_why(done)}"
    findings = json.loads(done.stdout)["findings"]
    given = [one for one in findings if one["severity"] not in ("OK", "SKIPPED")]
    told = [f"{one['severity'].lower()}: {one['title']}: {_first_sentence(one['summary'])}" for one in given]
    passed = sum(one["severity"] == "OK" for one in findings)
    skipped = sum(one["severity"] == "SKIPPED" for one in findings)
    return "; ".join(told) or f"every applicable check passed ({passed}; {skipped} skipped)"


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[a-z)%])\.\s", text, maxsplit=1)[0].rstrip(".")


_RECORD = """
import json, sys
from rlprobe.recorder.core import Recorder
steps, samples, folder = json.load(open(sys.argv[1])), json.load(open(sys.argv[2])), sys.argv[3]
with Recorder(folder, algorithm="grpo", capture_env=False) as recorder:
    for step, rows in zip(steps, samples):
        recorder.log_step(step.pop("step"), **step)
        recorder.log_samples(rows[0]["step"], rows, select=False)
"""


def by_rlprobe(run: Run, folder: Path, tools: Path) -> str:
    """Return rlprobe's findings on a recording by its own recorder."""
    folder.mkdir(parents=True, exist_ok=True)
    steps, samples = folder / "steps.json", folder / "samples.json"
    steps.write_text(json.dumps([_probe_step(run, step, one) for step, one in enumerate(metrics_of(run))]))
    samples.write_text(json.dumps([_probe_samples(run, step) for step in range(len(run.reward))]))
    done = _run([str(tools / "python"), "-c", _RECORD, str(steps), str(samples), str(folder / "recording")])
    if done.returncode:
        return f"refused: {_why(done)}"
    return rlprobe_on(folder / "recording", tools)


def _probe_step(run: Run, step: int, logged: Mapping[str, float]) -> dict[str, float]:
    advantage = run.advantage[step]
    return {
        "step": step + 1,
        "reward_mean": logged["reward"],
        "reward_std": float(run.reward[step].std()),
        "reward_min": float(run.reward[step].min()),
        "reward_max": float(run.reward[step].max()),
        "entropy_mean": logged["entropy"],
        "adv_mean": float(advantage.mean()),
        "adv_std": float(advantage.std()),
        "adv_zero_frac": float((advantage == 0).mean()),
        "group_reward_std_mean": logged["reward_std"],
        "zero_variance_group_frac": logged["frac_reward_zero_std"],
        "completion_len_mean": logged["completions/mean_length"],
        "truncation_rate": logged["completions/clipped_ratio"],
        "max_len_hit_frac": logged["completions/clipped_ratio"],
    }


def _probe_samples(run: Run, step: int) -> list[dict[str, Any]]:
    _, queries, size = run.reward.shape
    return [
        {
            "step": step + 1,
            "sample_id": f"{step}-{query}-{place}",
            "group_id": f"{step}-{query}-{place}" if run.one_group_each else f"{step}-{query}",
            "reward_total": float(run.reward[step, query, place]),
            "advantage": float(run.advantage[step, query, place]),
            "completion_len": int(run.tokens[step, query, place]),
            "truncated": bool(run.truncated[step, query, place]),
        }
        for query in range(queries)
        for place in range(size)
    ]


def by_rlvr_audit(run: Run, folder: Path, tools: Path) -> str:
    """Return rlvr-audit's verdicts on the groups."""
    size = 1 if run.one_group_each else run.reward.shape[-1]
    groups = run.reward.reshape(-1, size)
    rows = [{"prompt_id": str(number), "rewards": group.tolist()} for number, group in enumerate(groups)]
    return rlvr_audit_on(lines(folder / "groups.jsonl", rows), tools, size)


def rlvr_audit_on(path: Path, tools: Path, size: int) -> str:
    """Return rlvr-audit's verdicts on a file."""
    done = _run([str(tools / "rlvr-audit"), "inspect", "--file", str(path), "--G", str(size)])
    if done.returncode:
        return f"refused: {_why(done)}"
    content = json.loads(done.stdout)
    verdicts = ", ".join(f"{name} {count}" for name, count in sorted(content["verdict_histogram"].items()))
    without = content["advantage_collapse"]["frac_zero_variance_groups"]
    return f"{verdicts or 'no verdict'}; {without:.0%} of the groups without variance"


def rlprobe_on(path: Path, tools: Path) -> str:
    """Return rlprobe's findings on a folder."""
    done = _run([str(tools / "rlprobe"), "doctor", str(path), "--json"])
    if "[" not in done.stdout:
        return f"refused: {_why(done)}"
    findings = json.loads(done.stdout[done.stdout.index("[") :])
    told = [f"{one['severity']}: {one['signature_id']} ({one['confidence']:.0%})" for one in findings]
    return "; ".join(told) or "no finding"


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)


def _why(done: subprocess.CompletedProcess[str]) -> str:
    """Return why a command stopped: the kind of its error, or what it says behind the file's name."""
    said = f"{done.stdout}\n{done.stderr}"
    if "not a run directory" in said:
        return "not one of its own recordings"
    kinds = re.findall(r"\b(\w+Error)\b:", said)
    if kinds:
        return f"stops with {kinds[-1]}"
    told = re.sub(r"\S*/\S+/\S+", "FILE", said.partition("could not load")[2] or said)
    return " ".join(told.split()).removeprefix("FILE ") or "stops without a word"


def answers(tools: Path) -> dict[str, Any]:
    """Return what each tool says of every run and of every file."""
    found: dict[str, Any] = {"versions": VERSIONS, "runs": {}, "files": {}}
    for name, case in CASES.items():
        run = case.make()
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            found["runs"][name] = {
                "truth": case.truth,
                "qae audit": by_qae(run, folder),
                "rldoctor": by_rldoctor(run, folder, tools),
                "rlprobe": by_rlprobe(run, folder / "probe", tools),
                "rlvr-audit": by_rlvr_audit(run, folder, tools),
            }
    for name, truth in FILES.items():
        path = FIXTURES / name
        found["files"][name] = {
            "truth": truth,
            "qae audit": _said(audited(path)),
            "rldoctor": rldoctor_on(path, tools),
            "rlprobe": rlprobe_on(path, tools),
            "rlvr-audit": rlvr_audit_on(path, tools, 4),
        }
    return found


def main() -> None:
    """Write the answers."""
    from qae_theory.runs.files import to_json, write_atomically

    tools, target = sys.argv[1:]
    write_atomically(Path(target), to_json(answers(Path(tools).absolute())))


if __name__ == "__main__":
    main()
