"""Making an example smaller as long as something remains true of it: fewer layers, units, rows, inputs, simpler numbers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from regionenum.errors import InputError
from tests.exact_forms import Example, Json, domain_from, network_from
from tests.exact_oracle import NoInteriorError, TooManyCellsError

RELU = [["0"], ["0", "1"], ["0", "0"]]
"""Breakpoints, slopes and intercepts."""


def shrink(example: Example, keeps: Callable[[Example], bool]) -> Example:
    """The example, made smaller step by step, each of which `keeps` accepts, until none is accepted any more.

    The truth of every smaller example comes from the exact oracle.
    """
    form, best = example.write(), example
    again = True
    while again:
        again = False
        for candidate in _smaller(form):
            smaller = _made(candidate)
            if smaller is not None and keeps(smaller):
                form, best, again = candidate, smaller, True
                break
    return best


def _made(form: Json) -> Example | None:
    """The example of a form, unless it is none: no unit, no interior, numbers that do not fit."""
    try:
        network, domain = network_from(form["network"]), domain_from(form["domain"])
        if not network.unit_layers:
            return None
        return Example.of(form["name"], form["kind"], network, domain, 2000)
    except (NoInteriorError, TooManyCellsError, InputError, ValueError):
        return None


def _smaller(form: Json) -> Iterator[Json]:
    """Forms that are smaller by one step, the largest steps first."""
    layers = form["network"]["layers"]
    if len(layers) > 1:
        yield _edited(form, lambda f: f["network"]["layers"].pop())
    for k, layer in enumerate(layers):
        for u in range(len(layer["units"] or [])):
            yield _edited(form, _without_unit, k, u)
    for i in range(form["network"]["n_in"]):
        if form["network"]["n_in"] > 1 and form["domain"][0] in ("box", "whole"):
            yield _edited(form, _without_input, i)
    for k, layer in enumerate(layers):
        for u, unit in enumerate(layer["units"] or []):
            if unit[0] == "max" and len(unit[1]) > 1:
                for m in range(len(unit[1])):
                    yield _edited(form, lambda f, k=k, u=u, m=m: f["network"]["layers"][k]["units"][u][1].pop(m))
            elif unit[0] == "f" and unit[2:] != RELU:
                yield _edited(
                    form, lambda f, k=k, u=u: f["network"]["layers"][k]["units"][u].__setitem__(slice(2, 5), RELU)
                )
        used = {row for unit in layer["units"] or [] for row in (unit[1] if unit[0] == "max" else [unit[1]])}
        if layer["units"]:
            for row in reversed(range(len(layer["b"]))):
                if row not in used:
                    yield _edited(form, _without_row, k, row)
    yield from _simpler_numbers(form)


def _edited(form: Json, edit: Callable[..., Any], *arguments: Any) -> Json:
    form = copy.deepcopy(form)
    edit(form, *arguments)
    return form


def _without_unit(form: Json, k: int, u: int) -> None:
    layers = form["network"]["layers"]
    layers[k]["units"].pop(u)
    if k + 1 < len(layers):
        for row in layers[k + 1]["W"]:
            row.pop(u)


def _without_row(form: Json, k: int, row: int) -> None:
    layer = form["network"]["layers"][k]
    layer["W"].pop(row)
    layer["b"].pop(row)
    for unit in layer["units"]:
        unit[1] = [r - (r > row) for r in unit[1]] if unit[0] == "max" else unit[1] - (unit[1] > row)


def _without_input(form: Json, i: int) -> None:
    form["network"]["n_in"] -= 1
    for row in form["network"]["layers"][0]["W"]:
        row.pop(i)
    for bound in form["domain"][1:]:
        bound.pop(i)


def _simpler_numbers(form: Json) -> Iterator[Json]:
    """Every weight, bias and number of the domain in turn, replaced by simpler ones."""

    def lists(value: Any) -> Iterator[list[Any]]:
        if isinstance(value, list) and value and all(isinstance(v, str) and v[-1].isdigit() for v in value):
            yield value
        elif isinstance(value, list):
            for v in value:
                yield from lists(v)

    def numbers(f: Json) -> list[list[Any]]:
        parts = [part for layer in f["network"]["layers"] for part in (layer["W"], layer["b"])]
        return [found for part in [*parts, f["domain"]] for found in lists(part)]

    for at, values in enumerate(numbers(form)):
        for i, text in enumerate(values):
            for simple in _simpler(Fraction(text)):
                yield _edited(form, lambda f, at=at, i=i, v=simple: numbers(f)[at].__setitem__(i, str(v)))


def _simpler(number: Fraction) -> Iterator[Fraction]:
    """Simpler numbers near by; each has fewer digits, so that shrinking ends."""
    candidates = [Fraction(0), Fraction(1), Fraction(-1), Fraction(round(number))]
    if number:
        exact = float(number)
        mantissa, exponent = abs(exact).hex().split("p")
        scale = Fraction(2) ** int(exponent)
        sign = 1 if number > 0 else -1
        candidates += [sign * scale, sign * round(abs(number) / scale * 8) * scale / 8]
        candidates += [sign * round(abs(number) / scale * 2**20) * scale / 2**20]
        candidates += [round(number * 2**40) / Fraction(2**40)] if len(mantissa) > 12 else []
    size = _complexity(number)
    yield from (c for c in candidates if _complexity(c) < size)


def _complexity(number: Fraction) -> tuple[int, int, int]:
    """How much there is to a number: its digits, whether it is negative."""
    odd = abs(number.numerator)
    while odd and odd % 2 == 0:
        odd //= 2
    return odd.bit_length() + (number.denominator.bit_length() > 1), len(str(number)), int(number < 0)
