"""Words are counted where a regular expression finds them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from llm_validation.cluster.collect.dumps.anthropomorphic import WORDS, anthropomorphic

PATTERN = re.compile(rf"\b(?:{'|'.join(WORDS)})\b")


@given(st.lists(st.sampled_from([*WORDS, "WAIT", "weight", "ooh", "a", "_", "é", " ", "\n", ".", "'s", "8"])))
def test_whole_words_only_in_capitals_or_not(parts: list[str]) -> None:
    text = "".join(parts)
    assert anthropomorphic(text) == len(PATTERN.findall(text.lower()))


def test_every_word_counts_once() -> None:
    assert anthropomorphic(", ".join(WORDS)) == len(WORDS)
    assert anthropomorphic("".join(WORDS)) == 0
    assert anthropomorphic("") == 0
