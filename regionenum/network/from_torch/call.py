"""One operation of a torch graph with its arguments, as the tables of operations receive it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch

from regionenum.errors import InputError
from regionenum.network.chain import Chain, Value
from regionenum.network.ops import Term
from regionenum.network.units import Floats, Units

Result: TypeAlias = "Value | Floats | Indices | tuple[Any, ...]"


@dataclass(frozen=True)
class Indices:
    """The winners' indices that a pooling returns beside the maxima; nothing can be done with them."""

    where: str


@dataclass(frozen=True)
class Call:
    """One operation of the graph, with at least one activation among its arguments.

    Attributes
    ----------
    where : the operation as an error names it, for example "`features.3` (GELU)"
    name : of the layer, if the operation closes one
    target : the ATen overload
    args : its arguments by name: a `Value` for every activation, tensors in float64 and numbers for constants
    chain : the layers closed so far
    alive : the values that later operations read; asked for when a layer is closed
    """

    where: str
    name: str
    target: Any
    args: dict[str, Any]
    chain: Chain
    alive: Callable[[], list[Value]]

    @property
    def operation(self) -> str:
        """The operation's name, without overload and without the underscore of the in-place variants."""
        return str(self.target.overloadpacket.__name__).rstrip("_")

    @cached_property
    def values(self) -> list[Value]:
        """The activations, as often as they occur."""
        found: list[Value] = []
        for arg in self.args.values():
            found += [v for v in (arg if isinstance(arg, list | tuple) else [arg]) if isinstance(v, Value)]
        return found

    def refuse(self, why: str) -> InputError:
        """The error that refuses this operation."""
        return InputError(f"{self.where} {why}")

    def refuse_conversion(self, dtype: torch.dtype | None) -> None:
        """Refuse to go on in another type than float64, which stands for the module's own."""
        if dtype not in (None, torch.float64):
            raise self.refuse(f"converts to {dtype}, which is not affine; remove the conversion")

    def the(self, *names: str) -> Value:
        """The argument of one of these names, which has to be an activation, and the only one.

        Raises
        ------
        InputError
            If another argument depends on the input as well, or instead.
        """
        x = next(self.args[name] for name in names if name in self.args)
        if not isinstance(x, Value) or len(self.values) > 1:
            raise self.refuse("has a weight that depends on the input; the weight must be a constant")
        return x

    def constant(self, name: str) -> Any:
        """An argument that has to be a constant."""
        if isinstance(self.args[name], Value):
            raise self.refuse(f"has an argument `{name}` that depends on the input; it must be a constant")
        return self.args[name]

    def operand(self, name: str) -> Term:
        """An argument that may be an activation; a tensor or number in float64."""
        arg = self.args[name]
        if isinstance(arg, Value):
            return arg
        return numpy(arg) if isinstance(arg, torch.Tensor) else np.asarray(arg, np.float64)

    def finite(self, name: str) -> float:
        """An argument that has to be a finite number."""
        value = float(self.args[name])
        if not math.isfinite(value):
            raise self.refuse(f"has {name} {value}; it must be finite")
        return value

    def axes(self, name: str) -> list[int]:
        """The axes of a reduction, which are given as one, as a list, or not at all."""
        axes = self.args.get(name)
        return [] if axes is None else [axes] if isinstance(axes, int) else list(axes)

    def with_indices(self, y: Value) -> Result:
        """The maxima, with the winners' indices beside them if the operation returns these as well."""
        return (y, Indices(self.where)) if len(self.target._schema.returns) > 1 else y

    def run(self, replace: Callable[[Any], Any]) -> Any:
        """Run the operation with other arguments: every tensor, activation and number is handed to `replace`."""

        def mapped(arg: Any) -> Any:
            return [mapped(a) for a in arg] if isinstance(arg, list | tuple) else replace(arg)

        given = [(a, self.args[a.name]) for a in self.target._schema.arguments]
        return self.target(
            *[mapped(v) for a, v in given if not a.kwarg_only], **{a.name: mapped(v) for a, v in given if a.kwarg_only}
        )

    def shape(self) -> tuple[int, ...]:
        """The shape of the result."""

        def empty(arg: Any) -> Any:
            if isinstance(arg, Value):
                return torch.empty(arg.shape, dtype=torch.float64, device="meta")
            return arg.to("meta") if isinstance(arg, torch.Tensor) else arg

        result = self.run(empty)
        return tuple((result if isinstance(result, torch.Tensor) else result[0]).shape)

    def close(self, value: Value, units: Units, shape: Sequence[int]) -> Value:
        """Close a layer; the values among the arguments that are not used again are void from now on."""
        return self.chain.close(self.name, value, units, shape, keep=self.alive())


def numpy(tensor: torch.Tensor) -> Floats:
    """The tensor as a float64 array."""
    return np.asarray(tensor.detach().to(torch.float64).numpy(), np.float64)
