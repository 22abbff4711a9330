"""The prime factors of exact numbers."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

_SMALL_PRIMES = tuple(n for n in range(2, 1000) if all(n % d for d in range(2, isqrt(n) + 1)))
_FACTORED_AT_ONCE = 64  # bits of a number whose factors are found in microseconds


def prime_powers(value: Fraction) -> dict[int, int]:
    """Return the exponents of the factors of a positive number.

    Of a large number only the small factors are found; what is left over counts as a prime, which may hide an equality
    but never makes one.
    """
    exponents = _factors(value.numerator)
    for prime, exponent in _factors(value.denominator).items():
        exponents[prime] = exponents.get(prime, 0) - exponent
    return {prime: exponent for prime, exponent in exponents.items() if exponent}


def _factors(n: int) -> dict[int, int]:
    if n.bit_length() <= _FACTORED_AT_ONCE:
        from flint import fmpz

        return {int(prime): int(exponent) for prime, exponent in fmpz(n).factor()} if n > 1 else {}
    exponents: dict[int, int] = {}
    for prime in _SMALL_PRIMES:
        while n % prime == 0:
            exponents[prime] = exponents.get(prime, 0) + 1
            n //= prime
    if n.bit_length() <= _FACTORED_AT_ONCE:
        return exponents | _factors(n)
    half = isqrt(n)
    if half * half == n:
        return exponents | {prime: 2 * exponent for prime, exponent in _factors(half).items()}
    return exponents | {n: 1}
