"""The words and commands that expressions know: functions, constants, letters."""

from __future__ import annotations

from llm_validation.verifiers.exact.expressions.tree import EULER, INFINITY, PI, UNIT_I, Constant
from llm_validation.verifiers.reading.word_sets import word_set

# Functions of one argument, by each of their names, and the name that expressions use.
FUNCTIONS = {
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "cot": "cot",
    "sec": "sec",
    "csc": "csc",
    "cosec": "csc",
    "arcsin": "arcsin",
    "arccos": "arccos",
    "arctan": "arctan",
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "sinh": "sinh",
    "cosh": "cosh",
    "tanh": "tanh",
    "ln": "ln",
    "log": "log",
    "lg": "lg",
    "exp": "exp",
    "abs": "abs",
    "floor": "floor",
    "ceil": "ceiling",
    "sgn": "sgn",
    "Re": "Re",
    "Im": "Im",
    "arg": "arg",
    "det": "det",
}
INVERSES = {"sin": "arcsin", "cos": "arccos", "tan": "arctan"}
# Functions of several arguments in parentheses or braces.
SEVERAL = {"max": "max", "min": "min", "gcd": "gcd", "lcm": "lcm"}
ROOTS = {"sqrt": 2, "cbrt": 3}
CONSTANTS: dict[str, Constant] = {"pi": PI, "infty": INFINITY, "infinity": INFINITY, "inf": INFINITY}
LETTER_CONSTANTS: dict[str, Constant] = {"e": EULER, "i": UNIT_I}
GREEK = word_set(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon",
    "phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell hbar nabla",
    "partial aleph",
)
# A letter with an accent is a name of its own.
ACCENTS = word_set(
    "vec hat bar tilde dot ddot widehat widetilde overline overrightarrow overleftarrow mathcal mathfrak mathscr",
)
# Letters that a parenthesis makes a function rather than a factor.
FUNCTION_LETTERS = frozenset("fghFGH")
# Words that are read as a whole, not as products of letters.
WORDS = frozenset(FUNCTIONS) | frozenset(SEVERAL) | frozenset(ROOTS) | frozenset(CONSTANTS) | {"mod", "binom"}
