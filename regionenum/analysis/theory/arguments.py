"""Arguments of the functions of this room: whole numbers, and numbers read exactly; each refusal is one sentence."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from regionenum.errors import InputError


def whole(function: str, name: str, value: Any, least: int) -> int:
    """A whole number that is not too small.

    Raises
    ------
    InputError
        Naming the function, the argument and the least number it takes.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least:
        raise InputError(f"{function}: {name} is {value!r}; give a whole number, {least} or more")
    return number


def wholes(function: str, name: str, values: Any, least: int, length: int | None = None) -> tuple[int, ...]:
    """Several whole numbers.

    Raises
    ------
    InputError
        Where they are no sequence, not as many as they should be, or one is refused by `whole`.
    """
    try:
        found = tuple(values)
    except TypeError:
        found = None
    if found is None or (length is not None and len(found) != length):
        many = "whole numbers" if length is None else f"{length} whole numbers"
        raise InputError(f"{function}: {name} is {values!r}; give a sequence of {many}")
    return tuple(whole(function, f"{name}[{k}]", value, least) for k, value in enumerate(found))


def rational(function: str, name: str, value: Any) -> Fraction:
    """A number as the fraction that it is: float64 numbers are dyadic, nothing is rounded.

    Raises
    ------
    InputError
        If it is no finite real number.
    """
    try:
        if isinstance(value, str) or (isinstance(value, float) and not math.isfinite(value)):
            raise TypeError
        return Fraction(int(value)) if hasattr(value, "__index__") else Fraction(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{function}: {name} is {value!r}; give a finite number (int, float or Fraction)") from error


def rationals(function: str, name: str, values: Any) -> tuple[Fraction, ...]:
    """Several numbers, as `rational` reads them.

    Raises
    ------
    InputError
        If they are no sequence of finite numbers.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InputError(f"{function}: {name} is {values!r}; give a sequence of numbers")
    return tuple(rational(function, f"{name}[{k}]", value) for k, value in enumerate(values))


def integer_rows(rows: Iterable[Iterable[Fraction]]) -> list[tuple[int, ...]]:
    """Each row times the positive number that makes its entries integers without a common divisor (a row of 0 stays)."""
    found = []
    for row in rows:
        values = list(row)
        common = math.lcm(*(value.denominator for value in values))
        integers = [int(value * common) for value in values]
        divisor = math.gcd(*integers) or 1
        found.append(tuple(value // divisor for value in integers))
    return found
