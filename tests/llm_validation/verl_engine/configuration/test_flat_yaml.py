"""Scalars of YAML by dotted key, without a YAML reader."""

from __future__ import annotations

from llm_validation.verl_engine.configuration.flat_yaml import flat_scalars


def test_scalars_of_every_kind() -> None:
    text = (
        "a:\n  b: 1\n  c: true\n  d: no\n  e: ''\n  f: 'it''s'\n  g: \"0.4\"\n  h:\n  - x: 1\n  - y\n  i: {}\n"
        "'n': 16\nj: ${a.b}\nk: ${l}\nl: ${k}\nm: -0.5\nq: 1.2.3\no: ~\nnot yaml\n  p: 2\n"
    )
    assert flat_scalars(text) == {
        "a.b": 1,
        "a.c": True,
        "a.d": "no",
        "a.e": "",
        "a.f": "it's",
        "a.g": "0.4",
        "a.h": None,
        "a.i": "{}",
        "n": 16,
        "j": 1,
        "k": "${l}",
        "l": "${k}",
        "m": -0.5,
        "q": "1.2.3",
        "o.p": 2,
    }
