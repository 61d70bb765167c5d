"""ONNX operators that rearrange a tensor: each is applied to the image of positions, which says where every value went."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from regionenum.network import ops
from regionenum.network.chain import Value
from regionenum.network.from_onnx.call import Call
from regionenum.network.units import Ints


def moved(function: Callable[[Call, Ints], Ints]) -> Callable[[Call], Value]:
    """An operation that sends the image of positions through a function."""
    return lambda call: ops.rearranged(call.x, function(call, call.x.positions()))


def flatten(call: Call) -> Value:
    """Two axes: those before `axis`, and the rest."""
    shape = call.x.shape
    axis = int(call.node.attributes["axis"])
    if not -len(shape) <= axis <= len(shape):
        raise call.refuse(f"has an axis {axis}, but its tensor has {len(shape)} axes")
    axis = axis + len(shape) if axis < 0 else axis
    return ops.reshaped(call.x, (math.prod(shape[:axis]), math.prod(shape[axis:])))


def reshape(call: Call) -> Value:
    """The shape is a constant; 0 copies a size, -1 is what is left."""
    shape, old = list(call.ints("shape", 1) or ()), call.x.shape
    if not call.node.attributes.get("allowzero", 0):
        shape = [old[k] if size == 0 and k < len(old) else size for k, size in enumerate(shape)]
    rest = math.prod(size for size in shape if size != -1)
    if shape.count(-1) == 1 and rest > 0:
        shape[shape.index(-1)] = math.prod(old) // rest
    if any(size < 1 for size in shape) or math.prod(shape) != math.prod(old):
        raise call.refuse(
            f"reshapes {old} to {tuple(call.ints('shape', 1) or ())}, which has another number of entries; "
            "the batch axis must be free or 1"
        )
    return ops.reshaped(call.x, shape)


def squeeze(call: Call) -> Value:
    """Drop axes of size 1."""
    shape = call.x.shape
    axes = call.ints("axes", 1)
    chosen = [k for k, n in enumerate(shape) if n == 1] if axes is None else call.axes(axes, len(shape))
    if any(shape[k] != 1 for k in chosen):
        raise call.refuse(f"squeezes axes {tuple(chosen)} of shape {shape}, which are not all of size 1")
    return ops.reshaped(call.x, [n for k, n in enumerate(shape) if k not in chosen])


def unsqueeze(call: Call) -> Value:
    """Insert axes of size 1."""
    axes = call.ints("axes", 1) or ()
    rank = len(call.x.shape) + len(axes)
    chosen, sizes = call.axes(axes, rank), iter(call.x.shape)
    return ops.reshaped(call.x, [1 if k in chosen else next(sizes) for k in range(rank)])


def transpose(call: Call, positions: Ints) -> Ints:
    """Permute the axes; reverse them by default."""
    perm = call.ints("perm") or tuple(reversed(range(positions.ndim)))
    if sorted(perm) != list(range(positions.ndim)):
        raise call.refuse(f"permutes {positions.ndim} axes by {perm}, which is no permutation of them")
    return positions.transpose(perm)


def slice_(call: Call, positions: Ints) -> Ints:
    """Ranges along some axes, with steps of either sign."""
    starts, ends = call.ints("starts", 1) or (), call.ints("ends", 2) or ()
    axes, steps = call.ints("axes", 3), call.ints("steps", 4)
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = (1,) * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise call.refuse(f"has starts {starts}, ends {ends}, axes {axes} and steps {steps}, which do not fit together")
    cut: list[Any] = [slice(None)] * positions.ndim
    for axis, start, end, step in zip(call.axes(axes, positions.ndim), starts, ends, steps, strict=True):
        n = positions.shape[axis]
        # an end before the first entry is None for Python, which counts -1 from the back
        cut[axis] = slice(start, None if step < 0 and end < -n else end, step)
    part: Ints = positions[tuple(cut)]
    call.sized(part.shape)
    return part


def gather(call: Call, positions: Ints) -> Ints:
    """Entries along one axis, by constant indices."""
    axis, indices = call.axis(positions.ndim), call.constant(1)
    n = positions.shape[axis]
    if indices.dtype.kind not in "iu" or (indices.size and not -n <= indices.min() <= indices.max() < n):
        raise call.refuse(f"has an index outside 0..{n - 1} along axis {axis}")
    call.sized((*positions.shape[:axis], *indices.shape, *positions.shape[axis + 1 :]))
    return np.asarray(np.take(positions, indices % n, axis=axis))


def pad(call: Call) -> Value:
    """Constants, reflections, edges or the other side, around a tensor; negative paddings crop it."""
    x, mode = call.x, call.node.attributes["mode"]
    rank, given = len(x.shape), call.ints("pads", 1) or ()
    axes = call.ints("axes", 3)
    chosen = list(range(rank)) if axes is None else call.axes(axes, rank)
    if len(given) != 2 * len(chosen):
        raise call.refuse(f"has {len(given)} paddings for {len(chosen)} axes")
    around = [(0, 0)] * rank
    for k, axis in enumerate(chosen):
        around[axis] = (given[k], given[k + len(chosen)])
    call.sized([n + before + after for n, (before, after) in zip(x.shape, around, strict=True)])
    call.sized([n + max(before, 0) + max(after, 0) for n, (before, after) in zip(x.shape, around, strict=True)])
    if mode not in ("constant", "reflect", "edge", "wrap"):
        raise call.refuse(f"has the mode {mode!r}; supported: constant, reflect, edge, wrap")
    limits = [n - 1 if mode == "reflect" else n for n in x.shape]
    if mode != "constant" and any(
        min(pair) < 0 or (mode != "edge" and max(pair) > limit) for pair, limit in zip(around, limits, strict=True)
    ):
        raise call.refuse(f"pads {x.shape} by {given} in the mode {mode!r}; supported: 0 to the size of the tensor")
    fill = call.node.attributes.get("value")
    fill = call.number(2, 0.0) if fill is None else float(fill)
    outside = [(max(before, 0), max(after, 0)) for before, after in around]
    options: dict[str, Any] = {"constant_values": ops.NO_VALUE} if mode == "constant" else {}
    positions = np.pad(x.positions(), outside, mode=mode, **options)
    inner = tuple(slice(max(-b, 0), n - max(-a, 0)) for n, (b, a) in zip(positions.shape, around, strict=True))
    return ops.rearranged(x, positions[inner], fill)


def expand(call: Call) -> Value:
    """Repeat along axes of size 1."""
    try:
        shape = np.broadcast_shapes(call.x.shape, call.ints("shape", 1) or ())
    except ValueError as error:
        raise call.refuse(f"expands {call.x.shape} to {call.ints('shape', 1)}, which does not fit") from error
    return ops.broadcast(call.x, call.sized(shape))


def tile(call: Call, positions: Ints) -> Ints:
    """Repeat the whole tensor along its axes."""
    repeats = call.ints("repeats", 1) or ()
    if len(repeats) != positions.ndim:
        raise call.refuse(f"has repeats {repeats} for {positions.ndim} axes")
    call.sized([n * r for n, r in zip(positions.shape, repeats, strict=True)])
    return np.tile(positions, repeats)


def split(call: Call) -> list[Value]:
    """Pieces along an axis."""
    x = call.x
    axis, n = call.axis(len(x.shape)), 0
    sizes, parts = call.ints("split", 1), len(call.node.outputs)
    n = x.shape[axis]
    if sizes is None:
        wanted = int(call.node.attributes.get("num_outputs", parts))
        step = -(-n // max(wanted, 1))
        sizes = tuple(min(step, n - k * step) for k in range(wanted))
    if sum(sizes) != n or min(sizes) < 1 or len(sizes) != parts:
        raise call.refuse(f"splits {n} entries into {parts} parts of {sizes}, which does not fit")
    ends = np.cumsum(sizes)[:-1].tolist()
    return [ops.rearranged(x, part) for part in np.split(x.positions(), ends, axis=axis)]


def _image(call: Call, positions: Ints) -> tuple[int, int, int, int, int]:
    if positions.ndim != 4:
        raise call.refuse(f"takes a tensor with 4 axes, and meets shape {positions.shape}")
    n, c, h, w = positions.shape
    return n, c, h, w, int(call.node.attributes["blocksize"])


def depth_to_space(call: Call, positions: Ints) -> Ints:
    """Channels become blocks of pixels."""
    n, c, h, w, b = _image(call, positions)
    if b < 1 or c % (b * b):
        raise call.refuse(f"makes blocks of {b} x {b} pixels out of {c} channels, which does not fit")
    if call.node.attributes.get("mode", "DCR") == "DCR":
        return positions.reshape(n, b, b, c // b**2, h, w).transpose(0, 3, 4, 1, 5, 2).reshape(n, -1, h * b, w * b)
    return positions.reshape(n, c // b**2, b, b, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, -1, h * b, w * b)


def space_to_depth(call: Call, positions: Ints) -> Ints:
    """Blocks of pixels become channels."""
    n, c, h, w, b = _image(call, positions)
    if b < 1 or h % b or w % b:
        raise call.refuse(f"cuts {h} x {w} pixels into blocks of {b} x {b}, which does not fit")
    return positions.reshape(n, c, h // b, b, w // b, b).transpose(0, 3, 5, 1, 2, 4).reshape(n, -1, h // b, w // b)
