"""The comparison with published figures: what is compared, how it is judged, and that it can fail."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_validation.cluster.estimate.hardware import GIB, gpu_named
from llm_validation.cluster.estimate.published import (
    LLAMA_8B,
    QWEN25_7B,
    VERL_H20,
    Comparison,
    comparisons,
    fitted,
    length_of,
    verl_h20,
)

# Published by the models' makers, in billions (their pages on huggingface.co).
PUBLISHED_SIZES = {"Qwen3-8B": 8.2, "Qwen3-14B": 14.8, "Qwen3-30B-A3B": 30.5}


def test_every_figure_has_a_source_and_an_interval_in_order() -> None:
    found = comparisons()
    assert len({one.what for one in found}) == len(found) >= 3
    for one in found:
        assert "/" in one.source
        assert one.cheap <= one.central <= one.dear
        assert one.published > 0


def test_sizes_agree_within_a_percent() -> None:
    """Formulas without assumptions: bytes of weights and of the cache."""
    sizes = [one for one in comparisons() if one.cheap == one.dear]
    assert len(sizes) == 3
    assert all(one.inside for one in sizes)


def test_a_wrong_size_is_found() -> None:
    """The negative control: one head more, one layer less."""
    for wrong in (replace(LLAMA_8B, kv_heads=9), replace(LLAMA_8B, layers=31)):
        tokens = 3.81 * GIB / wrong.kv_bytes_per_token()
        assert not Comparison("", "", "", 1952 * 16, tokens, tokens, tokens).inside


@pytest.mark.parametrize(
    ("published", "cheap", "dear", "inside"),
    [
        (5.0, 1.0, 9.0, True),
        (9.1, 1.0, 9.0, False),
        (0.9, 1.0, 9.0, False),
        (5.04, 5.0, 5.0, True),
        (5.1, 5.0, 5.0, False),
    ],
)
def test_inside(published: float, cheap: float, dear: float, inside: bool) -> None:
    assert Comparison("", "", "", published, cheap, (cheap + dear) / 2, dear).inside == inside


def test_ratio() -> None:
    assert Comparison("", "", "", 4.0, 1.0, 2.0, 3.0).ratio == 0.5


@pytest.mark.parametrize(("name", "billions"), PUBLISHED_SIZES.items())
def test_the_makers_own_sizes(name: str, billions: float) -> None:
    from llm_validation.cluster.estimate.model_sizes import SHAPES

    assert round(SHAPES[name].parameters / 1e9, 1) == billions


@pytest.mark.parametrize("gpus", VERL_H20)
def test_the_length_gives_the_time_back(gpus: int) -> None:
    from llm_validation.cluster.estimate.cost import seconds

    wanted, gpu = VERL_H20[gpus]["update"], gpu_named("H20")
    settings = verl_h20(gpus)
    length = length_of(settings, QWEN25_7B, gpu, lambda phases: phases["update"], wanted)
    at, before = (
        seconds(settings, QWEN25_7B, gpu, "central", tokens).phases["update"] for tokens in (length, length - 2)
    )
    assert before < wanted <= at


def test_no_length_takes_that_long() -> None:
    with pytest.raises(ValueError, match="wanted must be between"):
        length_of(verl_h20(32), QWEN25_7B, gpu_named("H20"), lambda phases: phases["update"], 1e9)


def test_what_ran_fits_at_short_lengths_only() -> None:
    """The page says so; this is the number behind it."""
    full, short = fitted()
    assert short.gib < short.gpu_gib < full.gib
