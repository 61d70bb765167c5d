"""Whether a hyperplane cuts a cell, and the cells on its two sides.

A test has a witness on one side. The simplex method seeks a vertex on the other, and stops at the first edge that gets
there; then a point between the witness and the end of that edge is tried as a witness of the other side. If the search
ends with a maximum that is not beyond the hyperplane, its multipliers are tried as a proof that nothing is
(`proof_kernel.py`). What neither proof covers is doubtful: a sliver, a hyperplane that touches, or a
dictionary that has drifted, which is then computed afresh before the test is made again.
"""

from __future__ import annotations

from regionenum.engine.cells import BROKEN, CUTS, DOUBTFUL, LEAF, NEGATIVE, POSITIVE, RESTRICT, SCREEN, SPLIT
from regionenum.engine.dictionary.layout import (
    AGE,
    BLOCK,
    BOUND,
    COL_FLIP,
    COL_VAR,
    COLUMN,
    CONE,
    DIM,
    EDGE,
    END_AT,
    EXTRA,
    LIKELY,
    LPS,
    N_BASIC,
    N_ROWS,
    OTHER_AT,
    PIVOTS,
    PLACE,
    POINT_AT,
    ROW_FLIP,
    ROW_VAR,
    SIZE,
    SURE,
    TODO,
    VALUE,
    WITNESS_AT,
    WORK,
    append_row,
    copy_cell,
    express,
    swap_rows,
    unit_cube,
    vertex_point,
)
from regionenum.engine.dictionary.proof_kernel import does_not_reach, has_drifted, is_inside, move_witness, value_at
from regionenum.engine.dictionary.renew_kernel import renew
from regionenum.engine.dictionary.simplex_kernel import (
    FAILED,
    OPTIMAL,
    PASSED,
    edge,
    negate_column,
    negate_row,
    pivot,
    seek,
)
from regionenum.engine.lanes import copy8, load8, multiply_add8, splat8, store8, subtract8
from regionenum.engine.policy import inlined, kernel

DEEP = 1e-9
"""A vertex this far beyond a hyperplane is far enough to try a witness; a search first looks for such a one."""
LEVEL = 1e-13
"""The crossing edge starts at most this far beyond the hyperplane, so that a pivot leaves the cell by no more."""
LIKELY_DEPTH = 2e-11
"""What cannot be proved is taken for a cut if a vertex is farther beyond the hyperplane than this."""
EVERYTHING = 1e300
OLD = 60
"""Pivots, beside two for each dimension, after which a dictionary is computed afresh before a row is added to it."""


@inlined
def _seek(table, label, work, r, sign, enough):
    """`seek`, counted."""
    before = label[SIZE, AGE]
    found = seek(table, label, r, sign, enough)
    work[LPS] += 1
    work[PIVOTS] += label[SIZE, AGE] - before
    return found


@inlined
def _reach(table, label, lines, r, sign, inside, at):
    """Try to prove that the side -sign of row r meets the cell, by a point between the witness and that in line `at`.

    inside : sign times the row's value at the witness. The point, half way between the hyperplane and the one in line `at`,
    is written to line OTHER_AT in any case.
    """
    line = lines[label[ROW_VAR, r] - label[SIZE, DIM]]
    outside = sign * value_at(line, table[at])
    tau = 0.5 if outside >= 0.0 or inside <= 0.0 else 0.5 * (1.0 + inside / (inside - outside))
    for k in range(0, label[SIZE, DIM], BLOCK):
        z = load8(table[WITNESS_AT], k)
        store8(table[OTHER_AT], k, multiply_add8(splat8(tau), subtract8(load8(table[at], k), z), z))
    table[WORK, 1] = tau
    bound = line[line.shape[0] - EXTRA + BOUND]
    return -sign * value_at(line, table[OTHER_AT]) > bound and is_inside(table, label, lines, OTHER_AT)


@kernel
def _leave(table, label, lines, work, r):
    """Move a witness that lies on the hyperplane of row r, or is unsure: CUTS if it is sure and off now, else an outcome."""
    line = lines[label[ROW_VAR, r] - label[SIZE, DIM]]
    for side in range(2):
        sign = 1.0 if side == 0 else -1.0
        status, j, length = _seek(table, label, work, r, sign, DEEP)
        if status == FAILED:
            return BROKEN
        if status == OPTIMAL and does_not_reach(table, label, lines, work, r, sign):
            return NEGATIVE if side == 0 else POSITIVE
        vertex_point(table, label, j if status == PASSED else -1, length, END_AT)
        for k in range(label[SIZE, DIM]):
            z = table[WITNESS_AT, k]
            table[OTHER_AT, k] = z + 0.5 * (table[END_AT, k] - z)
        bound = line[line.shape[0] - EXTRA + BOUND]
        if sign * value_at(line, table[OTHER_AT]) > bound and is_inside(table, label, lines, OTHER_AT):
            move_witness(table, label, OTHER_AT)
            return CUTS
    label[TODO, LIKELY] = NEGATIVE
    return DOUBTFUL


@kernel
def _find_edge(table, label, work, r, sign, status, j, length):
    """Find the edge that crosses row r, for the pivot of `split_row`; the vertex may be on either side.

    `status`, `j`, `length` : what the search towards the side -sign ended with.
    """
    if status != PASSED or -sign * table[VALUE, r] > LEVEL:
        status, j, length = _seek(table, label, work, r, sign, LEVEL)
    if status == FAILED:
        return False
    if status != PASSED:
        # The cell on the witness' side is no deeper than LEVEL, or the vertex is on the hyperplane: it need not move.
        j, length = 0, 0.0
        for k in range(1, label[SIZE, DIM]):
            if abs(table[COLUMN + k, r]) > abs(table[COLUMN + j, r]):
                j = k
        if table[COLUMN + j, r] == 0.0:
            return False
    label[SIZE, EDGE] = j
    table[WORK, 0] = length
    return True


@inlined
def _attempt(table, label, lines, work, r, purpose):
    """One attempt at `test_row`."""
    line = lines[label[ROW_VAR, r] - label[SIZE, DIM]]
    bound = line[line.shape[0] - EXTRA + BOUND]
    inside = value_at(line, table[WITNESS_AT])
    if abs(inside) <= bound or label[SIZE, SURE] == 0:
        outcome = _leave(table, label, lines, work, r)
        if outcome != CUTS:
            return outcome
        inside = value_at(line, table[WITNESS_AT])
    sign = 1.0 if inside > 0.0 else -1.0
    inside *= sign
    here = POSITIVE if sign > 0.0 else NEGATIVE
    if purpose in (SCREEN, LEAF) and -sign * value_at(line, table[POINT_AT]) > DEEP:
        if purpose == SCREEN:
            return CUTS
        if purpose == LEAF and _reach(table, label, lines, r, sign, inside, POINT_AT):
            return CUTS
    status, j, length = _seek(table, label, work, r, -sign, DEEP)
    if status == FAILED:
        return BROKEN
    if status == OPTIMAL:
        if does_not_reach(table, label, lines, work, r, -sign):
            return here
    elif purpose == SCREEN:
        return CUTS
    if purpose == RESTRICT and here == POSITIVE:
        return CUTS
    vertex_point(table, label, j if status == PASSED else -1, length, END_AT)
    proved = _reach(table, label, lines, r, sign, inside, END_AT)
    if not proved and status != OPTIMAL:
        # Not deep enough in this corner: the deepest point is the best there is.
        status, j, length = _seek(table, label, work, r, -sign, EVERYTHING)
        if status != OPTIMAL:
            return BROKEN
        vertex_point(table, label, -1, 0.0, END_AT)
        proved = _reach(table, label, lines, r, sign, inside, END_AT)
    label[TODO, LIKELY] = CUTS if proved or -sign * table[VALUE, r] > LIKELY_DEPTH + 2.0 * bound else here
    if (
        label[TODO, LIKELY] == CUTS
        and purpose == SPLIT
        and not _find_edge(table, label, work, r, sign, status, j, length)
    ):
        return BROKEN
    return CUTS if proved else DOUBTFUL


@kernel
def test_row(table, label, lines, system, work, r, purpose):
    """Does pending row r cut the cell? An outcome of `engine/cells.py`.

    The witness may be moved to another interior point, and the vertex to another vertex.
    """
    is_fresh = False
    while True:
        outcome = _attempt(table, label, lines, work, r, purpose)
        if is_fresh or outcome < DOUBTFUL:
            return outcome
        if outcome == DOUBTFUL and (label[SIZE, AGE] == 0 or not has_drifted(table, label, lines, r)):
            return outcome
        if not renew(table, label, lines, system):
            rebuild(table, label, lines, work)
        is_fresh = True


@kernel
def add_row(table, label, lines, system, work, line):
    """Append the function on a line as a pending row; returns its position."""
    if label[SIZE, AGE] > OLD + 2 * label[SIZE, DIM] and not renew(table, label, lines, system):
        rebuild(table, label, lines, work)
    r = append_row(table, label)
    label[ROW_VAR, r] = label[SIZE, DIM] + line
    express(table, label, lines[line], r)
    return r


@kernel
def split_row(table, label, child_table, child_label, lines, work, r):
    """Cut the cell by pending row r: the cell keeps its witness and that side, which is returned; the child gets the other.

    The pivot of row r with the column of the edge that crosses puts the vertex on the hyperplane; the slack of one side
    is the row, of the other its negative. The child's witness is the point that proved its side. Each part keeps an end
    of the edge as its known point, if that is off the hyperplane.
    """
    swap_rows(table, label, r, label[SIZE, N_BASIC])
    r = label[SIZE, N_BASIC]
    dim = label[SIZE, DIM]
    line = lines[label[ROW_VAR, r] - dim]
    sign = 1.0 if value_at(line, table[WITNESS_AT]) > 0.0 else -1.0
    j, length, tau = label[SIZE, EDGE], table[WORK, 0], table[WORK, 1]
    # END_AT: the end of the edge on the other side, for the child
    theirs = length if table[VALUE, r] * sign >= 0.0 else 0.0
    vertex_point(table, label, j, theirs, END_AT)
    if sign * (table[VALUE, r] + (length - theirs) * table[COLUMN + j, r]) > DEEP:
        vertex_point(table, label, j, length - theirs, POINT_AT)
    elif sign * value_at(line, table[POINT_AT]) <= DEEP:
        for k in range(dim):
            table[POINT_AT, k] = table[WITNESS_AT, k]
    pivot(table, label, r, j)
    work[PIVOTS] += 1
    label[SIZE, N_BASIC] += 1
    copy_cell(table, label, child_table, child_label)
    for k in range(0, dim, BLOCK):
        copy8(child_table[POINT_AT], k, table[END_AT])
        copy8(child_table[WITNESS_AT], k, table[OTHER_AT])
    child_label[SIZE, SURE] = 1
    if sign > 0.0:
        negate_column(child_table, child_label, j)
    else:
        negate_column(table, label, j)
    if tau > 0.98:
        recentre(child_table, child_label, lines)
    return POSITIVE if sign > 0.0 else NEGATIVE


@kernel
def restrict_row(table, label, lines, work, r):
    """Make pending row r > 0 a constraint of the cell, after CUTS for RESTRICT; where no vertex is found, as in `force_row`."""
    swap_rows(table, label, r, label[SIZE, N_BASIC])
    r = label[SIZE, N_BASIC]
    if value_at(lines[label[ROW_VAR, r] - label[SIZE, DIM]], table[WITNESS_AT]) <= 0.0:
        move_witness(table, label, OTHER_AT)
    for k in range(label[SIZE, DIM]):
        table[POINT_AT, k] = table[WITNESS_AT, k]
    _to_its_side(table, label, work, r)
    label[SIZE, N_BASIC] += 1


@kernel
def _to_its_side(table, label, work, r):
    """Bring the vertex to where row r is not negative, if it can be."""
    if table[VALUE, r] < 0.0:
        status, j, _ = _seek(table, label, work, r, 1.0, 0.0)
        if status == PASSED:
            pivot(table, label, r, j)
            work[PIVOTS] += 1


@kernel
def force_row(table, label, lines, work, r, side, point, sure):
    """Make pending row r > 0, or < 0 by `side`, a constraint, and a point the witness.

    The vertex is brought to that side, if it can be. If not the dictionary is no vertex of the cell: tests are then less likely
    to prove anything, but what they prove is proved by the lines.
    """
    swap_rows(table, label, r, label[SIZE, N_BASIC])
    r = label[SIZE, N_BASIC]
    if side == NEGATIVE:
        negate_row(table, label, r)
    for k in range(label[SIZE, DIM]):
        table[WITNESS_AT, k] = point[k]
        table[POINT_AT, k] = point[k]
    label[SIZE, SURE] = sure
    _to_its_side(table, label, work, r)
    label[SIZE, N_BASIC] += 1


@kernel
def recentre(table, label, lines):
    """Move the witness half way to the centroid of the vertex and its neighbours, if that is proved to be inside."""
    dim = label[SIZE, DIM]
    centroid, n_basic = table[WORK], label[SIZE, N_BASIC]
    # of the basic variables, less their values at the vertex; END_AT holds the steps of the nonbasic ones
    for b in range(0, n_basic, BLOCK):
        store8(centroid, b, splat8(0.0))
    for j in range(dim):
        length, _ = edge(table, label, j, False)
        step = length / (dim + 1)
        table[END_AT, j] = step
        for b in range(0, n_basic, BLOCK):
            store8(centroid, b, multiply_add8(splat8(step), load8(table[COLUMN + j], b), load8(centroid, b)))
    for k in range(dim):
        p = label[PLACE, k]
        z = table[VALUE, p] + centroid[p] if p >= 0 else table[END_AT, -1 - p]
        flipped = label[ROW_FLIP, p] if p >= 0 else label[COL_FLIP, -1 - p]
        table[OTHER_AT, k] = 0.5 * (table[WITNESS_AT, k] + (1.0 - z if flipped else z))
    if is_inside(table, label, lines, OTHER_AT):
        move_witness(table, label, OTHER_AT)


@kernel
def rebuild(table, label, lines, work):
    """Make the dictionary again from nothing but its constraints and its witness, one constraint after the other.

    Where no vertex is found, as in `force_row`, the constraints are there even so.
    """
    dim, n_basic, n_rows, cone = label[SIZE, DIM], label[SIZE, N_BASIC], label[SIZE, N_ROWS], label[SIZE, CONE]
    # There are as many coordinates among the rows as hyperplanes among the columns: n_basic constraints.
    n = 0
    for i in range(n_basic):
        if label[ROW_VAR, i] >= dim:
            label[TODO, n] = 2 * (label[ROW_VAR, i] - dim) + label[ROW_FLIP, i]
            n += 1
    for j in range(dim):
        if label[COL_VAR, j] >= dim:
            label[TODO, n] = 2 * (label[COL_VAR, j] - dim) + label[COL_FLIP, j]
            n += 1
    for i in range(n_basic, n_rows):
        label[TODO, i] = 2 * (label[ROW_VAR, i] - dim)
    for k in range(dim):
        table[OTHER_AT, k] = table[WITNESS_AT, k]
    sure = label[SIZE, SURE]
    unit_cube(table, label, cone)
    move_witness(table, label, OTHER_AT)
    label[SIZE, SURE] = sure
    for k in range(dim):
        table[POINT_AT, k] = table[WITNESS_AT, k]
    for i in range(n_rows):
        line = label[TODO, i] // 2
        r = append_row(table, label)
        label[ROW_VAR, r] = dim + line
        express(table, label, lines[line], r)
        if i >= n_basic:
            continue
        if label[TODO, i] % 2 == 1:
            negate_row(table, label, r)
        _to_its_side(table, label, work, r)
        label[SIZE, N_BASIC] += 1
