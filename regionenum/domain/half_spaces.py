"""Half-spaces normal . y <= level: the one form in which inequalities are kept, whatever they are about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from regionenum.network.units import Floats, Ints

UNIT_ROUNDOFF = 2.0**-53
"""Largest relative error of one operation in float64."""


@dataclass(frozen=True, eq=False)
class HalfSpaces:
    """The half-spaces normal_i . y <= level_i, i < n, of R^d.

    Attributes
    ----------
    normal : (n, d) float64; no row is 0 where they bound a domain
    level : (n,) float64
    error : (n,) float64, bounds on the rounding error of level - normal . y anywhere in the domain; 0 where the numbers
        are taken as they are
    """

    normal: Floats
    level: Floats
    error: Floats

    def __len__(self) -> int:
        return len(self.level)

    @property
    def dim(self) -> int:
        """The number d of coordinates."""
        return int(self.normal.shape[1])

    @classmethod
    def of(cls, normal: Floats, level: Floats) -> Self:
        """Half-spaces whose numbers are taken as they are."""
        return cls(normal, level, np.zeros(len(level)))

    @classmethod
    def none(cls, dim: int) -> Self:
        """No half-space of R^dim."""
        return cls.of(np.zeros((0, dim)), np.zeros(0))

    @classmethod
    def positive(cls, forms: Floats, error: Floats | None = None) -> Self:
        """The half-spaces a . y + c >= 0 of the forms (a, c), (n, d + 1), which err by at most `error` (n,)."""
        return cls(-forms[:, :-1], forms[:, -1], np.zeros(len(forms)) if error is None else error)

    @property
    def forms(self) -> Floats:
        """The forms (a, c) that are positive inside, (n, d + 1): the inverse of `positive`."""
        return np.column_stack([-self.normal, self.level])

    @classmethod
    def cube(cls, lower: Floats, upper: Floats) -> Self:
        """The sides of a box: y <= upper (d of them), then -y <= -lower."""
        eye = np.eye(len(lower))
        return cls.of(np.concatenate([eye, -eye]), np.concatenate([upper, -lower]))

    @classmethod
    def joined(cls, *parts: HalfSpaces) -> Self:
        """Several families as one, in order."""
        return cls(
            np.concatenate([part.normal for part in parts]),
            np.concatenate([part.level for part in parts]),
            np.concatenate([part.error for part in parts]),
        )

    def take(self, index: Ints | slice) -> HalfSpaces:
        """The half-spaces of these numbers."""
        return HalfSpaces(self.normal[index], self.level[index], self.error[index])

    def opposite(self) -> HalfSpaces:
        """The other sides of the same hyperplanes."""
        return HalfSpaces(-self.normal, -self.level, self.error)

    def normalised(self) -> HalfSpaces:
        """The same half-spaces with normals of Euclidean length 1; none may be 0."""
        largest = np.abs(self.normal).max(axis=1, keepdims=True, initial=0.0)
        normal = self.normal / largest
        length = np.linalg.norm(normal, axis=1)
        size = largest[:, 0]
        return HalfSpaces(normal / length[:, None], self.level / size / length, self.error / size / length)

    def slack(self, points: Floats) -> Floats:
        """level - normal . y, (..., n), at the points y (..., d): positive inside."""
        return np.asarray(self.level - points @ self.normal.T)
