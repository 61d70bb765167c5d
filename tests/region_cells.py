"""Regions as polyhedra in rational arithmetic, for tests of geometry: nothing of the package but the network is read.

A region is the cone of its conditions over (s, t), rows of integers that are not negative, from the oracles' own pull-back. Two
regions share a facet if a hyperplane bounds both, from two sides, and the conditions of both together leave an open part of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np

from regionenum.domain import Box, Domain, Polytope, Slice, WholeSpace
from regionenum.network.layers import Network
from regionenum.network.units import MAXIMUM
from tests import oracles
from tests.exact_cones import Cone, Row, rank, reduced
from tests.exact_oracle import Space


@dataclass(frozen=True)
class RegionCell:
    """A region: its conditions as reduced rows, each once, and its map."""

    forms: tuple[Row, ...]
    map: tuple[tuple[Fraction, ...], ...]


def space_of(domain: Domain, n_in: int) -> Space:
    """A domain for the oracles; a whole space has all inputs as coordinates."""
    exact = oracles.fractions
    if isinstance(domain, Box):
        return Space.box(*(exact(np.broadcast_to(bound, (n_in,))) for bound in (domain.lower, domain.upper)))
    if isinstance(domain, WholeSpace):
        return Space.whole(n_in)
    bounds: Any = None
    assert isinstance(domain, Polytope | Slice)
    if domain.within is not None:
        bounds = tuple(exact(np.broadcast_to(b, (n_in,))) for b in (domain.within.lower, domain.within.upper))
    if isinstance(domain, Polytope):
        return Space.polytope([exact(row) for row in np.asarray(domain.A)], exact(domain.b), bounds)
    directions = np.asarray(domain.directions).reshape(-1, n_in)
    return Space.slice(exact(domain.origin), [exact(row) for row in directions], bounds)


def integer(row: Sequence[Fraction | int]) -> Row:
    """The reduced integer multiple of a rational row."""
    scale = math.lcm(*(Fraction(v).denominator for v in row))
    return reduced([int(v * scale) for v in row])


def region_cell(network: Network, space: Space, pieces: Sequence[int]) -> RegionCell:
    """The region of a pattern."""
    rows = [tuple(map(Fraction, row)) for row in space.inputs]
    forms: dict[Row, None] = dict.fromkeys(integer(row) for row in space.constraints)
    first = 0
    for layer in network.layers:
        z = oracles.preactivations(layer, rows)
        if layer.units.is_identity:
            rows = z
            continue
        chosen = tuple(int(p) for p in pieces[first : first + layer.n_out])
        first += layer.n_out
        for u, piece in enumerate(chosen):
            members = layer.units.rows[layer.units.indptr[u] : layer.units.indptr[u + 1]].tolist()
            function = int(layer.units.function_of[u])
            if function == MAXIMUM:
                made = [[a - b for a, b in zip(z[members[piece]], z[r], strict=True)] for r in members]
            else:
                made = []
                for k, b in enumerate(layer.units.functions[function].breakpoints):
                    sign = 1 if piece > k else -1
                    made.append([sign * v for v in (*z[members[0]][:-1], z[members[0]][-1] - Fraction(b))])
            forms |= dict.fromkeys(integer(row) for row in made if any(row))
        rows = oracles.outputs(layer, z, chosen)
    # constants bound nothing
    return RegionCell(tuple(form for form in forms if any(form[:-1])), tuple(rows))


def closure(cell: RegionCell, n: int) -> Cone:
    """The closed cone of a region, t >= 0 included."""
    cone: Cone | None = Cone.everything(n)
    for form in (*cell.forms, tuple(int(k == n - 1) for k in range(n))):
        assert cone is not None
        cone = cone.sides(form)[1]
    assert cone is not None
    return cone


def _on(plane: Row) -> list[Row]:
    """A basis of the points at which a form is 0."""
    n = len(plane)
    k = next(i for i, v in enumerate(plane) if v)
    return [
        tuple(plane[k] if i == j else -plane[j] if i == k else 0 for i in range(n)) for j in range(n) if j != k
    ]  # fmt: skip


def open_in(plane: Row, forms: Sequence[Row]) -> bool:
    """Whether forms that are no multiples of a plane, and t, are positive together on an open part of it."""
    basis = _on(plane)
    cone: Cone | None = Cone.everything(len(basis))
    for form in (*forms, tuple(int(k == len(plane) - 1) for k in range(len(plane)))):
        restricted = tuple(sum(a * b for a, b in zip(form, v, strict=True)) for v in basis)
        if not any(restricted):
            return False
        cone = cone.sides(restricted)[1] if cone else None
    return cone is not None


def facets(cell: RegionCell) -> list[Row]:
    """The conditions that are facets."""
    return [form for form in cell.forms if open_in(form, [f for f in cell.forms if f != form])]


def adjacent(one: RegionCell, other: RegionCell) -> bool:
    """Whether two regions share a facet."""
    for plane in one.forms:
        back = tuple(-v for v in plane)
        if back in other.forms:
            forms = [f for f in one.forms if f != plane] + [f for f in other.forms if f != back]
            if open_in(plane, forms):
                return True
    return False


def adjacency(cells: Sequence[RegionCell]) -> set[tuple[int, int]]:
    """All pairs i < j that share a facet."""
    return {(i, j) for i, j in combinations(range(len(cells)), 2) if adjacent(cells[i], cells[j])}


def volume(cell: RegionCell, d: int) -> Fraction:
    """The exact volume in the coordinates s, of a bounded region: cones over facets, again and again."""
    cone = closure(cell, d + 1)
    points = [(tuple(Fraction(v, p[-1]) for v in p[:-1]), tight) for p, tight in cone.rays]
    assert not cone.lines
    assert all(p[-1] for p, _ in cone.rays)
    return _pulled(points, d, cone.n_planes)


def _pulled(points: list[tuple[tuple[Fraction, ...], int]], d: int, n_planes: int) -> Fraction:
    """The volume of the hull of points, each with the set of planes that it is on: simplices from the first point."""

    def simplices(face: list[int], dim: int, planes: int) -> list[list[int]]:
        if dim == 0:
            return [face[:1]]
        apex, found, seen = face[0], [], set()
        for k in range(n_planes):
            bit = 1 << k
            part = [i for i in face if points[i][1] & bit]
            if planes & bit or apex in part or tuple(part) in seen or _dimension(points, part) != dim - 1:
                continue
            seen.add(tuple(part))
            found += [[apex, *simplex] for simplex in simplices(part, dim - 1, planes | bit)]
        return found

    total = Fraction(0)
    for simplex in simplices(list(range(len(points))), d, 0):
        start, *others = (points[i][0] for i in simplex)
        total += abs(determinant([[a - b for a, b in zip(p, start, strict=True)] for p in others]))
    return total / math.factorial(d)


def _dimension(points: list[tuple[tuple[Fraction, ...], int]], part: list[int]) -> int:
    if not part:
        return -1
    return rank([integer((*points[i][0], Fraction(1))) for i in part]) - 1


def determinant(rows: Sequence[Sequence[Fraction]]) -> Fraction:
    """By elimination."""
    left, found = [list(row) for row in rows], Fraction(1)
    for k in range(len(left)):
        pivot = next((i for i in range(k, len(left)) if left[i][k]), None)
        if pivot is None:
            return Fraction(0)
        if pivot != k:
            left[k], left[pivot], found = left[pivot], left[k], -found
        found *= left[k][k]
        for i in range(k + 1, len(left)):
            factor = left[i][k] / left[k][k]
            left[i] = [a - factor * b for a, b in zip(left[i], left[k], strict=True)]
    return found
