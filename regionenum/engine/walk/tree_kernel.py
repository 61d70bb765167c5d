"""The tree walk: depth first over layers, then over the units of a layer that still cut the cell.

The stack holds cells that wait; the top one is worked on. A cell passes through these stages in every layer:

ENTER   the layer's rows are pulled back to the cell;
FILL    every cut is tested once on the whole cell: what does not cut is decided for the whole subtree, the rest becomes
        pending rows of the cell;
CUTTING pending rows are tested again, in order; one that cuts splits the cell in two;
GROUPS  the maxima are decided, one child for every candidate that wins somewhere (`group_kernel`);
DONE    the cell is a cell of this layer: its rank is found, it is counted, and it enters the next layer.
"""

from __future__ import annotations

from regionenum.engine.cells import (
    BROKEN,
    CUTS,
    DOUBTFUL,
    LEAF,
    NEGATIVE,
    POSITIVE,
    SCREEN,
    SPLIT,
    capacity,
    centre,
    drop,
    first_pending,
    has_room,
    likely,
    line_of,
    n_pending,
    split,
    test,
    tight,
    witness,
)
from regionenum.engine.cells import add as add_row
from regionenum.engine.counters import DOUBTFUL as DOUBTFUL_COUNT
from regionenum.engine.counters import REUSED, TESTS
from regionenum.engine.policy import inlined, kernel
from regionenum.engine.tables import CUT, EXACT, GROUP, UNIT
from regionenum.engine.walk.certificate_kernel import forget, give_slot, implied, learn
from regionenum.engine.walk.group_kernel import decide_groups
from regionenum.engine.walk.layer_kernel import (
    ALWAYS_ABOVE,
    FLAT,
    STEEP,
    decide,
    pull_back,
    read_cut,
    sign_on_cube,
)
from regionenum.engine.walk.question_kernel import (
    answer_about,
    ask,
    asks,
    replace_witness,
    settle,
    split_by_answer,
    use_up,
)
from regionenum.engine.walk.rank_kernel import order_units
from regionenum.engine.walk.span_kernel import relate_rows
from regionenum.engine.walk.state import (
    A_CUT,
    A_WINNER,
    ASKED,
    CELL_FULL,
    CUTTING,
    ENTER,
    FILL,
    FINISHED,
    FIRST_CELL,
    GAVE_UP,
    GROUPS,
    LAYER,
    MINUS_MASK,
    N_TIGHT,
    NEWS,
    NEWS_INDEX,
    NEWS_VALUE,
    NEXT,
    NO_ANSWER,
    NOTHING,
    NUMBER,
    OF_A_ROW,
    OUTPUT_RANK,
    PAUSED,
    PLUS_MASK,
    RANK,
    ROWS_FULL,
    STACK_FIELDS,
    STACK_FULL,
    STAGE,
)
from regionenum.engine.walk.tally_kernel import close_cells, count_cell


@inlined
def _decide(cuts, images, slots, waiting, c, side):
    """Write down the side of a cut."""
    decide(cuts, images.cut_side, images.piece, c, side)
    slot = slots[c]
    if slot >= 0:
        waiting[PLUS_MASK if side == POSITIVE else MINUS_MASK] |= 1 << slot


@kernel
def _enter(tables, walk, cells, f):
    """Pull the layer's rows back and forget the certificates of the last cell."""
    layer = walk.stack[f, LAYER]
    if layer > 0:
        pull_back(tables, walk.images, layer)
    relate_rows(tables, walk, cells, layer)
    forget(tables.at, walk.certificates, layer)
    walk.stack[f, PLUS_MASK] = 0
    walk.stack[f, MINUS_MASK] = 0
    walk.stack[f, NEXT] = tables.at[layer, CUT]
    walk.stack[f, STAGE] = FILL
    return FINISHED


@kernel
def _at_witness(tables, walk, cells, f, constant):
    """Value at the witness of the function constant + `walk.normal` . z."""
    witness(cells, f, walk.point)
    for k in range(tables.dim):
        constant += walk.normal[k] * walk.point[k]
    return constant


@kernel
def _fill(tables, walk, cells, f, last_test):
    """Test every cut on the whole cell, once."""
    images, normal, counters, waiting = walk.images, walk.normal, walk.tally.counters, walk.stack[f]
    questions = walk.questions
    at, one, cuts, layer = tables.at, tables.one, tables.cuts, waiting[LAYER]
    while waiting[NEXT] < at[layer + 1, CUT]:
        c = waiting[NEXT]
        if walk.given[c] == 1:
            waiting[NEXT] += 1
            continue
        if counters[TESTS] >= last_test:
            return PAUSED
        if not has_room(cells, f, 1):
            return CELL_FULL
        constant, error_one, error_linear = read_cut(at, one, cuts, images, layer, c, normal)
        r = -1
        outcome = answer_about(questions, OF_A_ROW, f, c, 0, -1)
        if outcome == NO_ANSWER:
            sign = sign_on_cube(one, constant, normal, error_one, error_linear, at[layer, EXACT])
            if sign == FLAT:
                # As good as constant on the cell: the sign at the witness is likely to be that of all of it.
                guess = POSITIVE if _at_witness(tables, walk, cells, f, constant) > 0.0 else NEGATIVE
                if asks(questions):
                    return ask(questions, OF_A_ROW, f, c, 0, -1, guess)
                counters[DOUBTFUL_COUNT] += 1
                outcome = guess
            elif sign != STEEP:
                outcome = POSITIVE if sign == ALWAYS_ABOVE else NEGATIVE
            else:
                r = add_row(cells, f, c, constant, normal, error_one + error_linear)
                outcome = test(cells, f, r, SCREEN)
                if outcome >= DOUBTFUL and asks(questions):
                    status = ask(questions, OF_A_ROW, f, c, 0, -1, likely(cells, f) if outcome == DOUBTFUL else -1)
                    drop(cells, f, r)
                    return status
                if outcome == BROKEN:
                    return GAVE_UP
                if outcome == DOUBTFUL:
                    outcome = settle(cells, f, counters)
        else:
            replace_witness(cells, f, questions, outcome)
            if outcome == CUTS:
                r = add_row(cells, f, c, constant, normal, error_one + error_linear)
            use_up(questions, OF_A_ROW, counters)
        counters[TESTS] += 1
        waiting[NEXT] += 1
        if outcome == CUTS:
            give_slot(walk.certificates, layer, c)
        else:
            decide(cuts, images.cut_side, images.piece, c, POSITIVE if outcome == POSITIVE else NEGATIVE)
            if r >= 0:
                drop(cells, f, r)
    order_units(at, tables.units, walk.certificates.slot, walk.ranks, layer)
    waiting[STAGE] = CUTTING
    return FINISHED


@inlined
def _reuse(certificates, counters, layer, slot, waiting):
    """Side of an open cut by a certificate kept from an earlier test, or -1; counted."""
    side, doubtful = implied(certificates, layer, slot, waiting[PLUS_MASK], waiting[MINUS_MASK])
    if side >= 0:
        counters[TESTS] += 1
        counters[REUSED] += 1
        counters[DOUBTFUL_COUNT] += doubtful
    return side


@kernel
def _cut(tables, walk, cells, recording, last_test):
    """Decide pending cuts, of one cell after the other while they are in this layer and stage, up to test `last_test`.

    In the last layer regions are counted right here unless they are recorded.
    """
    stack, images, certificates, counters = walk.stack, walk.images, walk.certificates, walk.tally.counters
    at, units, cuts, questions = tables.at, tables.units, tables.cuts, walk.questions
    layer = stack[walk.top[0], LAYER]
    is_last = layer == tables.depth - 1 and at[layer, GROUP] == at[layer + 1, GROUP] and not recording
    before = counters[TESTS]
    while counters[TESTS] == before or counters[TESTS] < last_test:
        f = walk.top[0]
        if f < FIRST_CELL or stack[f, LAYER] != layer or stack[f, STAGE] != CUTTING:
            return FINISHED
        if f + 2 > capacity(cells):
            return STACK_FULL
        waiting = stack[f]
        if waiting[NEWS] == A_CUT:
            _decide(cuts, images, certificates.slot, waiting, waiting[NEWS_INDEX], waiting[NEWS_VALUE])
            waiting[NEWS] = NOTHING
        was_split = False
        while n_pending(cells, f) > 0:
            r = first_pending(cells, f)
            c = line_of(cells, f, r)
            slot = certificates.slot[c]
            if slot >= 0:
                side = _reuse(certificates, counters, layer, slot, waiting)
                if side >= 0:
                    _decide(cuts, images, certificates.slot, waiting, c, side)
                    drop(cells, f, r)
                    continue
            leaf = is_last and n_pending(cells, f) == 1
            outcome = answer_about(questions, OF_A_ROW, f, c, 0, -1)
            answered, doubtful = outcome != NO_ANSWER, False
            if not answered:
                outcome = test(cells, f, r, LEAF if leaf else SPLIT)
                doubtful = outcome >= DOUBTFUL
                if doubtful and asks(questions):
                    return ask(questions, OF_A_ROW, f, c, 0, -1, likely(cells, f) if outcome == DOUBTFUL else -1)
                if outcome == BROKEN:
                    return GAVE_UP
                if doubtful:
                    outcome = settle(cells, f, counters)
            if outcome != CUTS:
                counters[TESTS] += 1
                if answered:
                    replace_witness(cells, f, questions, outcome)
                    outcome = POSITIVE if outcome == POSITIVE else NEGATIVE
                    if slot >= 0:
                        n = questions.answer[OF_A_ROW, N_TIGHT]
                        learn(at, certificates, images.cut_side, layer, slot, questions.tight, n, outcome, False)
                    use_up(questions, OF_A_ROW, counters)
                elif slot >= 0:
                    n = tight(cells, f, r, walk.lines)
                    learn(at, certificates, images.cut_side, layer, slot, walk.lines, n, outcome, doubtful)
                _decide(cuts, images, certificates.slot, waiting, c, outcome)
                drop(cells, f, r)
                continue
            if leaf:
                # Both sides are regions without further tests: one is counted here, the other as the cell is done.
                decide(cuts, images.cut_side, images.piece, c, NEGATIVE)
                if not count_cell(at, units, images, walk.ranks, tables.output, walk.tally, questions, layer):
                    return ASKED
                counters[TESTS] += 1
                if answered:
                    use_up(questions, OF_A_ROW, counters)
                _decide(cuts, images, certificates.slot, waiting, c, POSITIVE)
                drop(cells, f, r)
                continue
            counters[TESTS] += 1
            if answered:
                side = split_by_answer(cells, f, r, f + 1, questions)
                use_up(questions, OF_A_ROW, counters)
            else:
                side = split(cells, f, r, f + 1)
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
            if not count_cell(at, units, images, walk.ranks, tables.output, walk.tally, questions, layer):
                return ASKED
            walk.top[0] = f - 1
        else:
            waiting[NEXT] = at[layer, GROUP]
            waiting[STAGE] = GROUPS
    return FINISHED


@kernel
def _record(tables, walk, cells, f):
    """Append the present cell to the recorded rows."""
    rows, path = walk.rows, walk.tally.path
    n = rows.filled[0]
    layer = walk.stack[f, LAYER]
    rows.layer[n] = layer
    rows.cell[n] = path[NUMBER, layer + 1]
    rows.parent[n] = path[NUMBER, layer]
    rows.output_rank[n] = path[OUTPUT_RANK, 0] if layer == tables.depth - 1 else 0
    for k in range(tables.depth):
        rows.ranks[n, k] = path[RANK, k + 1] if k <= layer else 0
        start = tables.at[k, UNIT]
        for unit in range(tables.at[k + 1, UNIT] - start):
            rows.pieces[n, start + unit] = walk.images.piece[start + unit] if k <= layer else 0
    centre(cells, f)
    witness(cells, f, rows.witness[n])
    rows.filled[0] = n + 1


@kernel
def _done(tables, walk, cells, f, record_regions, record_tree):
    """Count and record the cell, and go on to the next layer or the next cell."""
    layer = walk.stack[f, LAYER]
    is_last = layer == tables.depth - 1
    recording = record_tree or (record_regions and is_last)
    if recording and walk.rows.filled[0] == walk.rows.layer.shape[0]:
        return ROWS_FULL
    if not count_cell(
        tables.at, tables.units, walk.images, walk.ranks, tables.output, walk.tally, walk.questions, layer
    ):
        return ASKED
    if recording:
        _record(tables, walk, cells, f)
    if is_last:
        walk.top[0] = f - 1
    else:
        walk.stack[f, LAYER] = layer + 1
        walk.stack[f, STAGE] = ENTER
    return FINISHED


@kernel
def walk_tree(tables, walk, cells, tests, record_regions, record_tree):
    """Walk on for a while: `tests` stages of cells, or tests of cuts, but one stage at least.

    Returns FINISHED, PAUSED, or what has to grow or be taken before the walk can go on.
    """
    stack, counters = walk.stack, walk.tally.counters
    last_test = counters[TESTS] + tests
    while True:
        f = walk.top[0]
        if f < FIRST_CELL:
            close_cells(tables.at, walk.tally, 0)
            return FINISHED
        if stack[f, NEWS] == A_CUT:
            _decide(
                tables.cuts, walk.images, walk.certificates.slot, stack[f], stack[f, NEWS_INDEX], stack[f, NEWS_VALUE]
            )
        elif stack[f, NEWS] == A_WINNER:
            walk.images.piece[stack[f, NEWS_INDEX]] = stack[f, NEWS_VALUE]
        stack[f, NEWS] = NOTHING
        stage = stack[f, STAGE]
        if stage == ENTER:
            status = _enter(tables, walk, cells, f)
        elif stage == FILL:
            status = _fill(tables, walk, cells, f, last_test)
        elif stage == CUTTING:
            status = _cut(tables, walk, cells, record_regions or record_tree, last_test)
        elif stage == GROUPS:
            status = decide_groups(tables, walk, cells, f, last_test)
        else:
            status = _done(tables, walk, cells, f, record_regions, record_tree)
        if status != FINISHED:
            return status
        last_test -= 1
        if counters[TESTS] >= last_test:
            return PAUSED
