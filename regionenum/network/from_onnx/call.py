"""One node on its way into the chain: how operations read their inputs and attributes, and how they are refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from regionenum.errors import InputError
from regionenum.network.chain import Value
from regionenum.network.from_onnx.graph import Node
from regionenum.network.ops import Term
from regionenum.network.units import Floats, Units

Input: TypeAlias = Value | np.ndarray | None
"""What a node reads: a tensor that depends on the input, a constant, or nothing (an optional input left out)."""

MOST_ENTRIES = 2**24
"""Of one tensor; larger ones are refused before they are made."""
MOST_CONNECTIONS = 2**27
"""Of one affine map."""


@dataclass(frozen=True)
class Call:
    """A node and what it reads.

    Attributes
    ----------
    node : operator, names and attributes
    inputs : in the node's order
    single : whether the tensors that depend on the input are float32 or shorter
    closing : closes a layer under this node's name: (value, units, shape of their outputs) -> the outputs
    explicit : attributes that say explicitly what others leave to be worked out, for the reference evaluator
    """

    node: Node
    inputs: Sequence[Input]
    single: bool
    closing: Callable[[Value, Units, Sequence[int]], Value]
    explicit: dict[str, Any] = field(default_factory=dict)

    def refuse(self, why: str) -> InputError:
        """The error that refuses this node."""
        return InputError(f"{self.node.where} {why}")

    def given(self, index: int) -> bool:
        """Whether there is such an input."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def operand(self, index: int) -> Term:
        """An input that may depend on the network's input; a constant in float64."""
        value = self.inputs[index] if self.given(index) else None
        return value if isinstance(value, Value) else self.floats(index)

    @property
    def x(self) -> Value:
        """The first input, when it is the one that depends on the network's input."""
        x = self.inputs[0] if self.inputs else None
        if not isinstance(x, Value):
            raise self.refuse("has an argument that depends on the input where only constants are supported")
        return x

    def constant(self, index: int, *, finite: bool = True) -> np.ndarray:
        """A constant input, in its own type."""
        value = self.inputs[index] if self.given(index) else None
        if not isinstance(value, np.ndarray):
            what = "depends on the input; it must be a constant" if self.given(index) else "is missing"
            raise self.refuse(f"has an argument (number {index}) that {what}")
        if value.dtype.kind == "f" and not (np.isfinite(value).all() if finite else not np.isnan(value).any()):
            raise self.refuse(
                f"has a constant `{self.node.inputs[index]}` with NaN or an infinite value; mend or retrain the model"
            )
        return value

    def floats(self, index: int, *, finite: bool = True) -> Floats:
        """A constant input in float64."""
        return self.constant(index, finite=finite).astype(np.float64)

    def number(self, index: int, default: float, *, finite: bool = True) -> float:
        """A constant input with one entry, if it is given."""
        if not self.given(index):
            return default
        value = self.floats(index, finite=finite)
        if value.size != 1:
            raise self.refuse(f"has an argument of shape {value.shape} where one number is needed")
        return float(value.reshape(-1)[0])

    def ints(self, name: str, index: int | None = None) -> tuple[int, ...] | None:
        """Integers that are an attribute in older opsets and an input in newer ones; None if they are left out."""
        if name in self.node.attributes:
            return tuple(int(v) for v in self.node.attributes[name])
        if index is None or not self.given(index):
            return None
        return tuple(int(v) for v in self.constant(index).reshape(-1))

    def finite(self, name: str) -> float:
        """An attribute that has to be a finite number."""
        value = float(self.node.attributes[name])
        if not math.isfinite(value):
            raise self.refuse(f"has {name} {value}; it must be finite")
        return value

    def axes(self, given: Sequence[int], rank: int) -> list[int]:
        """Axes, counted from the front."""
        for axis in given:
            if not -rank <= axis < rank:
                raise self.refuse(f"has an axis {axis}, but its tensor has {rank} axes")
        axes = [axis % rank for axis in given]
        if len(set(axes)) != len(axes):
            raise self.refuse(f"names an axis twice in {tuple(given)}")
        return axes

    def axis(self, rank: int, name: str = "axis") -> int:
        """The attribute `axis`, counted from the front."""
        return self.axes([int(self.node.attributes[name])], rank)[0]

    def sized(self, shape: Sequence[int]) -> tuple[int, ...]:
        """A shape, if a tensor of it may be made."""
        sizes = tuple(int(size) for size in shape)
        if min(sizes, default=1) < 1 or math.prod(sizes) > MOST_ENTRIES:
            raise self.refuse(
                f"makes a tensor of shape {sizes}; supported: 1 to {MOST_ENTRIES} entries, with no size below 1"
            )
        return sizes

    def broadcast(self, *shapes: Sequence[int]) -> tuple[int, ...]:
        """The shape of several tensors together."""
        try:
            return self.sized(np.broadcast_shapes(*map(tuple, shapes)))
        except ValueError as error:
            raise self.refuse(f"combines tensors of shapes {', '.join(map(str, shapes))}, which do not fit") from error

    def reduced(self) -> list[int]:
        """The axes that a reduction brings together; none at all leaves the tensor as it is."""
        rank, given = len(self.x.shape), self.ints("axes", 1)
        if not given:
            return [] if self.node.attributes.get("noop_with_empty_axes", 0) else list(range(rank))
        return self.axes(given, rank)

    def connected(self, n: int) -> None:
        """Refuse a map with more than so many connections."""
        if n > MOST_CONNECTIONS:
            raise self.refuse(f"has {n} connections; supported: {MOST_CONNECTIONS} at most")

    def close(self, value: Value, units: Units, shape: Sequence[int]) -> Value:
        """Close a layer; the values that no later node reads are void from now on."""
        return self.closing(value, units, shape)
