"""A tokenizer of single characters, small enough that every short response can be enumerated.

For the presets made here; a checkpoint of one's own brings its own tokenizer.
"""

from __future__ import annotations

from typing import Any

PAD, EOS, UNKNOWN = "<pad>", "<eos>", "<unk>"
CHARACTERS = "\n" + "".join(map(chr, range(32, 127)))
VOCABULARY: tuple[str, ...] = (PAD, EOS, UNKNOWN, *CHARACTERS)


def build_tokenizer() -> Any:
    """A ``PreTrainedTokenizerFast`` of printable ASCII and the newline, one token a character, padding on the left.

    It adds nothing to a text: no start and no end token. Other characters become the unknown token.

    >>> len(VOCABULARY)
    99
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokens = {token: number for number, token in enumerate(VOCABULARY)}
    characters = Tokenizer(models.WordLevel(tokens, unk_token=UNKNOWN))
    characters.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    characters.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=characters,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNKNOWN,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
    )
