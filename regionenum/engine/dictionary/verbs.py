"""The verbs of `engine/cells.py` for dictionaries: each picks the arrays of its cell and calls a kernel."""

from __future__ import annotations

from regionenum.engine.cells import NEW_LINE, register
from regionenum.engine.dictionary.cut_kernel import add_row, force_row, recentre, restrict_row, split_row, test_row
from regionenum.engine.dictionary.layout import (
    BLOCK,
    COL_VAR,
    COLUMN,
    DIM,
    EXTRA,
    FREE_LINE,
    KEPT,
    LEVEL,
    LIKELY,
    N_BASIC,
    N_ROWS,
    OTHER_AT,
    PASSED,
    ROW_VAR,
    SIZE,
    SPAN,
    SURE,
    TODO,
    WITNESS_AT,
    DictionaryCells,
    copy_cell,
    drop_row,
    unit_cube,
)
from regionenum.engine.dictionary.proof_kernel import move_witness, scaled_line
from regionenum.engine.dictionary.simplex_kernel import COST_TOL
from regionenum.engine.policy import inlined, kernel


@kernel
def _begin(table, label, work, cone):
    unit_cube(table, label, cone)
    label[SIZE, FREE_LINE] = work[KEPT]


@kernel
def _share_lines(labels, f, g):
    """After copying cell f to g: no cell from the lower of the two up may take a line that one of them uses."""
    top = max(f, g)
    free = labels[f, SIZE, FREE_LINE]
    for h in range(min(f, g), top):
        free = max(free, labels[h, SIZE, FREE_LINE])
    labels[g, SIZE, FREE_LINE] = free
    for h in range(g, f):
        labels[h, SIZE, FREE_LINE] = free


@inlined
def _relate(line, level, passed):
    pad = line.shape[0] - EXTRA
    line[pad + LEVEL], line[pad + PASSED] = level + 1, passed


@inlined
def _add(table, label, lines, system, work, line, constant, normal, error):
    if line == NEW_LINE:
        line = label[SIZE, FREE_LINE]
        label[SIZE, FREE_LINE] += 1
        _relate(lines[line], -1, 0)
    scaled_line(lines[line], constant, normal, error)
    return add_row(table, label, lines, system, work, line)


@kernel
def _drop(table, label, work, r):
    line = label[ROW_VAR, r] - label[SIZE, DIM]
    if line >= work[KEPT] and line == label[SIZE, FREE_LINE] - 1:
        label[SIZE, FREE_LINE] = line
    drop_row(table, label, r)


@inlined
def _first_pending(label):
    r = label[SIZE, N_BASIC]
    for i in range(r + 1, label[SIZE, N_ROWS]):
        if label[ROW_VAR, i] < label[ROW_VAR, r]:
            r = i
    return r


@inlined
def _tight(table, label, r, lines):
    """The multipliers that `proof_kernel.does_not_reach` used."""
    dim, n = label[SIZE, DIM], 0
    for j in range(dim):
        if label[COL_VAR, j] >= dim and abs(table[COLUMN + j, r]) > COST_TOL:
            lines[n] = label[COL_VAR, j] - dim
            n += 1
    return n


@kernel
def _constraints(label, lines):
    dim, n = label[SIZE, DIM], 0
    for i in range(label[SIZE, N_BASIC]):
        if label[ROW_VAR, i] >= dim:
            lines[n] = label[ROW_VAR, i] - dim
            n += 1
    for j in range(dim):
        if label[COL_VAR, j] >= dim:
            lines[n] = label[COL_VAR, j] - dim
            n += 1
    return n


@kernel
def _place(table, label, point):
    for k in range(label[SIZE, DIM]):
        table[OTHER_AT, k] = point[k]
    move_witness(table, label, OTHER_AT)


@kernel
def _witness(table, label, point):
    for k in range(label[SIZE, DIM]):
        point[k] = table[WITNESS_AT, k]


def begin(cells, f, cone):
    return _begin(cells.tables[f], cells.labels[f], cells.work, cone)


def copy(cells, f, g):
    copy_cell(cells.tables[f], cells.labels[f], cells.tables[g], cells.labels[g])
    return _share_lines(cells.labels, f, g)


def has_room(cells, f, n):
    rows, free = cells.labels[f, SIZE, N_ROWS] + n + 2 * BLOCK, cells.labels[f, SIZE, FREE_LINE] + n
    return rows <= cells.tables.shape[2] and free <= cells.lines.shape[0]


def capacity(cells):
    return cells.tables.shape[0]


def relate(cells, line, level, passed):
    return _relate(cells.lines[line], level, passed)


def set_span(cells, level, n):
    cells.work[SPAN + level] = n


def add(cells, f, line, constant, normal, error):
    table, label = cells.tables[f], cells.labels[f]
    return _add(table, label, cells.lines, cells.system, cells.work, line, constant, normal, error)


def test(cells, f, r, purpose):
    return test_row(cells.tables[f], cells.labels[f], cells.lines, cells.system, cells.work, r, purpose)


def likely(cells, f):
    return cells.labels[f, TODO, LIKELY]


def split(cells, f, r, g):
    lines, work = cells.lines, cells.work
    return split_row(cells.tables[f], cells.labels[f], cells.tables[g], cells.labels[g], lines, work, r)


def restrict(cells, f, r):
    return restrict_row(cells.tables[f], cells.labels[f], cells.lines, cells.work, r)


def force(cells, f, r, side, point, sure):
    return force_row(cells.tables[f], cells.labels[f], cells.lines, cells.work, r, side, point, sure)


def drop(cells, f, r):
    return _drop(cells.tables[f], cells.labels[f], cells.work, r)


def constraints(cells, f, lines):
    return _constraints(cells.labels[f], lines)


def n_pending(cells, f):
    return cells.labels[f, SIZE, N_ROWS] - cells.labels[f, SIZE, N_BASIC]


def pending(cells, f, k):
    return cells.labels[f, SIZE, N_BASIC] + k


def first_pending(cells, f):
    return _first_pending(cells.labels[f])


def line_of(cells, f, r):
    return cells.labels[f, ROW_VAR, r] - cells.labels[f, SIZE, DIM]


def tight(cells, f, r, lines):
    return _tight(cells.tables[f], cells.labels[f], r, lines)


def place(cells, f, point):
    return _place(cells.tables[f], cells.labels[f], point)


def witness(cells, f, point):
    return _witness(cells.tables[f], cells.labels[f], point)


def is_sure(cells, f):
    return cells.labels[f, SIZE, SURE] == 1


def centre(cells, f):
    return recentre(cells.tables[f], cells.labels[f], cells.lines)


register(
    DictionaryCells,
    begin,
    copy,
    has_room,
    capacity,
    relate,
    set_span,
    add,
    test,
    likely,
    split,
    restrict,
    force,
    drop,
    constraints,
    n_pending,
    pending,
    first_pending,
    line_of,
    tight,
    place,
    witness,
    is_sure,
    centre,
)
