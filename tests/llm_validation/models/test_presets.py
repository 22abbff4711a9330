"""The character tokenizer, the presets, and what is said of a model that is not there."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_validation.models.presets import PRESETS, build_model, load_model, parameter_count, preset_tokenizer
from llm_validation.models.tokenizer import ARITHMETIC, CHARACTERS, EOS, PAD, UNKNOWN, VOCABULARY, build_tokenizer
from tests.assertions import refuses

pytestmark = pytest.mark.train

# Millions of parameters: 0.08 to 0.5 on a processor, about 30 on a GPU.
SIZES = {"arithmetic": (0.08, 0.5), "tiny": (0.08, 0.5), "small": (0.4, 0.5), "larger": (1.0, 5.0), "gpu": (25, 35)}


@pytest.fixture(scope="module", params=[CHARACTERS, ARITHMETIC], ids=["all", "arithmetic"])
def characters(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# Tokenizer


def test_characters_are_printable_ascii_and_the_newline() -> None:
    assert set(CHARACTERS) == {character for character in map(chr, range(128)) if character.isprintable()} | {"\n"}
    assert len(CHARACTERS) == 96
    assert VOCABULARY[3:] == tuple(CHARACTERS)


def test_one_token_a_character(characters: str) -> None:
    tokenizer = build_tokenizer(characters)
    assert len(tokenizer) == tokenizer.vocab_size == len(characters) + 3
    assert tokenizer.convert_ids_to_tokens(list(range(len(tokenizer)))) == [PAD, EOS, UNKNOWN, *characters]
    assert tokenizer(characters).input_ids == list(range(3, len(characters) + 3))
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id) == (0, 1, 2)
    assert tokenizer.bos_token_id is None


TOKENIZERS = {"all": CHARACTERS, "arithmetic": ARITHMETIC}
CACHED: dict[str, Any] = {}


def cached_tokenizer(name: str) -> Any:
    return CACHED.setdefault(name, build_tokenizer(TOKENIZERS[name]))


@pytest.mark.parametrize("name", TOKENIZERS)
@given(data=st.data())
def test_round_trip(name: str, data: st.DataObject) -> None:
    """White space at the ends and twice over, signs before a blank: all comes back as it was."""
    text = data.draw(st.text(alphabet=TOKENIZERS[name], max_size=40))
    tokenizer = cached_tokenizer(name)
    tokens = tokenizer(text).input_ids
    assert len(tokens) == len(text)
    assert tokenizer.decode(tokens) == text
    # Nothing depends on the neighbours: the first half's tokens are the first half of the tokens.
    assert tokenizer(text[: len(text) // 2]).input_ids == tokens[: len(text) // 2]


@pytest.mark.parametrize("text", ["  a  b ", " .", " ,x", "don 't", "\n\n a\n", "a ?"])
def test_white_space_is_not_cleaned_up(text: str) -> None:
    tokenizer = build_tokenizer()
    assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert tokenizer.decode([*tokenizer(text).input_ids, 1], skip_special_tokens=True) == text


@pytest.mark.parametrize("foreign", ["é", "\t", "\r", "\0", "−", "漢", "😀"])
def test_other_characters_are_unknown(foreign: str, characters: str) -> None:
    """The tokens round about stay what they are."""
    tokenizer = build_tokenizer(characters)
    tokens = tokenizer(f"1{foreign}2").input_ids
    one, two = (tokenizer(digit).input_ids[0] for digit in "12")
    assert tokens == [one, 2, two]
    assert tokenizer.decode(tokens) == f"1{UNKNOWN}2"


def test_a_letter_is_unknown_to_arithmetic() -> None:
    assert build_tokenizer(ARITHMETIC)("a").input_ids == [2]
    assert build_tokenizer()("a").input_ids != [2]


def test_padding_is_on_the_left() -> None:
    batch = build_tokenizer()(["1", "123"], padding=True)
    assert batch.input_ids[0][:2] == [0, 0]
    assert batch.attention_mask == [[0, 0, 1], [1, 1, 1]]


def test_a_stored_tokenizer_is_the_same(tmp_path: Path, characters: str) -> None:
    from transformers import AutoTokenizer

    tokenizer = build_tokenizer(characters)
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = f" 1+ 1 = 2{characters} "
    assert loaded(text).input_ids == tokenizer(text).input_ids
    assert loaded.decode(loaded(text).input_ids) == tokenizer.decode(tokenizer(text).input_ids)
    assert (loaded.padding_side, len(loaded)) == ("left", len(tokenizer))


# Presets


def weights(model: Any) -> dict[str, Any]:
    return {name: value.detach() for name, value in model.named_parameters()}


def same(one: Any, other: Any) -> bool:
    import torch

    pairs = zip(weights(one).items(), weights(other).items(), strict=True)
    return all(name == other_name and torch.equal(x, y) for (name, x), (other_name, y) in pairs)


@pytest.mark.parametrize("preset", PRESETS)
def test_sizes(preset: str) -> None:
    """Counted as the elements that are stored once, of all layers."""
    import torch

    model = build_model(preset, seed=0)
    low, high = SIZES[preset]
    storages = {value.data_ptr(): value.numel() for _, value in model.named_parameters(remove_duplicate=False)}
    assert parameter_count(model) == sum(storages.values())
    assert low <= parameter_count(model) / 1e6 <= high
    assert all(value.dtype == torch.float32 for value in weights(model).values())
    assert type(model).__name__ == "Qwen3ForCausalLM"
    tokenizer = preset_tokenizer(preset)
    assert model.config.vocab_size == len(tokenizer)
    assert model.config.eos_token_id == model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert model.generation_config.pad_token_id == tokenizer.pad_token_id
    assert model.config.bos_token_id is None
    assert model.config._attn_implementation == "eager"
    assert model.lm_head.weight is model.get_input_embeddings().weight


def test_every_token_can_be_learned() -> None:
    """Padding too may stand in a response: its embedding is neither zero nor left out of training."""
    import torch

    model = build_model("arithmetic", seed=0)
    embedding = model.get_input_embeddings()
    assert embedding.padding_idx is None
    assert (embedding.weight.detach().norm(dim=-1) > 0).all()
    model(input_ids=torch.arange(17)[None]).logits[0, :, 0].sum().backward()
    assert (embedding.weight.grad.norm(dim=-1) > 0).all()


def test_a_seed_is_a_model() -> None:
    assert same(build_model("arithmetic", seed=3), build_model("arithmetic", seed=3))
    assert not same(build_model("arithmetic", seed=3), build_model("arithmetic", seed=4))


def test_the_weights_are_random_and_of_the_usual_size() -> None:
    """Matrices normal with deviation 0.02, as Qwen3's configuration has it; 4,096 entries tell it to 5 %."""
    for name, value in weights(build_model("arithmetic", seed=5)).items():
        if value.ndim == 2:
            assert abs(float(value.std()) / 0.02 - 1) < 0.1, name
            assert abs(float(value.mean())) < 0.002, name


def test_the_random_state_stays() -> None:
    import torch

    before = torch.get_rng_state()
    one = build_model("arithmetic", seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    with torch.random.fork_rng():
        torch.manual_seed(99)
        other = build_model("arithmetic", seed=3)
        load_model("arithmetic", seed=1)
        drawn = torch.rand(3)
        torch.manual_seed(99)
        assert torch.equal(torch.rand(3), drawn)
    assert same(one, other)


def test_an_unknown_preset() -> None:
    assert "arithmetic" in refuses(lambda: build_model("huge", seed=0), "preset", "huge")


# Loading


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_preset_by_name(dtype: str) -> None:
    import torch

    model, tokenizer = load_model("arithmetic", seed=2, dtype=dtype)
    assert {value.dtype for value in weights(model).values()} == {getattr(torch, dtype)}
    assert same(model, build_model("arithmetic", seed=2).to(getattr(torch, dtype)))
    assert len(tokenizer) == 17
    assert same(load_model("arithmetic")[0], build_model("arithmetic", seed=0))


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    build_model("arithmetic", seed=6).save_pretrained(folder)
    build_tokenizer(ARITHMETIC).save_pretrained(folder)
    return folder


def test_a_folder(stored: Path) -> None:
    model, tokenizer = load_model(stored)
    assert same(model, build_model("arithmetic", seed=6))
    assert model.config._attn_implementation == "eager"
    assert tokenizer("1+1=").input_ids == build_tokenizer(ARITHMETIC)("1+1=").input_ids
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    half, _ = load_model(str(stored), dtype="bfloat16")
    assert same(half, build_model("arithmetic", seed=6).bfloat16())


def test_a_tokenizer_without_padding_pads_with_the_end_of_text(stored: Path) -> None:
    path = stored / "tokenizer_config.json"
    content = json.loads(path.read_text())
    del content["pad_token"]
    path.write_text(json.dumps(content))
    _, tokenizer = load_model(stored)
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == 1


def cut_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def cut_header(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 10**6) + b"{")


def empty_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def broken_configuration(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "qwen3",\n "hidden_size":')


def unknown_type(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "no-such-model"}')


def other_shapes(folder: Path) -> None:
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | {"hidden_size": 32}))


def no_configuration(folder: Path) -> None:
    (folder / "config.json").unlink()


def no_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()


def broken_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")


DAMAGES = (
    cut_weights,
    cut_header,
    empty_weights,
    no_weights,
    broken_configuration,
    unknown_type,
    other_shapes,
    no_configuration,
    no_tokenizer,
    broken_tokenizer,
)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_folder_is_one_line(stored: Path, damage: Callable[[Path], None]) -> None:
    damage(stored)
    reason = says_what_is_wrong(stored)
    known = {no_tokenizer: "OSError: it has no tokenizer;", cut_header: "header", unknown_type: "no-such-model"}
    assert known.get(damage, "") in reason


@pytest.mark.parametrize("name", ["no-such-folder/", "huge", "a/b/c/d", "", "two words"])
def test_a_missing_model_is_one_line(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # as without a network
    says_what_is_wrong(tmp_path / name if name.endswith("/") else name)


def says_what_is_wrong(source: str | Path) -> str:
    """The message, one line that ends with what may be given."""
    with pytest.raises(ValueError, match=re.escape(f"model {str(source)!r} cannot be loaded: ")) as caught:
        load_model(source)
    message = str(caught.value)
    assert type(caught.value) is ValueError
    assert caught.value.__suppress_context__
    assert "\n" not in message
    assert len(message) < 500 + len(str(source))
    assert message.endswith("a checkpoint's folder, or a model hub's name")
    return message
