"""The state of a tree walk: arrays only, so that a walk can stop anywhere and go on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from regionenum.engine.counters import N_COUNTERS
from regionenum.engine.statistics import Shape, Statistics
from regionenum.engine.tables import CUT, UNIT, Tables
from regionenum.engine.walk.certificate_kernel import Certificates, make_certificates
from regionenum.engine.walk.layer_kernel import Images, make_images
from regionenum.engine.walk.rank_kernel import Ranks, make_ranks
from regionenum.network.units import Floats, Ints

DOMAIN_CELL, FIRST_CELL = 0, 1
"""Positions on the stack of cells: the domain, of which subtrees begin with a copy, and the first cell of the walk."""

ENTER, FILL, CUTTING, GROUPS, DONE = 0, 1, 2, 3, 4
"""Stages of a cell in a layer."""
FINISHED, PAUSED, ROWS_FULL, STACK_FULL, CELL_FULL, GAVE_UP, ASKED = 0, 1, 2, 3, 4, 5, 6
"""How a stretch of the walk ends. The three in the middle ask the caller to make room; ASKED waits for an answer."""

LAYER, STAGE, NEXT, PLUS_MASK, MINUS_MASK, NEWS, NEWS_INDEX, NEWS_VALUE, STACK_FIELDS = 0, 1, 2, 3, 4, 5, 6, 7, 8
"""What a waiting cell needs beside itself: where it is, the next cut (FILL) or group (GROUPS), the slots decided positive
and negative, and what its first visit has to write down."""
NOTHING, A_CUT, A_WINNER = 0, 1, 2
"""Kinds of news."""

PHASE, AT, N_LISTED, LEADER, CHILD, N_CHILDREN, SCAN_FIELDS = 0, 1, 2, 3, 4, 5, 6
"""Where the decision of a maximum on the top cell is; see `group_kernel`."""

OPEN, RANK, CHILDREN_SO_FAR, NUMBER, ISSUED, OUTPUT_RANK, PATH_FIELDS = 0, 1, 2, 3, 4, 5, 6
"""Lines of `Tally.path`, by layer with the domain first. Entry 0 of ISSUED is how many cell numbers were given out, and that of
OUTPUT_RANK the rank of the network's map on the last region."""
CELLS, CHILDREN, MAX_CHILDREN, UNSPLIT, STATISTICS = 0, 1, 2, 3, 4
"""First axis of `Tally.statistics`; see `interface.Statistics`."""


IS_EXACT, KIND = 0, 1
"""Entries of `Questions.mode`."""
OF_A_ROW, OF_A_RANK, OF_THE_OUTPUT, KINDS = 0, 1, 2, 3
"""Kinds of questions."""
CELL, FIRST, SECOND, THIRD, QUESTION_FIELDS = 0, 1, 2, 3, 4
"""What a question is about. Of a row: the cell, and a cut (THIRD = -1), or a maximum and two candidates, whose difference is
meant. Of a rank: the layer (FIRST), on the cell of the present path. Of the output: its rank there."""
CONTENT, LIKELY, SURE_BELOW, SURE_ABOVE, N_TIGHT, ANSWER_FIELDS = 0, 1, 2, 3, 4, 5
"""An answer: an outcome of a test, or a rank; what float64 would have said; whether the two points are strictly inside; and
how many cuts of the layer prove it (`Questions.tight`)."""
NO_ANSWER = -1


class Tally(NamedTuple):
    """Statistics (see `engine/statistics.py`), and the cells of the present path."""

    numbers: Ints  # all of the statistics; the next five are parts of it
    statistics: Ints  # (STATISTICS, depth + 1, free + 1)
    output: Ints  # (free + 1,)
    transitions: Ints  # (depth + 1, rank + 1, rank + 1)
    spread: Ints  # (depth + 1, rank + 1, BINS)
    cutting: Ints  # (depth + 1, rank + 1, units + 1)
    seen: Ints  # (n_units,) the piece of each unit in all children so far of the present cell of the layer before; or SEVERAL
    last: Ints  # (n_units,) its piece in the last of them
    path: Ints  # (PATH_FIELDS, depth + 1)
    counters: Ints  # (N_COUNTERS,) see engine/counters.py


class Rows(NamedTuple):
    """Recorded cells, until the caller takes them; see `interface.Cells`. Witnesses are in the coordinates z."""

    filled: Ints  # (1,)
    layer: npt.NDArray[np.int16]
    cell: Ints
    parent: Ints
    pieces: npt.NDArray[np.uint16]
    ranks: npt.NDArray[np.uint16]
    output_rank: npt.NDArray[np.uint16]
    witness: Floats


class Groups(NamedTuple):
    """The decision of a maximum, as far as it has come; all for the largest group."""

    scan: Ints  # (SCAN_FIELDS,)
    listed: Ints  # candidates that can still win
    key: Floats  # scratch: their values at the witness


class Questions(NamedTuple):
    """What the walk asks when a decision is in doubt, and what it was told; see `question_kernel`."""

    mode: Ints  # (2,) whether to ask (if not, what is likely is believed and counted as doubtful); the kind asked last
    asked: Ints  # (KINDS, QUESTION_FIELDS) the last question of each kind
    answer: Ints  # (KINDS, ANSWER_FIELDS) its answer
    points: Floats  # (2, dim) points of the negative side, and of the positive one
    tight: Ints  # (dim + 1,) cuts of the layer from which an answer that nothing cuts follows


class Walk(NamedTuple):
    """Everything that changes during a walk, but for the cells themselves."""

    stack: Ints  # (n, STACK_FIELDS)
    top: Ints  # (1,) index of the cell that is worked on
    images: Images
    ranks: Ranks
    certificates: Certificates
    groups: Groups
    tally: Tally
    rows: Rows
    questions: Questions
    normal: Floats  # (dim,) scratch
    point: Floats  # (dim,) scratch
    lines: Ints  # (dim,) scratch
    given: npt.NDArray[np.int8]  # (cuts,) 1 if the subtree that is walked came with this cut decided in its own layer
    given_winner: npt.NDArray[np.int8]  # (n_units,) the same for maxima


def make_questions(dim: int) -> Questions:
    """No questions; doubtful decisions are believed."""
    questions = Questions(
        mode=np.zeros(2, np.int64),
        asked=np.zeros((KINDS, QUESTION_FIELDS), np.int64),
        answer=np.zeros((KINDS, ANSWER_FIELDS), np.int64),
        points=np.zeros((2, dim)),
        tight=np.zeros(dim + 1, np.int64),
    )
    questions.answer[:, CONTENT] = NO_ANSWER
    return questions


def make_tally(shape: Shape, n_units: int) -> Tally:
    """Nothing counted."""
    numbers = np.zeros(Statistics.size(shape), np.int64)
    parts = Statistics.within(shape, numbers)
    by_rank = numbers[: STATISTICS * parts.cells.size].reshape(STATISTICS, *parts.cells.shape)
    return Tally(
        numbers=numbers,
        statistics=by_rank,
        output=parts.output,
        transitions=parts.transitions,
        spread=parts.spread,
        cutting=parts.cutting,
        seen=np.zeros(n_units, np.int64),
        last=np.zeros(n_units, np.int64),
        path=np.zeros((PATH_FIELDS, shape.depth + 1), np.int64),
        counters=np.zeros(N_COUNTERS, np.int64),
    )


def make_walk(tables: Tables, recorded_rows: int, stack_size: int) -> Walk:
    """Storage for a walk, which `subtree_kernel.load` starts; needs at least one unit layer."""
    dim, depth = tables.dim, tables.depth
    n_units = int(tables.at[-1, UNIT])
    largest = int(np.diff(tables.units.member).max(initial=1))
    return Walk(
        stack=np.zeros((stack_size, STACK_FIELDS), np.int64),
        top=np.zeros(1, np.int64),
        images=make_images(tables),
        ranks=make_ranks(tables),
        certificates=make_certificates(tables),
        groups=Groups(np.zeros(SCAN_FIELDS, np.int64), np.zeros(largest, np.int64), np.zeros(largest)),
        tally=make_tally(Shape.of(tables.free, tuple(np.diff(tables.at[:, UNIT]).tolist())), n_units),
        rows=Rows(
            filled=np.zeros(1, np.int64),
            layer=np.zeros(recorded_rows, np.int16),
            cell=np.zeros(recorded_rows, np.int64),
            parent=np.zeros(recorded_rows, np.int64),
            pieces=np.zeros((recorded_rows, n_units), np.uint16),
            ranks=np.zeros((recorded_rows, depth), np.uint16),
            output_rank=np.zeros(recorded_rows, np.uint16),
            witness=np.zeros((recorded_rows, dim)),
        ),
        questions=make_questions(dim),
        normal=np.zeros(dim),
        point=np.zeros(dim),
        lines=np.zeros(dim, np.int64),
        given=np.zeros(int(tables.at[-1, CUT]), np.int8),
        given_winner=np.zeros(n_units, np.int8),
    )


def grow_walk(walk: Walk, stack_size: int) -> Walk:
    """The same walk with room for more waiting cells."""
    stack: npt.NDArray[Any] = np.zeros((stack_size, STACK_FIELDS), np.int64)
    stack[: len(walk.stack)] = walk.stack
    return walk._replace(stack=stack)
