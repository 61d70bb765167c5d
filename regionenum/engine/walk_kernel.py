"""The tree walk: depth first over layers, then over the units of a layer that still cut the cell.

The stack holds cells that wait; the top one is worked on. A cell passes through these stages in every layer:

ENTER   the layer's rows are pulled back to the cell;
FILL    every cut is tested once on the whole cell: what does not cut is decided for the whole subtree, the rest becomes
        pending rows of the dictionary;
CUTS    pending rows are tested again, in order; one that cuts splits the cell in two;
GROUPS  the maxima are decided, one child for every candidate that wins somewhere (`group_kernel`);
DONE    the cell is a cell of this layer: its rank is found, it is counted, and it enters the next layer.
"""

from __future__ import annotations

from regionenum.engine.counters import DOUBTFUL, REUSED, TESTS
from regionenum.engine.cut_kernel import BROKEN, DECIDED, DOUBT, probe, split
from regionenum.engine.dual_kernel import DECIDED_AT_ENTRY, forget, give_slot, implied, learn
from regionenum.engine.group_kernel import decide_groups
from regionenum.engine.layer_kernel import norm, piece, pull_back, read_cut, scale_normal, slope_and_level
from regionenum.engine.policy import kernel
from regionenum.engine.refresh_kernel import refresh
from regionenum.engine.simplex_kernel import (
    AGE,
    BLOCK,
    N_BASIC,
    N_ROWS,
    ROW_VAR,
    SIZE,
    append_row,
    drop_row,
    express,
    locate,
    recentre,
    witness_point,
)
from regionenum.engine.tables import CUT, GROUP, UNIT
from regionenum.engine.tally_kernel import close_cells, count_cell
from regionenum.engine.walk_state import (
    A_CUT,
    A_WINNER,
    CUTS,
    DICTIONARY_FULL,
    ENTER,
    FILL,
    FINISHED,
    GAVE_UP,
    GROUPS,
    LAYER,
    MINUS_MASK,
    NEWS,
    NEWS_INDEX,
    NEWS_VALUE,
    NEXT,
    NOTHING,
    NUMBER,
    PAUSED,
    PLUS_MASK,
    RANK,
    ROWS_FULL,
    STACK_FIELDS,
    STACK_FULL,
    STAGE,
)

REFRESH_AGE = 60
"""Pivots after which a dictionary is computed afresh when its cell enters a layer."""


@kernel
def _decide(images, duals, waiting, c, side):
    """Write down the side of a cut."""
    images.cut_side[c] = side
    slot = duals.slot[c]
    if slot >= 0:
        waiting[PLUS_MASK if side == 1 else MINUS_MASK] |= 1 << slot


@kernel
def _enter(tables, walk, f):
    """Pull the layer's rows back and forget the certificates of the last cell."""
    layer = walk.stack[f, LAYER]
    if walk.labels[f, SIZE, AGE] > REFRESH_AGE:
        refresh(tables, walk.images, walk.cells[f], walk.labels[f], walk.normal, walk.system)
    if layer > 0:
        pull_back(tables, walk.images, layer)
    forget(tables.at, walk.duals, layer)
    walk.stack[f, PLUS_MASK] = 0
    walk.stack[f, MINUS_MASK] = 0
    walk.stack[f, NEXT] = tables.at[layer, CUT]
    walk.stack[f, STAGE] = FILL
    return FINISHED


@kernel
def _fill(tables, walk, f):
    """Test every cut on the whole cell, once."""
    table, label, images, normal, counters = (
        walk.cells[f],
        walk.labels[f],
        walk.images,
        walk.normal,
        walk.tally.counters,
    )
    at, layer = tables.at, walk.stack[f, LAYER]
    while walk.stack[f, NEXT] < at[layer + 1, CUT]:
        if label[SIZE, N_ROWS] + 2 * BLOCK > table.shape[1]:
            return DICTIONARY_FULL
        c = walk.stack[f, NEXT]
        if walk.given[c] == 1:
            walk.stack[f, NEXT] += 1
            continue
        constant, noise = read_cut(tables, images, layer, c, normal)
        size, level = slope_and_level(tables, constant, normal)
        if size <= 4.0 * noise or size < 1e-300:
            # The row is constant on the cell, as far as float64 can tell; exactly at the breakpoint, the lower piece.
            counters[TESTS] += 1
            close = abs(level) <= DOUBT * max(abs(tables.cut_value[c]), size) + 4.0 * noise
            # in the whole space a slope, however small, matters far out
            if (size > 0.0 or noise > 0.0) and (close or (tables.one > 0 and size > 0.0)):
                counters[DOUBTFUL] += 1
            images.cut_side[c] = 1 if level > 2.0 * noise else 0
            walk.stack[f, NEXT] += 1
            continue
        size = norm(normal)
        images.cut_error[c] = 2.0 * noise / size
        constant = scale_normal(constant, normal, 1.0 / size)
        locate(label)
        r = append_row(table, label)
        label[ROW_VAR, r] = c
        express(table, label, constant, normal, r)
        outcome, side, _, _ = probe(table, label, r, images.cut_error[c], True, counters)
        if outcome == BROKEN:
            drop_row(table, label, r)
            if label[SIZE, AGE] == 0 or not refresh(tables, images, table, label, normal, walk.system):
                return GAVE_UP
            continue
        walk.stack[f, NEXT] += 1
        if outcome == DECIDED:
            images.cut_side[c] = side
            drop_row(table, label, r)
        else:
            give_slot(walk.duals, layer, c)
    order_units(tables, walk, layer)
    walk.stack[f, STAGE] = CUTS
    return FINISHED


@kernel
def order_units(tables, walk, layer):
    """Units decided on the whole cell come first in the rank computation, then those with pending cuts, then groups."""
    at, units = tables.at, tables.units
    start, n_units = at[layer, UNIT], at[layer + 1, UNIT] - at[layer, UNIT]
    position = 0
    for wanted in range(3):
        for unit in range(n_units):
            u = start + unit
            function = units.function[u]
            kind = 0
            if function < 0:
                kind = 2 if units.member[u + 1] - units.member[u] > 1 else 0
            else:
                first = at[layer, CUT] + units.cut[u]
                for c in range(first, first + units.function_at[function + 1] - units.function_at[function] - 1):
                    if walk.duals.slot[c] != DECIDED_AT_ENTRY:
                        kind = 1
            if kind == wanted:
                walk.ranks.order[start + position] = unit
                position += 1
    walk.ranks.length[layer] = 0


@kernel
def _cuts(tables, walk, recording, last_test):
    """Decide pending cuts, of one cell after the other while they are in this layer and stage, up to test `last_test`.

    Most of the time is spent in here, so this loop hands small tuples to its kernels. In the last layer it counts
    regions itself unless they are recorded.
    """
    stack, images, duals, counters = walk.stack, walk.images, walk.duals, walk.tally.counters
    layer = stack[walk.top[0], LAYER]
    is_last = layer == tables.depth - 1 and tables.at[layer, GROUP] == tables.at[layer + 1, GROUP] and not recording
    before = counters[TESTS]
    while counters[TESTS] == before or counters[TESTS] < last_test:
        f = walk.top[0]
        if f < 0 or stack[f, LAYER] != layer or stack[f, STAGE] != CUTS:
            return FINISHED
        if f + 2 > walk.cells.shape[0]:
            return STACK_FULL
        table, label, waiting = walk.cells[f], walk.labels[f], stack[f]
        if waiting[NEWS] == A_CUT:
            _decide(images, duals, waiting, waiting[NEWS_INDEX], waiting[NEWS_VALUE])
            waiting[NEWS] = NOTHING
        was_split = False
        while label[SIZE, N_ROWS] > label[SIZE, N_BASIC]:
            r = label[SIZE, N_BASIC]
            for i in range(r + 1, label[SIZE, N_ROWS]):
                if label[ROW_VAR, i] < label[ROW_VAR, r]:
                    r = i
            c = label[ROW_VAR, r]
            slot = duals.slot[c]
            if slot >= 0:
                side, doubtful = implied(duals, layer, slot, waiting[PLUS_MASK], waiting[MINUS_MASK])
                if side >= 0:
                    counters[TESTS] += 1
                    counters[REUSED] += 1
                    counters[DOUBTFUL] += doubtful
                    _decide(images, duals, waiting, c, side)
                    drop_row(table, label, r)
                    continue
            leaf = is_last and label[SIZE, N_ROWS] == label[SIZE, N_BASIC] + 1
            doubtful_before = counters[DOUBTFUL]
            outcome, side, j, length = probe(table, label, r, images.cut_error[c], leaf, counters)
            if outcome == BROKEN:
                if label[SIZE, AGE] == 0 or not refresh(tables, images, table, label, walk.normal, walk.system):
                    return GAVE_UP
                continue
            if outcome == DECIDED:
                if slot >= 0:
                    doubtful = counters[DOUBTFUL] - doubtful_before
                    learn(tables.at, duals, images.cut_side, layer, slot, table, label, r, side, doubtful)
                _decide(images, duals, waiting, c, side)
                drop_row(table, label, r)
                continue
            if leaf:
                # Both sides are regions without further tests: one is counted here, the other as the cell is done.
                images.cut_side[c] = 0
                count_cell(tables.at, tables.units, images, walk.ranks, walk.tally, layer)
                _decide(images, duals, waiting, c, 1)
                drop_row(table, label, r)
                continue
            split(table, label, walk.cells[f + 1], walk.labels[f + 1], r, tables.dim + c, side, j, length, counters)
            for k in range(STACK_FIELDS):
                stack[f + 1, k] = waiting[k]
            waiting[NEWS], waiting[NEWS_INDEX], waiting[NEWS_VALUE] = A_CUT, c, side
            stack[f + 1, NEWS], stack[f + 1, NEWS_INDEX], stack[f + 1, NEWS_VALUE] = A_CUT, c, 1 - side
            walk.top[0] = f + 1
            was_split = True
            break
        if was_split:
            continue
        if is_last:
            count_cell(tables.at, tables.units, images, walk.ranks, walk.tally, layer)
            walk.top[0] = f - 1
        else:
            waiting[NEXT] = tables.at[layer, GROUP]
            waiting[STAGE] = GROUPS
    return FINISHED


@kernel
def _record(tables, walk, f):
    """Append the present cell to the recorded rows."""
    rows, path = walk.rows, walk.tally.path
    n = rows.filled[0]
    layer = walk.stack[f, LAYER]
    rows.layer[n] = layer
    rows.cell[n] = path[NUMBER, layer + 1]
    rows.parent[n] = path[NUMBER, layer]
    for k in range(tables.depth):
        rows.ranks[n, k] = path[RANK, k + 1] if k <= layer else 0
        start = tables.at[k, UNIT]
        for unit in range(tables.at[k + 1, UNIT] - start):
            rows.pieces[n, start + unit] = piece(tables.at, tables.units, walk.images, k, unit) if k <= layer else 0
    table, label = walk.cells[f], walk.labels[f]
    recentre(table, label)
    locate(label)
    witness_point(table, label, rows.witness[n])
    rows.filled[0] = n + 1


@kernel
def _done(tables, walk, f, record_regions, record_tree):
    """Count and record the cell, and go on to the next layer or the next cell."""
    layer = walk.stack[f, LAYER]
    is_last = layer == tables.depth - 1
    recording = record_tree or (record_regions and is_last)
    if recording and walk.rows.filled[0] == walk.rows.layer.shape[0]:
        return ROWS_FULL
    count_cell(tables.at, tables.units, walk.images, walk.ranks, walk.tally, layer)
    if recording:
        _record(tables, walk, f)
    if is_last:
        walk.top[0] = f - 1
    else:
        walk.stack[f, LAYER] = layer + 1
        walk.stack[f, STAGE] = ENTER
    return FINISHED


@kernel
def walk_tree(tables, walk, tests, record_regions, record_tree):
    """Walk on for a while: `tests` stages of cells, or tests of cuts, but one stage at least.

    Returns FINISHED, PAUSED, or what has to grow or be taken before the walk can go on.
    """
    stack, counters = walk.stack, walk.tally.counters
    last_test = counters[TESTS] + tests
    while True:
        f = walk.top[0]
        if f < 0:
            close_cells(walk.tally, 0)
            return FINISHED
        if stack[f, NEWS] == A_CUT:
            _decide(walk.images, walk.duals, stack[f], stack[f, NEWS_INDEX], stack[f, NEWS_VALUE])
        elif stack[f, NEWS] == A_WINNER:
            walk.images.winner[stack[f, NEWS_INDEX]] = stack[f, NEWS_VALUE]
        stack[f, NEWS] = NOTHING
        stage = stack[f, STAGE]
        if stage == ENTER:
            status = _enter(tables, walk, f)
        elif stage == FILL:
            status = _fill(tables, walk, f)
        elif stage == CUTS:
            status = _cuts(tables, walk, record_regions or record_tree, last_test)
        elif stage == GROUPS:
            status = decide_groups(tables, walk, f)
        else:
            status = _done(tables, walk, f, record_regions, record_tree)
        if status != FINISHED:
            return status
        last_test -= 1
        if counters[TESTS] >= last_test:
            return PAUSED
