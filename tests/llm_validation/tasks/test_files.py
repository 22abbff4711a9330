"""Files and datasets: the layouts of the public sets, and one clear line for each kind of bad input."""

from __future__ import annotations

import json
import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_validation.tasks import Example, load_examples, load_task

# One record of each public set, in the layout it has.
LAYOUTS = {
    "plain": {"prompt": "1+1=", "answer": "2"},
    "DAPO-Math-17k": {
        "data_source": "math_dapo",
        "prompt": [{"content": "Solve: 1+1", "role": "user"}],
        "ability": "MATH",
        "reward_model": {"ground_truth": "2", "style": "rule-lighteval/MATH_v2"},
        "extra_info": {"index": "1"},
    },
    "AIME24": {"id": 60, "problem": "Find it.", "solution": r"First \boxed{1}. So \boxed{204}.", "answer": "204"},
    "AIME24, box only": {"problem": "Find it.", "solution": r"\boxed{204}"},
    "AIME25": {"problem": "Find b.", "answer": 70},
    "AIME, capitals": {"Problem": "Find it.", "Answer": 33},
    "AMC23": {"id": 0, "question": "How long?", "answer": 27.0},
}
EXPECTED = {
    "plain": Example("1+1=", "2"),
    "DAPO-Math-17k": Example("Solve: 1+1", "2"),
    "AIME24": Example("Find it.", "204"),
    "AIME24, box only": Example("Find it.", "204"),
    "AIME25": Example("Find b.", "70"),
    "AIME, capitals": Example("Find it.", "33"),
    "AMC23": Example("How long?", "27.0"),
}


def write(path: Path, records: list[Any]) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layouts_of_the_public_sets(layout: str, tmp_path: Path) -> None:
    assert load_examples(write(tmp_path / "set.jsonl", [LAYOUTS[layout]])) == [EXPECTED[layout]]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: bool(text.strip()))


@given(pairs=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5, unique=True))
def test_what_is_written_is_read(pairs: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("round") / "set.jsonl"
    source = write(path, [{"prompt": prompt, "answer": answer} for prompt, answer in pairs])
    read = load_examples(source)
    assert read == list(dict.fromkeys(Example(prompt, answer.strip()) for prompt, answer in pairs))


def test_repeated_records_and_blank_lines_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    line = json.dumps(LAYOUTS["plain"])
    path.write_text(f"{line}\n\n  \n{line}\n", encoding="utf-8")
    assert load_examples(str(path)) == [EXPECTED["plain"]]


def test_a_file_is_one_split_and_a_count_is_drawn_by_seed(tmp_path: Path) -> None:
    source = write(tmp_path / "set.jsonl", [{"prompt": f"{i}?", "answer": i} for i in range(50)])
    everything = load_examples(source)
    assert [example.answer for example in everything] == [str(i) for i in range(50)]
    assert load_examples(source, split="eval") == everything
    some = load_examples(source, count=10, seed=1)
    assert len(set(some)) == 10
    assert set(some) < set(everything)
    assert some == load_examples(source, count=10, seed=1)
    assert some != load_examples(source, count=10, seed=2)
    with pytest.raises(ValueError, match="count must be at most the 50 different records"):
        load_examples(source, count=51)
    assert load_task(source).verifier == "math"


BAD = {
    "not JSON": ('{"prompt": "a", "answer": "b"}\nnonsense\n', r"line 2: not JSON \(Expecting value"),
    "cut off": ('{"prompt": "a", "ans', "line 1: not JSON"),
    "not UTF-8": (b'{"prompt": "\xff", "answer": "b"}', "line 1: not JSON"),
    "a number of too many digits": ('{"prompt": "a", "answer": ' + "1" * 5000 + "}", "line 1: not JSON"),
    "nested": ("[" * 100_000, "line 1: not JSON that can be read"),
    "no object": ("[1, 2]\n", "line 1: not an object with prompt and answer"),
    "no prompt": ('\n{"answer": "b"}\n', "line 2: no prompt"),
    "empty prompt": ('{"prompt": " ", "answer": "b"}', "line 1: no prompt"),
    "chat without text": ('{"prompt": [{"role": "user"}], "answer": "b"}', "line 1: no prompt"),
    "no answer": ('{"prompt": "a"}\n', r"line 1: no answer \(answer, solution or reward_model.ground_truth\)"),
    "empty answer": ('{"prompt": "a", "answer": ""}\n', "line 1: no answer"),
    "answer null": ('{"prompt": "a", "answer": null}\n', "line 1: no answer"),
    "answer a truth value": ('{"prompt": "a", "answer": true}\n', "line 1: no answer"),
    "empty": ("", "is empty: no record with prompt and answer"),
    "blank": ("\n \n", "is empty: no record with prompt and answer"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_get_one_line(kind: str, tmp_path: Path) -> None:
    content, message = BAD[kind]
    path = tmp_path / "set.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}.*{message}") as caught:
        load_examples(str(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_get_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.jsonl: no such file$"):
        load_examples(str(tmp_path / "nowhere.jsonl"))
    folder = tmp_path / "folder.jsonl"
    folder.mkdir()
    with pytest.raises(ValueError, match=r"folder\.jsonl: Is a directory$"):
        load_examples(str(folder))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What stands for the package datasets: names to splits, or to the error that loading raises."""
    known: dict[str, Any] = {}

    def load_dataset(name: str) -> Any:
        if isinstance(known.get(name), Exception):
            raise known[name]
        return known[name]

    module = types.ModuleType("datasets")
    module.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", module)
    return known


@pytest.mark.parametrize("name", ["DAPO-Math-17k", "AIME24", "AIME25", "AMC23"])
def test_short_names_of_the_public_sets(name: str, hub: dict[str, Any]) -> None:
    from llm_validation.tasks.files import HUB_NAMES

    hub[HUB_NAMES[name]] = {"train": [LAYOUTS[name]] * 3}
    assert load_examples(name) == [EXPECTED[name]]
    assert load_task(name).verifier == "math"


def test_splits_of_a_dataset(hub: dict[str, Any]) -> None:
    hub["owner/set"] = {"train": [LAYOUTS["plain"]], "test": [LAYOUTS["AIME25"]]}
    assert load_examples("owner/set") == [EXPECTED["plain"]]
    assert load_examples("owner/set", split="eval") == [EXPECTED["AIME25"]]
    hub["owner/one"] = {"test": [LAYOUTS["AIME25"]]}
    assert load_examples("owner/one", split="train") == [EXPECTED["AIME25"]]
    with pytest.raises(ValueError, match="split of owner/set must be one of train, test; got 'other'"):
        load_examples("owner/set", split="other")


@pytest.mark.parametrize(
    ("loaded", "message"),
    [
        (ConnectionError("no route\nto host"), r"dataset 'owner/set' could not be loaded \(offline.*: no route$"),
        (FileNotFoundError(), "could not be loaded.*: FileNotFoundError$"),
        ({"train": []}, "owner/set is empty"),
        ({"train": [LAYOUTS["plain"], {"text": "a"}]}, "owner/set, record 2: no prompt"),
        ({"train": [{"question": "a"}]}, "owner/set, record 1: no answer"),
    ],
)
def test_bad_datasets_get_one_line(loaded: Any, message: str, hub: dict[str, Any]) -> None:
    hub["owner/set"] = loaded
    with pytest.raises(ValueError, match=message) as caught:
        load_examples("owner/set")
    assert "\n" not in str(caught.value)


def test_without_the_package_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)  # importing it now raises ImportError
    with pytest.raises(ValueError, match=r"need the package datasets; pip install 'qae-verification\[train\]'"):
        load_examples("owner/set")


@pytest.mark.train
def test_a_folder_is_read_offline_by_the_package_itself(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", [LAYOUTS["DAPO-Math-17k"], LAYOUTS["DAPO-Math-17k"]])
    assert load_examples(str(tmp_path)) == [EXPECTED["DAPO-Math-17k"]]
