"""A graph of operations, read in order, becomes a chain of layers.

Every tensor that depends on the input is a `Value`: an affine map of what the last layer gave, the *state*. Affine
operations compose with it (`ops.py`). Units close a layer: its rows are the values that the units read, and its
outputs are the new state. Values that are still needed afterwards are passed on by identity units, which is how skip
connections and concatenations become a plain chain; they are then affine maps of the new state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from regionenum.network.affine import Affine
from regionenum.network.layers import Layer, Network
from regionenum.network.units import Ints, Units


@dataclass(eq=False)
class Value:
    """A tensor that depends on the input.

    Attributes
    ----------
    affine : the tensor, flattened in row-major order, as an affine map of the chain's state
    shape : with the batch axis, of size 1
    """

    affine: Affine
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.affine.n_rows != math.prod(self.shape):
            raise AssertionError(f"{self.affine.n_rows} rows in a tensor of shape {self.shape}")

    def positions(self) -> Ints:
        """The row of every entry, in the tensor's shape; rearranged, it says how to rearrange the tensor."""
        return np.arange(self.affine.n_rows).reshape(self.shape)


class Chain:
    """The layers closed so far.

    Parameters
    ----------
    input_shape : shape of one input, without the batch axis
    """

    def __init__(self, input_shape: Sequence[int]) -> None:
        self.input_shape = tuple(input_shape)
        self.layers: list[Layer] = []
        self.input = Value(Affine.identity(math.prod(self.input_shape)), (1, *self.input_shape))

    def close(self, name: str, value: Value, units: Units, shape: Sequence[int], keep: Sequence[Value] = ()) -> Value:
        """Apply units to a value, and pass on what is still needed.

        Parameters
        ----------
        name : module path of the units; a number is added if it is taken
        value : what the units read
        units : they read the rows of `value`, flattened in row-major order
        shape : of the units' outputs, with the batch axis
        keep : values that later operations read, `value` itself perhaps among them. They are changed in place, to maps
            of the new state; all other values are void from now on.

        Returns
        -------
        Value
            The units' outputs.
        """
        kept = list(dict.fromkeys(keep))
        # The same entries in another shape are the same map.
        same, others = ([v for v in kept if (v.affine is value.affine) == is_same] for is_same in (True, False))
        n_out, n_rows = units.n_units, value.affine.n_rows
        passed: list[Ints] = [np.arange(n_rows)] if same else []
        carried, rows, maps = _carry(value.affine, others)
        # carried coordinates that are rows of the layer anyway are not added a second time
        passed.append(rows)
        n_state = n_out + sum(map(len, passed))
        layer = Affine.stacked([value.affine, carried]) if carried.n_rows else value.affine
        self.layers.append(layer.layer(self.unique(name), units.beside(np.concatenate(passed))))
        start = n_out
        if same:
            unchanged = Affine.picking(np.arange(start, start + n_rows), n_state)
            for v in same:
                v.affine = unchanged
            start += n_rows
        for v, tail in zip(others, maps, strict=True):
            v.affine = tail.after(start, n_state)
        return Value(Affine.picking(np.arange(n_out), n_state), tuple(shape))

    def network(self, output: Value, name: str) -> Network:
        """The network that computes a value; `name` is that of a last layer without units, if one is needed."""
        layers = list(self.layers)
        if not output.affine.is_identity:
            layers.append(output.affine.layer(self.unique(name), Units.identity(output.affine.n_rows)))
        return Network(tuple(layers), self.input_shape)

    def unique(self, name: str) -> str:
        """The name, with a number behind it if a layer has it already."""
        return unique(name, self.layers)


def unique(name: str, layers: Sequence[Layer]) -> str:
    """The name, with a number behind it if one of the layers has it already."""
    taken = {layer.name for layer in layers}
    return next(n for n in (name, *(f"{name}@{k}" for k in range(1, len(taken) + 1))) if n not in taken)


@dataclass(frozen=True)
class _Tail:
    """A kept value as a map of the passed rows only."""

    matrix: sp.csr_array
    affine: Affine

    def after(self, start: int, n_state: int) -> Affine:
        """The value as a map of the new state, in which the passed rows begin at `start`."""
        m = self.matrix
        return Affine.of_columns(m.data, m.indices + start, m.indptr, n_state, self.affine.offset)


def _carry(layer: Affine, values: Sequence[Value]) -> tuple[Affine, Ints, list[_Tail]]:
    """What a layer has to pass on for these values.

    Either the coordinates of the state that they depend on, or the values themselves, whichever are fewer.

    Returns
    -------
    carried : rows to be added to the layer
    rows : rows of the enlarged layer to be passed on
    tails : the values as maps of these
    """
    n_state, n_rows = layer.n_in, layer.n_rows
    empty = Affine(sp.csr_array((0, n_state)), np.zeros(0))
    if not values:
        return empty, np.zeros(0, np.int64), []
    matrices = [v.affine.sparse() for v in values]
    used = np.unique(np.concatenate([m.indices for m in matrices])).astype(np.int64)
    sizes = [v.affine.n_rows for v in values]
    if sum(sizes) < len(used):
        carried = Affine.stacked([v.affine for v in values])
        ends = np.cumsum([0, *sizes])
        tails = [
            _Tail(
                sp.csr_array((np.ones(n), np.arange(a, a + n), np.arange(n + 1)), shape=(n, ends[-1])),
                Affine.identity(n),
            )
            for a, n in zip(ends, sizes, strict=False)
        ]
        return carried, n_rows + np.arange(carried.n_rows), tails
    present = layer.unit_rows()
    rows = np.array([present.get(j, -1) for j in used.tolist()], np.int64)
    new = used[rows < 0]
    rows[rows < 0] = n_rows + np.arange(len(new))
    place = np.zeros(n_state, np.int64)
    place[used] = np.arange(len(used))
    tails = [
        _Tail(sp.csr_array((m.data, place[m.indices], m.indptr), shape=(m.shape[0], len(used))), v.affine)
        for m, v in zip(matrices, values, strict=True)
    ]
    return Affine.picking(new, n_state), rows, tails
