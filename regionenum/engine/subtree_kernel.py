"""Starting a walk at a subtree: its cell is rebuilt from its decisions alone.

The cell of a subtree is the unit cube cut by the domain's constraints and by the decided cuts and maxima of the layers
before, and of its own layer as far as they are decided.

A hyperplane that does not cut what the ones before it leave is redundant and is left out, so
that the dictionary has only rows that matter.
"""

from __future__ import annotations

from regionenum.engine.cut_kernel import BROKEN, CUT_TOL, CUTS_CELL, DECIDED, restrict
from regionenum.engine.group_kernel import difference_row
from regionenum.engine.layer_kernel import norm, pull_back, read_cut, scale_normal, slope_and_level
from regionenum.engine.policy import kernel
from regionenum.engine.rank_kernel import layer_rank
from regionenum.engine.refresh_kernel import refresh, variable_row
from regionenum.engine.simplex_kernel import (
    AGE,
    BLOCK,
    COL_FLIP,
    COL_VAR,
    COLUMN,
    COLUMN_WITNESS,
    CONE,
    FAILED,
    N_ROWS,
    OPTIMAL,
    SIZE,
    VALUE,
    WITNESS,
    append_row,
    copy_cell,
    drop_row,
    express,
    locate,
    seek,
    unit_cube,
)
from regionenum.engine.tables import CUT, UNIT
from regionenum.engine.walk_kernel import order_units
from regionenum.engine.walk_state import (
    CHILDREN_SO_FAR,
    DICTIONARY_FULL,
    ENTER,
    FINISHED,
    GAVE_UP,
    ISSUED,
    LAYER,
    NEWS,
    NOTHING,
    NUMBER,
    OPEN,
    RANK,
    STAGE,
)

OPEN_DECISION = -1
"""Side of a cut, or winner of a maximum, that is not decided."""


@kernel
def _impose(table, label, r, variable, error, counters):
    """Make pending row r > 0 a constraint, unless it is redundant; an outcome of `restrict`."""
    status, _, _ = seek(table, label, r, -1.0, CUT_TOL + error)
    if status == FAILED:
        return BROKEN
    if status == OPTIMAL:
        drop_row(table, label, r)
        return CUTS_CELL
    return restrict(table, label, r, variable, error, counters)


@kernel
def _impose_cut(tables, walk, layer, c, side):
    """Restrict cell 0 to a side of a cut."""
    table, label, images, normal = walk.cells[0], walk.labels[0], walk.images, walk.normal
    images.cut_side[c] = side
    constant, noise = read_cut(tables, images, layer, c, normal)
    size, _ = slope_and_level(tables, constant, normal)
    if size <= 4.0 * noise or size < 1e-300:
        return CUTS_CELL
    size = norm(normal)
    images.cut_error[c] = 2.0 * noise / size
    constant = scale_normal(constant, normal, (1.0 if side == 1 else -1.0) / size)
    locate(label)
    r = append_row(table, label)
    express(table, label, constant, normal, r)
    return _impose(table, label, r, tables.dim + c, images.cut_error[c], walk.tally.counters)


@kernel
def _impose_winner(tables, walk, layer, u, winner):
    """Restrict cell 0 to where one candidate of a maximum is largest."""
    table, label = walk.cells[0], walk.labels[0]
    walk.images.winner[u] = winner
    for k in range(tables.units.member[u + 1] - tables.units.member[u]):
        if k == winner:
            continue
        r, error = difference_row(
            tables, walk.images, walk.normal, walk.tally.counters, table, label, u, layer, winner, k
        )
        if r < 0:
            continue
        variable = tables.dim + tables.at[-1, CUT] + tables.units.member[u] + k
        outcome = _impose(table, label, r, variable, error, walk.tally.counters)
        if outcome != CUTS_CELL:
            return outcome
    return CUTS_CELL


@kernel
def load_domain(tables, walk, first_constraint):
    """Make cell 0 the domain: the unit cube, cut by the constraints (the cuts of layer 0 from that one on).

    FINISHED, DICTIONARY_FULL (make room, load again) or GAVE_UP.
    """
    table, label = walk.cells[0], walk.labels[0]
    unit_cube(table, label)
    label[SIZE, CONE] = 1 if tables.one > 0 else 0
    for c in range(first_constraint, tables.at[1, CUT]):
        if label[SIZE, N_ROWS] + 2 * BLOCK > table.shape[1]:
            return DICTIONARY_FULL
        outcome = _impose_cut(tables, walk, 0, c, 1)
        if outcome in (BROKEN, DECIDED):
            return GAVE_UP
    if label[SIZE, AGE] > 0:
        refresh(tables, walk.images, table, label, walk.normal, walk.system)
    return FINISHED


@kernel
def _place_witness(tables, walk, witness):
    """Move the witness of cell 0 to a point z."""
    table, label = walk.cells[0], walk.labels[0]
    for j in range(tables.dim):
        value = variable_row(tables, walk.images, label[COL_VAR, j], label[COL_FLIP, j], walk.normal)
        for k in range(tables.dim):
            value += walk.normal[k] * witness[k]
        table[COLUMN_WITNESS, j] = max(value, 0.0)
    for i in range(label[SIZE, N_ROWS]):
        value = table[VALUE, i]
        for j in range(tables.dim):
            value += table[COLUMN + j, i] * table[COLUMN_WITNESS, j]
        table[WITNESS, i] = value


@kernel
def load(tables, walk, domain, domain_label, layer, sides, winners, witness, parent, first_number, first_constraint):
    """Start the walk at the subtree with these decisions; FINISHED, DICTIONARY_FULL (make room, load again) or GAVE_UP.

    sides : (cuts of layers 0 .. layer,) side or OPEN_DECISION; winners : (units of layers 0 .. layer,) likewise; those
    of layers before `layer` are all decided. witness : (dim,) a point inside, or empty. parent : number of the cell of
    the layer before. first_number : number of the first cell found. domain, domain_label : the cell of `load_domain`.
    """
    table, label, path, at = walk.cells[0], walk.labels[0], walk.tally.path, tables.at
    if domain_label[SIZE, N_ROWS] + 2 * BLOCK > table.shape[1]:
        return DICTIONARY_FULL
    copy_cell(domain, domain_label, table, label)
    if witness.shape[0] > 0:
        _place_witness(tables, walk, witness)
    path[OPEN, :] = 0
    path[CHILDREN_SO_FAR, :] = 0
    path[RANK, 0] = tables.free
    walk.given[:] = 0
    walk.given_winner[:] = 0
    for k in range(layer + 1):
        if k > 0:
            pull_back(tables, walk.images, k)
        for c in range(at[k, CUT], at[k + 1, CUT]):
            if sides[c] == OPEN_DECISION:
                continue
            if k == layer:
                walk.given[c] = 1
            if k == 0 and c >= first_constraint:
                walk.images.cut_side[c] = 1
                continue
            if label[SIZE, N_ROWS] + 2 * BLOCK > table.shape[1]:
                return DICTIONARY_FULL
            outcome = _impose_cut(tables, walk, k, c, sides[c])
            if outcome in (BROKEN, DECIDED):
                return GAVE_UP
        for u in range(at[k, UNIT], at[k + 1, UNIT]):
            if winners[u] == OPEN_DECISION:
                continue
            if label[SIZE, N_ROWS] + tables.units.member[u + 1] - tables.units.member[u] + 2 * BLOCK > table.shape[1]:
                return DICTIONARY_FULL
            outcome = _impose_winner(tables, walk, k, u, winners[u])
            if outcome in (BROKEN, DECIDED):
                return GAVE_UP
            if k == layer:
                walk.given_winner[u] = 1
        if k < layer:
            order_units(tables, walk, k)
            path[RANK, k + 1], _ = layer_rank(at, tables.units, walk.images, walk.ranks, k, path[RANK, k])
    path[NUMBER, layer] = parent
    path[ISSUED, 0] = first_number
    walk.stack[0, LAYER] = layer
    walk.stack[0, STAGE] = ENTER
    walk.stack[0, NEWS] = NOTHING
    walk.top[0] = 0
    return FINISHED
