"""The self-test of a score function, on functions that are right, and on those that people have trained with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llm_validation.cluster.checks.verifier import check_verifier
from llm_validation.verl_engine.configuration.record import Configuration
from tests.llm_validation.cluster.collect.settings_of_runs import overlong, run

RIGHT = """
def score(data_source, solution_str, ground_truth, extra_info=None, right=1.0):
    said = solution_str.rpartition("Answer:")[2].strip()
    return {"score": right if said == ground_truth else 0.0, "acc": said == ground_truth}
"""
ANSWERS = {"sums": ("7", "12", "-3")}


def tried(
    tmp_path: Path, code: str, made: Callable[..., Configuration] = run, *, seconds: float = 10.0, **options: Any
) -> Any:
    path = tmp_path / "rewards.py"
    path.write_text(code)
    function = {"path": str(path), "name": "score", "reward_kwargs": options}
    return check_verifier(made(reward__custom_reward_function=function).reward, ANSWERS, seconds=seconds)


def test_a_right_function_passes_and_its_levels_are_known(tmp_path: Path) -> None:
    found = tried(tmp_path, RIGHT)
    assert found.check.state == "ok", found.check.sentence
    assert "3 answers of sums: right and wrong responses told apart" in found.check.sentence
    assert (found.levels.wrong, found.levels.right, found.levels.penalty) == ((0.0,), (1.0,), 0.0)
    assert found.keys == ("acc", "score")


def test_the_function_gets_its_options_and_the_penalty_is_the_managers(tmp_path: Path) -> None:
    found = tried(tmp_path, RIGHT, overlong, right=2.0)
    assert (found.levels.right, found.levels.penalty) == ((2.0,), 1.0)


def test_a_function_that_gives_a_number_and_one_that_is_awaited_pass(tmp_path: Path) -> None:
    number = (
        "def score(data_source, solution_str, ground_truth, **rest):\n    return int(solution_str == ground_truth)\n"
    )
    assert tried(tmp_path, number).keys == ("acc", "score")
    assert tried(tmp_path, f"async {number}").check.state == "ok"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("return 0.0", "every response to the answer '7' of sums scores 0, right or wrong"),
        ("return 1.0", "every response to the answer '7' of sums scores 1, right or wrong"),
        (
            "return float(ground_truth in solution_str)",
            "scores 1 for the answer '7' of sums, no less than the right answer's 1",
        ),
        ("return -1.0 if solution_str.endswith(ground_truth) else 1.0", "no less than the right"),
        ("raise KeyError('x')", "KeyError: 'x'"),
        ("return None", "TypeError"),
        ("return {'acc': 1}", "KeyError: 'score'"),
        ("return float('nan') if solution_str == '' else 1.0", "is not a finite number"),
        ("import os; os._exit(3)", "its process died"),
        ("import time; time.sleep(60)", "within 1 s: it hangs"),
        (
            "import signal; signal.alarm(5); signal.signal(signal.SIGALRM, print); return 1.0",
            "only works in main thread",
        ),
    ],
)
def test_a_function_that_teaches_nothing_fails(tmp_path: Path, body: str, complaint: str) -> None:
    code = f"def score(data_source, solution_str, ground_truth, extra_info):\n    {body}\n"
    found = tried(tmp_path, code, seconds=1.0)
    assert (found.check.state, found.levels, found.keys) == ("failed", None, None)
    assert complaint in found.check.sentence


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("x =", "SyntaxError"),
        ("import no_such_module", "ModuleNotFoundError"),
        ("y = 1", "AttributeError"),
        ("exit()", "died"),
    ],
)
def test_a_module_that_does_not_load_fails(tmp_path: Path, code: str, complaint: str) -> None:
    check = tried(tmp_path, code).check
    assert check.state == "failed"
    assert "it does not load" in check.sentence
    assert complaint in check.sentence


def test_a_path_that_is_not_there_fails(tmp_path: Path) -> None:
    for path in (str(tmp_path / "no.py"), "pkg://no_such_package.module"):
        config = run(reward__custom_reward_function={"path": path, "name": "score"})
        assert "it does not load" in check_verifier(config.reward, ANSWERS).check.sentence


def test_what_the_function_prints_harms_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert tried(tmp_path, RIGHT.replace("    said", "    print('noise' * 1000)\n    said")).check.state == "ok"


def test_no_answers_fail(tmp_path: Path) -> None:
    config = run(reward__custom_reward_function={"path": str(tmp_path), "name": "score"})
    assert check_verifier(config.reward, {"sums": ()}).check.state == "failed"
