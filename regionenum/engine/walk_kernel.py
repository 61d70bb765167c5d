"""The tree walk: depth first over layers, then over the units of a layer that still cut the cell.

The stack holds cells that wait; the top one is worked on. A cell passes through these stages in every layer:

ENTER   the layer's rows are pulled back to the cell;
FILL    every cut is tested once on the whole cell: what does not cut is decided for the whole subtree, the rest becomes
        pending rows of the dictionary;
CUTS    pending rows are tested again, in order; one that cuts splits the cell in two;
GROUPS  the maxima are decided, one child for every candidate that wins somewhere;
DONE    the cell is a cell of this layer: its rank is found, it is counted, and it enters the next layer.

A test that ends in "does not cut" leaves a dual certificate: the row is a combination of slacks with multipliers of one
sign. Whichever of these slacks belong to cuts of the present layer, on the sides they have now, imply the answer again
wherever in this layer's subtree they are on the same sides (`Duals`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from regionenum.engine.cut_kernel import (
    BROKEN,
    CUT,
    DECIDED,
    DOUBT,
    DOUBTFUL,
    DOUBTFUL_RANKS,
    REUSED,
    TESTS,
    probe,
    restrict,
    split,
)
from regionenum.engine.layer_kernel import (
    Images,
    make_images,
    norm,
    piece,
    pull_back,
    read_difference,
    read_row,
    scale_normal,
)
from regionenum.engine.policy import kernel
from regionenum.engine.rank_kernel import Ranks, layer_rank, make_ranks
from regionenum.engine.simplex_kernel import (
    BLOCK,
    COST_TOL,
    Cells,
    append_row,
    copy_cell,
    drop_row,
    express,
    grow_cells,
    locate,
    make_cells,
    recentre,
    unit_cube,
    witness_point,
)
from regionenum.engine.tables import UNIT_ROUNDOFF, Tables
from regionenum.network.units import Floats, Ints

ENTER, FILL, CUTS, GROUPS, DONE = 0, 1, 2, 3, 4
FINISHED, PAUSED, ROWS_FULL, STACK_FULL, DICTIONARY_FULL, GAVE_UP = 0, 1, 2, 3, 4, 5
NOTHING, A_CUT, A_WINNER = 0, 1, 2

SLOTS = 64
"""Cuts of a layer that certificates can name on one cell: as many as an integer has bits."""
KEPT = 12
"""Certificates kept for one cut; the oldest gives way."""


class Stack(NamedTuple):
    """What a waiting cell needs beside its dictionary. The last three say what its first visit has to write down."""

    layer: Ints
    stage: Ints
    next: Ints  # next cut (FILL) or group (GROUPS)
    plus: np.ndarray  # uint64: slots of cuts decided positive
    minus: np.ndarray  # uint64: slots of cuts decided negative
    news: Ints  # NOTHING, A_CUT or A_WINNER
    news_index: Ints
    news_value: Ints


class Duals(NamedTuple):
    """Certificates of the present cell of the layer before, by slot: sides that imply a side."""

    slot: Ints  # (cuts,) slot of a cut on the present cell of the layer before, or -1
    used: Ints  # (depth,) slots in use
    plus: np.ndarray  # (depth, SLOTS, KEPT) uint64
    minus: np.ndarray  # (depth, SLOTS, KEPT) uint64
    side: np.ndarray  # (depth, SLOTS, KEPT) int8
    doubtful: np.ndarray  # (depth, SLOTS, KEPT) int8
    count: Ints  # (depth, SLOTS) certificates ever learned


class Tally(NamedTuple):
    """Statistics (see `interface.Statistics`) and the cells of the present path; index 0 is the domain."""

    cells: Ints  # (depth + 1, dim + 1), as the next three
    children: Ints
    max_children: Ints
    unsplit: Ints
    open: Ints  # (depth + 1,) 1 while the present cell's children are being counted
    rank: Ints
    so_far: Ints  # children of the present cell so far
    number: Ints  # number of the present cell
    issued: Ints  # (1,) cell numbers given out
    counters: Ints  # see cut_kernel


class Rows(NamedTuple):
    """Recorded cells, until the caller takes them."""

    count: Ints  # (1,)
    layer: np.ndarray
    cell: Ints
    parent: Ints
    pieces: np.ndarray
    ranks: np.ndarray
    witness: Floats


class Scratch(NamedTuple):
    """Working space."""

    far: Floats
    far_columns: Floats
    normal: Floats
    place: Ints
    candidates: Ints
    top: Ints  # (1,) index of the cell on top of the stack


class Walk(NamedTuple):
    """Everything that changes during a walk."""

    cells: Cells
    stack: Stack
    images: Images
    ranks: Ranks
    duals: Duals
    tally: Tally
    rows: Rows
    scratch: Scratch


def make_walk(tables: Tables, recorded_rows: int, stack_size: int = 32, capacity: int = 64) -> Walk:
    """A walk that starts with the whole domain; needs at least one unit layer."""
    dim, depth = tables.dim, tables.depth
    n_units = int(tables.unit_at[-1])
    walk = Walk(
        cells=make_cells(stack_size, dim, capacity),
        stack=_make_stack(stack_size),
        images=make_images(tables),
        ranks=make_ranks(tables),
        duals=Duals(
            slot=np.full(int(tables.cut_at[-1]), -1, np.int64),
            used=np.zeros(depth, np.int64),
            plus=np.zeros((depth, SLOTS, KEPT), np.uint64),
            minus=np.zeros((depth, SLOTS, KEPT), np.uint64),
            side=np.zeros((depth, SLOTS, KEPT), np.int8),
            doubtful=np.zeros((depth, SLOTS, KEPT), np.int8),
            count=np.zeros((depth, SLOTS), np.int64),
        ),
        tally=Tally(
            *(np.zeros((depth + 1, dim + 1), np.int64) for _ in range(4)),
            open=np.zeros(depth + 1, np.int64),
            rank=np.zeros(depth + 1, np.int64),
            so_far=np.zeros(depth + 1, np.int64),
            number=np.full(depth + 1, -1, np.int64),
            issued=np.zeros(1, np.int64),
            counters=np.zeros(5, np.int64),
        ),
        rows=Rows(
            count=np.zeros(1, np.int64),
            layer=np.zeros(recorded_rows, np.int16),
            cell=np.zeros(recorded_rows, np.int64),
            parent=np.zeros(recorded_rows, np.int64),
            pieces=np.zeros((recorded_rows, n_units), np.uint16),
            ranks=np.zeros((recorded_rows, depth), np.uint16),
            witness=np.zeros((recorded_rows, dim)),
        ),
        scratch=Scratch(
            far=np.zeros(capacity),
            far_columns=np.zeros(dim),
            normal=np.zeros(dim),
            place=np.zeros(dim, np.int64),
            candidates=np.zeros(int(np.diff(tables.unit_member).max(initial=1)), np.int64),
            top=np.zeros(1, np.int64),
        ),
    )
    unit_cube(walk.cells, 0)
    walk.tally.cells[0, dim] = 1
    walk.tally.open[0] = 1
    walk.tally.rank[0] = dim
    return walk


def _make_stack(n: int) -> Stack:
    masks = {name: np.zeros(n, np.uint64) for name in ("plus", "minus")}
    return Stack(**{name: np.zeros(n, np.int64) for name in Stack._fields if name not in masks}, **masks)


def grow_walk(walk: Walk, stack_size: int, capacity: int) -> Walk:
    """The same walk with room for more waiting cells or longer dictionaries."""
    stack = _make_stack(stack_size)
    for source, target in zip(walk.stack, stack, strict=True):
        target[: len(source)] = source
    cells = grow_cells(walk.cells, stack_size, capacity)
    return walk._replace(cells=cells, stack=stack, scratch=walk.scratch._replace(far=np.zeros(capacity)))


@kernel
def _decide(walk, f, c, side):
    """Write down the side of a cut."""
    walk.images.cut_side[c] = side
    slot = walk.duals.slot[c]
    if slot >= 0:
        bit = np.uint64(1) << np.uint64(slot)
        if side == 1:
            walk.stack.plus[f] |= bit
        else:
            walk.stack.minus[f] |= bit


@kernel
def _implied(walk, layer, f, slot):
    """Side of a cut by a certificate learned earlier: (side or -1, whether it was doubtful)."""
    duals = walk.duals
    plus, minus = walk.stack.plus[f], walk.stack.minus[f]
    for k in range(min(duals.count[layer, slot], KEPT)):
        if duals.plus[layer, slot, k] & ~plus == 0 and duals.minus[layer, slot, k] & ~minus == 0:
            return np.int64(duals.side[layer, slot, k]), np.int64(duals.doubtful[layer, slot, k])
    return np.int64(-1), np.int64(0)


@kernel
def _learn(tables, walk, layer, f, r, slot, side, doubtful):
    """Keep the certificate behind "pending row r does not cut": the slacks with a multiplier that is not 0."""
    cells, duals = walk.cells, walk.duals
    dim = tables.dim
    plus, minus = np.uint64(0), np.uint64(0)
    for j in range(dim):
        if abs(cells.table[f, 1 + j, r]) <= COST_TOL:
            continue
        c = cells.col_var[f, j] - dim
        if c < tables.cut_at[layer] or c >= tables.cut_at[layer + 1]:
            if c >= tables.cut_at[-1] and tables.member_layer[c - tables.cut_at[-1]] == layer:
                return
            continue
        named = duals.slot[c]
        if named < 0:
            return
        bit = np.uint64(1) << np.uint64(named)
        if walk.images.cut_side[c] == 1:
            plus |= bit
        else:
            minus |= bit
    k = duals.count[layer, slot] % KEPT
    duals.plus[layer, slot, k] = plus
    duals.minus[layer, slot, k] = minus
    duals.side[layer, slot, k] = side
    duals.doubtful[layer, slot, k] = doubtful
    duals.count[layer, slot] += 1


@kernel
def _enter(tables, walk, f):
    """Pull the layer's rows back and forget the certificates of the last cell."""
    layer = walk.stack.layer[f]
    if layer > 0:
        pull_back(tables, walk.images, layer)
    for c in range(tables.cut_at[layer], tables.cut_at[layer + 1]):
        walk.duals.slot[c] = -1
    walk.duals.used[layer] = 0
    walk.duals.count[layer] = 0
    walk.stack.plus[f] = 0
    walk.stack.minus[f] = 0
    walk.stack.next[f] = tables.cut_at[layer]
    walk.stack.stage[f] = FILL


@kernel
def _fill(tables, walk, f):
    """Test every cut on the whole cell, once."""
    cells, images, scratch, counters = walk.cells, walk.images, walk.scratch, walk.tally.counters
    layer = walk.stack.layer[f]
    capacity = cells.row_var.shape[1]
    while walk.stack.next[f] < tables.cut_at[layer + 1]:
        if cells.n_rows[f] + 2 * BLOCK > capacity:
            return DICTIONARY_FULL
        c = walk.stack.next[f]
        walk.stack.next[f] += 1
        row, value = tables.cut_row[c], tables.cut_value[c]
        constant = read_row(tables, images, layer, row, scratch.normal) - value
        noise = images.error[tables.row_at[layer] + row] + UNIT_ROUNDOFF * abs(value)
        size = norm(scratch.normal)
        if size <= 4.0 * noise or size < 1e-300:
            # The row is constant on the cell, as far as float64 can tell: exactly at the breakpoint, the lower piece.
            counters[TESTS] += 1
            if (size > 0.0 or noise > 0.0) and abs(constant) <= DOUBT * max(abs(value), size) + 4.0 * noise:
                counters[DOUBTFUL] += 1
            images.cut_side[c] = 1 if constant > 2.0 * noise else 0
            continue
        images.cut_scale[c] = 1.0 / size
        images.cut_error[c] = 2.0 * noise / size
        constant = scale_normal(constant, scratch.normal, images.cut_scale[c])
        locate(cells, f, scratch.place)
        r = append_row(cells, f)
        cells.row_var[f, r] = c
        express(cells, f, scratch.place, constant, scratch.normal, r)
        outcome, side, _, _ = probe(cells, f, r, images.cut_error[c], True, counters)
        if outcome == BROKEN:
            return GAVE_UP
        if outcome == DECIDED:
            images.cut_side[c] = side
            drop_row(cells, f, r)
        elif walk.duals.used[layer] < SLOTS:
            walk.duals.slot[c] = walk.duals.used[layer]
            walk.duals.used[layer] += 1
        else:
            walk.duals.slot[c] = -2
    _order_units(tables, walk, layer, f)
    walk.stack.stage[f] = CUTS
    return FINISHED


@kernel
def _order_units(tables, walk, layer, f):
    """Units decided on the whole cell come first in the rank computation, then those with pending cuts, then groups."""
    at, n_units = tables.unit_at[layer], tables.unit_at[layer + 1] - tables.unit_at[layer]
    position = 0
    for group in range(3):
        for unit in range(n_units):
            function = tables.unit_function[at + unit]
            if function < 0:
                kind = 2 if tables.unit_member[at + unit + 1] - tables.unit_member[at + unit] > 1 else 0
            else:
                kind = 0
                first = tables.cut_at[layer] + tables.unit_cut[at + unit]
                count = tables.function_at[function + 1] - tables.function_at[function] - 1
                for c in range(first, first + count):
                    if walk.duals.slot[c] != -1:
                        kind = 1
            if kind == group:
                walk.ranks.order[at + position] = unit
                position += 1
    walk.ranks.length[layer] = 0


@kernel
def _cuts(tables, walk, f, recording):
    """Decide pending cuts until one splits the cell or none is left."""
    cells, images, stack, counters = walk.cells, walk.images, walk.stack, walk.tally.counters
    layer = stack.layer[f]
    is_last = layer == tables.depth - 1 and tables.group_at[layer] == tables.group_at[layer + 1] and not recording
    while cells.n_rows[f] > cells.n_basic[f]:
        r = cells.n_basic[f]
        for i in range(cells.n_basic[f] + 1, cells.n_rows[f]):
            if cells.row_var[f, i] < cells.row_var[f, r]:
                r = i
        c = cells.row_var[f, r]
        slot = walk.duals.slot[c]
        if slot >= 0:
            side, doubtful = _implied(walk, layer, f, slot)
            if side >= 0:
                counters[TESTS] += 1
                counters[REUSED] += 1
                counters[DOUBTFUL] += doubtful
                _decide(walk, f, c, side)
                drop_row(cells, f, r)
                continue
        leaf = is_last and cells.n_rows[f] == cells.n_basic[f] + 1
        before = counters[DOUBTFUL]
        outcome, side, j, length = probe(cells, f, r, images.cut_error[c], leaf, counters)
        if outcome == BROKEN:
            return GAVE_UP
        if outcome == DECIDED:
            if slot >= 0:
                _learn(tables, walk, layer, f, r, slot, side, counters[DOUBTFUL] - before)
            _decide(walk, f, c, side)
            drop_row(cells, f, r)
            continue
        if leaf:
            # Both sides are regions without further tests; this one is counted here, the other as the cell goes on.
            images.cut_side[c] = 0
            _count_cell(tables, walk, f)
            _decide(walk, f, c, 1)
            drop_row(cells, f, r)
            continue
        split(cells, f, f + 1, r, tables.dim + c, side, j, length, walk.scratch.far, walk.scratch.far_columns)
        for field in (stack.layer, stack.stage, stack.next):
            field[f + 1] = field[f]
        stack.plus[f + 1], stack.minus[f + 1] = stack.plus[f], stack.minus[f]
        stack.news[f], stack.news_index[f], stack.news_value[f] = A_CUT, c, side
        stack.news[f + 1], stack.news_index[f + 1], stack.news_value[f + 1] = A_CUT, c, 1 - side
        walk.scratch.top[0] = f + 1
        return FINISHED
    stack.next[f] = tables.group_at[layer]
    stack.stage[f] = GROUPS
    return FINISHED


@kernel
def _difference_row(tables, walk, f, layer, unit, i, k):
    """Append candidate i minus candidate k of a maximum as a pending row, scaled to a distance.

    Returns (row, error); row is -1 if the two differ by a constant on the cell, and error then its sign: 0 if they are the
    same function there.
    """
    cells, scratch, counters = walk.cells, walk.scratch, walk.tally.counters
    first = tables.unit_member[tables.unit_at[layer] + unit]
    row, other = tables.member_row[first + i], tables.member_row[first + k]
    constant, noise = read_difference(tables, walk.images, layer, row, other, scratch.normal)
    size = norm(scratch.normal)
    if size <= 4.0 * noise or size < 1e-300:
        if size > 0.0 or noise > 0.0:
            counters[DOUBTFUL] += 1
        if abs(constant) <= 2.0 * noise:
            return -1, 0.0
        return -1, (1.0 if constant > 0.0 else -1.0)
    constant = scale_normal(constant, scratch.normal, 1.0 / size)
    locate(cells, f, scratch.place)
    r = append_row(cells, f)
    express(cells, f, scratch.place, constant, scratch.normal, r)
    return r, 2.0 * noise / size


@kernel
def _candidates(tables, walk, f, layer, unit):
    """Candidates of a maximum that the leader at the witness does not dominate; they fill scratch.candidates.

    Returns their number, or -1 if the simplex method failed. Of candidates that are the same function on the cell the lowest
    is kept.
    """
    cells, scratch, counters = walk.cells, walk.scratch, walk.tally.counters
    first = tables.unit_member[tables.unit_at[layer] + unit]
    size = tables.unit_member[tables.unit_at[layer] + unit + 1] - first
    point = scratch.far_columns
    locate(cells, f, scratch.place)
    witness_point(cells, f, scratch.place, point)
    leader, best = 0, -np.inf
    for i in range(size):
        value = read_row(tables, walk.images, layer, tables.member_row[first + i], scratch.normal)
        for k in range(tables.dim):
            value += scratch.normal[k] * point[k]
        if value > best:
            leader, best = i, value
    alive, wins_from = 0, leader
    for i in range(size):
        if i == leader:
            continue
        r, error = _difference_row(tables, walk, f, layer, unit, i, leader)
        if r < 0:
            if error == 0.0:
                wins_from = min(wins_from, i)
            continue
        outcome = _beats(cells, f, r, error, counters)
        drop_row(cells, f, r)
        if outcome == BROKEN:
            return -1
        if outcome == CUT:
            scratch.candidates[alive] = i
            alive += 1
    scratch.candidates[alive] = wins_from
    return alive + 1


@kernel
def _beats(cells, f, r, error, counters):
    """CUT if pending row r is positive somewhere on the cell, DECIDED if nowhere; see `probe` for the side of the witness."""
    outcome, side, _, _ = probe(cells, f, r, error, True, counters)
    if outcome == DECIDED and side == 1:
        return CUT
    return outcome


@kernel
def _groups(tables, walk, f):
    """Decide maxima until one splits the cell or none is left."""
    cells, stack, scratch, counters = walk.cells, walk.stack, walk.scratch, walk.tally.counters
    layer = stack.layer[f]
    while stack.next[f] < tables.group_at[layer + 1]:
        unit = tables.group_unit[stack.next[f]]
        u = tables.unit_at[layer] + unit
        first = tables.unit_member[u]
        size = tables.unit_member[u + 1] - first
        if cells.n_rows[f] + size + 2 * BLOCK > cells.row_var.shape[1]:
            return DICTIONARY_FULL
        if f + size + 2 > cells.table.shape[0]:
            return STACK_FULL
        n = _candidates(tables, walk, f, layer, unit)
        if n < 0:
            return GAVE_UP
        stack.next[f] += 1
        if n == 1:
            walk.images.winner[u] = scratch.candidates[0]
            continue
        children = 0
        for a in range(n):
            child = f + 1 + children
            copy_cell(cells, f, child)
            i = scratch.candidates[a]
            outcome = CUT
            for b in range(n):
                if b == a:
                    continue
                k = scratch.candidates[b]
                r, error = _difference_row(tables, walk, child, layer, unit, i, k)
                if r < 0:
                    # The two differ by a constant, or not at all: of equal candidates the lower wins.
                    outcome = CUT if error > 0.0 or (error == 0.0 and i < k) else DECIDED
                else:
                    variable = tables.dim + tables.cut_at[-1] + first + k
                    outcome = restrict(cells, child, r, variable, error, counters)
                if outcome != CUT:
                    break
            if outcome == BROKEN:
                return GAVE_UP
            if outcome == CUT:
                stack.layer[child], stack.stage[child], stack.next[child] = layer, GROUPS, stack.next[f]
                stack.plus[child], stack.minus[child] = stack.plus[f], stack.minus[f]
                stack.news[child], stack.news_index[child], stack.news_value[child] = A_WINNER, u, i
                children += 1
        if children <= 1:
            # One winner: the others only touch the cell. None: rounding; the leader at the witness has it.
            if children == 0:
                counters[DOUBTFUL] += 1
            walk.images.winner[u] = stack.news_value[f + 1] if children else scratch.candidates[n - 1]
            continue
        last = f + children
        copy_cell(cells, last, f)
        stack.news[f], stack.news_index[f], stack.news_value[f] = A_WINNER, u, stack.news_value[last]
        scratch.top[0] = last - 1
        return FINISHED
    stack.stage[f] = DONE
    return FINISHED


@kernel
def _close(tally, level):
    """Add up the children of the present cells of `level` and deeper: no more will come."""
    for k in range(tally.open.shape[0] - 1, level - 1, -1):
        if tally.open[k]:
            r, n = tally.rank[k], tally.so_far[k]
            tally.children[k, r] += n
            tally.max_children[k, r] = max(tally.max_children[k, r], n)
            if n == 1:
                tally.unsplit[k, r] += 1
            tally.open[k] = 0
            tally.so_far[k] = 0


@kernel
def _count_cell(tables, walk, f):
    """The cell is a cell of its layer: find its rank and count it."""
    tally = walk.tally
    layer = walk.stack.layer[f]
    rank, doubtful = layer_rank(tables, walk.images, walk.ranks, layer, tally.rank[layer])
    tally.counters[DOUBTFUL_RANKS] += doubtful
    _close(tally, layer + 1)
    tally.so_far[layer] += 1
    tally.cells[layer + 1, rank] += 1
    tally.open[layer + 1] = 1
    tally.rank[layer + 1] = rank
    tally.number[layer + 1] = tally.issued[0]
    tally.issued[0] += 1


@kernel
def _record(tables, walk, f):
    """Append the present cell to the recorded rows."""
    rows, tally = walk.rows, walk.tally
    n = rows.count[0]
    layer = walk.stack.layer[f]
    rows.layer[n] = layer
    rows.cell[n] = tally.number[layer + 1]
    rows.parent[n] = tally.number[layer]
    for k in range(tables.depth):
        rows.ranks[n, k] = tally.rank[k + 1] if k <= layer else 0
        at = tables.unit_at[k]
        for unit in range(tables.unit_at[k + 1] - at):
            rows.pieces[n, at + unit] = piece(tables, walk.images, k, unit) if k <= layer else 0
    recentre(walk.cells, f)
    locate(walk.cells, f, walk.scratch.place)
    witness_point(walk.cells, f, walk.scratch.place, rows.witness[n])
    rows.count[0] = n + 1


@kernel
def walk_tree(tables, walk, nodes, record_regions, record_tree):
    """Walk on for at most about `nodes` steps. Returns FINISHED, PAUSED, or what has to grow or be taken before going on."""
    stack, cells, images, scratch = walk.stack, walk.cells, walk.images, walk.scratch
    for _ in range(nodes):
        f = scratch.top[0]
        if f < 0:
            _close(walk.tally, 0)
            return FINISHED
        if f + 2 > cells.table.shape[0]:
            return STACK_FULL
        if stack.news[f] == A_CUT:
            _decide(walk, f, stack.news_index[f], stack.news_value[f])
        elif stack.news[f] == A_WINNER:
            images.winner[stack.news_index[f]] = stack.news_value[f]
        stack.news[f] = NOTHING
        stage, status = stack.stage[f], FINISHED
        if stage == ENTER:
            _enter(tables, walk, f)
        elif stage == FILL:
            status = _fill(tables, walk, f)
        elif stage == CUTS:
            status = _cuts(tables, walk, f, record_regions or record_tree)
        elif stage == GROUPS:
            status = _groups(tables, walk, f)
        else:
            layer = stack.layer[f]
            is_last = layer == tables.depth - 1
            recording = record_tree or (record_regions and is_last)
            if recording and walk.rows.count[0] == walk.rows.layer.shape[0]:
                return ROWS_FULL
            _count_cell(tables, walk, f)
            if recording:
                _record(tables, walk, f)
            if is_last:
                scratch.top[0] = f - 1
            else:
                stack.layer[f] = layer + 1
                stack.stage[f] = ENTER
        if status != FINISHED:
            return status
    return PAUSED
