"""Parameters of the models, exactly, against transformers' own models; and shapes read from folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_validation.cluster.estimate.model_sizes import SHAPES, ModelShape, read_shape, shape_of
from tests.llm_validation.verl_engine.live_tensors import huggingface

# Counted once with transformers; test_counts_of_transformers counts again where it is installed.
COUNTED = {
    "Qwen3-0.6B": (596_049_920, 596_049_920),
    "Qwen3-1.7B": (1_720_574_976, 1_720_574_976),
    "Qwen3-8B": (8_190_735_360, 8_190_735_360),
    "Qwen3-14B": (14_768_307_200, 14_768_307_200),
    "Qwen3-30B-A3B": (30_532_122_624, 3_353_032_704),
}


def test_counts() -> None:
    assert {name: (shape.parameters, shape.active_parameters) for name, shape in SHAPES.items()} == COUNTED


def counted(shape: ModelShape) -> int:
    """Parameters of transformers' model, without its memory."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(huggingface(shape))
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.train
@pytest.mark.parametrize("name", SHAPES)
def test_counts_of_transformers(name: str) -> None:
    assert counted(SHAPES[name]) == SHAPES[name].parameters


SMALL = ModelShape("small", 2, 64, 4, 2, 16, 96, 128)


@pytest.mark.train
@pytest.mark.parametrize(
    "shape",
    [
        SMALL,
        ModelShape("tied", 1, 64, 4, 4, 8, 32, 100, tied=True),
        ModelShape("experts", 2, 32, 2, 1, 16, 24, 64, experts=6, active_experts=2),
        ModelShape("qwen2", 2, 64, 4, 2, 16, 96, 128, qk_norm=False, qkv_bias=True),
        ModelShape("llama", 2, 64, 4, 2, 16, 96, 128, qk_norm=False),
    ],
    ids=lambda shape: shape.name,
)
def test_counts_of_other_shapes(shape: ModelShape) -> None:
    assert counted(shape) == shape.parameters


@pytest.mark.train
def test_one_size_off_is_found() -> None:
    """The negative control: a wrong size of any kind changes the count."""
    from dataclasses import replace

    for size in ("layers", "hidden", "heads", "kv_heads", "intermediate", "vocabulary"):
        wrong = replace(SMALL, **{size: getattr(SMALL, size) * 2})
        assert wrong.parameters != counted(SMALL), size


@pytest.mark.train
def test_active_parameters_by_removing_idle_experts() -> None:
    """A model of only the active experts has the active parameters, but for its smaller router."""
    shape = ModelShape("experts", 3, 32, 2, 1, 16, 24, 64, experts=6, active_experts=2)
    only = ModelShape("active", 3, 32, 2, 1, 16, 24, 64, experts=2, active_experts=2)
    assert shape.active_parameters == counted(only) + 3 * 32 * (6 - 2)


def test_flops_by_hand() -> None:
    # 2 x [2 layers x (2 x 64 x (64 + 32) + 3 x 64 x 96) + 128 x 64], and 4 x 2 layers x 64 wide queries x 10 tokens.
    assert SMALL.flops_per_token() == 2 * (2 * (2 * 64 * 96 + 3 * 64 * 96) + 128 * 64)
    assert SMALL.flops_per_token(10) - SMALL.flops_per_token() == 4 * 2 * 64 * 10


@pytest.mark.parametrize(("parallel", "heads"), [(1, 2), (2, 1), (4, 1)])
def test_cache_of_a_token(parallel: int, heads: int) -> None:
    """Keys and values of each layer's heads; a head is never split, so that four GPUs hold two copies of each."""
    assert SMALL.kv_bytes_per_token(parallel) == 2 * 2 * heads * 16 * 2


sizes = st.integers(min_value=1, max_value=64)


@given(layers=sizes, hidden=sizes, heads=sizes, intermediate=sizes, vocabulary=sizes, more=sizes)
def test_parameters_grow_with_every_size(
    layers: int, hidden: int, heads: int, intermediate: int, vocabulary: int, more: int
) -> None:
    base = ModelShape("base", layers, hidden, heads, heads, 8, intermediate, vocabulary)
    for wider in (
        ModelShape("", layers + more, hidden, heads, heads, 8, intermediate, vocabulary),
        ModelShape("", layers, hidden + more, heads, heads, 8, intermediate, vocabulary),
        ModelShape("", layers, hidden, heads + more, heads, 8, intermediate, vocabulary),
        ModelShape("", layers, hidden, heads, heads, 8, intermediate + more, vocabulary),
        ModelShape("", layers, hidden, heads, heads, 8, intermediate, vocabulary + more),
    ):
        assert wider.parameters > base.parameters
        assert wider.flops_per_token() > base.flops_per_token()
    assert base.active_parameters == base.parameters


@given(experts=st.integers(2, 64), active=st.integers(1, 64))
def test_active_parameters_lie_between(experts: int, active: int) -> None:
    active = min(active, experts)
    shape = ModelShape("", 2, 16, 2, 1, 8, 12, 32, experts=experts, active_experts=active)
    assert shape.active_parameters <= shape.parameters
    assert (shape.active_parameters == shape.parameters) == (active == experts)


CONFIG = {
    "model_type": "qwen3",
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "intermediate_size": 96,
    "vocab_size": 128,
    "tie_word_embeddings": False,
}


def folder(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "config.json").write_text(text, encoding="utf-8")
    return path


def test_a_folder(tmp_path: Path) -> None:
    assert shape_of(str(folder(tmp_path / "small", json.dumps(CONFIG)))) == SMALL


def test_a_folder_with_experts(tmp_path: Path) -> None:
    experts = {"model_type": "qwen3_moe", "moe_intermediate_size": 24, "num_experts": 6, "num_experts_per_tok": 2}
    shape = read_shape(folder(tmp_path / "moe", json.dumps(CONFIG | experts)))
    assert (shape.intermediate, shape.experts, shape.active_experts) == (24, 6, 2)


@pytest.mark.parametrize("path", ["Qwen/Qwen3-8B-Base", "Qwen3-8B", "/models/Qwen3-8B-Base/"])
def test_a_name(path: str) -> None:
    assert shape_of(path) is SHAPES["Qwen3-8B"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "config.json is needed"),
        ("[]", "model_type must be one of qwen3, qwen3_moe, qwen2, llama; got 'list'"),
        (json.dumps(CONFIG | {"model_type": "gemma"}), "got 'gemma'"),
        (json.dumps(CONFIG | {"hidden_size": "64"}), "hidden_size must be an integer >= 1; got '64'"),
        (json.dumps(CONFIG | {"vocab_size": -1}), "vocab_size must be an integer >= 1; got -1"),
        (json.dumps({key: value for key, value in CONFIG.items() if key != "num_hidden_layers"}), "got None"),
        (
            json.dumps(
                CONFIG
                | {"model_type": "qwen3_moe", "moe_intermediate_size": 8, "num_experts": 2, "num_experts_per_tok": 3}
            ),
            "num_experts_per_tok must be <= num_experts = 2; got 3",
        ),
    ],
)
def test_bad_folders_are_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"config\.json") as caught:
        read_shape(folder(tmp_path / "bad", text))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"config\.json is needed"):
        read_shape(tmp_path)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"must be one of Qwen3-0\.6B"):
        shape_of("Qwen/Qwen3-9B")
