"""One made-up run written in every format is read as the same run."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from tests.llm_validation.audit import worlds
from tests.llm_validation.audit.audited import audited
from tests.llm_validation.audit.worlds import FORMATS

WORLD = worlds.made(3)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_groups(name: str, tmp_path: Path) -> None:
    write, level, identity, has_steps = FORMATS[name]
    write(tmp_path, WORLD)
    content = audited(tmp_path)
    steps, groups, size = WORLD.shape
    assert content["refused"] == []
    assert content["level"] == level
    assert content["groups"] == {"count": steps * groups, "size": size, "identity": identity, **WORLD.counts()}
    assert content["steps"] == (
        {"first": 1, "last": steps, "count": steps} if has_steps else {"first": None, "last": None, "count": 0}
    )
    used = [source for source in content["sources"] if source["used"]]
    assert sum(source["used"] for source in used) == steps * groups * size
    assert {source["format"] for source in used} == {name.split()[0]}
    assert all(source["rows"] == source["used"] for source in used)
    assert content["zero_advantage_share"] == pytest.approx((WORLD.advantage == 0).mean())


@pytest.mark.parametrize("name", [name for name, entry in FORMATS.items() if entry[1] != "rewards"])
def test_logged_advantages_name_their_estimator(name: str, tmp_path: Path) -> None:
    write, _, _, _ = FORMATS[name]
    write(tmp_path, WORLD)
    estimator = audited(tmp_path)["estimator"]
    assert (estimator["name"], estimator["options"]) == ("grpo", {"std": "population", "eps": 1e-6})
    assert estimator["max_deviation"] < 1e-6


def test_token_exports_have_no_groups_and_all_of_the_rest(tmp_path: Path) -> None:
    worlds.prime_tokens(tmp_path, WORLD)
    content = audited(tmp_path)
    assert content["level"] == "token entropies"
    assert content["groups"] == {
        "count": 0, "size": None, "identity": "none", "all_wrong": None, "all_right": None, "mixed": None
    }  # fmt: skip
    assert content["estimator"] is None


def test_traces_and_token_exports_complement_one_another(tmp_path: Path) -> None:
    worlds.prime_traces(tmp_path, WORLD)
    worlds.prime_tokens(tmp_path, WORLD)
    content = audited(tmp_path)
    assert content["level"] == "token entropies"
    assert content["groups"]["count"] == WORLD.shape[0] * WORLD.shape[1]
    assert content["estimator"]["name"] == "grpo"


PACKED: Mapping[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
    "lz4": lambda content: pa.compress(content, codec="lz4", asbytes=True),
}


@pytest.mark.parametrize("suffix", PACKED)
def test_compressed_files_are_read_as_they_are(suffix: str, tmp_path: Path) -> None:
    worlds.verl_v1(tmp_path, WORLD)
    plain = audited(tmp_path)
    for path in list(tmp_path.glob("*.jsonl")):
        path.with_name(f"{path.name}.{suffix}").write_bytes(PACKED[suffix](path.read_bytes()))
        path.unlink()
    packed = audited(tmp_path)
    assert {**packed, "sources": None} == {**plain, "sources": None}


@pytest.mark.parametrize("suffix", PACKED)
def test_a_compressed_file_that_is_cut_off_is_read_as_far_as_it_goes(suffix: str, tmp_path: Path) -> None:
    # bzip2 packs blocks of 900 kB, so that less than one block would be read as nothing at all. Noise in each row makes
    # three blocks of few rows.
    rng = random.Random(0)
    rows = range(1, 2000)
    row = '{"step": %d, "data": {"actor/entropy": 0.5, "note": "%s"}}\n'
    text = "".join(row % (step, rng.randbytes(600).hex()) for step in rows).encode()
    packed = PACKED[suffix](text)
    path = tmp_path / f"log.{suffix}"
    path.write_bytes(packed[: len(packed) * 2 // 3])
    (source,) = audited(path)["sources"]
    assert "damaged or cut off" in source["note"]
    assert 0 < source["rows"] < len(rows)
