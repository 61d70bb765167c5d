"""Coordinates of a domain: what every engine is given of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp

from regionenum.domain.half_spaces import HalfSpaces
from regionenum.network.units import Floats


@dataclass(frozen=True)
class Chart:
    """The domain's coordinates y: x = origin + directions s with s = lower + width y.

    The domain is the unit cube y in [0, 1]^d, cut by the constraints; or, if it is `whole`, all y in R^d.

    Cells, witnesses and dimensions are measured in y. The numbers s are kept apart from y so that no rounding moves the
    domain: `origin` and `directions` are as they were given, and only rows of a network are ever rounded.

    Attributes
    ----------
    origin : (n_in,) the input at s = 0
    directions : (n_in, d) CSR
    lower, width : (d,) s at y = 0, and positive scales; 0 and 1 by default
    constraints : by default none
    centre : (d,) a point strictly inside; by default the middle of the cube, or 0
    whole : whether y is unbounded; there are no constraints then, and `lower` is 0
    rounded : whether a side of the cube that bounds the domain is not where y = 1 is, because the width of a box was rounded
    """

    origin: Floats
    directions: sp.csr_array
    lower: Floats | None = None
    width: Floats | None = None
    constraints: HalfSpaces | None = None
    centre: Floats | None = None
    whole: bool = False
    rounded: bool = False

    @property
    def dim(self) -> int:
        """Effective dimension d."""
        return int(self.directions.shape[1])

    @cached_property
    def bounds(self) -> tuple[Floats, Floats]:
        """The pair `lower`, `width`."""
        lower = np.zeros(self.dim) if self.lower is None else self.lower
        return lower, np.ones(self.dim) if self.width is None else self.width

    @cached_property
    def half_spaces(self) -> HalfSpaces:
        """The constraints; their errors hold anywhere in the unit cube."""
        return HalfSpaces.none(self.dim) if self.constraints is None else self.constraints

    @property
    def inside(self) -> Floats:
        """A point y (d,) strictly inside the domain."""
        if self.centre is not None:
            return self.centre
        return np.zeros(self.dim) if self.whole else np.full(self.dim, 0.5)

    def to_input(self, y: Floats) -> Floats:
        """Inputs (n_points, n_in) of the points y (n_points, d)."""
        lower, width = self.bounds
        return np.asarray((self.directions @ (lower + width * y).T).T + self.origin)


class Domain(Protocol):
    """What every domain can do."""

    def chart(self, input_shape: tuple[int, ...]) -> Chart:
        """Coordinates of this domain in the input space of a network; refuses a domain without interior.

        Parameters
        ----------
        input_shape : of the network, without the batch axis
        """
        ...

    def describe(self) -> dict[str, Any]:
        """A plain description (JSON types) from which `domain_from` makes the domain again."""
        ...
