"""Read the cards: what each rule of the league is and what its paper claims, in one place."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CARDS = Path(__file__).with_name("cards.toml")


@dataclass(frozen=True)
class Card:
    """Hold a rule's card.

    Attributes:
        rule: name in the registry.
        title: the rule's name as papers write it.
        definition: what it does, in a sentence.
        claim: what its paper says that it does for entropy or success.
        reconstructed: whether the definition had to be reconstructed, because neither text nor code was at hand.
    """

    rule: str
    title: str
    definition: str
    claim: str
    reconstructed: bool = False


def cards(path: Path = CARDS) -> dict[str, Card]:
    """Return all cards by rule, in the order of the file.

    Raises:
        ValueError: a card lacks a field, or has one that no card has.
    """
    content: dict[str, dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))
    found = {}
    for rule, fields in content.items():
        try:
            found[rule] = Card(rule, **fields)
        except TypeError as error:
            raise ValueError(f"card {rule!r} must have title, definition and claim; {error}") from None
    return found
