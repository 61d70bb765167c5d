"""The affine maps of regions modulo primes: equality of maps without a tolerance.

On one cell the network is an affine map y -> A y + b of the domain's coordinates; its entries are sums of products of
weights, biases, slopes and intercepts, so that their residues (`residues.py`) follow without any rounding. Equal maps have
equal residues. Different maps are told apart by two primes and, for each, two random functionals of (A, b).

The domain's chart is taken as stored: `Chart.origin` and `Chart.directions` are read as exact dyadic numbers too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regionenum.domain import Chart
from regionenum.exact.residues import PRIMES, ModularMatrix, residues
from regionenum.network.layers import Layer, Network
from regionenum.network.units import MAXIMUM, Ints, Units

N_FUNCTIONALS = 2
"""Random functionals of the map per prime; a digest has `len(PRIMES) * N_FUNCTIONALS` words of 31 bits."""

_BATCH_VALUES = 1 << 22
"""Largest number of residues in one intermediate array (32 MiB)."""


class MapDigests:
    """Digests of the affine maps of regions: equal maps have equal digests, different maps almost surely have not.

    A word of the digest is u^T (A y + b t) mod p at fixed random u, y, t. Two maps whose residues differ modulo p agree
    in one word with probability at most 2 / p (Schwartz and Zippel), so a pair of different maps agrees in all four
    words with probability about 2^-120, and about 2^-60 should the difference vanish modulo one of the primes.
    """

    def __init__(self, network: Network, chart: Chart) -> None:
        # The seed is fixed, so that a run gives the same answer every time; it need not be secret.
        random = np.random.default_rng(20403)
        self._parts = [
            (
                ModularNetwork.modulo(prime, network, chart),
                random.integers(1, prime, (N_FUNCTIONALS, chart.dim + 1)),
                random.integers(1, prime, (N_FUNCTIONALS, 1, network.n_out)),
            )
            for prime in PRIMES
        ]

    def __call__(self, pieces: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint64]:
        """Digests (n, 2) of the patterns (n, sum of n_units), two words of 31 bits in each number."""
        digests = np.empty((len(pieces), len(self._parts)), np.uint64)
        for k, (evaluator, points, functionals) in enumerate(self._parts):
            for rows, outputs in evaluator.outputs(pieces, points):
                # n_out terms below 2^31 stay below 2^63
                words = (outputs * functionals % evaluator.prime).sum(axis=2) % evaluator.prime
                digests[rows, k] = words[0].astype(np.uint64) << np.uint64(32) | words[1].astype(np.uint64)
        return digests


def distinct(digests: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The different rows of (n, 2) digests, sorted."""
    ordered = digests[np.lexsort((digests[:, 1], digests[:, 0]))]
    fresh = np.ones(len(ordered), bool)
    fresh[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return ordered[fresh]


@dataclass(frozen=True)
class _UnitResidues:
    """The units of a layer modulo p: output = slope z[row] + intercept, all three chosen by the piece."""

    prime: int
    first: Ints
    is_maximum: npt.NDArray[np.bool_]
    rows: Ints
    slopes: Ints
    intercepts: Ints

    @classmethod
    def modulo(cls, prime: int, units: Units) -> _UnitResidues:
        n_pieces = max((f.n_pieces for f in units.functions), default=1)
        # one table row per function, and a last one, reached by MAXIMUM = -1, that passes the winner on
        slopes = np.ones((len(units.functions) + 1, n_pieces), np.int64)
        intercepts = np.zeros_like(slopes)
        for k, function in enumerate(units.functions):
            slopes[k, : function.n_pieces] = residues(function.slopes, prime)
            intercepts[k, : function.n_pieces] = residues(function.intercepts, prime)
        is_maximum = units.function_of == MAXIMUM
        return cls(
            prime, units.indptr[:-1], is_maximum, units.rows, slopes[units.function_of], intercepts[units.function_of]
        )

    def __call__(self, z: Ints, pieces: Ints, scale: Ints) -> Ints:
        """Outputs (k, n, n_units) at pre-activations z (k, n or 1, n_rows); `scale` (k, 1, 1) multiplies intercepts."""
        if self.is_maximum.any():
            rows = self.rows[self.first + np.where(self.is_maximum, pieces, 0)]
            z = z[:, np.arange(len(pieces))[:, None] if z.shape[1] > 1 else 0, rows]
        elif not np.array_equal(self.rows, np.arange(z.shape[2])):
            z = z[:, :, self.rows]
        branch = np.where(self.is_maximum, 0, pieces)
        of = np.arange(len(self.first))
        values = z * self.slopes[of, branch] % self.prime
        intercepts = self.intercepts[of, branch]
        if intercepts.any():
            values = (values + intercepts * scale) % self.prime
        return np.asarray(values)


@dataclass(frozen=True)
class ModularNetwork:
    """Forward evaluation modulo p at homogeneous points (y, t) of the domain, with the pieces given."""

    prime: int
    layers: tuple[tuple[ModularMatrix, Ints, _UnitResidues | None], ...]
    directions: ModularMatrix
    origin: Ints
    n_units: tuple[int, ...]
    width: int

    @classmethod
    def modulo(cls, prime: int, network: Network, chart: Chart) -> ModularNetwork:
        n_unit_layers = len(network.unit_layers)

        def reduced(k: int, layer: Layer) -> tuple[ModularMatrix, Ints, _UnitResidues | None]:
            units = _UnitResidues.modulo(prime, layer.units) if k < n_unit_layers else None
            return ModularMatrix.modulo(prime, layer.weight), residues(layer.bias, prime), units

        return cls(
            prime,
            tuple(reduced(k, layer) for k, layer in enumerate(network.layers)),
            ModularMatrix.modulo(prime, chart.directions),
            residues(chart.origin, prime),
            tuple(layer.n_out for layer in network.unit_layers),
            max([network.n_in, *(max(layer.n_rows, layer.n_out) for layer in network.layers)]),
        )

    def outputs(self, pieces: npt.NDArray[np.uint16], points: Ints) -> Iterator[tuple[slice, Ints]]:
        """Outputs (k, rows, n_out) at the points (k, d + 1), by slices of rows of `pieces` that bound the memory."""
        size = max(1, _BATCH_VALUES // (len(points) * self.width))
        scale = points[:, None, -1:]
        start_values = (self.directions(points[:, None, :-1]) + self.origin * scale) % self.prime
        for start in range(0, len(pieces), size):
            rows = slice(start, min(start + size, len(pieces)))
            yield rows, self._forward(pieces[rows].astype(np.int64), start_values, scale)

    def rows(self, pieces: npt.NDArray[np.uint16], points: Ints) -> Iterator[tuple[Ints, Ints]]:
        """Of each unit layer its rows (k, n or 1, n_rows) at the points (k, d + 1), and the pieces (n, n_units) of its units.

        Memory is that of k times n times the widest layer: the caller gives few patterns at a time.
        """
        scale = points[:, None, -1:]
        values = (self.directions(points[:, None, :-1]) + self.origin * scale) % self.prime
        first = 0
        for k, (matrix, bias, units) in enumerate(self.layers):
            if units is None:
                return
            z = (matrix(values) + bias * scale) % self.prime
            chosen = pieces[:, first : first + self.n_units[k]].astype(np.int64)
            yield z, chosen
            first += self.n_units[k]
            values = units(z, chosen, scale)

    def _forward(self, pieces: Ints, values: Ints, scale: Ints) -> Ints:
        """Values stay (k, 1, n) until the first units, so that the first layer is multiplied once for all rows."""
        first = 0
        for k, (matrix, bias, units) in enumerate(self.layers):
            values = (matrix(values) + bias * scale) % self.prime
            if units is not None:
                last = first + self.n_units[k]
                values = units(values, pieces[:, first:last], scale)
                first = last
        return np.broadcast_to(values, (len(values), len(pieces), values.shape[2]))
