"""Maxima: a cell is split by winner, never by the order of the losers.

The candidate that leads at the witness drops every candidate that it dominates on the cell; the cell is then
restricted, once for each candidate left, to where that one is largest. Candidates that are the same function on the
cell are one: the lowest keeps its place.
"""

from __future__ import annotations

import numpy as np

from regionenum.engine.counters import DOUBTFUL
from regionenum.engine.cut_kernel import BROKEN, CUTS_CELL, DECIDED, probe, restrict
from regionenum.engine.layer_kernel import norm, read_difference, read_row, scale_normal, slope_and_level
from regionenum.engine.policy import kernel
from regionenum.engine.refresh_kernel import refresh
from regionenum.engine.simplex_kernel import (
    AGE,
    BLOCK,
    N_ROWS,
    SIZE,
    append_row,
    copy_cell,
    drop_row,
    express,
    locate,
    witness_point,
)
from regionenum.engine.tables import CUT, GROUP, UNIT
from regionenum.engine.walk_state import (
    A_WINNER,
    DICTIONARY_FULL,
    DONE,
    FINISHED,
    GAVE_UP,
    LAYER,
    NEWS,
    NEWS_INDEX,
    NEWS_VALUE,
    NEXT,
    NOTHING,
    STACK_FIELDS,
    STACK_FULL,
    STAGE,
)

SAME, ABOVE, BELOW = -1, -2, -3


@kernel
def difference_row(tables, images, normal, counters, table, label, u, layer, i, k):
    """Append candidate i minus candidate k of unit u as a pending row, scaled to a distance: (row, error).

    If the two differ by a constant on the cell there is no row: SAME, ABOVE (i is larger) or BELOW is returned instead.
    """
    first = tables.units.member[u]
    row, other = tables.units.member_row[first + i], tables.units.member_row[first + k]
    constant, noise = read_difference(tables.at, images, layer, row, other, normal)
    size, level = slope_and_level(tables, constant, normal)
    if size <= 4.0 * noise or size < 1e-300:
        if size > 0.0 or (noise > 0.0 and row != other):
            counters[DOUBTFUL] += 1
        if abs(level) <= 2.0 * noise:
            return SAME, 0.0
        return (ABOVE if level > 0.0 else BELOW), 0.0
    size = norm(normal)
    constant = scale_normal(constant, normal, 1.0 / size)
    locate(label)
    r = append_row(table, label)
    express(table, label, constant, normal, r)
    return r, 2.0 * noise / size


@kernel
def _leader(tables, walk, f, u, layer):
    """The candidate that is largest at the witness; of equals the lowest."""
    table, label = walk.cells[f], walk.labels[f]
    point = walk.system[0, : tables.dim]
    locate(label)
    witness_point(table, label, point)
    leader, best = 0, -np.inf
    first = tables.units.member[u]
    for i in range(tables.units.member[u + 1] - first):
        value = read_row(tables.at, walk.images, layer, tables.units.member_row[first + i], walk.normal)
        for k in range(tables.dim):
            value += walk.normal[k] * point[k]
        if value > best:
            leader, best = i, value
    return leader


@kernel
def _contenders(tables, walk, f, u, layer):
    """List the candidates that the leader does not dominate, it last, in `walk.candidates`; their number, or -1."""
    table, label, counters = walk.cells[f], walk.labels[f], walk.tally.counters
    leader = _leader(tables, walk, f, u, layer)
    lowest = leader
    n = 0
    for i in range(tables.units.member[u + 1] - tables.units.member[u]):
        if i == leader:
            continue
        r, error = difference_row(tables, walk.images, walk.normal, counters, table, label, u, layer, i, leader)
        if r == SAME:
            lowest = min(lowest, i)
        if r < 0:
            continue
        outcome, side, _, _ = probe(table, label, r, error, True, counters)
        drop_row(table, label, r)
        if outcome == BROKEN:
            return -1
        if outcome == CUTS_CELL or side == 1:
            walk.candidates[n] = i
            n += 1
    walk.candidates[n] = lowest
    return n + 1


@kernel
def _restrict_to_winner(tables, walk, child, u, layer, a, n):
    """Restrict a copy of the cell to where candidate a of the n contenders is largest; an outcome of `restrict`."""
    table, label, counters = walk.cells[child], walk.labels[child], walk.tally.counters
    i = walk.candidates[a]
    for b in range(n):
        if b == a:
            continue
        k = walk.candidates[b]
        r, error = difference_row(tables, walk.images, walk.normal, counters, table, label, u, layer, i, k)
        if r == BELOW or (r == SAME and k < i):
            return DECIDED
        if r < 0:
            continue
        variable = tables.dim + tables.at[-1, CUT] + tables.units.member[u] + k
        outcome = restrict(table, label, r, variable, error, counters)
        if outcome != CUTS_CELL:
            return outcome
    return CUTS_CELL


@kernel
def _split_by_winner(tables, walk, f, u, layer, n):
    """Put one child for each contender that wins somewhere above cell f; returns their number, or -1."""
    stack = walk.stack
    children = 0
    for a in range(n):
        child = f + 1 + children
        copy_cell(walk.cells[f], walk.labels[f], walk.cells[child], walk.labels[child])
        outcome = _restrict_to_winner(tables, walk, child, u, layer, a, n)
        if outcome == BROKEN:
            return -1
        if outcome == CUTS_CELL:
            for k in range(STACK_FIELDS):
                stack[child, k] = stack[f, k]
            stack[child, NEWS], stack[child, NEWS_INDEX], stack[child, NEWS_VALUE] = A_WINNER, u, walk.candidates[a]
            children += 1
    return children


@kernel
def decide_groups(tables, walk, f):
    """Decide maxima of cell f until one splits it or none is left; one of the ends of `walk_tree`."""
    stack, label = walk.stack, walk.labels[f]
    layer = stack[f, LAYER]
    while stack[f, NEXT] < tables.at[layer + 1, GROUP]:
        u = tables.at[layer, UNIT] + tables.group_unit[stack[f, NEXT]]
        if walk.given_winner[u] == 1:
            stack[f, NEXT] += 1
            continue
        size = tables.units.member[u + 1] - tables.units.member[u]
        if label[SIZE, N_ROWS] + size + 2 * BLOCK > walk.cells.shape[2]:
            return DICTIONARY_FULL
        if f + size + 2 > walk.cells.shape[0]:
            return STACK_FULL
        n = _contenders(tables, walk, f, u, layer)
        children = n
        if n > 1:
            stack[f, NEXT] += 1
            children = _split_by_winner(tables, walk, f, u, layer, n)
            stack[f, NEXT] -= 1
        if children < 0:
            if label[SIZE, AGE] == 0 or not refresh(
                tables, walk.images, walk.cells[f], label, walk.normal, walk.system
            ):
                return GAVE_UP
            continue
        stack[f, NEXT] += 1
        if n == 1:
            walk.images.winner[u] = walk.candidates[0]
        elif children == 1:
            # The others only touch the cell.
            walk.images.winner[u] = stack[f + 1, NEWS_VALUE]
        elif children == 0:
            # No candidate wins by more than the tolerance: the leader at the witness has the cell.
            walk.tally.counters[DOUBTFUL] += 1
            walk.images.winner[u] = walk.candidates[n - 1]
        else:
            last = f + children
            copy_cell(walk.cells[last], walk.labels[last], walk.cells[f], label)
            stack[f, NEWS], stack[f, NEWS_INDEX], stack[f, NEWS_VALUE] = A_WINNER, u, stack[last, NEWS_VALUE]
            walk.top[0] = last - 1
            return FINISHED
        stack[f, NEWS] = NOTHING
    stack[f, STAGE] = DONE
    return FINISHED
