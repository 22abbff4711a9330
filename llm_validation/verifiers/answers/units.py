"""Units and words behind a number: ``cm^2``, ``miles per hour``, ``apples``; several names of a unit are one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llm_validation.verifiers.answers.kinds import Unit
from llm_validation.verifiers.reading.tokens import Token
from llm_validation.verifiers.reading.word_sets import word_set

# The names of each unit; the first is the one that is compared.
_NAMES: Sequence[str] = (
    "meter metre meters metres m",
    "kilometer kilometre kilometers kilometres km kms",
    "centimeter centimetre centimeters centimetres cm cms",
    "millimeter millimetre millimeters millimetres mm",
    "micrometer micrometers micron microns",
    "nanometer nanometers nm",
    "decimeter decimeters dm",
    "inch inches in",
    "foot feet ft",
    "yard yards yd yds",
    "mile miles mi",
    "gram grams gramme grammes g",
    "kilogram kilograms kg kgs",
    "milligram milligrams mg",
    "tonne tonnes ton tons",
    "pound pounds lb lbs",
    "ounce ounces oz",
    "liter litre liters litres L l",
    "milliliter millilitre milliliters millilitres mL ml",
    "gallon gallons gal",
    "second seconds sec secs s",
    "minute minutes min mins",
    "hour hours hr hrs h",
    "day days",
    "week weeks wk wks",
    "month months",
    "year years yr yrs",
    "millisecond milliseconds ms",
    "newton newtons N",
    "joule joules J",
    "kilojoule kilojoules kJ",
    "watt watts W",
    "kilowatt kilowatts kW",
    "volt volts V",
    "ampere amperes amp amps A",
    "ohm ohms",
    "kelvin kelvins K",
    "mole moles mol mols",
    "hertz Hz",
    "pascal pascals Pa",
    "dollar dollars usd $",
    "cent cents ¢",
    "euro euros eur €",
    "gbp £",
    "yuan rmb ¥",
    "rupee rupees rs ₹",
    "degree degrees deg °",
    "celsius °C",
    "fahrenheit °F",
    "radian radians rad rads",
    "percent % pct",
    "unit units",
    "person people persons",
    "child children",
    "man men",
    "woman women",
    "kph kmph",
    "mph",
)
_PRODUCTS: Mapping[str, Unit] = {
    "kph": (("hour", -1), ("kilometer", 1)),
    "mph": (("hour", -1), ("mile", 1)),
}
_SYMBOLS = {name: names.split()[0] for names in _NAMES for name in names.split()}
_FOLDED = {name.lower(): unit for name, unit in _SYMBOLS.items() if len(name) > 2}
# Runs of two or more letters that are a unit rather than a product, also without a space before them.
ATTACHED = frozenset(name for name in _SYMBOLS if name.isalpha() and len(name) > 1)
SINGLE_LETTERS = frozenset(name for name in _SYMBOLS if name.isalpha() and len(name) == 1)
MULTIPLIERS = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}  # powers of ten
# A word that begins a remark or a condition, and with it the end of the unit.
REMARKS = word_set(
    "as at because by for from given if in of on since so such that to total under when where which",
    "with assuming after before only exactly approximately respectively altogether each left",
    "remaining namely until during modulo mod",
)
# Words that give the unit before or behind them an exponent.
_POWERS = {"squared": 2, "cubed": 3}
_POWERS_BEFORE = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_ARTICLES = frozenset(("the", "a", "an"))
# These change what a number says: with them it is no number with a unit.
_CHANGING = word_set("not no or maybe perhaps possibly plus minus less more than least most times negative")


def is_unit(text: str) -> bool:
    """Whether the word is a name of a unit that is known."""
    return text in _SYMBOLS or text.lower() in _FOLDED


def unit_of(tokens: Sequence[Token]) -> Unit | None:
    """Return the unit that the tokens are; () for none; None if they are no unit or words.

    >>> unit_of([Token("word", "square"), Token("word", "meters")])
    (('meter', 2),)
    """
    powers: dict[str, int] = {}
    factor, sign, place = 1, 1, 0
    while place < len(tokens):
        token = tokens[place]
        text = token.text
        place += 1
        if text in ("*", ".", "-") or text in _ARTICLES:
            continue
        if text in ("/", "per"):
            sign = -1
        elif text in _POWERS_BEFORE:
            factor = _POWERS_BEFORE[text]
        elif token.kind == "word" or text in ("%", "°", r"\$", "€", "£", "¥", "₹", "¢"):
            if text.lower() in _CHANGING:
                return None
            name, place = _temperature(tokens, place, unit_name(text.removeprefix("\\")))
            exponent, place = _exponent(tokens, place)
            powers[name] = powers.get(name, 0) + sign * factor * exponent
            factor = 1
        else:
            return None
    unit = [power for name, exponent in powers.items() for power in _PRODUCTS.get(name, ((name, exponent),))]
    return tuple(sorted(unit))


def unit_name(text: str) -> str:
    """Return the one name of a unit, or of any word in the singular.

    >>> unit_name("Minutes"), unit_name("apples"), unit_name("boxes")
    ('minute', 'apple', 'box')
    """
    if text in _SYMBOLS:
        return _SYMBOLS[text]
    word = text.lower()
    if word in _FOLDED:
        return _FOLDED[word]
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if len(word) > 4 and word.endswith(("ches", "shes", "xes", "sses", "zes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _temperature(tokens: Sequence[Token], place: int, name: str) -> tuple[str, int]:
    """Return the name of a temperature's scale where a degree is followed by its letter or name."""
    following = tokens[place].text if name == "degree" and place < len(tokens) else ""
    scale = {"c": "celsius", "f": "fahrenheit", "celsius": "celsius", "fahrenheit": "fahrenheit"}.get(following.lower())
    return (scale, place + 1) if scale else (name, place)


def _exponent(tokens: Sequence[Token], place: int) -> tuple[int, int]:
    """Return the exponent of a unit and the place behind it."""
    if place < len(tokens) and tokens[place].text in _POWERS:
        return _POWERS[tokens[place].text], place + 1
    if place >= len(tokens) or tokens[place].text != "^":
        return 1, place
    text = ""
    place += 1
    while place < len(tokens) and (tokens[place].text in ("{", "}", "-") or tokens[place].text.isdigit()):
        text += tokens[place].text.strip("{}")
        place += 1
        if text.lstrip("-") and (place >= len(tokens) or tokens[place].text != "}"):
            break
    digits = text.lstrip("-")
    return (int(text) if digits.isdigit() and len(digits) == 1 else 1), place
