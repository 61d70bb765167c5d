"""Boxes: bounds on every input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from regionenum.domain.chart import Chart
from regionenum.errors import InputError
from regionenum.network.units import Floats


@dataclass(frozen=True, eq=False)
class Box:
    """The box of all inputs x with lower <= x <= upper, coordinate by coordinate.

    Parameters
    ----------
    lower, upper : array_like
        Numbers, or arrays shaped like one input (or flat, n_in values).
    given_as : mapping, optional
        The description of how it was given, if not by its bounds (see `linf_ball`).

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
    given_as: Mapping[str, Any] | None = field(default=None, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        for side in ("lower", "upper"):
            try:
                bound = np.array(getattr(self, side), np.float64)
            except (TypeError, ValueError) as error:
                raise InputError(f"box: the {side} bound must be numbers, got {getattr(self, side)!r}") from error
            refuse_where(
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
            raise InputError(
                f"box: lower {lower[k]} is above upper {upper[k]}{at_coordinate(k)}; swap or mend the bounds"
            )

    def chart(self, input_shape: tuple[int, ...]) -> Chart:
        """Coordinates y in [0, 1]^d of the coordinates that are not fixed: x_i = lower_i + (upper_i - lower_i) y_i."""
        lower, upper = self.bounds(input_shape)
        free = np.flatnonzero(lower < upper)
        if not len(free):
            raise InputError(
                "box: every coordinate is fixed, so the box is a single point; widen at least one coordinate"
            )
        with np.errstate(over="ignore"):  # refused in the next line
            width = (upper - lower)[free]
        refuse_where(~np.isfinite(width), width, "box: the width of the box{at} overflows; use smaller bounds")
        directions = sp.csr_array((width, (free, np.arange(len(free)))), shape=(len(lower), len(free)))
        return Chart(lower, directions, rounded=_rounds(upper[free], lower[free], width))

    def bounds(self, input_shape: tuple[int, ...]) -> tuple[Floats, Floats]:
        """The bounds as flat arrays (n_in,)."""
        lower, upper = np.asarray(self.lower), np.asarray(self.upper)
        return self._fit(lower, "lower", input_shape), self._fit(upper, "upper", input_shape)

    def describe(self) -> dict[str, Any]:
        """As it was given: the bounds as nested lists, or a ball."""
        return self.describe_bounds() if self.given_as is None else dict(self.given_as)

    def describe_bounds(self) -> dict[str, Any]:
        """The bounds as nested lists, whatever they were made of."""
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


def refuse_where(where: npt.NDArray[np.bool_], values: Floats, sentence: str) -> None:
    """Refuse the first marked entry; the sentence names its place as {at} and itself as {value}."""
    if where.any():
        k = tuple(int(i) for i in np.argwhere(where)[0])
        raise InputError(sentence.format(at=at_coordinate(k), value=values[k]))


def at_coordinate(index: tuple[int, ...]) -> str:
    """The words for an index, empty for a scalar."""
    return f" at coordinate {index[0] if len(index) == 1 else index}" if index else ""


def _rounds(upper: Floats, lower: Floats, width: Floats) -> bool:
    """Whether a width is not upper - lower exactly (Knuth's two-sum: width + what is lost is the difference)."""
    with np.errstate(over="ignore", invalid="ignore"):
        back = upper - width
        lost = (upper - (width + back)) + (back - lower)
    return bool((lost != 0.0).any() or not np.isfinite(lost).all())
