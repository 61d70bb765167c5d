"""Domains: the part of the input space that is enumerated, with coordinates of its own.

A domain of effective dimension d is the image of (a part of) the unit cube [0, 1]^d under an affine chart
x = origin + directions y. Cells, witnesses and dimensions are measured in y; a fixed input coordinate has no direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from regionenum.errors import InputError
from regionenum.network.units import Floats


@dataclass(frozen=True)
class Chart:
    """The domain's coordinates: x = origin + directions @ y with y in [0, 1]^d.

    Attributes
    ----------
    origin : (n_in,) the input at y = 0
    directions : (n_in, d) CSR
    """

    origin: Floats
    directions: sp.csr_array

    @property
    def dim(self) -> int:
        """Effective dimension d."""
        return int(self.directions.shape[1])

    def to_input(self, y: Floats) -> Floats:
        """Inputs (n_points, n_in) of the points y (n_points, d)."""
        return np.asarray((self.directions @ y.T).T + self.origin)


class Domain(Protocol):
    """What every domain can do."""

    def chart(self, input_shape: tuple[int, ...]) -> Chart:
        """Coordinates of this domain in the input space of a network; refuses a domain without interior."""
        ...

    def describe(self) -> dict[str, Any]:
        """A plain description (JSON types) from which `domain_from` makes the domain again."""
        ...


@dataclass(frozen=True, eq=False)
class Box:
    """The box of all inputs x with lower <= x <= upper, coordinate by coordinate.

    Parameters
    ----------
    lower, upper : scalars, or arrays shaped like one input (or flat, n_in values)

    A coordinate with equal bounds is fixed there, and the domain loses that dimension.

    Raises
    ------
    InputError
        If a bound is NaN or infinite, a lower bound is above its upper bound, the shapes do not fit the network, or
        the box is a single point.

    Examples
    --------
    >>> Box([0.0, 2.0], [1.0, 2.0]).chart((2,)).dim
    1
    """

    lower: npt.ArrayLike
    upper: npt.ArrayLike

    def __post_init__(self) -> None:
        for side in ("lower", "upper"):
            try:
                bound = np.array(getattr(self, side), np.float64)
            except (TypeError, ValueError) as error:
                raise InputError(f"box: the {side} bound must be numbers, got {getattr(self, side)!r}") from error
            _refuse(
                ~np.isfinite(bound), bound, f"box: the {side} bound{{at}} is {{value}}; bounds must be finite numbers"
            )
            bound.setflags(write=False)
            object.__setattr__(self, side, bound)
        lower, upper = np.asarray(self.lower), np.asarray(self.upper)
        if lower.ndim and upper.ndim and lower.shape != upper.shape and lower.size == upper.size:
            lower, upper = lower.ravel(), upper.ravel()
        if lower.ndim and upper.ndim and lower.shape != upper.shape:
            raise InputError(
                f"box: lower has shape {lower.shape} and upper has shape {upper.shape}; "
                "give both the shape of one input"
            )
        lower, upper = np.broadcast_arrays(lower, upper)
        where = lower > upper
        if where.any():
            k = tuple(int(i) for i in np.argwhere(where)[0])
            raise InputError(f"box: lower {lower[k]} is above upper {upper[k]}{_at(k)}; swap or mend the bounds")

    def chart(self, input_shape: tuple[int, ...]) -> Chart:
        """Coordinates y in [0, 1]^d of the coordinates that are not fixed: x_i = lower_i + (upper_i - lower_i) y_i."""
        lower = self._fit(np.asarray(self.lower), "lower", input_shape)
        upper = self._fit(np.asarray(self.upper), "upper", input_shape)
        free = np.flatnonzero(lower < upper)
        if not len(free):
            raise InputError(
                "box: every coordinate is fixed, so the box is a single point; widen at least one coordinate"
            )
        with np.errstate(over="ignore"):  # refused in the next line
            width = (upper - lower)[free]
        _refuse(~np.isfinite(width), width, "box: the width of the box{at} overflows; use smaller bounds")
        directions = sp.csr_array((width, (free, np.arange(len(free)))), shape=(len(lower), len(free)))
        return Chart(lower, directions)

    def describe(self) -> dict[str, Any]:
        """The bounds as nested lists."""
        return {
            "kind": "box",
            "lower": np.asarray(self.lower).tolist(),
            "upper": np.asarray(self.upper).tolist(),
        }

    @staticmethod
    def _fit(bound: Floats, side: str, input_shape: tuple[int, ...]) -> Floats:
        n_in = int(np.prod(input_shape, dtype=np.int64))
        if bound.ndim == 0:
            return np.full(n_in, float(bound))
        if bound.shape in (input_shape, (n_in,)):
            return bound.reshape(n_in)
        raise InputError(
            f"box: {side} has shape {bound.shape}, but one input of the network has shape {input_shape}; "
            "give a number or an array of that shape"
        )


def domain_from(description: dict[str, Any]) -> Domain:
    """The domain that `describe` described."""
    if description.get("kind") != "box":
        raise InputError(f"domain: unknown kind {description.get('kind')!r}; supported: 'box'")
    return Box(description["lower"], description["upper"])


def _refuse(where: npt.NDArray[np.bool_], values: Floats, sentence: str) -> None:
    if where.any():
        k = tuple(int(i) for i in np.argwhere(where)[0])
        raise InputError(sentence.format(at=_at(k), value=values[k]))


def _at(index: tuple[int, ...]) -> str:
    return f" at coordinate {index[0] if len(index) == 1 else index}" if index else ""
