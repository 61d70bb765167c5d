"""The compiled engine: the tree walk of `walk/` over the cells of `dictionary/`, behind the engine's interface.

Decisions are made in float64 and proved by rigorous error bounds (`dictionary/proof_kernel.py`, `walk/layer_kernel.py`,
`walk/rank_kernel.py`). Those that are not are counted as doubtful, in `Counters.doubtful` and `doubtful_ranks`: a count
without doubt is right.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import cache, cached_property

import numpy as np

from regionenum.domain import Box
from regionenum.engine import policy
from regionenum.engine.cells import NEGATIVE, ZERO
from regionenum.engine.counters import LPS, PIVOTS, TESTS
from regionenum.engine.dictionary import layout as dictionary
from regionenum.engine.dictionary import verbs as _verbs  # noqa: F401  (registers them)
from regionenum.engine.interface import (
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
    cell_name,
)
from regionenum.engine.questions import Decided, Referee
from regionenum.engine.tables import CUT, GROUP, UNIT, Tables, make_tables
from regionenum.engine.walk.certificate_kernel import DECIDED_AT_ENTRY
from regionenum.engine.walk.group_kernel import SPLITTING
from regionenum.engine.walk.state import (
    A_CUT,
    A_WINNER,
    ASKED,
    AT,
    CELL_FULL,
    CHILDREN_SO_FAR,
    CONTENT,
    CUTTING,
    FINISHED,
    FIRST,
    FIRST_CELL,
    GAVE_UP,
    IS_EXACT,
    ISSUED,
    KIND,
    LAYER,
    N_TIGHT,
    NEWS,
    NEWS_INDEX,
    NEWS_VALUE,
    NEXT,
    NUMBER,
    OF_A_RANK,
    OF_THE_OUTPUT,
    OPEN,
    PHASE,
    RANK,
    STACK_FULL,
    STAGE,
    SURE_ABOVE,
    SURE_BELOW,
    grow_walk,
    make_walk,
)
from regionenum.engine.walk.subtree_kernel import (
    OPEN_DECISION,
    constraint_lines,
    load,
    load_domain,
    pending_lines,
    witness_of,
)
from regionenum.engine.walk.tree_kernel import walk_tree
from regionenum.errors import EngineError
from regionenum.exact.predicates import Side
from regionenum.network.layers import Layer, Network
from regionenum.network.units import RELU, Floats, Units

BUFFER_BYTES = 8 << 20
STACK, ROWS = 32, 64
"""Cells, and rows of a cell, that there is space for at first."""

_log = logging.getLogger(__name__)


class CompiledEngine:
    """Depth-first walk with one bounded simplex dictionary per cell (see `dictionary/layout.py`), compiled by numba."""

    name = "compiled"
    certain = True
    splittable = True

    def explorer(self, problem: Problem, options: Options) -> CompiledExplorer:
        """An explorer of subtrees of a problem that has at least one unit layer; see `load_kernels` for how long it takes."""
        load_kernels()
        return CompiledExplorer(problem, options)


@cache
def load_kernels() -> None:
    """Load the compiled kernels, once in a process; where they are not on disk yet, compile them first, for a minute."""
    ready = policy.ready_file()
    if not (on_disk := policy.are_on_disk()):
        _log.warning("regionenum: compiling the kernels, once on this machine; this takes about a minute")
    layer = Layer("layer", np.ones((1, 1)), np.zeros(1), Units.pointwise(RELU, 1))
    explorer = CompiledExplorer(Problem.over(Network((layer,), (1,)), Box(-1.0, 1.0)), Options())
    explorer.start(explorer.root)
    explorer.step(1)
    explorer.rest()
    if not on_disk:
        # a folder that others compiled for, and that cannot be written, only makes the next start slower
        with suppress(PermissionError):
            policy.note_on_disk(ready)


class CompiledExplorer:
    """Explores subtrees of one problem (`interface.Explorer`)."""

    def __init__(self, problem: Problem, options: Options) -> None:
        self._problem, self._record, self._shape = problem, options.record, problem.shape
        self._tables = make_tables(problem)
        self._first_constraint = int(self._tables.at[1, CUT]) - len(problem.chart.half_spaces)
        self._domain_is_loaded = False
        rows = _buffer_rows(self._tables) if options.record != Record.NONE else 0
        n_cuts = int(self._tables.at[-1, CUT])
        self._walk = make_walk(self._tables, rows, STACK)
        self._walk.questions.mode[IS_EXACT] = options.exact
        self._cells = dictionary.make_cells(STACK, self._tables.dim, ROWS, n_cuts + ROWS, n_cuts, problem.depth)
        self._subtree = self.root
        self._finished, self._first_number = True, 0
        self._broken_off: Subtree | None = None

    def _load_domain(self) -> None:
        """Make the domain a cell, of which every subtree's cell is a part."""
        while not self._domain_is_loaded:
            status = load_domain(self._tables, self._walk, self._cells, self._first_constraint)
            self._domain_is_loaded = status == FINISHED
            if status == CELL_FULL:
                self._grow(status)

    @property
    def root(self) -> Subtree:
        """The whole domain."""
        at = self._tables.at
        return Subtree(
            layer=0,
            sides=np.full(self._first_constraint, OPEN_DECISION, np.int8),
            winners=np.full(at[1, UNIT], OPEN_DECISION, np.int16),
            n_before=(0, 0),
            witness=np.zeros(0),
            parent=-1,
        )

    @property
    def finished(self) -> bool:
        """Whether the subtree is exhausted."""
        return self._finished

    def start(self, subtree: Subtree, first_number: int = 0) -> None:
        """Begin a subtree, or go on with it (`Explorer.rest`); the cells found are numbered from `first_number`."""
        broken_off, self._broken_off = self._broken_off, None
        if broken_off is not None and broken_off.is_same(subtree):
            self._walk.tally.path[ISSUED, 0] = self._first_number = first_number
            self._subtree, self._finished = subtree, False
            return
        counters = self._walk.tally.counters
        before, work = counters.copy(), self._cells.work.copy()
        told = np.full(self._problem.depth, -1)
        self._load_domain()
        while True:
            status = load(
                self._tables,
                self._walk,
                self._cells,
                subtree.layer,
                self._with_constraints(subtree.sides),
                subtree.winners,
                subtree.witness,
                told,
                subtree.parent,
                first_number,
                self._first_constraint,
            )
            if status == ASKED:
                first = int(self._walk.questions.asked[OF_A_RANK, FIRST])
                told[first] = self._rank_of(first)
            elif status == CELL_FULL:
                self._grow(status)
            else:
                break
        # what it takes to rebuild a cell is no decision about the tree
        counters[...] = before
        self._cells.work[...] = work
        self._subtree, self._finished, self._first_number = subtree, False, first_number

    def step(self, tests: int) -> Batch:
        """Explore on, for about that many tests, or until the buffer of recorded rows is full."""
        counters = self._walk.tally.counters
        last = counters[TESTS] + tests
        while True:
            status = walk_tree(
                self._tables,
                self._walk,
                self._cells,
                # one at least, so that an answer is made use of
                max(last - counters[TESTS], 1),
                self._record == Record.REGIONS,
                self._record == Record.TREE,
            )
            if status == GAVE_UP:
                raise EngineError(
                    "the simplex method did not converge on a cell; "
                    "run again with exact=True, which asks where rounding has spoilt a cell"
                )
            if status in (STACK_FULL, CELL_FULL):
                self._grow(status)
            elif status == ASKED:
                self._answer()
            else:
                break
        self._finished = status == FINISHED
        return self._take()

    @property
    def progressed(self) -> bool:
        """Whether a cell was counted or split."""
        walk = self._walk
        return self._finished or walk.top[0] > FIRST_CELL or walk.tally.path[ISSUED, 0] > self._first_number

    def rest(self) -> Rest:
        """Subtrees of all waiting cells, and the cells of the path whose children are not all counted."""
        walk, path = self._walk, self._walk.tally.path
        progressed = self.progressed
        waiting = [] if self._finished else [self._waiting(f) for f in range(FIRST_CELL, int(walk.top[0]) + 1)]
        first = self._subtree.layer
        open_cells = [self._open_cell(first, self._subtree.cell)]
        for level in range(first + 1, self._problem.depth):
            if path[OPEN, level]:
                open_cells.append(self._open_cell(level, cell_name(level, *self._decided_before(level))))
        self._finished = True
        self._broken_off = None if progressed else waiting[0]
        return Rest(waiting, open_cells)

    def _open_cell(self, level: int, name: bytes) -> OpenCell:
        """The present cell of a level, so far."""
        tally, at = self._walk.tally, self._tables.at
        children = int(tally.path[CHILDREN_SO_FAR, level])
        seen = tally.seen[at[level, UNIT] : at[level + 1, UNIT]].astype(np.int32).tobytes() if children else b""
        return OpenCell(name, level, int(tally.path[RANK, level]), children, seen)

    @cached_property
    def _referee(self) -> Referee:
        return Referee(self._problem)

    def _rank_of(self, layer: int) -> int:
        """Rank of the map to the output of a layer, on the present path; of the network's output if that is no unit layer."""
        sides, winners = self._decided_before(min(layer + 1, self._problem.depth))
        return self._referee.rank(Decided(layer, sides, winners, sides >= 0))

    def _answer(self) -> None:
        """Answer the walk's question."""
        walk, questions, at = self._walk, self._walk.questions, self._tables.at
        kind = questions.mode[KIND]
        f, first, second, third = map(int, questions.asked[kind])
        if kind == OF_A_RANK:
            questions.answer[kind, CONTENT] = self._rank_of(first)
            return
        if kind == OF_THE_OUTPUT:
            questions.answer[kind, CONTENT] = self._rank_of(self._problem.depth)
            return
        layer, sides, winners, _ = self._decisions(int(walk.top[0]))
        matters, lines = np.zeros(len(sides), np.bool_), np.zeros(len(self._cells.lines), np.int64)
        bounding = lines[: constraint_lines(self._cells, f, lines)]
        matters[bounding[bounding < len(sides)]] = True
        cell = Decided(layer, self._without_constraints(sides), winners, self._without_constraints(matters))
        assert (cell.sides[cell.matters] != OPEN_DECISION).all(), "a cut that bounds a cell is decided on it"
        witness = np.zeros(self._tables.dim)
        sure = witness_of(self._cells, f, witness)
        if third < 0:
            answer = self._referee.cut(cell, int(first - at[layer, CUT]), witness, sure)
        else:
            scan, listed = walk.groups.scan, walk.groups.listed
            losers = [int(k) for k in listed[: scan[AT]] if k != second] if scan[PHASE] == SPLITTING else []
            answer = self._referee.difference(cell, int(first - at[layer, UNIT]), second, third, losers, witness, sure)
        # at a breakpoint the lower piece is taken
        zero = NEGATIVE if third < 0 else ZERO
        questions.answer[kind, CONTENT] = zero if answer.side == Side.ZERO else answer.side
        questions.answer[kind, [SURE_BELOW, SURE_ABOVE]] = answer.sure
        questions.points[...] = answer.points
        units = self._tables.units
        used = ((at[layer, UNIT] + u, n) for k, u, n in answer.tight if k == layer)
        # a maximum of this layer is decided by then only if the subtree came with it
        proof = [at[layer, CUT] + units.cut[u] + n for u, n in used if units.function[u] >= 0]
        questions.tight[: len(proof)] = proof
        questions.answer[kind, N_TIGHT] = len(proof)

    def _with_constraints(self, sides: np.ndarray) -> np.ndarray:
        """Sides of all cuts: the constraints are the last cuts of layer 0, and no decisions, so subtrees leave them out.

        Which of them matter is found in floating point, and another machine may keep others.
        """
        n = len(self._problem.chart.half_spaces)
        return np.insert(sides, np.full(n, self._first_constraint), np.int8(1)) if n else sides

    def _without_constraints(self, sides: np.ndarray) -> np.ndarray:
        """The inverse; sides may end before the constraints."""
        return np.delete(sides, slice(self._first_constraint, int(self._tables.at[1, CUT])))

    def _decided_before(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Sides and winners of the present path, of all layers before `layer`."""
        at, units, images = self._tables.at, self._tables.units, self._walk.images
        n_cuts, n_units = at[layer, CUT], at[layer, UNIT]
        sizes = np.diff(units.member)[:n_units]
        winners = np.where((units.function[:n_units] < 0) & (sizes > 1), images.piece[:n_units], OPEN_DECISION)
        return self._without_constraints(images.cut_side[:n_cuts]), winners.astype(np.int16)

    def _decisions(self, f: int) -> tuple[int, np.ndarray, np.ndarray, tuple[int, int]]:
        """Layer of a cell on the stack, its sides (of the constraints too) and winners, and how many are of layers before."""
        walk, at = self._walk, self._tables.at
        entry = walk.stack[f]
        layer = int(entry[LAYER])
        n_before = at[layer, CUT], at[layer, UNIT]
        before, winners_before = self._decided_before(layer)
        sides = np.full(at[layer + 1, CUT], OPEN_DECISION, np.int8)
        winners = np.full(at[layer + 1, UNIT], OPEN_DECISION, np.int16)
        sides[: n_before[0]], winners[: n_before[1]] = walk.images.cut_side[: n_before[0]], winners_before
        cuts, units = np.arange(at[layer, CUT], at[layer + 1, CUT]), np.arange(at[layer, UNIT], at[layer + 1, UNIT])
        decided, won = cuts[:0], units[:0]
        if layer == self._subtree.layer:
            decided, won = cuts[walk.given[cuts] == 1], units[walk.given_winner[units] == 1]
        if entry[STAGE] >= CUTTING:
            # cuts decided on the whole cell of the layer before are left open: they are found again by one test each
            lines = np.zeros(len(cuts), np.int64)
            pending = lines[: pending_lines(self._cells, f, lines)]
            tested = cuts[walk.certificates.slot[cuts] != DECIDED_AT_ENTRY]
            decided = np.union1d(decided, np.setdiff1d(tested, pending))
        if entry[STAGE] > CUTTING:
            groups = self._tables.group_unit[at[layer, GROUP] : entry[NEXT]] + at[layer, UNIT]
            won = np.union1d(won, groups)
        sides[decided] = walk.images.cut_side[decided]
        winners[won] = walk.images.piece[won]
        if entry[NEWS] == A_CUT:
            sides[entry[NEWS_INDEX]] = entry[NEWS_VALUE]
        elif entry[NEWS] == A_WINNER:
            winners[entry[NEWS_INDEX]] = entry[NEWS_VALUE]
        return layer, sides, winners, (len(before), len(winners_before))

    def _waiting(self, f: int) -> Subtree:
        """The subtree of a cell on the stack."""
        layer, sides, winners, n_before = self._decisions(f)
        witness = np.zeros(self._tables.dim)
        if not witness_of(self._cells, f, witness):
            witness = np.zeros(0)
        parent = int(self._walk.tally.path[NUMBER, layer])
        return Subtree(layer, self._without_constraints(sides), winners, n_before, witness, parent)

    def _grow(self, status: int) -> None:
        n, _, rows = self._cells.tables.shape
        lines = len(self._cells.lines)
        if status == STACK_FULL:
            n *= 2
        else:
            rows, lines = 2 * rows, lines + 2 * rows
        self._walk = grow_walk(self._walk, n)
        self._cells = dictionary.grow_cells(self._cells, n, rows, lines)

    def _take(self) -> Batch:
        """Take statistics, counters and rows out of the walk, and zero them there."""
        tally, work = self._walk.tally, self._cells.work
        statistics = Statistics.within(self._shape, tally.numbers.copy())
        tally.counters[LPS], tally.counters[PIVOTS] = work[dictionary.LPS], work[dictionary.PIVOTS]
        counters = Counters.of(tally.counters)
        tally.numbers[...] = 0
        tally.counters[...] = 0
        work[[dictionary.LPS, dictionary.PIVOTS]] = 0
        return Batch(statistics, counters, None if self._record == Record.NONE else self.take_cells())

    def take_cells(self) -> Cells:
        """Take the recorded rows out of the walk."""
        rows = self._walk.rows
        n = int(rows.filled[0])
        rows.filled[0] = 0
        return Cells(
            layer=rows.layer[:n].copy(),
            cell=rows.cell[:n].copy(),
            parent=rows.parent[:n].copy(),
            pieces=rows.pieces[:n].copy(),
            ranks=rows.ranks[:n].copy(),
            output_rank=rows.output_rank[:n].copy(),
            witness=self._in_domain(rows.witness[:n]),
        )

    def _in_domain(self, z: Floats) -> Floats:
        """Points of the domain's coordinates y (n, d) of points of the unit cube (n, dim); see `tables.py`."""
        if not self._problem.chart.whole:
            return z.copy()
        return np.asarray((2.0 * z[:, :-1] - 1.0) / z[:, -1:])


def _buffer_rows(tables: Tables) -> int:
    width = 2 * int(tables.at[-1, UNIT]) + 8 * tables.dim + 2 * tables.depth + 18
    return int(np.clip(BUFFER_BYTES // width, 1, 65536))
