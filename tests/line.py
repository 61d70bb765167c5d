"""An oracle in one dimension: the tree of cells of a network over a segment, by breakpoints, in rational arithmetic.

It shares nothing with the engines but the definitions, and implements their interface.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from regionenum.engine.interface import (
    SEVERAL,
    Batch,
    Cells,
    Counters,
    OpenCell,
    Options,
    Problem,
    Record,
    Rest,
    Statistics,
    Subtree,
)
from regionenum.network.layers import Layer, Network
from regionenum.network.units import MAXIMUM, RELU, Units

Map = list[tuple[Fraction, Fraction]]
"""(slope, intercept) of each coordinate as a function of y."""


def chain(*layers, input_shape=None):
    """A network from (weight, bias, units) triples; units None means the identity."""
    built = []
    for k, (weight, bias, units) in enumerate(layers):
        w = np.asarray(weight, np.float64)
        units = units or Units.identity(len(w))
        built.append(Layer(f"layers.{k}", w, np.asarray(bias, np.float64), units))
    return Network(tuple(built), input_shape or (built[0].n_in,))


def relu_chain(*layers):
    """A ReLU network from (weight, bias) pairs; the last is affine."""
    units = [Units.pointwise(RELU, len(np.asarray(w))) for w, _ in layers[:-1]]
    return chain(*((w, b, u) for (w, b), u in zip(layers, [*units, None], strict=True)))


def dense(weight):
    return weight.toarray() if isinstance(weight, sp.csr_array) else weight


def affine(layer: Layer, values: Map) -> Map:
    rows = []
    for w, b in zip(dense(layer.weight).tolist(), layer.bias.tolist(), strict=True):
        rows.append(
            (
                sum((Fraction(c) * v[0] for c, v in zip(w, values, strict=True)), Fraction(0)),
                sum((Fraction(c) * v[1] for c, v in zip(w, values, strict=True)), Fraction(b)),
            )
        )
    return rows


def apply_units(units: Units, z: Map, y: Fraction) -> tuple[list[int], Map]:
    """Pieces and outputs of the units on the cell that has y inside."""
    pieces, outputs = [], []
    for u, f in enumerate(units.function_of):
        rows = units.rows[units.indptr[u] : units.indptr[u + 1]]
        values = [z[r][0] * y + z[r][1] for r in rows]
        if f == MAXIMUM:
            k = values.index(max(values))
            pieces.append(k)
            outputs.append(z[rows[k]])
        else:
            function = units.functions[f]
            k = sum(Fraction(b) < values[0] for b in function.breakpoints)
            slope, intercept = Fraction(function.slopes[k]), Fraction(function.intercepts[k])
            pieces.append(k)
            outputs.append((slope * z[rows[0]][0], slope * z[rows[0]][1] + intercept))
    return pieces, outputs


def crossings(units: Units, z: Map, low: Fraction, high: Fraction) -> list[Fraction]:
    """All y strictly inside (low, high) at which a unit may change its piece."""
    lines: Map = []
    for u, f in enumerate(units.function_of):
        rows = units.rows[units.indptr[u] : units.indptr[u + 1]]
        if f == MAXIMUM:
            lines += [(z[r][0] - z[s][0], z[r][1] - z[s][1]) for r in rows for s in rows if r < s]
        else:
            lines += [(z[rows[0]][0], z[rows[0]][1] - Fraction(b)) for b in units.functions[f].breakpoints]
    found = {-b / a for a, b in lines if a != 0}
    return sorted(y for y in found if low < y < high)


class LineEngine:
    """The oracle as an engine; its steps are `size` regions long, whatever they are asked to be."""

    name = "line"
    certain = False
    splittable = False

    def __init__(self, size: int = 3) -> None:
        self.size = size

    def explorer(self, problem: Problem, options: Options) -> LineExplorer:
        return LineExplorer(problem, options.record, self.size)


class LineExplorer:
    def __init__(self, problem: Problem, record: Record, size: int) -> None:
        assert problem.dim == 1
        self.problem, self.record, self.size = problem, record, size
        self.statistics, self.rows = Statistics.zeros(problem.shape), list[tuple]()
        self.children = 0, b""
        self.regions, self.finished = 0, True
        self._visits: Iterator[None] | None = None

    @property
    def progressed(self) -> bool:
        # as in the reference engine, what was done is kept
        return True

    @property
    def root(self) -> Subtree:
        return Subtree.undivided()

    def start(self, subtree: Subtree, first_number: int = 0) -> None:
        if self._visits is None:
            chart = self.problem.chart
            directions = chart.directions.toarray()[:, 0].tolist()
            begin = [(Fraction(a), Fraction(b)) for a, b in zip(directions, chart.origin.tolist(), strict=True)]
            self.finished, self.regions, self.numbers = False, 0, [first_number] * self.problem.depth
            self._visits = self._walk(0, 0, -1, begin, Fraction(0), Fraction(1), [], [])

    def step(self, tests: int) -> Batch:
        assert self._visits is not None
        for _ in self._visits:
            if self.regions % self.size == 0:
                return self._batch()
        self.finished = True
        return self._batch()

    def rest(self) -> Rest:
        if not self.finished:
            return Rest([self.root], [])
        self._visits = None
        return Rest([], [OpenCell(self.root.cell, 0, 1, *self.children)])

    def _batch(self) -> Batch:
        statistics, rows = self.statistics, self.rows
        self.statistics, self.rows = Statistics.zeros(self.problem.shape), []
        if self.record is Record.NONE:
            return Batch(statistics, Counters(tests=1))
        n_units, depth = sum(self.problem.n_units), self.problem.depth
        pieces = np.zeros((len(rows), n_units), np.uint16)
        ranks = np.zeros((len(rows), depth), np.uint16)
        for k, row in enumerate(rows):
            pieces[k, : len(row[3])] = row[3]
            ranks[k, : len(row[4])] = row[4]
        numbers = np.array([row[:3] for row in rows], np.int64).reshape(-1, 3)
        witness = np.array([float(row[5]) for row in rows]).reshape(-1, 1)
        outputs = np.array([row[6] for row in rows], np.uint16)
        cells = Cells(numbers[:, 0].astype(np.int16), numbers[:, 1], numbers[:, 2], pieces, ranks, outputs, witness)
        return Batch(statistics, Counters(tests=1), cells)

    def _walk(self, k, number, parent, values, low, high, pattern, ranks) -> Iterator[None]:
        # the batch may change between the visits of the children, so the cell is counted at once
        s, rank = self.statistics, ranks[-1] if ranks else 1
        is_region, output_rank = k == self.problem.depth, 0
        if k:
            s.count(k, ranks[-2] if k > 1 else 0, rank)
        if is_region:
            layers = self.problem.network.layers
            outputs = affine(layers[-1], values) if len(layers) > k else values
            output_rank = int(any(slope != 0 for slope, _ in outputs))
            s.count(k + 1, rank, output_rank)
        if (is_region and self.record is not Record.NONE) or (k and self.record is Record.TREE):
            self.rows.append((k - 1, number, parent, pattern, ranks, (low + high) / 2, output_rank))
        if is_region:
            self.regions += 1
            yield
            return
        units = self.problem.network.unit_layers[k].units
        z = affine(self.problem.network.unit_layers[k], values)
        children: list[tuple] = []
        points = [low, *crossings(units, z, low, high), high]
        for a, b in pairwise(points):
            pieces, outputs = apply_units(units, z, (a + b) / 2)
            if children and children[-1][2] == pieces:
                children[-1] = (children[-1][0], b, pieces, outputs)
            else:
                children.append((a, b, pieces, outputs))
        pieces_of = np.array([pieces for _, _, pieces, _ in children], np.int32)
        seen = np.where((pieces_of == pieces_of[0]).all(axis=0), pieces_of[0], np.int32(SEVERAL)).tobytes()
        if k:
            s.close(OpenCell(b"", k, rank, len(children), seen))
        else:
            self.children = len(children), seen
        for a, b, pieces, outputs in children:
            child, self.numbers[k] = self.numbers[k], self.numbers[k] + 1
            child_rank = int(any(slope != 0 for slope, _ in outputs))
            above = number if k else -1
            yield from self._walk(k + 1, child, above, outputs, a, b, [*pattern, *pieces], [*ranks, child_rank])
