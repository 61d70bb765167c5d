"""One region as a polyhedron and an affine map.

What a region is bounded by, its vertices, whether it is bounded and its volume are decided in integers, in the coordinates s
of the domain (`exact/domains.py`), and rounded once at the end. Its map and its inequalities as functions of the inputs are
float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from regionenum.analysis.adjacency import is_needed
from regionenum.analysis.pullback import Pullback
from regionenum.analysis.recorded import Patterns, Recorded
from regionenum.domain import Box, HalfSpaces, Polytope, Slice
from regionenum.domain.linear_program import LinearProgram, UnboundedError
from regionenum.errors import InputError
from regionenum.exact import polytopes
from regionenum.exact.cone import AT_INFINITY, Cone, Forms, Label
from regionenum.exact.dyadic import Integer, Row, dot, primitive
from regionenum.exact.facet_keys import Conditions
from regionenum.exact.generators import Generators
from regionenum.exact.predicates import Hint, interior
from regionenum.exact.witnesses import known
from regionenum.network.units import Floats, Ints

MOST_DIMENSIONS = 6
"""Of domains whose regions have their vertices listed."""


@dataclass(frozen=True, eq=False, repr=False)
class Region:
    """A region of a result; everything is computed when it is first asked for.

    On the region the network is x -> A x + b, and the region is the part of the domain's affine hull in which G x < h.

    Attributes
    ----------
    recorded : Recorded
        The regions of the result.
    number : int
        Its row.
    """

    recorded: Recorded
    number: int

    def __repr__(self) -> str:
        return f"<Region {self.number}: dimensions {self.ranks.tolist()}>"

    @cached_property
    def pattern(self) -> Patterns:
        """(n_units,) uint16, the pieces of all units of the unit layers, in order."""
        return self.recorded.pieces(slice(self.number, self.number + 1)).reshape(-1)

    @property
    def ranks(self) -> Patterns:
        """(depth,) dimension of the map to the output of each unit layer."""
        return np.asarray(self.recorded.ranks[self.number])

    @cached_property
    def _map(self) -> Floats:
        return Pullback(self.recorded.problem.network, None, self.pattern[None]).to_outputs()[..., 0]

    @property
    def A(self) -> Floats:  # noqa: N802 - the map is x -> A x + b
        """(n_out, n_in) linear part of the map, in float64."""
        return self._map[:, :-1]

    @property
    def b(self) -> Floats:
        """(n_out,) constant part of the map, in float64."""
        return self._map[:, -1]

    @cached_property
    def _conditions(self) -> tuple[list[Row], list[Label], Ints]:
        """The conditions as primitive forms of (s, t) with their labels, and the numbers of those of units."""
        rows, labels = list[Row](), list[Label]()
        for block in self.recorded.exact.blocks:
            for i, label in enumerate(block.labels):
                if label != AT_INFINITY:
                    rows.append(primitive(block.row(i)))
                    labels.append(label)
        numbers = list[int]()
        c, network = Conditions.of(self.recorded.problem.network), self.recorded.problem.network
        may = c.may_bound(self.pattern[None])[0]
        for k in range(len(network.unit_layers)):
            forms = self.recorded.forms.of(k, self.pattern, self.recorded.exact.dim)
            at_cut = dict(zip(zip(forms.plan.cut_unit, forms.plan.cut_number, strict=True), forms.cuts, strict=True))
            for i in np.flatnonzero(may[c.at[k] : c.at[k + 1]]) + c.at[k]:
                unit, number = int(c.unit[i]), int(c.number[i])
                u, piece = unit - int(c.unit_at[k]), int(self.pattern[unit])
                if c.is_candidate[i]:
                    form = forms.difference(u, piece, number)
                else:
                    sign = 1 if piece > number else -1
                    form = [sign * value for value in at_cut[u, number]]
                # what is the same all over the region bounds nothing
                if any(form[:-1]):
                    rows.append(primitive(form))
                    labels.append((k, u, number))
                    numbers.append(int(i))
        return rows, labels, np.array(numbers, np.int64)

    @property
    def sources(self) -> list[Label]:
        """Of each inequality (layer, unit, breakpoint or losing candidate); (-1, k, 0) for those of the domain.

        Of a box, k is j for the lower bound of the j-th input that is not fixed and d + j for its upper bound; the inequalities
        of a polytope follow. Of a slice, k counts the upper bounds of the inputs that vary, then their lower bounds.
        """
        return self._conditions[1]

    @cached_property
    def inequalities(self) -> tuple[Floats, Floats]:
        """G (m, n_in) and h (m,) in float64: those of the domain, then those of units that are not constant on the region."""
        rows, labels, numbers = self._conditions
        n_domain = len(rows) - len(numbers)
        network = self.recorded.problem.network
        G, h = np.zeros((len(rows), network.n_in)), np.zeros(len(rows))
        for i, label in enumerate(labels[:n_domain]):
            G[i], h[i] = _of_domain(self.recorded, label[1])
        c = Conditions.of(network)
        alone = np.bincount(c.unit[c.is_candidate], minlength=int(c.unit_at[-1]))[c.unit] == 1
        # a maximum of one row is no condition
        listed = np.flatnonzero(~(c.is_candidate & alone))
        sides = list(Pullback(network, None, self.pattern[None]))
        if len(numbers):
            at = np.searchsorted(listed, numbers)
            G[n_domain:] = np.concatenate([sides[k].normal for k in at])
            h[n_domain:] = np.concatenate([sides[k].level for k in at])
        return G, h

    @cached_property
    def facets(self) -> Ints:
        """The inequalities that are facets, in ascending order; of several with one hyperplane the first."""
        rows = self._conditions[0]
        if self._generators is not None:
            return np.array(polytopes.facets(self._generators, rows, 1), np.int64)
        first = {tuple(map(int, row)): i for i, row in reversed(list(enumerate(rows)))}
        cone = Cone(len(rows[0]) if rows else 1, [self.recorded.exact.blocks[0], Forms(rows, self.sources)], None)
        return np.array(
            [i for i in sorted(first.values()) if is_needed(cone, rows[i], Hint(points=[self._point]))], np.int64
        )

    @cached_property
    def _generators(self) -> Generators | None:
        """Of the closed cone over the region, where the domain has few dimensions."""
        if self.recorded.exact.dim > MOST_DIMENSIONS:
            return None
        cone: Generators | None = Generators.everything(self.recorded.exact.dim + 1)
        for form in (self.recorded.exact.blocks[0].row(0), *self._conditions[0]):
            assert cone is not None, "a recorded region is not empty"
            cone = cone.part(form, 1)
        return cone

    @cached_property
    def _point(self) -> Row:
        """A point of the region: the recorded witness, or one that is found."""
        witness = self.recorded.witness[self.number]
        point = self.recorded.nearest.point(witness) if known(witness) else None
        if point is not None:
            return point
        if self._generators is not None:
            return polytopes.middle(self._generators)
        return interior(self.recorded.forms.cone(self.pattern))

    @cached_property
    def witness(self) -> Floats:
        """(n_in,) a point inside: the recorded one, or the input nearest to one that is found exactly."""
        witness = self.recorded.witness[self.number]
        return witness if known(witness) else self.recorded.exact.to_input(self._point)

    @cached_property
    def bounded(self) -> bool:
        """Whether the region is, in the domain's coordinates: of a whole space, those that the first layer can see."""
        if not self.recorded.problem.chart.whole:
            return True
        if self._generators is not None:
            return polytopes.is_bounded(self._generators)
        return all(math.isfinite(self._reach(j, sign)) for j in range(self.recorded.exact.dim) for sign in (-1.0, 1.0))

    def _reach(self, j: int, sign: float) -> float:
        program = LinearProgram(*np.array([[-np.inf], [np.inf]]).repeat(self.recorded.exact.dim, axis=1))
        program.add(self._seen)
        cost = np.zeros(self.recorded.exact.dim)
        cost[j] = sign
        try:
            return program.maximise(cost).bound
        except UnboundedError:
            return math.inf

    @cached_property
    def _metric(self) -> Floats:
        """(d, d) R with |R s| the length of a step s in the inputs."""
        inputs = self.recorded.exact.inputs
        columns = np.array([[math.ldexp(int(v), inputs.exponent) for v in row[:-1]] for row in inputs.matrix.tolist()])
        return np.asarray(np.linalg.qr(columns, mode="r"), np.float64)

    @cached_property
    def _seen(self) -> HalfSpaces:
        """The facets from a point inside, in orthonormal coordinates of the inputs: normals of length 1, exact distances."""
        rows, point = self._conditions[0], self._point
        normal, level = np.zeros((len(self.facets), self.recorded.exact.dim)), np.zeros(len(self.facets))
        for k, i in enumerate(self.facets.tolist()):
            size = 1 << max(max(int(abs(v)) for v in rows[i][:-1]).bit_length(), 1)
            a = np.linalg.solve(self._metric.T, np.array([-int(v) / size for v in rows[i][:-1]]))
            length = float(np.linalg.norm(a))
            normal[k] = a / length
            level[k] = int(dot(rows[i], point)) / (size * int(point[-1])) / length
        return HalfSpaces.of(normal, level)

    @cached_property
    def inradius(self) -> float:
        """Radius of a largest ball inside, in the inputs and within the domain's affine hull; infinite if there is none."""
        sides, d = self._seen, self.recorded.exact.dim
        if not len(sides):
            return math.inf
        unit = float(sides.level.max())
        program = LinearProgram(np.full(d + 1, -np.inf), np.full(d + 1, np.inf))
        program.add(HalfSpaces.of(np.column_stack([sides.normal, np.ones(len(sides))]), sides.level / unit))
        try:
            found = program.maximise(np.append(np.zeros(d), 1.0))
        except UnboundedError:
            return math.inf
        return float(found.point[-1]) * unit

    def _known_generators(self, what: str) -> Generators:
        if self._generators is None:
            raise InputError(
                f"{what} of a region in {self.recorded.exact.dim} dimensions would be too many; up to {MOST_DIMENSIONS} "
                "dimensions they are listed: use a Slice, or a Box that fixes inputs"
            )
        return self._generators

    @cached_property
    def vertices(self) -> Floats:
        """(n, n_in) vertices as inputs, each rounded once; of an unbounded region those that it has.

        Raises
        ------
        InputError
            If the domain has more than `MOST_DIMENSIONS` dimensions.
        """
        cone = self._known_generators("vertices")
        points = [] if cone.lines else [self.recorded.exact.to_input(ray) for ray in cone.rays if ray[-1]]
        return np.array(points).reshape(-1, self.recorded.problem.network.n_in)

    @cached_property
    def rays(self) -> Floats:
        """(n, n_in) directions in which an unbounded region goes on for ever, and of which all such are sums; length 1.

        Raises
        ------
        InputError
            If the domain has more than `MOST_DIMENSIONS` dimensions.
        """
        cone = self._known_generators("rays")
        rows = [ray for ray in cone.rays if not ray[-1]]
        rows += [v for line in cone.lines for v in (line, [-value for value in line])]
        inputs = self.recorded.exact.inputs.matrix.tolist()
        found = [_direction([dot(row, ray) for row in inputs]) for ray in rows]
        return np.array(found).reshape(-1, self.recorded.problem.network.n_in)

    @cached_property
    def volume(self) -> float:
        """d-dimensional volume in the inputs, rounded once; infinite if the region is not bounded.

        Raises
        ------
        InputError
            If the domain has more than `MOST_DIMENSIONS` dimensions.
        """
        if not polytopes.is_bounded(self._known_generators("vertices")):
            return math.inf
        scale = abs(float(np.prod(np.diag(self._metric))))
        return float(self.exact_volume()) * scale

    def exact_volume(self) -> Fraction:
        """The volume of a bounded region as a rational number, in the domain's coordinates s.

        These are the inputs that a box does not fix, and the numbers s_j of a slice origin + sum s_j directions_j.

        Raises
        ------
        InputError
            If the region is not bounded, or the domain has more than `MOST_DIMENSIONS` dimensions.
        """
        cone = self._known_generators("vertices")
        if not polytopes.is_bounded(cone):
            raise InputError(f"region {self.number} is not bounded, so it has no volume; ask for `bounded` first")
        return polytopes.volume(cone)


def _direction(values: list[Integer]) -> list[float]:
    largest = max(abs(int(v)) for v in values)
    scaled = np.array([int(v) / largest for v in values])
    found: list[float] = (scaled / np.linalg.norm(scaled)).tolist()
    return found


def _of_domain(recorded: Recorded, k: int) -> tuple[Floats, float]:
    """Inequality k of a domain as g x < h, numbered as in the labels of `exact/domains.py`."""
    problem = recorded.problem
    domain, n_in = problem.domain, problem.network.n_in
    g = np.zeros(n_in)
    box = domain if isinstance(domain, Box) else domain.within if isinstance(domain, Polytope | Slice) else None
    if isinstance(domain, Slice):
        assert box is not None
        lower, upper = box.bounds(problem.network.input_shape)
        moving = np.flatnonzero(np.asarray(domain.directions).reshape(-1, n_in).any(axis=0))
        i, above = moving[k % len(moving)], k < len(moving)
    else:
        d = 0
        if box is not None:
            lower, upper = box.bounds(problem.network.input_shape)
            free = np.flatnonzero(lower < upper)
            d = len(free)
        if k >= 2 * d:
            assert isinstance(domain, Polytope)
            return np.asarray(domain.A, np.float64)[k - 2 * d], float(np.asarray(domain.b)[k - 2 * d])
        i, above = free[k % d], k >= d
    g[i] = 1.0 if above else -1.0
    return g, float(upper[i] if above else -lower[i])
