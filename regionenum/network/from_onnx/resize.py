"""Resize and Upsample by nearest neighbours: which pixel of the input every pixel of the output takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from regionenum.network import ops
from regionenum.network.chain import Value
from regionenum.network.from_onnx.call import Call


def resize(call: Call) -> Value:
    """Nearest neighbours; the neighbour of every pixel is found axis by axis, in rational arithmetic.

    Scales that single precision reads otherwise are refused: programs then differ in the neighbours that they take.
    """
    x, attributes = call.x, call.node.attributes
    if attributes["mode"] != "nearest":
        raise call.refuse(f"has the mode {attributes['mode']!r}; supported: nearest")
    if attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise call.refuse("keeps the aspect ratio, which is not supported; give sizes or scales for each axis")
    # before opset 11 there were no coordinate modes
    coordinates = attributes.get("coordinate_transformation_mode", "asymmetric")
    nearest = attributes.get("nearest_mode", "floor")
    if coordinates not in _COORDINATES or nearest not in _NEAREST:
        raise call.refuse(
            f"has the modes {coordinates!r} and {nearest!r}; supported: {', '.join(_COORDINATES)} with "
            f"{', '.join(_NEAREST)}"
        )
    positions = x.positions()
    for axis, (scale, size) in enumerate(_scales(call)):
        n = x.shape[axis]
        if scale <= 0 or size < 1:
            raise call.refuse(f"has a scale {float(scale)} along axis {axis}; scales must be positive")
        out = size or int(n * scale)
        if scale == 1 and out == n:
            continue
        call.sized((*positions.shape[:axis], out, *positions.shape[axis + 1 :]))
        index = [_neighbour(Fraction, coordinates, nearest, o, n, out, scale) for o in range(out)]
        single = np.float32
        if index != [_neighbour(single, coordinates, nearest, o, n, out, scale) for o in range(out)] or (
            out != int(single(n) * single(scale)) and not call.given(3)
        ):
            raise call.refuse(
                f"has a scale {float(scale)} along axis {axis} at which rounding decides about neighbours"
            )
        positions = np.take(positions, index, axis=axis)
    return ops.rearranged(x, positions)


def _scales(call: Call) -> list[tuple[Fraction, int]]:
    """(scale, output size) of each axis."""
    shape, attributes = call.x.shape, call.node.attributes
    rank = len(shape)
    axes = call.axes(attributes["axes"], rank) if attributes.get("axes") else list(range(rank))
    scales: Any = attributes.get("scales")
    if scales is None:
        place = 1 if call.node.since < 11 else 2
        scales = call.constant(place).reshape(-1).tolist() if call.given(place) else []
    sizes = call.ints("sizes", 3) or ()
    if len(scales or sizes) != len(axes) or (len(scales) and len(sizes)):
        raise call.refuse(
            f"has {len(scales)} scales and {len(sizes)} sizes for {len(axes)} axes; give one or the other"
        )
    found = [(Fraction(1), n) for n in shape]
    for k, axis in enumerate(axes):
        n = shape[axis]
        if len(sizes):
            found[axis] = (Fraction(sizes[k], n), sizes[k])
        elif not math.isfinite(scales[k]):
            raise call.refuse(f"has a scale {scales[k]} along axis {axis}; scales must be positive")
        else:
            scale = Fraction(scales[k])
            found[axis] = (scale, int(n * scale))
    return found


def _neighbour(number: Any, coordinates: str, nearest: str, o: int, n: int, out: int, scale: Fraction) -> int:
    """The input pixel that output pixel o takes."""
    half = number(0.5)
    factor = number(scale.numerator) / number(scale.denominator) if number is Fraction else number(float(scale))
    place = _COORDINATES[coordinates](number(o), number(n), number(out), factor, half)
    pixel: int = math.floor(_NEAREST[nearest](place, half))
    return min(max(pixel, 0), n - 1)


_COORDINATES: dict[str, Callable[[Any, Any, Any, Any, Any], Any]] = {
    "half_pixel": lambda o, n, out, scale, half: (o + half) / scale - half,
    "half_pixel_symmetric": lambda o, n, out, scale, half: n / 2 * (1 - out / (n * scale)) + (o + half) / scale - half,
    "pytorch_half_pixel": lambda o, n, out, scale, half: (o + half) / scale - half if out > 1 else 0 * o,
    "align_corners": lambda o, n, out, scale, half: o * (n - 1) / (out - 1) if out > 1 else 0 * o,
    "asymmetric": lambda o, n, out, scale, half: o / scale,
    "tf_half_pixel_for_nn": lambda o, n, out, scale, half: (o + half) / scale,
}
_NEAREST: dict[str, Callable[[Any, Any], Any]] = {
    "round_prefer_floor": lambda place, half: math.ceil(place - half),
    "round_prefer_ceil": lambda place, half: place + half,
    "floor": lambda place, half: place,
    "ceil": lambda place, half: math.ceil(place),
}
