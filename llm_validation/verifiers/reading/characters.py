"""Characters of Unicode that stand for mathematics, as LaTeX. Digits of other scripts are no digits and stay."""

from __future__ import annotations

import re

_SIGNS = {
    "−": "-",
    "‐": "-",
    "‑": "-",
    "–": "-",
    "﹣": "-",
    "－": "-",
    "＋": "+",
    "＝": "=",
    "×": r"\times ",
    "✕": r"\times ",
    "·": r"\cdot ",
    "⋅": r"\cdot ",
    "∙": r"\cdot ",
    "∗": "*",
    "÷": r"\div ",
    "∕": "/",
    "⁄": "/",
    "±": r"\pm ",
    "∓": r"\mp ",
    "≤": r"\le ",
    "⩽": r"\le ",
    "≦": r"\le ",
    "≥": r"\ge ",
    "⩾": r"\ge ",
    "≧": r"\ge ",
    "≠": r"\ne ",
    "≈": r"\approx ",
    "≃": r"\approx ",
    "≡": r"\equiv ",
    "＜": "<",
    "＞": ">",
    "→": r"\to ",
    "⇒": r"\Rightarrow ",
    "⟹": r"\Rightarrow ",
    "⇔": r"\Leftrightarrow ",
    "∈": r"\in ",
    "∪": r"\cup ",
    "∩": r"\cap ",
    "∖": r"\setminus ",
    "∅": r"\emptyset ",
    "⌀": r"\emptyset ",
    "∞": r"\infty ",
    "√": r"\radical ",
    "∛": r"\cuberoot ",
    "∑": r"\sum ",
    "∏": r"\prod ",
    "∫": r"\int ",
    "°": r"\degree ",
    "º": r"\degree ",
    "′": "'",
    "’": "'",
    "‘": "'",
    "“": '"',
    "”": '"',
    "…": r"\ldots ",
    "⋯": r"\ldots ",
    "⌊": r"\lfloor ",
    "⌋": r"\rfloor ",
    "⌈": r"\lceil ",
    "⌉": r"\rceil ",
    "⟨": r"\langle ",
    "⟩": r"\rangle ",
    "〈": r"\langle ",
    "〉": r"\rangle ",
    "∣": "|",
    "｜": "|",
    "ℝ": r"\mathbb{R}",
    "ℤ": r"\mathbb{Z}",
    "ℕ": r"\mathbb{N}",
    "ℚ": r"\mathbb{Q}",
    "ℂ": r"\mathbb{C}",
    "（": "(",
    "）": ")",
    "［": "[",
    "］": "]",
    "【": "[",
    "】": "]",
    "｛": r"\{",
    "｝": r"\}",
    "，": ", ",
    "、": ", ",
    "；": "; ",
    "：": ":",
    "．": ".",
    "。": ".",
    "％": r"\%",
    "！": "!",
    "？": "?",
    "＄": r"\$",
    "∠": r"\angle ",
    "△": r"\triangle ",
    "ﬁ": "fi",
    "ﬂ": "fl",
    "ﬀ": "ff",
}
_GREEK = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "ε": "epsilon",
    "ζ": "zeta",
    "η": "eta",
    "θ": "theta",
    "ι": "iota",
    "κ": "kappa",
    "λ": "lambda",
    "μ": "mu",
    "ν": "nu",
    "ξ": "xi",
    "π": "pi",
    "ρ": "rho",
    "σ": "sigma",
    "τ": "tau",
    "φ": "phi",
    "ϕ": "phi",
    "χ": "chi",
    "ψ": "psi",
    "ω": "omega",
    "Γ": "Gamma",
    "Δ": "Delta",
    "Θ": "Theta",
    "Λ": "Lambda",
    "Σ": "Sigma",
    "Φ": "Phi",
    "Ω": "Omega",
}
_FRACTIONS = {
    "½": (1, 2),
    "⅓": (1, 3),
    "⅔": (2, 3),
    "¼": (1, 4),
    "¾": (3, 4),
    "⅕": (1, 5),
    "⅖": (2, 5),
    "⅗": (3, 5),
    "⅘": (4, 5),
    "⅙": (1, 6),
    "⅚": (5, 6),
    "⅐": (1, 7),
    "⅛": (1, 8),
    "⅜": (3, 8),
    "⅝": (5, 8),
    "⅞": (7, 8),
    "⅑": (1, 9),
    "⅒": (1, 10),
}
_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_NOTHING = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ", "0123456789+-()ni", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₍₎", "0123456789+-()", strict=True))

_TABLE = str.maketrans(
    _SIGNS
    | {letter: rf"\{name} " for letter, name in _GREEK.items()}
    | {letter: rf"\frac{{{above}}}{{{below}}}" for letter, (above, below) in _FRACTIONS.items()}
    | dict.fromkeys(_SPACES, " ")
    | dict.fromkeys(_NOTHING, "")
)
_RUN_RAISED = re.compile(f"[{''.join(_RAISED)}]+")
_RUN_LOWERED = re.compile(f"[{''.join(_LOWERED)}]+")


def as_latex(text: str) -> str:
    r"""Return the text with the characters of mathematics as LaTeX; all others stay.

    >>> as_latex("2√5 ≤ x²")
    '2\\radical 5 \\le  x^{2}'
    """
    if text.isascii():
        return text
    text = _RUN_RAISED.sub(lambda run: f"^{{{''.join(_RAISED[c] for c in run[0])}}}", text)
    text = _RUN_LOWERED.sub(lambda run: f"_{{{''.join(_LOWERED[c] for c in run[0])}}}", text)
    return text.translate(_TABLE)
