"""The reference engine: a plain walk of the tree with one linear program per question, by HiGHS.

Slow and independent: it shares the network, the chart and the interface with the compiled engine, and no code that
decides anything. A cell is a set of strict inequalities a.y < b over the open unit cube, or over R^d, every normal a of
Euclidean length 1, and it is not empty if and only if it holds a ball. The largest one is the linear program of `ball.py`. The
maps carry elementwise bounds of their rounding errors, so that "zero" means zero up to rounding whatever the scale of the
weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from regionenum.domain.half_spaces import UNIT_ROUNDOFF, HalfSpaces
from regionenum.engine.ball import DOUBT, RADIUS, Ball, BallSolver
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
from regionenum.network.layers import Layer
from regionenum.network.units import MAXIMUM, Floats, Ints

BATCH_ROWS = 4096
"""Most recorded rows of a batch."""


@dataclass(frozen=True)
class _Map:
    """An affine map y -> linear y + constant, row by row, and bounds of the errors of its entries.

    Linear part and constant are one matrix (n_rows, d + 1), the constant last: both obey the same arithmetic.
    """

    value: Floats
    error: Floats

    def after(self, layer: Layer) -> _Map:
        """The map to the pre-activations of `layer`.

        A sum of n products has an error of at most n u / (1 - n u) times the sum of their magnitudes, in any order of
        summation; the bias and the bound's own rounding add a few terms.
        """
        weight = layer.weight.toarray() if isinstance(layer.weight, sp.csr_array) else layer.weight
        magnitude = np.abs(weight)
        terms = (weight.shape[1] + 4) * UNIT_ROUNDOFF
        gamma = 2.0 * terms if terms < 0.25 else np.inf
        value = weight @ self.value
        size = magnitude @ (np.abs(self.value) + self.error)
        value[:, -1] += layer.bias
        size[:, -1] += np.abs(layer.bias)
        return _Map(value, magnitude @ self.error + gamma * size)

    def difference(self, i: int, j: int) -> tuple[Floats, Floats]:
        """Row i minus row j, and its error bound."""
        value = self.value[i] - self.value[j]
        return value, self.error[i] + self.error[j] + UNIT_ROUNDOFF * np.abs(value)

    def against(self, i: int, level: float) -> tuple[Floats, Floats]:
        """Row i minus a constant level, and its error bound."""
        value, error = self.value[i].copy(), self.error[i].copy()
        value[-1] -= level
        error[-1] += UNIT_ROUNDOFF * abs(value[-1])
        return value, error


@dataclass(frozen=True)
class _Cell:
    """A cell: its rows and map, a point inside, and its history.

    Attributes
    ----------
    sides : half-spaces with normals of length 1, beside those of the cube; the constraints first
    ball : a ball inside
    pieces : pieces of all units passed so far
    number, parent : numbers of the cell and of the cell of the layer before
    ranks : rank of the map after each layer passed
    output_rank : of a region, rank of the network's own map
    """

    sides: HalfSpaces
    ball: Ball
    pieces: tuple[int, ...]
    map: _Map
    number: int
    parent: int
    ranks: tuple[int, ...]
    output_rank: int = 0


class HighsEngine:
    """The reference engine. Decides every split by the largest inscribed ball; see `ball.py` for what is doubtful."""

    name = "highs"
    certain = False
    splittable = False

    def explorer(self, problem: Problem, options: Options) -> HighsExplorer:
        """An explorer of the whole tree of a problem that has at least one unit layer."""
        return HighsExplorer(problem, options)


class HighsExplorer:
    """Walks the tree of one problem depth first (`interface.Explorer`); its one subtree is the whole tree."""

    def __init__(self, problem: Problem, options: Options) -> None:
        self._problem, self._options = problem, options
        self._walk: _Walk | None = None

    @property
    def root(self) -> Subtree:
        """The whole domain."""
        return Subtree.undivided()

    @property
    def finished(self) -> bool:
        """Whether the tree is exhausted."""
        return self._walk is None or self._walk.finished

    def start(self, subtree: Subtree, first_number: int = 0) -> None:
        """Begin the tree, or go on where `rest` broke off."""
        if self._walk is None:
            self._walk = _Walk(self._problem, self._options.record, first_number)

    def step(self, tests: int) -> Batch:
        """Explore on, for about that many tests.

        Raises
        ------
        EngineError
            If HiGHS fails on a linear program.
        """
        if self._walk is None:
            raise ValueError("an explorer makes steps after `start`")
        return self._walk.step(tests)

    @property
    def progressed(self) -> bool:
        # what it did is kept, so that nothing is done again in this process; and no other ever gets its tree
        return True

    def rest(self) -> Rest:
        """The whole tree, as long as it is not exhausted."""
        if self._walk is None:
            return Rest([], [])
        if not self._walk.finished:
            return Rest([self.root], [])
        children, seen = self._walk.children_of_domain
        domain = OpenCell(self.root.cell, 0, self._problem.dim, children, seen)
        self._walk = None
        return Rest([], [domain])


@dataclass
class _Frame:
    """A cell on the path from the domain to the current cell."""

    cell: _Cell
    children: Iterator[_Cell]
    n_children: int = 0
    seen: tuple[int, ...] = ()

    def count(self, child: _Cell) -> None:
        """Add a child, and the pieces of its last layer's units."""
        self.n_children += 1
        pieces = child.pieces[len(self.cell.pieces) :]
        before = self.seen or pieces
        self.seen = tuple(a if a == b else SEVERAL for a, b in zip(before, pieces, strict=True))

    @property
    def as_bytes(self) -> bytes:
        """As `OpenCell.seen`."""
        return np.array(self.seen, np.int32).tobytes()


class _Walk:
    """State of one walk: the solver, and what was found since the last batch.

    Attributes
    ----------
    finished : whether the tree is exhausted
    children_of_domain : of a finished walk, their number and the pieces of the first layer's units; the domain itself is left
        out of the statistics (`interface.Explorer`)
    """

    def __init__(self, problem: Problem, record: Record, first_number: int) -> None:
        self.problem = problem
        self.record = record
        self.layers = problem.network.unit_layers
        self.solver = BallSolver(problem.dim, whole=problem.chart.whole)
        self.next_number = first_number
        self.finished = False
        self.children_of_domain = 0, b""
        self._start_batch()
        self._visits = self._visit_all()

    def step(self, tests: int) -> Batch:
        """Visit cells until about that many tests are made; a visit counts as a test too, since it takes as long."""
        for visits, _ in enumerate(self._visits, 1):
            if self.counters.tests + visits >= tests or len(self.found) >= BATCH_ROWS:
                break
        else:
            self.finished = True
        return self._take_batch()

    def _visit_all(self) -> Iterator[None]:
        """Depth first, with one frame per layer: the stack does not grow with the number of units. Yields at every cell."""
        stack = [self._frame(self._root())]
        while stack:
            frame = stack[-1]
            child = next(frame.children, None)
            if child is None:
                self._finish(stack.pop())
            else:
                frame.count(child)
                stack.append(self._frame(child))
            yield

    def _take_batch(self) -> Batch:
        """What was found since the last batch."""
        cells = None if self.record is Record.NONE else self._table()
        batch = Batch(self.statistics, self.counters, cells)
        self._start_batch()
        return batch

    def _start_batch(self) -> None:
        self.statistics = Statistics.zeros(self.problem.shape)
        self.counters = Counters()
        self.found: list[_Cell] = []

    def _root(self) -> _Cell:
        chart, dim = self.problem.chart, self.problem.dim
        lower, width = chart.bounds
        directions = chart.directions.toarray()
        value = np.hstack([directions * width, (chart.origin + directions @ lower)[:, None]])
        error = np.zeros_like(value)
        if chart.width is not None:
            error[:, :-1] = UNIT_ROUNDOFF * np.abs(value[:, :-1])
        if lower.any():
            error[:, -1] = (dim + 2) * UNIT_ROUNDOFF * (np.abs(chart.origin) + np.abs(directions) @ np.abs(lower))
        sides = chart.half_spaces.normalised()
        ball = Ball(chart.inside, 1.0 if chart.whole else float(np.append(chart.inside, 1 - chart.inside).min()))
        if len(sides):
            ball = self.solver.largest(sides, self.counters)
        return _Cell(sides, ball, (), _Map(value, error), -1, -1, ())

    def _frame(self, cell: _Cell) -> _Frame:
        """Enter a cell: count it, and keep it if it is to be recorded, before its descendants."""
        depth = len(cell.ranks)
        if depth:
            self.statistics.count(depth, cell.ranks[-2] if depth > 1 else 0, cell.ranks[-1])
            if depth == len(self.layers):
                self.statistics.count(depth + 1, cell.ranks[-1], cell.output_rank)
            if self.record is Record.TREE or (self.record is Record.REGIONS and depth == len(self.layers)):
                self.found.append(cell)
        return _Frame(cell, self._children(cell, self.layers[depth]) if depth < len(self.layers) else iter(()))

    def _finish(self, frame: _Frame) -> None:
        """Add the children of a cell, which are all known by now."""
        cell, depth = frame.cell, len(frame.cell.ranks)
        if depth:
            self.statistics.close(OpenCell(b"", depth, cell.ranks[-1], frame.n_children, frame.as_bytes))
        else:
            self.children_of_domain = frame.n_children, frame.as_bytes

    def _table(self) -> Cells:
        found, n_units = self.found, sum(self.problem.n_units)
        pieces = np.zeros((len(found), n_units), np.uint16)
        ranks = np.zeros((len(found), self.problem.depth), np.uint16)
        for k, cell in enumerate(found):
            pieces[k, : len(cell.pieces)] = cell.pieces
            ranks[k, : len(cell.ranks)] = cell.ranks
        return Cells(
            layer=np.array([len(cell.ranks) - 1 for cell in found], np.int16),
            cell=np.array([cell.number for cell in found], np.int64),
            parent=np.array([cell.parent for cell in found], np.int64),
            pieces=pieces,
            ranks=ranks,
            output_rank=np.array([cell.output_rank for cell in found], np.uint16),
            witness=np.array([cell.ball.centre for cell in found]).reshape(len(found), self.problem.dim),
        )

    def _children(self, parent: _Cell, layer: Layer) -> Iterator[_Cell]:
        """The cells that the units of `layer` split `parent` into, in the order of their pieces."""
        units = layer.units
        z = parent.map.after(layer)
        pending = [(replace(parent, map=z), 0)]
        while pending:
            cell, unit = pending.pop()
            if unit == units.n_units:
                yield self._enter(cell, parent, layer)
                continue
            group = units.rows[units.indptr[unit] : units.indptr[unit + 1]]
            function = int(units.function_of[unit])
            if function == MAXIMUM:
                parts = self._winners(z, group)
            else:
                parts = self._intervals(z, int(group[0]), units.functions[function].breakpoints)
            # Reversed, so that the lowest piece is taken from the stack first.
            pending += [(child, unit + 1) for child in reversed(self._split(cell, parts))]

    def _split(self, cell: _Cell, parts: list[tuple[int, HalfSpaces]]) -> list[_Cell]:
        """The open parts of a cell, each given by its piece and the half-spaces that it has more than the cell."""
        if len(parts) == 1 and not len(parts[0][1]):
            return [replace(cell, pieces=(*cell.pieces, parts[0][0]))]
        found = []
        for piece, more in parts:
            self.counters.tests += 1
            sides = HalfSpaces.joined(cell.sides, more)
            # The old ball's centre may already prove the part; then no linear program is needed.
            slack = float(more.slack(cell.ball.centre).min(initial=cell.ball.radius))
            ball = Ball(cell.ball.centre, slack)
            if slack <= DOUBT:
                ball = self.solver.largest(sides, self.counters)
                self.counters.doubtful += ball.doubtful
            if ball.radius > RADIUS:
                found.append(replace(cell, sides=sides, ball=ball, pieces=(*cell.pieces, piece)))
        return found

    def _intervals(self, z: _Map, row: int, breakpoints: tuple[float, ...]) -> list[tuple[int, HalfSpaces]]:
        """The pieces of a pointwise unit, each with its half-spaces; one piece if the row is constant."""
        above = [self._above(*z.against(row, level)) for level in breakpoints]
        none = HalfSpaces.none(self.problem.dim)
        if any(isinstance(side, bool) for side in above):
            return [(sum(side is True for side in above), none)]
        lower = [none, *(side for side in above if not isinstance(side, bool))]
        upper = [*(side.opposite() for side in lower[1:]), none]
        return [(k, HalfSpaces.joined(*both)) for k, both in enumerate(zip(lower, upper, strict=True))]

    def _winners(self, z: _Map, group: Ints) -> list[tuple[int, HalfSpaces]]:
        """The candidates of a maximum that can win, each with the half-spaces "larger than the others".

        Of candidates that differ by a constant only the largest stays, and of equal ones the first: what stays differs
        pairwise in its linear part.
        """
        stay: list[int] = []
        for k, row in enumerate(group):
            behind = [(m, self._above(*z.difference(int(row), int(group[m])))) for m in stay]
            if all(side is not False for _, side in behind):
                stay = [m for m, side in behind if side is not True] + [k]
        none = HalfSpaces.none(self.problem.dim)
        return [(k, HalfSpaces.joined(none, *self._larger(z, group, k, stay))) for k in stay]

    def _larger(self, z: _Map, group: Ints, k: int, others: list[int]) -> Iterator[HalfSpaces]:
        """The half-spaces "candidate k is larger than the others", which all differ from it in their linear parts."""
        for m in others:
            side = self._above(*z.difference(int(group[k]), int(group[m]))) if m != k else False
            if not isinstance(side, bool):
                yield side

    def _above(self, value: Floats, error: Floats) -> HalfSpaces | bool:
        """The half-space value > 0, or the answer itself if the linear part is zero up to rounding.

        Zero up to rounding in all is "not above zero": a unit exactly at a breakpoint takes the lower piece.
        """
        if np.any(np.abs(value[:-1]) > error[:-1]):
            return HalfSpaces.positive(value[None]).normalised()
        # What the row can deviate from the computed constant on the cube, whatever its true linear part is.
        deviation = float(np.abs(value[:-1]).sum() + error.sum())
        self.counters.doubtful += bool(np.any(error[:-1] > 0) or 0 < deviation >= abs(value[-1]))
        return bool(value[-1] > deviation)

    def _enter(self, cell: _Cell, parent: _Cell, layer: Layer) -> _Cell:
        """The finished cell after `layer`: centred, with the map to the layer's output, numbered."""
        ball = self.solver.largest(cell.sides, self.counters)
        output = _output(cell.map, layer, cell.pieces[len(parent.pieces) :])
        rank, doubtful = numerical_rank(output.value[:, :-1], output.error[:, :-1])
        self.counters.doubtful_ranks += doubtful
        output_rank = 0
        if len(parent.ranks) + 1 == len(self.layers):
            output_rank, doubtful = self._output_rank(output, rank)
            self.counters.doubtful_ranks += doubtful
        number, self.next_number = self.next_number, self.next_number + 1
        return replace(
            cell,
            # The ball that proved the cell stays if HiGHS finds no larger one.
            ball=ball if ball.radius > cell.ball.radius else cell.ball,
            map=output,
            number=number,
            parent=parent.number,
            ranks=(*cell.ranks, rank),
            output_rank=output_rank,
        )

    def _output_rank(self, output: _Map, rank: int) -> tuple[int, bool]:
        """Rank of the network's own map on a region, and whether it is doubtful."""
        layers = self.problem.network.layers
        if len(layers) == len(self.layers):
            return rank, False
        last = output.after(layers[-1])
        return numerical_rank(last.value[:, :-1], last.error[:, :-1])


def _output(z: _Map, layer: Layer, pieces: tuple[int, ...]) -> _Map:
    """The map to the outputs of a layer's units in the given pieces."""
    units = layer.units
    value = np.empty((units.n_units, z.value.shape[1]))
    error = np.empty_like(value)
    for u, piece in enumerate(pieces):
        first, function = units.indptr[u], int(units.function_of[u])
        if function == MAXIMUM:
            row = units.rows[first + piece]
            value[u], error[u] = z.value[row], z.error[row]
            continue
        row, slope = units.rows[first], units.functions[function].slopes[piece]
        intercept = units.functions[function].intercepts[piece]
        value[u] = slope * z.value[row]
        value[u, -1] += intercept
        # Slopes 0 and +-1 do not round, nor does the intercept 0.
        error[u] = abs(slope) * z.error[row]
        if abs(slope) not in (0.0, 1.0):
            error[u] += 2 * UNIT_ROUNDOFF * np.abs(slope * z.value[row]) + 2 * UNIT_ROUNDOFF * error[u]
        if intercept:
            error[u, -1] += UNIT_ROUNDOFF * abs(value[u, -1])
    return _Map(value, error)


def numerical_rank(matrix: Floats, error: Floats) -> tuple[int, bool]:
    """Rank of a matrix known up to elementwise errors, and whether it is doubtful.

    Rows and columns are scaled first, since the weights of a network may be of any size. By Weyl's theorem the singular
    values then move by at most the Frobenius norm of the scaled errors, beside the rounding of the decomposition.
    """
    rows = np.any(np.abs(matrix) > error, axis=1)
    matrix, error = matrix[rows], error[rows]
    if not matrix.size:
        return 0, False
    for axis in (1, 0):
        scale = np.abs(matrix).max(axis=axis, keepdims=True)
        scale[scale == 0] = 1.0
        matrix, error = matrix / scale, error / scale
    values = np.linalg.svd(matrix, compute_uv=False)
    limit = float(np.linalg.norm(error) + 8 * max(matrix.shape) * UNIT_ROUNDOFF * values[0])
    doubtful = bool(np.any((values > limit / 10) & (values < 10 * limit)))
    return int(np.count_nonzero(values > limit)), doubtful
