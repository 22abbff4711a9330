"""A tokenizer of single characters, whose vocabulary is small enough that every short response can be enumerated.

For the presets made here; a checkpoint of one's own brings its own tokenizer.
"""

from __future__ import annotations

from typing import Any

PAD, EOS, UNKNOWN = "<pad>", "<eos>", "<unk>"
CHARACTERS = "\n" + "".join(map(chr, range(32, 127)))
ARITHMETIC = "0123456789+-*="
VOCABULARY: tuple[str, ...] = (PAD, EOS, UNKNOWN, *CHARACTERS)


def build_tokenizer(characters: str = CHARACTERS) -> Any:
    """Return a ``PreTrainedTokenizerFast`` with one token a character, by default printable ASCII and the newline.

    It adds nothing to a text, no start and no end token, and pads on the left. Other characters become the unknown
    token.

    >>> len(VOCABULARY)
    99
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokens = {token: number for number, token in enumerate((PAD, EOS, UNKNOWN, *characters))}
    backend = Tokenizer(models.WordLevel(tokens, unk_token=UNKNOWN))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    backend.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNKNOWN,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
    )
