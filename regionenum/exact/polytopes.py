"""Facets and volumes of polyhedra, from the generators of their cones (`generators.py`), in integers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

from flint import fmpz, fmpz_mat

from regionenum.exact.dyadic import Row, primitive
from regionenum.exact.generators import Generators


def facets(cone: Generators, forms: Sequence[Row], first: int) -> list[int]:
    """The forms that bound the polyhedron of a cone in a facet, the first one of those that are equal.

    A form that is not constant does if the generators on which it is 0 span its hyperplane: it is not that of t, so that not
    all of them are at infinity.

    Parameters
    ----------
    forms : that made the cone; form i was number `first` + i to do so
    """
    found, seen = [], set()
    for i, form in enumerate(forms):
        name = tuple(map(int, form))
        bit = 1 << (first + i)
        tight = [ray for ray, zeros in zip(cone.rays, cone.zeros, strict=True) if zeros & bit]
        rows = [*tight, *cone.lines]
        if name not in seen and len(rows) >= len(form) - 1 and fmpz_mat(rows).rank() == len(form) - 1:
            found.append(i)
            seen.add(name)
    return found


def is_bounded(cone: Generators) -> bool:
    """Whether a polyhedron is: nothing of its cone is at t = 0."""
    return not cone.lines and all(ray[-1] for ray in cone.rays)


def middle(cone: Generators) -> Row:
    """A point of the interior: the mean of all vertices, moved by a length of about 1 along each ray."""
    vertices = [ray for ray in cone.rays if ray[-1]]
    common = math.lcm(*(int(ray[-1]) for ray in vertices))
    far = common * len(vertices)
    moved = [[v * (common // int(ray[-1])) for v in ray] for ray in vertices]
    moved += [[v * (far // max(abs(int(w)) for w in ray) + 1) for v in ray] for ray in cone.rays if not ray[-1]]
    return primitive([sum(column, fmpz(0)) for column in zip(*moved, strict=True)])


def volume(cone: Generators) -> Fraction:
    """The volume of a bounded polyhedron in the coordinates s, t = 1.

    A polytope is the union of the simplices that join its first vertex to those of the facets that do not contain it (a pulling
    triangulation; Lee and Santos, Subdivisions and triangulations of polytopes, Handbook of Discrete and Computational
    Geometry, 2017). With vertices (s_i t_i, t_i) as rows, a simplex has the volume |det| / (d! t_0 ... t_d).
    """
    rays, d = cone.rays, len(cone.rays[0]) - 1
    everything = (1 << len(rays)) - 1
    on = [sum(1 << i for i, zeros in enumerate(cone.zeros) if zeros >> k & 1) for k in range(cone.n_forms)]
    known: dict[int, list[tuple[int, ...]]] = {}

    def simplices(face: int) -> list[tuple[int, ...]]:
        if face not in known:
            apex = (face & -face).bit_length() - 1
            if face == 1 << apex:
                known[face] = [(apex,)]
            else:
                opposite = (part for part in _facets_of(face, on) if not part >> apex & 1)
                known[face] = [(apex, *rest) for part in opposite for rest in simplices(part)]
        return known[face]

    total = Fraction(0)
    for simplex in simplices(everything):
        rows = [rays[i] for i in simplex]
        total += Fraction(abs(int(fmpz_mat(rows).det())), math.prod(int(row[-1]) for row in rows))
    return total / math.factorial(d)


def _facets_of(face: int, on: Sequence[int]) -> Iterator[int]:
    """The facets of a face, as sets of vertices: the largest of its proper parts in hyperplanes."""
    parts = sorted({face & plane for plane in on} - {face, 0}, key=lambda part: -part.bit_count())
    kept: list[int] = []
    for part in parts:
        if not any(part & other == part for other in kept):
            kept.append(part)
            yield part
