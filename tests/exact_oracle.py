"""An exact oracle in any small dimension: activation regions by double description, in Python's integers.

It imports nothing of the package, solves no linear program and rounds nothing. A cell is a cone over the domain's
coordinates, made homogeneous: the affine function a.y + c is the linear form a.y + c t of (y, t), and the domain lies in
t >= 0. A cone is kept as its lines and its extreme rays (Motzkin's double description), each ray with the set of the
cone's hyperplanes that it lies on. A full-dimensional cone stays full-dimensional on both sides of a form that takes
both signs on it, so every question is the sign of an integer.

    z = W x + b,  W and b times a common denominator: every layer's rows are integers times one positive scale.

What is counted is that of the project: a unit that is constant on a cell does not cut it, and exactly at a breakpoint
it is in the lower piece; a maximum splits by winner, and equal candidates are one, the first. The rank of a cell is that
of the linear part of the map from the domain's coordinates to the layer's output.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tests.exact_cones import Cone, Row, rank, reduced

Number = Fraction | int


@dataclass(frozen=True)
class Pointwise:
    """A piecewise-linear function of one row: slopes[k] z + intercepts[k] between breakpoints k - 1 and k."""

    row: int
    breakpoints: Sequence[Number]
    slopes: Sequence[Number]
    intercepts: Sequence[Number]


@dataclass(frozen=True)
class Maximum:
    """The maximum of a group of rows."""

    rows: Sequence[int]


@dataclass(frozen=True)
class ExactLayer:
    """z = W x + b and the units that read z; None: the layer is affine only, and the last."""

    weight: Sequence[Sequence[Number]]
    bias: Sequence[Number]
    units: Sequence[Pointwise | Maximum] | None


@dataclass(frozen=True)
class Space:
    """A domain: coordinates y, the inputs as affine functions of them, and affine functions that are not negative.

    Attributes
    ----------
    dim : number of coordinates
    inputs : one row per input: dim coefficients and the constant
    constraints : rows of the same form; the domain is where all of them are >= 0
    """

    dim: int
    inputs: Sequence[Sequence[Number]]
    constraints: Sequence[Sequence[Number]] = ()

    @classmethod
    def whole(cls, n_in: int) -> Space:
        """All inputs."""
        return cls(n_in, [_unit(i, n_in + 1) for i in range(n_in)])

    @classmethod
    def box(cls, lower: Sequence[Number], upper: Sequence[Number]) -> Space:
        """The inputs between two bounds; equal bounds fix an input."""
        free = [i for i, (low, high) in enumerate(zip(lower, upper, strict=True)) if low < high]
        if any(low > high for low, high in zip(lower, upper, strict=True)) or not free:
            raise ValueError("a box needs lower <= upper everywhere, and lower < upper somewhere")
        d = len(free)
        inputs: list[Sequence[Number]] = [[*[0] * d, low] for low in lower]
        for k, i in enumerate(free):
            inputs[i] = _unit(k, d + 1)
        return cls(d, inputs)._between(lower, upper)

    @classmethod
    def polytope(
        cls,
        normals: Sequence[Sequence[Number]],
        levels: Sequence[Number],
        bounds: tuple[Sequence[Number], Sequence[Number]] | None,
    ) -> Space:
        """The inputs x with normals x <= levels, within bounds or without."""
        space = cls.box(*bounds) if bounds else cls.whole(len(normals[0]))
        sides = []
        for normal, level in zip(normals, levels, strict=True):
            row = _combined(normal, space.inputs)
            sides.append([-v for v in row[:-1]] + [level - row[-1]])
        return cls(space.dim, space.inputs, [*space.constraints, *sides])

    @classmethod
    def slice(
        cls,
        origin: Sequence[Number],
        directions: Sequence[Sequence[Number]],
        bounds: tuple[Sequence[Number], Sequence[Number]] | None,
    ) -> Space:
        """The inputs origin + sum_j y_j directions_j, within bounds or without."""
        space = cls(len(directions), [[*column, start] for *column, start in zip(*directions, origin, strict=True)])
        return space._between(*bounds) if bounds else space

    def _between(self, lower: Sequence[Number], upper: Sequence[Number]) -> Space:
        """This space, within bounds on the inputs that vary."""
        sides: list[list[Number]] = []
        for row, low, high in zip(self.inputs, lower, upper, strict=True):
            if any(row[:-1]):
                sides += [[*row[:-1], row[-1] - low], [*(-v for v in row[:-1]), high - row[-1]]]
            elif not low <= row[-1] <= high:
                raise ValueError("an input that does not vary is outside its bounds")
        return Space(self.dim, self.inputs, [*self.constraints, *sides])


def _unit(k: int, n: int) -> list[Number]:
    return [int(i == k) for i in range(n)]


def _combined(coefficients: Sequence[Number], rows: Sequence[Sequence[Number]]) -> list[Number]:
    """The sum of multiples of rows."""
    total: list[Number] = [0] * len(rows[0])
    for factor, row in zip(coefficients, rows, strict=True):
        if factor:
            total = [t + factor * v for t, v in zip(total, row, strict=True)]
    return total


def _integers(rows: Sequence[Sequence[Number]]) -> tuple[list[Row], int]:
    """Rows times their common denominator, which is the second value."""
    scale = math.lcm(*(v.denominator for row in rows for v in row))
    return [tuple(int(v * scale) for v in row) for row in rows], scale


class NoInteriorError(Exception):
    """A domain that is empty, or flat."""


def domain_cone(space: Space) -> Cone:
    """The cone over a domain.

    Raises
    ------
    NoInteriorError
        If the domain has no interior.
    """
    cone = Cone.everything(space.dim + 1).sides((*[0] * space.dim, 1))[1]
    for row in space.constraints:
        ((form,), _) = _integers([row])
        if not any(form):
            continue
        cone = cone.sides(form)[1] if cone else None
    if cone is None:
        raise NoInteriorError("the domain has no interior")
    return cone


@dataclass(frozen=True)
class _Function:
    """A pointwise unit in integers: the forms z - breakpoint, and slopes and constants, over the layer's scales."""

    row: int
    breakpoints: Sequence[int]
    slopes: Sequence[int]
    constants: Sequence[int]


@dataclass(frozen=True)
class _Layer:
    """A layer in integers.

    Rows of the layer before are integers over the scale S; then rows of z are `weight` rows plus `bias` t, and the
    outputs are slope z + constant t, or z times `factor` for the winner of a maximum.
    """

    weight: list[Row]
    bias: Row
    units: Sequence[_Function | Maximum]
    factor: int


def _prepare(layers: Sequence[ExactLayer], scale: int) -> Iterator[_Layer]:
    for layer in layers:
        if layer.units is None:
            return
        rows, q = _integers([[*row, b] for row, b in zip(layer.weight, layer.bias, strict=True)])
        weight, bias = [row[:-1] for row in rows], tuple(row[-1] * scale for row in rows)
        scale *= q
        functions = [unit for unit in layer.units if isinstance(unit, Pointwise)]
        # z and the breakpoints by one factor more, so that the breakpoints are integers too
        fine = math.lcm(1, *(Fraction(b * scale).denominator for f in functions for b in f.breakpoints))
        weight, bias = [tuple(v * fine for v in row) for row in weight], tuple(v * fine for v in bias)
        scale *= fine
        factor = math.lcm(
            1,
            *(Fraction(s).denominator for f in functions for s in f.slopes),
            *(Fraction(c * scale).denominator for f in functions for c in f.intercepts),
        )
        units: list[_Function | Maximum] = [
            unit
            if isinstance(unit, Maximum)
            else _Function(
                unit.row,
                [int(b * scale) for b in unit.breakpoints],
                [int(s * factor) for s in unit.slopes],
                [int(c * scale * factor) for c in unit.intercepts],
            )
            for unit in layer.units
        ]
        yield _Layer(weight, bias, units, factor)
        scale *= factor


def _affine(layer: _Layer, rows: Sequence[Row]) -> list[Row]:
    """The rows that the units read, as forms of (y, t)."""
    z = []
    for weights, bias in zip(layer.weight, layer.bias, strict=True):
        total = [0] * len(rows[0])
        for w, row in zip(weights, rows, strict=True):
            if w:
                total = [t + w * v for t, v in zip(total, row, strict=True)]
        total[-1] += bias
        z.append(tuple(total))
    return z


Pattern = tuple[int, ...]


def _pieces(cone: Cone, unit: _Function | Maximum, z: Sequence[Row]) -> Iterator[tuple[int, Cone]]:
    """The pieces of a unit that meet a cone, with the part of each."""
    if isinstance(unit, Maximum):
        group = [z[row] for row in unit.rows]
        first = [k for k, row in enumerate(group) if row not in group[:k]]
        for k in first:
            part: Cone | None = cone
            for m in first:
                if m != k and part is not None:
                    part = part.sides(reduced([a - b for a, b in zip(group[k], group[m], strict=True)]))[1]
            if part is not None:
                yield k, part
        return
    row, rest = z[unit.row], cone
    for k, b in enumerate(unit.breakpoints):
        below, above = rest.sides(reduced([*row[:-1], row[-1] - b]))
        if below is not None:
            yield k, below
        if above is None:
            return
        rest = above
    yield len(unit.breakpoints), rest


def _output(layer: _Layer, z: Sequence[Row], pieces: Pattern) -> list[Row]:
    """The outputs of a layer on the cell of a pattern."""
    found = []
    for unit, piece in zip(layer.units, pieces, strict=True):
        if isinstance(unit, Maximum):
            found.append(tuple(layer.factor * v for v in z[unit.rows[piece]]))
        else:
            row = [unit.slopes[piece] * v for v in z[unit.row]]
            row[-1] += unit.constants[piece]
            found.append(tuple(row))
    return found


@dataclass(frozen=True)
class Cell:
    """A cell after some layer: its pieces so far, the layer's output, its rank, and the cone."""

    pattern: Pattern
    rows: list[Row]
    rank: int
    cone: Cone


@dataclass(frozen=True)
class RankFacts:
    """Of the cells of one rank: how many, children in all, most of one, cells with exactly one (as in the data files)."""

    regions: int
    children: int
    max_children: int
    unsplit: int


@dataclass(frozen=True)
class Truth:
    """What an enumeration must find: the count, and {rank: facts} of the cells after each unit layer.

    `cells` are {pattern: rank} for each unit layer; they are not part of the data files.
    """

    count: int
    layers: list[dict[int, RankFacts]]
    cells: list[dict[Pattern, int]]


class TooManyCellsError(Exception):
    """There are more cells than were allowed."""


def enumerate_exactly(layers: Sequence[ExactLayer], space: Space, max_cells: int = 100_000) -> Truth:
    """All cells of all layers.

    Raises
    ------
    NoInteriorError
        If the domain has no interior.
    TooManyCellsError
        If one layer has more than `max_cells` cells.
    """
    rows, scale = _integers(space.inputs)
    level = [Cell((), rows, space.dim, domain_cone(space))]
    levels, children = [level], []
    for layer in _prepare(layers, scale):
        families = []
        for cell in levels[-1]:
            families.append(list(_children(layer, cell)))
            if sum(map(len, families)) > max_cells:
                raise TooManyCellsError(f"more than {max_cells} cells")
        children.append([len(family) for family in families])
        levels.append([cell for family in families for cell in family])
    children.append([0] * len(levels[-1]))
    facts = [_facts(level, numbers) for level, numbers in zip(levels, children, strict=True)]
    found = [{cell.pattern: cell.rank for cell in level} for level in levels[1:]]
    return Truth(len(levels[-1]), facts[1:], found)


def _children(layer: _Layer, cell: Cell) -> Iterator[Cell]:
    z = _affine(layer, cell.rows)
    parts: list[tuple[Pattern, Cone]] = [((), cell.cone)]
    for unit in layer.units:
        parts = [((*pieces, k), part) for pieces, cone in parts for k, part in _pieces(cone, unit, z)]
    for pieces, cone in parts:
        rows = _output(layer, z, pieces)
        yield Cell(cell.pattern + pieces, rows, rank([row[:-1] for row in rows]), cone)


def _facts(level: Sequence[Cell], children: Sequence[int]) -> dict[int, RankFacts]:
    by_rank: dict[int, list[int]] = {}
    for cell, n in zip(level, children, strict=True):
        by_rank.setdefault(cell.rank, []).append(n)
    return {r: RankFacts(len(n), sum(n), max(n), n.count(1)) for r, n in sorted(by_rank.items())}
