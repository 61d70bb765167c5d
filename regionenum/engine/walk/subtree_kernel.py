"""Starting a walk at a subtree: its cell is rebuilt from its decisions alone.

The cell of a subtree is the unit cube cut by the domain's constraints and by the decided cuts and maxima of the layers
before, and of its own layer as far as they are decided. A hyperplane that provably does not cut what the ones before it
leave is left out. The subtree's witness is inside all of them, so that no search is needed for a point inside.
"""

from __future__ import annotations

from regionenum.engine.cells import (
    CUTS,
    NEW_LINE,
    POSITIVE,
    RESTRICT,
    begin,
    constraints,
    copy,
    drop,
    force,
    has_room,
    is_sure,
    line_of,
    n_pending,
    pending,
    place,
    restrict,
    test,
    witness,
)
from regionenum.engine.cells import add as add_row
from regionenum.engine.policy import kernel
from regionenum.engine.tables import CUT, EXACT, UNIT
from regionenum.engine.walk.group_kernel import IDLE
from regionenum.engine.walk.layer_kernel import (
    FLAT,
    STEEP,
    decide,
    pull_back,
    read_cut,
    read_difference,
    scale_normal,
    sign_on_cube,
)
from regionenum.engine.walk.question_kernel import ask, asks
from regionenum.engine.walk.rank_kernel import layer_rank, order_units
from regionenum.engine.walk.span_kernel import relate_rows
from regionenum.engine.walk.state import (
    CELL_FULL,
    CHILDREN_SO_FAR,
    CONTENT,
    DOMAIN_CELL,
    ENTER,
    FINISHED,
    FIRST_CELL,
    ISSUED,
    LAYER,
    NEWS,
    NO_ANSWER,
    NOTHING,
    NUMBER,
    OF_A_RANK,
    OPEN,
    PHASE,
    RANK,
    STAGE,
)

OPEN_DECISION = -1
"""Side of a cut, or winner of a maximum, that is not decided."""


@kernel
def _impose(tables, walk, cells, f, r):
    """Restrict cell f to the positive side of pending row r, which is known to be not empty."""
    outcome = test(cells, f, r, RESTRICT)
    if outcome == POSITIVE:
        drop(cells, f, r)
    elif outcome == CUTS:
        restrict(cells, f, r)
    else:
        # as it was decided once, and may have been by exact arithmetic
        witness(cells, f, walk.point)
        force(cells, f, r, POSITIVE, walk.point, 0)


@kernel
def _impose_cut(tables, walk, cells, f, layer, c, side):
    """Restrict cell f to a side of a cut."""
    decide(tables.cuts, walk.images.cut_side, walk.images.piece, c, side)
    constant, error_one, error_linear = read_cut(tables.at, tables.one, tables.cuts, walk.images, layer, c, walk.normal)
    sign = sign_on_cube(tables.one, constant, walk.normal, error_one, error_linear, tables.at[layer, EXACT])
    if sign not in (STEEP, FLAT):
        return None
    if side == 0:
        constant = scale_normal(constant, walk.normal, -1.0)
    return _impose(tables, walk, cells, f, add_row(cells, f, c, constant, walk.normal, error_one + error_linear))


@kernel
def _impose_winner(tables, walk, cells, f, layer, u, winner):
    """Restrict cell f to where one candidate of a maximum is largest."""
    walk.images.piece[u] = winner
    first = tables.units.member[u]
    row = tables.units.member_row[first + winner]
    for k in range(tables.units.member[u + 1] - first):
        if k == winner or tables.twin[first + k] != k:
            continue
        other = tables.units.member_row[first + k]
        constant, error_one, error_linear = read_difference(
            tables.at, tables.one, walk.images, layer, row, other, walk.normal
        )
        sign = sign_on_cube(tables.one, constant, walk.normal, error_one, error_linear, tables.at[layer, EXACT])
        if sign not in (STEEP, FLAT):
            continue
        _impose(tables, walk, cells, f, add_row(cells, f, NEW_LINE, constant, walk.normal, error_one + error_linear))


@kernel
def load_domain(tables, walk, cells, first_constraint):
    """Make the cell DOMAIN_CELL the unit cube, cut by the constraints (the cuts of layer 0 from that one on).

    FINISHED or CELL_FULL (make room, load again).
    """
    begin(cells, DOMAIN_CELL, 1 if tables.one > 0 else 0)
    relate_rows(tables, walk, cells, 0)
    for c in range(first_constraint, tables.at[1, CUT]):
        if not has_room(cells, DOMAIN_CELL, 1):
            return CELL_FULL
        _impose_cut(tables, walk, cells, DOMAIN_CELL, 0, c, 1)
    return FINISHED


@kernel
def load(tables, walk, cells, layer, sides, winners, point, told, parent, first_number, first_constraint):
    """Make the cell FIRST_CELL the one of a subtree, and the walk ready to explore it.

    FINISHED, CELL_FULL (make room, load again), or ASKED about the rank of a layer (write it to `told`, load again).

    layer, sides, winners, parent : see `interface.Subtree`, but with the domain's constraints among the sides. point : its
    witness, or nothing. told : (depth,) the ranks of layers that were asked for, and -1. first_number : number of the first
    cell found.
    """
    path, at = walk.tally.path, tables.at
    copy(cells, DOMAIN_CELL, FIRST_CELL)
    if point.shape[0] > 0:
        place(cells, FIRST_CELL, point)
    path[OPEN, :] = 0
    path[CHILDREN_SO_FAR, :] = 0
    path[RANK, 0] = tables.free
    walk.given[:] = 0
    walk.given_winner[:] = 0
    for k in range(layer + 1):
        if k > 0:
            pull_back(tables, walk.images, k)
        relate_rows(tables, walk, cells, k)
        for c in range(at[k, CUT], at[k + 1, CUT]):
            if sides[c] == OPEN_DECISION:
                continue
            if k == layer:
                walk.given[c] = 1
            if k == 0 and c >= first_constraint:
                walk.images.cut_side[c] = 1
                continue
            if not has_room(cells, FIRST_CELL, 1):
                return CELL_FULL
            _impose_cut(tables, walk, cells, FIRST_CELL, k, c, sides[c])
        for u in range(at[k, UNIT], at[k + 1, UNIT]):
            if winners[u] == OPEN_DECISION:
                continue
            if not has_room(cells, FIRST_CELL, tables.units.member[u + 1] - tables.units.member[u]):
                return CELL_FULL
            _impose_winner(tables, walk, cells, FIRST_CELL, k, u, winners[u])
            if k == layer:
                walk.given_winner[u] = 1
        if k < layer:
            order_units(at, tables.units, walk.certificates.slot, walk.ranks, k)
            rank, doubtful = layer_rank(at, tables.units, walk.images, walk.ranks, k, path[RANK, k])
            if doubtful > 0 and asks(walk.questions):
                if told[k] < 0:
                    return ask(walk.questions, OF_A_RANK, 0, k, 0, 0, rank)
                rank = told[k]
            path[RANK, k + 1] = rank
    path[NUMBER, layer] = parent
    path[ISSUED, 0] = first_number
    walk.stack[FIRST_CELL, LAYER] = layer
    walk.stack[FIRST_CELL, STAGE] = ENTER
    walk.stack[FIRST_CELL, NEWS] = NOTHING
    walk.top[0] = FIRST_CELL
    walk.groups.scan[PHASE] = IDLE
    walk.questions.answer[:, CONTENT] = NO_ANSWER
    return FINISHED


@kernel
def pending_lines(cells, f, lines):
    """Write the lines of the pending rows of cell f; returns their number."""
    n = n_pending(cells, f)
    for k in range(n):
        lines[k] = line_of(cells, f, pending(cells, f, k))
    return n


@kernel
def constraint_lines(cells, f, lines):
    """Write the lines of the rows that bound cell f; returns their number."""
    return constraints(cells, f, lines)


@kernel
def witness_of(cells, f, point):
    """Write the witness of cell f; returns whether it is sure."""
    witness(cells, f, point)
    return is_sure(cells, f)
