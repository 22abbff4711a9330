"""Token logits of a causal language model on a few texts, in float64."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.qae_theory.enclosure.cases import Array

# Prose, a calculation in words and few-shot lines: next tokens from nearly certain to open.
TEXTS = (
    "The river had been low all summer, and the ferryman spent most of the day mending nets. When the rain came it "
    "came at night, and by morning the water stood at the second step of the landing. He walked up to the village and "
    "asked the miller whether the bridge would hold.",
    "A train leaves the station at nine and travels at 60 miles an hour. A second train leaves an hour later and "
    "travels at 80 miles an hour. After t hours the first train has covered 60 t miles, so the second catches up when",
    "1+2=3\n4+4=8\n3+6=9\n2+5=7\n8+1=9\n",
)


def token_logits(folder: Path) -> Iterator[Array]:
    """Yield the logits for the token after each one of the texts, ``[n]`` each.

    Args:
        folder: of the model and its tokenizer, as ``save_pretrained`` writes them.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for text in TEXTS:
        tokens = tokenizer(text, return_tensors="pt").input_ids
        with torch.no_grad():
            logits = model(tokens).logits[0]
        yield from logits.numpy().astype(np.float64)
