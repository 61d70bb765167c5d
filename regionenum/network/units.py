"""Units: the scalar non-linearities of a layer.

A layer has rows (pre-activations z_1 .. z_n) and units. Each unit reads one row and applies a continuous
piecewise-linear function, or reads a group of rows and returns their maximum. A row that is only passed on is read by
the identity. The *piece* of a unit is the interval its row lies in, or the position of the winner in its group.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MAXIMUM = -1
"""Value of `Units.function_of` for a unit that is the maximum of its group."""


@dataclass(frozen=True)
class PiecewiseLinear:
    """A continuous piecewise-linear function of one variable.

    With breakpoints b_1 < ... < b_p there are p + 1 pieces; piece k is the interval (b_k, b_(k+1)] and the function is
    slopes[k] z + intercepts[k] there. Exactly at a breakpoint the lower piece is taken.
    """

    breakpoints: tuple[float, ...]
    slopes: tuple[float, ...]
    intercepts: tuple[float, ...]

    def __post_init__(self) -> None:
        # One representation per function, so that equal functions have equal text in the network's hash: 1, 1.0 and
        # np.float64(1) are the same slope, -0.0 and 0.0 the same breakpoint.
        for name in ("breakpoints", "slopes", "intercepts"):
            values = tuple(float(value) + 0.0 for value in getattr(self, name))
            if not all(map(math.isfinite, values)):
                raise ValueError(f"{name} must be finite, got {values}")
            object.__setattr__(self, name, values)
        if not len(self.slopes) == len(self.intercepts) == len(self.breakpoints) + 1:
            raise ValueError("a function with p breakpoints has p + 1 slopes and p + 1 intercepts")
        if any(b >= c for b, c in zip(self.breakpoints, self.breakpoints[1:], strict=False)):
            raise ValueError(f"breakpoints must increase strictly, got {self.breakpoints}")

    @property
    def n_pieces(self) -> int:
        """Number of pieces."""
        return len(self.slopes)

    def pieces(self, z: Floats) -> Ints:
        """Piece of each value: the number of breakpoints strictly below it."""
        return np.searchsorted(np.asarray(self.breakpoints), z, side="left")

    def __call__(self, z: Floats) -> Floats:
        k = self.pieces(z)
        return np.asarray(np.asarray(self.slopes)[k] * z + np.asarray(self.intercepts)[k])


IDENTITY = PiecewiseLinear((), (1.0,), (0.0,))
RELU = PiecewiseLinear((0.0,), (0.0, 1.0), (0.0, 0.0))


def leaky_relu(negative_slope: float) -> PiecewiseLinear:
    """The function max(z, 0) + negative_slope * min(z, 0); the identity when the slope is 1."""
    return IDENTITY if negative_slope == 1.0 else PiecewiseLinear((0.0,), (negative_slope, 1.0), (0.0, 0.0))


ABSOLUTE = PiecewiseLinear((0.0,), (-1.0, 1.0), (0.0, 0.0))


def clamp(lower: float, upper: float) -> PiecewiseLinear:
    """The function min(max(z, lower), upper); a bound may be infinite, and `lower` is below `upper`."""
    breakpoints, slopes, intercepts = [], [1.0], [0.0]
    if lower > -math.inf:
        breakpoints, slopes, intercepts = [lower], [0.0, 1.0], [lower, 0.0]
    if upper < math.inf:
        breakpoints, slopes, intercepts = [*breakpoints, upper], [*slopes, 0.0], [*intercepts, upper]
    return PiecewiseLinear(tuple(breakpoints), tuple(slopes), tuple(intercepts))


def soft_shrink(threshold: float) -> PiecewiseLinear:
    """The function z - threshold above the threshold, z + threshold below its negative, 0 between.

    The identity when the threshold is 0.
    """
    if threshold == 0.0:
        return IDENTITY
    return PiecewiseLinear((-threshold, threshold), (1.0, 0.0, 1.0), (threshold, 0.0, -threshold))


@dataclass(frozen=True)
class Units:
    """The units of one layer, in the order of the layer's outputs.

    Attributes
    ----------
    functions : the distinct piecewise-linear functions in use
    function_of : (n_units,) index into `functions`, or `MAXIMUM`
    indptr, rows : unit u reads the rows `rows[indptr[u]:indptr[u + 1]]`; one row unless it is a maximum
    """

    functions: tuple[PiecewiseLinear, ...]
    function_of: Ints
    indptr: Ints
    rows: Ints

    @classmethod
    def pointwise(cls, function: PiecewiseLinear, n_rows: int) -> Units:
        """One function applied to each of `n_rows` rows."""
        return cls((function,), np.zeros(n_rows, np.int64), np.arange(n_rows + 1), np.arange(n_rows))

    @classmethod
    def identity(cls, n_rows: int) -> Units:
        """Pass every row on."""
        return cls.pointwise(IDENTITY, n_rows)

    @classmethod
    def maxima(cls, groups: Sequence[npt.ArrayLike]) -> Units:
        """One maximum per group of row indices; a group's order is the order of its candidates."""
        candidates = [np.asarray(group, np.int64) for group in groups]
        sizes = [len(rows) for rows in candidates]
        if min(sizes, default=1) < 1:
            raise ValueError("a maximum needs at least one candidate")
        rows = np.concatenate([np.zeros(0, np.int64), *candidates])
        indptr = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64)
        return cls((), np.full(len(groups), MAXIMUM), indptr, rows)

    @classmethod
    def each(cls, functions: list[PiecewiseLinear]) -> Units:
        """One function for each row."""
        distinct = list(dict.fromkeys(functions))
        number = {function: k for k, function in enumerate(distinct)}
        n = len(functions)
        function_of = np.array([number[function] for function in functions], np.int64)
        return cls(tuple(distinct), function_of, np.arange(n + 1), np.arange(n))

    def beside(self, passed: Ints) -> Units:
        """These units, and after them one identity for each of the rows `passed`."""
        if not len(passed):
            return self
        functions = self.functions if IDENTITY in self.functions else (*self.functions, IDENTITY)
        identity = np.full(len(passed), functions.index(IDENTITY))
        return Units(
            functions,
            np.concatenate([self.function_of, identity]),
            np.concatenate([self.indptr, self.indptr[-1] + 1 + np.arange(len(passed))]),
            np.concatenate([self.rows, passed]),
        )

    def __post_init__(self) -> None:
        if len(self.indptr) != self.n_units + 1 or self.indptr[0] != 0 or self.indptr[-1] != len(self.rows):
            raise ValueError("indptr does not describe the units' rows")
        sizes = np.diff(self.indptr)
        if np.any(sizes < 1) or np.any(sizes[self.function_of != MAXIMUM] != 1):
            raise ValueError("a unit reads one row, or is the maximum of one row or more")
        if np.any(self.function_of < MAXIMUM) or np.any(self.function_of >= len(self.functions)):
            raise ValueError("function_of must index functions or be MAXIMUM")

    @property
    def n_units(self) -> int:
        """Number of units, which is the layer's number of outputs."""
        return len(self.function_of)

    @property
    def n_pieces(self) -> Ints:
        """(n_units,) number of pieces of each unit."""
        sizes = np.diff(self.indptr)
        counts = np.array([f.n_pieces for f in self.functions] + [0], np.int64)
        return np.where(self.function_of == MAXIMUM, sizes, counts[self.function_of])

    @property
    def is_identity(self) -> bool:
        """Whether every unit just passes one row on, in order."""
        only_identity = all(self.functions[k] == IDENTITY for k in np.unique(self.function_of) if k != MAXIMUM)
        return (
            only_identity
            and not np.any(self.function_of == MAXIMUM)
            and np.array_equal(self.rows, np.arange(self.n_units))
        )

    def pieces(self, z: Floats) -> Ints:
        """Pieces of all units. z : (n_points, n_rows); returns (n_points, n_units)."""
        out = np.zeros((len(z), self.n_units), np.int64)
        for k, function in enumerate(self.functions):
            chosen = np.flatnonzero(self.function_of == k)
            out[:, chosen] = function.pieces(z[:, self.rows[self.indptr[chosen]]])
        for units, groups in self._maxima_by_size():
            out[:, units] = np.argmax(z[:, groups], axis=2)
        return out

    def apply(self, z: Floats) -> Floats:
        """Outputs of all units. z : (n_points, n_rows); returns (n_points, n_units)."""
        out = np.empty((len(z), self.n_units))
        for k, function in enumerate(self.functions):
            chosen = np.flatnonzero(self.function_of == k)
            out[:, chosen] = function(z[:, self.rows[self.indptr[chosen]]])
        for units, groups in self._maxima_by_size():
            out[:, units] = z[:, groups].max(axis=2)
        return out

    def _maxima_by_size(self) -> list[tuple[Ints, Ints]]:
        """Maximum units grouped by size: (units (k,), rows (k, size)) for each size."""
        sizes = np.diff(self.indptr)
        maxima = self.function_of == MAXIMUM
        found = []
        for size in np.unique(sizes[maxima]):
            units = np.flatnonzero(maxima & (sizes == size))
            found.append((units, self.rows[self.indptr[units][:, None] + np.arange(size)]))
        return found
