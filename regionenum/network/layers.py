"""The network as a chain of layers, and its plain forward pass.

A layer computes z = W x + b and hands z to its units (`units.py`). The weights are float64 and are read as the dyadic
rationals they are; the network so defined is the object that is enumerated.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from regionenum.errors import InputError
from regionenum.network.describe import Description, LayerDescription
from regionenum.network.filters import Filter
from regionenum.network.units import Floats, Ints, Units


@dataclass(frozen=True)
class Layer:
    """An affine map followed by units.

    Attributes
    ----------
    name : module path of the units (or of the last affine module, in a layer without units)
    weight : (n_rows, n_in) float64, dense or CSR
    bias : (n_rows,) float64
    units : the units that read the rows
    filter : where the map is a convolution, its filter, for reading only: neither hashed nor compared
    """

    name: str
    weight: Floats | sp.csr_array
    bias: Floats
    units: Units
    filter: Filter | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.weight, sp.csr_array | np.ndarray) or self.weight.ndim != 2:
            raise InputError(f"`{self.name}`: weight must be a matrix, dense or scipy.sparse.csr_array")
        values = self.weight.data if isinstance(self.weight, sp.csr_array) else self.weight
        if values.dtype != np.float64 or self.bias.dtype != np.float64:
            raise InputError(f"`{self.name}`: weight and bias must be float64; convert them with .astype(np.float64)")
        if self.bias.shape != (self.n_rows,):
            raise InputError(f"`{self.name}`: bias has shape {self.bias.shape}, but the weight has {self.n_rows} rows")
        for kind, array in (("weight", values), ("bias", self.bias)):
            if not np.isfinite(array).all():
                raise InputError(f"`{self.name}`: {kind} contains NaN or an infinite value; mend or retrain the model")
        if len(self.units.rows) and (self.units.rows.min() < 0 or self.units.rows.max() >= self.n_rows):
            raise InputError(f"`{self.name}`: a unit reads a row outside 0..{self.n_rows - 1}")

    @property
    def n_rows(self) -> int:
        """Number of pre-activations."""
        return int(self.weight.shape[0])

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return int(self.weight.shape[1])

    @property
    def n_out(self) -> int:
        """Number of outputs: one per unit."""
        return self.units.n_units

    def preactivations(self, x: Floats) -> Floats:
        """W x + b for each of the points x (n_points, n_in)."""
        return np.asarray((self.weight @ x.T).T + self.bias)


@dataclass(frozen=True)
class Network:
    """A chain of layers from an input of shape `input_shape` (without the batch axis) to the output.

    The *unit layers* are the layers that have units; at most the last layer has none. `notes` are remarks of whoever made
    the network, one sentence each, shown with its description and with results: neither hashed nor compared.
    """

    layers: tuple[Layer, ...]
    input_shape: tuple[int, ...]
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        # Plain ints: NumPy's print differently, and the hash is made of text.
        object.__setattr__(self, "input_shape", tuple(int(size) for size in self.input_shape))
        n_in = self.n_in
        for k, layer in enumerate(self.layers):
            if layer.n_in != n_in:
                raise InputError(f"`{layer.name}` expects {layer.n_in} inputs, but the layer before gives {n_in}")
            if layer.units.is_identity and k + 1 < len(self.layers):
                raise InputError(f"`{layer.name}` has no units; fuse it with the affine map of the next layer")
            n_in = layer.n_out

    @property
    def n_in(self) -> int:
        """Number of input values."""
        return math.prod(self.input_shape)

    @property
    def n_out(self) -> int:
        """Number of output values."""
        return self.layers[-1].n_out if self.layers else self.n_in

    @property
    def unit_layers(self) -> tuple[Layer, ...]:
        """The layers that have units, in order."""
        return self.layers[:-1] if self.layers and self.layers[-1].units.is_identity else self.layers

    def points(self, x: npt.ArrayLike) -> Floats:
        """Reshape points of any batch shape to (n_points, n_in), in float64.

        Raises
        ------
        InputError
            If x is neither one input, a batch of inputs, nor flat rows of n_in values.
        """
        x = np.asarray(x, np.float64)
        if x.shape == self.input_shape:
            return x.reshape(1, self.n_in)
        if x.shape[1:] in (self.input_shape, (self.n_in,)) and x.ndim > 1:
            return x.reshape(len(x), self.n_in)
        raise InputError(f"input has shape {x.shape}, but the network takes {self.input_shape} or a batch of these")

    def forward(self, x: npt.ArrayLike) -> Floats:
        """Outputs (n_points, n_out) at one input or a batch of inputs."""
        y = self.points(x)
        for layer in self.layers:
            y = layer.units.apply(layer.preactivations(y))
        return y

    def pattern(self, x: npt.ArrayLike) -> Ints:
        """Pieces of the units of all unit layers, concatenated: (n_points, sum of n_units)."""
        pieces = list(self._pieces(self.points(x)))
        return np.concatenate(pieces, axis=1) if pieces else np.zeros((len(self.points(x)), 0), np.int64)

    def _pieces(self, y: Floats) -> Iterator[Ints]:
        for layer in self.unit_layers:
            z = layer.preactivations(y)
            yield layer.units.pieces(z)
            y = layer.units.apply(z)

    def describe(self, dim: int | None = None) -> Description:
        """A table of the layers, with upper bounds on the number of regions (`network/describe.py`).

        Parameters
        ----------
        dim : effective dimension of the domain, 1 or more; by default, and at most, the number of input values

        Raises
        ------
        InputError
            If the dimension is not positive.
        """
        if dim is not None and dim < 1:
            raise InputError(f"dim is {dim}; give the dimension of a domain, 1 or more")
        d = first = self.n_in if dim is None else min(self.n_in, dim)
        layers = []
        for layer in self.layers:
            layers.append(LayerDescription.of(layer.name, layer.weight, layer.units, layer.filter, d))
            d = min(layers[-1].dim, layer.n_out)
        return Description(self.input_shape, first, tuple(layers), self.notes, self.hash)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical content: shapes, weights, biases, units and layer names."""
        digest = hashlib.sha256()
        for text, array in self.stages():
            digest.update(text.encode())
            if array is not None:
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def stages(self) -> Iterator[tuple[str, np.ndarray | None]]:
        """The canonical content behind the hash, as (description, array) stages, little-endian."""
        yield f"regionenum network 1; input {self.input_shape}\n", None
        for k, layer in enumerate(self.layers):
            w = sp.csr_array(layer.weight, copy=True)
            w.sum_duplicates()
            w.eliminate_zeros()
            w.sort_indices()
            yield f"layer {k} {layer.name}: {w.shape}\n", None
            yield "weight.indptr\n", w.indptr.astype("<i8")
            yield "weight.indices\n", w.indices.astype("<i8")
            yield "weight.data\n", w.data.astype("<f8")
            yield "bias\n", layer.bias.astype("<f8") + 0.0
            yield f"functions {layer.units.functions}\n", None
            yield "function_of\n", layer.units.function_of.astype("<i8")
            yield "units.indptr\n", layer.units.indptr.astype("<i8")
            yield "units.rows\n", layer.units.rows.astype("<i8")
