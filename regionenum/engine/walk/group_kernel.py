"""Maxima: a cell is split by winner, never by the order of the losers.

Candidates that are the same function on the cell are one: the lowest keeps its place. The candidate that leads at the
witness drops every candidate that it dominates on the cell (SCREENING); the cell is then restricted, once for each
candidate left, to where that one is largest (SPLITTING). A group may have very many candidates, so the walk can stop
between any two tests, and goes on from `walk.groups`.
"""

from __future__ import annotations

from regionenum.engine.cells import (
    BROKEN,
    CUTS,
    DOUBTFUL,
    NEGATIVE,
    NEW_LINE,
    POSITIVE,
    RESTRICT,
    SCREEN,
    ZERO,
    capacity,
    copy,
    drop,
    force,
    has_room,
    likely,
    restrict,
    test,
    witness,
)
from regionenum.engine.cells import add as add_row
from regionenum.engine.counters import DOUBTFUL as DOUBTFUL_COUNT
from regionenum.engine.counters import TESTS
from regionenum.engine.policy import kernel
from regionenum.engine.tables import EXACT, GROUP, UNIT
from regionenum.engine.walk.layer_kernel import (
    ALWAYS_ABOVE,
    ALWAYS_BELOW,
    FLAT,
    LEVEL_ZERO,
    read_difference,
    read_row,
    sign_on_cube,
)
from regionenum.engine.walk.question_kernel import answer_about, ask, asks, replace_witness, settle, use_up
from regionenum.engine.walk.state import (
    A_WINNER,
    ASKED,
    AT,
    CELL_FULL,
    CHILD,
    DONE,
    FINISHED,
    GAVE_UP,
    LAYER,
    LEADER,
    N_CHILDREN,
    N_LISTED,
    NEWS,
    NEWS_INDEX,
    NEWS_VALUE,
    NEXT,
    NO_ANSWER,
    NOTHING,
    OF_A_ROW,
    PAUSED,
    PHASE,
    STACK_FIELDS,
    STACK_FULL,
    STAGE,
    SURE_ABOVE,
)

IDLE, SCREENING, SPLITTING = 0, 1, 2


@kernel
def _difference(tables, walk, layer, u, i, k):
    """Candidate i minus candidate k of unit u, written to `walk.normal`: (sign on the cube, constant, error)."""
    first = tables.units.member[u]
    row, other = tables.units.member_row[first + i], tables.units.member_row[first + k]
    constant, error_one, error_linear = read_difference(
        tables.at, tables.one, walk.images, layer, row, other, walk.normal
    )
    sign = sign_on_cube(tables.one, constant, walk.normal, error_one, error_linear, tables.at[layer, EXACT])
    return sign, constant, error_one + error_linear


@kernel
def _guess(tables, walk, cells, f, constant, error):
    """What float64 says of a difference whose sign on the cube cannot be told: what it says at the witness."""
    witness(cells, f, walk.point)
    value = constant
    for n in range(tables.dim):
        value += walk.normal[n] * walk.point[n]
    if abs(value) <= 2.0 * error:
        return ZERO
    return POSITIVE if value > 0.0 else NEGATIVE


@kernel
def _compare(tables, walk, cells, f, layer, u, i, k, purpose):
    """Candidate i of unit u against candidate k, on cell f: (outcome, pending row, was it answered); DOUBTFUL after a question.

    The row, of i minus k, is -1 where none was needed. An answer is not used up yet.

    NEGATIVE : i never wins. POSITIVE : it is always larger. ZERO : they are one function. CUTS : neither, for all that is known
    (SCREEN), or the cell can be restricted by the row (RESTRICT).
    """
    questions, counters = walk.questions, walk.tally.counters
    sign, constant, error = _difference(tables, walk, layer, u, i, k)
    outcome = answer_about(questions, OF_A_ROW, f, u, i, k)
    if outcome != NO_ANSWER:
        r = add_row(cells, f, NEW_LINE, constant, walk.normal, error) if outcome == CUTS else -1
        return outcome, r, True
    if sign == LEVEL_ZERO:
        return ZERO, -1, False
    if sign in (ALWAYS_ABOVE, ALWAYS_BELOW):
        return POSITIVE if sign == ALWAYS_ABOVE else NEGATIVE, -1, False
    if sign == FLAT:
        guess = _guess(tables, walk, cells, f, constant, error)
        if asks(questions):
            ask(questions, OF_A_ROW, f, u, i, k, guess)
            return DOUBTFUL, -1, False
        counters[DOUBTFUL_COUNT] += 1
        return guess, -1, False
    r = add_row(cells, f, NEW_LINE, constant, walk.normal, error)
    outcome = test(cells, f, r, purpose)
    if outcome >= DOUBTFUL and asks(questions):
        ask(questions, OF_A_ROW, f, u, i, k, likely(cells, f) if outcome == DOUBTFUL else -1)
        drop(cells, f, r)
        return DOUBTFUL, -1, False
    if outcome == DOUBTFUL:
        outcome = settle(cells, f, counters)
    return outcome, r, False


@kernel
def _is_before(key, listed, a, b):
    """Whether place a of the list belongs before place b: by key, then by number."""
    return key[a] < key[b] or (key[a] == key[b] and listed[a] < listed[b])


@kernel
def _sort(key, listed, n):
    """Sort the first n places of the list, in place (heap sort)."""
    for phase in range(2 * n):
        if phase < n:
            root, end = n - 1 - phase, n
        else:
            end = 2 * n - 1 - phase
            root = 0
            key[0], key[end] = key[end], key[0]
            listed[0], listed[end] = listed[end], listed[0]
        while 2 * root + 1 < end:
            child = 2 * root + 1
            if child + 1 < end and _is_before(key, listed, child, child + 1):
                child += 1
            if not _is_before(key, listed, root, child):
                break
            key[root], key[child] = key[child], key[root]
            listed[root], listed[child] = listed[child], listed[root]
            root = child


@kernel
def _list_candidates(tables, walk, cells, f, layer, u):
    """List the candidates, one of each function, and find the one that leads at the witness.

    Candidates with the same weights were found beforehand (`Tables.twin`). Others that are one function on this cell have
    one value at the witness: after sorting by that, neighbours are compared. Rows that agree in every bit although they were
    rounded are taken to be one function, which is doubtful; or both are kept, and it is asked when they are compared.
    """
    groups, normal, counters = walk.groups, walk.normal, walk.tally.counters
    key, listed, first = groups.key, groups.listed, tables.units.member[u]
    witness(cells, f, walk.point)
    n = 0
    for i in range(tables.units.member[u + 1] - first):
        if tables.twin[first + i] != i:
            continue
        value = read_row(tables.at, walk.images.image, layer, tables.units.member_row[first + i], normal)
        for k in range(tables.dim):
            value += normal[k] * walk.point[k]
        key[n], listed[n] = value, i
        n += 1
    _sort(key, listed, n)
    kept, run = 0, 0
    for a in range(n):
        value, i = key[a], listed[a]
        if kept == 0 or key[kept - 1] != value:
            run = kept
        is_new = True
        for b in range(run, kept):
            row, other = tables.units.member_row[first + i], tables.units.member_row[first + listed[b]]
            constant, error_one, error_linear = read_difference(
                tables.at, tables.one, walk.images, layer, row, other, normal
            )
            size = abs(constant)
            for k in range(tables.dim):
                size += abs(normal[k])
            if size == 0.0 and (error_one + error_linear == 0.0 or not asks(walk.questions)):
                counters[DOUBTFUL_COUNT] += error_one + error_linear > 0.0
                is_new = False
                break
        if is_new:
            key[kept], listed[kept] = value, i
            kept += 1
    # Of those that lead, the lowest is first in its run.
    lead = kept - 1
    while lead > 0 and key[lead - 1] == key[lead]:
        lead -= 1
    groups.scan[LEADER] = listed[lead]
    groups.scan[PHASE], groups.scan[AT], groups.scan[N_LISTED] = SCREENING, 0, 0
    groups.scan[CHILD] = kept


@kernel
def _screen(tables, walk, cells, f, layer, u, last_test):
    """Keep the candidates in the list that the leader does not dominate, it last."""
    scan, listed, counters = walk.groups.scan, walk.groups.listed, walk.tally.counters
    leader = scan[LEADER]
    while scan[AT] < scan[CHILD]:
        if counters[TESTS] >= last_test:
            return PAUSED
        if not has_room(cells, f, 1):
            return CELL_FULL
        i = listed[scan[AT]]
        if i == leader:
            scan[AT] += 1
            continue
        outcome, r, answered = _compare(tables, walk, cells, f, layer, u, i, leader, SCREEN)
        if outcome == DOUBTFUL:
            return ASKED
        if outcome == BROKEN:
            return GAVE_UP
        if r >= 0:
            drop(cells, f, r)
        if answered:
            replace_witness(cells, f, walk.questions, outcome)
            use_up(walk.questions, OF_A_ROW, counters)
        scan[AT] += 1
        counters[TESTS] += 1
        if outcome == ZERO:
            scan[LEADER] = min(scan[LEADER], i)
        elif outcome != NEGATIVE:
            listed[scan[N_LISTED]] = i
            scan[N_LISTED] += 1
    listed[scan[N_LISTED]] = scan[LEADER]
    scan[N_LISTED] += 1
    scan[PHASE], scan[AT], scan[CHILD], scan[N_CHILDREN] = SPLITTING, 0, 0, 0
    return FINISHED


@kernel
def _restrict(tables, walk, cells, child, layer, u, i, k):
    """Restrict a cell to where candidate i is larger than k: CUTS, NEGATIVE if nothing is left, BROKEN, or DOUBTFUL (asked)."""
    questions = walk.questions
    outcome, r, answered = _compare(tables, walk, cells, child, layer, u, i, k, RESTRICT)
    if outcome >= DOUBTFUL and outcome != ZERO:
        return outcome
    walk.tally.counters[TESTS] += 1
    if outcome == ZERO:
        outcome = NEGATIVE if k < i else CUTS
    elif outcome == POSITIVE:
        if r >= 0:
            drop(cells, child, r)
        if answered:
            replace_witness(cells, child, questions, POSITIVE)
        outcome = CUTS
    elif outcome == CUTS:
        if answered:
            force(cells, child, r, POSITIVE, questions.points[1], questions.answer[OF_A_ROW, SURE_ABOVE])
        else:
            restrict(cells, child, r)
    if answered:
        use_up(questions, OF_A_ROW, walk.tally.counters)
    return outcome


@kernel
def _split_by_winner(tables, walk, cells, f, layer, u, last_test):
    """Put one child above cell f for each listed candidate that wins somewhere."""
    scan, listed, stack = walk.groups.scan, walk.groups.listed, walk.stack
    n = scan[N_LISTED]
    while scan[CHILD] < n:
        child = f + 1 + scan[N_CHILDREN]
        if child + 2 > capacity(cells):
            return STACK_FULL
        if scan[AT] == 0:
            copy(cells, f, child)
        if not has_room(cells, child, n - scan[AT]):
            scan[AT] = 0
            return CELL_FULL
        outcome = CUTS
        while scan[AT] < n and outcome == CUTS:
            if walk.tally.counters[TESTS] >= last_test:
                return PAUSED
            if scan[AT] != scan[CHILD]:
                i, k = listed[scan[CHILD]], listed[scan[AT]]
                outcome = _restrict(tables, walk, cells, child, layer, u, i, k)
                if outcome == DOUBTFUL:
                    return ASKED
            scan[AT] += 1
        if outcome == BROKEN:
            return GAVE_UP
        if outcome == CUTS:
            for k in range(STACK_FIELDS):
                stack[child, k] = stack[f, k]
            stack[child, NEXT] += 1
            stack[child, NEWS], stack[child, NEWS_INDEX], stack[child, NEWS_VALUE] = A_WINNER, u, listed[scan[CHILD]]
            scan[N_CHILDREN] += 1
        scan[CHILD] += 1
        scan[AT] = 0
    return FINISHED


@kernel
def decide_groups(tables, walk, cells, f, last_test):
    """Decide maxima of cell f until one splits it or none is left; one of the ends of `walk_tree`."""
    stack, scan, listed = walk.stack, walk.groups.scan, walk.groups.listed
    layer = stack[f, LAYER]
    while stack[f, NEXT] < tables.at[layer + 1, GROUP]:
        u = tables.at[layer, UNIT] + tables.group_unit[stack[f, NEXT]]
        if walk.given_winner[u] == 1:
            stack[f, NEXT] += 1
            continue
        if scan[PHASE] == IDLE:
            _list_candidates(tables, walk, cells, f, layer, u)
        if scan[PHASE] == SCREENING:
            status = _screen(tables, walk, cells, f, layer, u, last_test)
            if status != FINISHED:
                return status
        n = scan[N_LISTED]
        if n > 1:
            status = _split_by_winner(tables, walk, cells, f, layer, u, last_test)
            if status != FINISHED:
                return status
        scan[PHASE] = IDLE
        stack[f, NEXT] += 1
        children = scan[N_CHILDREN]
        if n == 1:
            walk.images.piece[u] = listed[0]
        elif children == 1:
            # The others only touch the cell.
            walk.images.piece[u] = stack[f + 1, NEWS_VALUE]
        elif children == 0:
            # No candidate wins as far as float64 can tell: the leader at the witness has the cell.
            walk.tally.counters[DOUBTFUL_COUNT] += 1
            walk.images.piece[u] = listed[n - 1]
        else:
            last = f + children
            copy(cells, last, f)
            stack[f, NEWS], stack[f, NEWS_INDEX], stack[f, NEWS_VALUE] = A_WINNER, u, stack[last, NEWS_VALUE]
            walk.top[0] = last - 1
            return FINISHED
        stack[f, NEWS] = NOTHING
    stack[f, STAGE] = DONE
    return FINISHED
