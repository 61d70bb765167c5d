"""Counting cells: their ranks, the children of the cells of the layer before, and the units that cut these."""

from __future__ import annotations

from regionenum.engine.counters import DOUBTFUL_RANKS
from regionenum.engine.policy import kernel
from regionenum.engine.subtree import SEVERAL
from regionenum.engine.tables import UNIT
from regionenum.engine.walk.output_kernel import follow_pieces, output_rank
from regionenum.engine.walk.question_kernel import answer_about, ask, asks, use_up
from regionenum.engine.walk.rank_kernel import layer_rank
from regionenum.engine.walk.state import (
    CELLS,
    CHILDREN,
    CHILDREN_SO_FAR,
    ISSUED,
    MAX_CHILDREN,
    NO_ANSWER,
    NUMBER,
    OF_A_RANK,
    OF_THE_OUTPUT,
    OPEN,
    OUTPUT_RANK,
    RANK,
    UNSPLIT,
)


@kernel
def _close(at, tally, level):
    """Add up the children of the present cell of a level."""
    path, statistics = tally.path, tally.statistics
    rank, n = path[RANK, level], path[CHILDREN_SO_FAR, level]
    path[OPEN, level], path[CHILDREN_SO_FAR, level] = 0, 0
    if n == 0:
        return
    statistics[CHILDREN, level, rank] += n
    statistics[MAX_CHILDREN, level, rank] = max(statistics[MAX_CHILDREN, level, rank], n)
    statistics[UNSPLIT, level, rank] += n == 1
    column, power, cut_by = rank if level > 0 else 0, 0, 0
    while n > 1:
        n >>= 1
        power += 1
    for u in range(at[level, UNIT], at[level + 1, UNIT]):
        cut_by += tally.seen[u] == SEVERAL
    tally.spread[level, column, power] += 1
    tally.cutting[level, column, min(cut_by, tally.cutting.shape[2] - 1)] += 1


@kernel
def close_cells(at, tally, level):
    """Add up the children of the present cells of `level` (0: the domain) and deeper: no more will come."""
    for k in range(tally.path.shape[1] - 1, level - 1, -1):
        if tally.path[OPEN, k]:
            _close(at, tally, k)


@kernel
def count_cell(at, units, images, ranks, output, tally, questions, layer):
    """The present path has arrived at a cell of `layer`: find its rank and count it; False if a rank has to be asked for.

    Depth first, the cells below the layer's last cell are all done by now.
    """
    path, is_region = tally.path, layer == at.shape[0] - 2
    rank, doubtful = layer_rank(at, units, images, ranks, layer, path[RANK, layer])
    answered, out_answered, out, out_doubtful = False, False, 0, 0
    if doubtful > 0 and asks(questions):
        answer = answer_about(questions, OF_A_RANK, 0, layer, 0, 0)
        if answer == NO_ANSWER:
            ask(questions, OF_A_RANK, 0, layer, 0, 0, rank)
            return False
        answered, rank = True, answer
    is_first = path[CHILDREN_SO_FAR, layer] == 0
    follow_pieces(at, images, ranks, output, tally.seen, tally.last, layer, is_first)
    if is_region:
        out, out_doubtful = output_rank(at, images, ranks, output, layer, rank)
        if out_doubtful > 0 and asks(questions):
            answer = answer_about(questions, OF_THE_OUTPUT, 0, layer, 0, 0)
            if answer == NO_ANSWER:
                ask(questions, OF_THE_OUTPUT, 0, layer, 0, 0, out)
                return False
            out_answered, out = True, answer
    if answered:
        use_up(questions, OF_A_RANK, tally.counters)
    if out_answered:
        use_up(questions, OF_THE_OUTPUT, tally.counters)
    if not asks(questions):
        tally.counters[DOUBTFUL_RANKS] += doubtful + out_doubtful
    close_cells(at, tally, layer + 1)
    path[CHILDREN_SO_FAR, layer] += 1
    tally.statistics[CELLS, layer + 1, rank] += 1
    tally.transitions[layer, path[RANK, layer] if layer > 0 else 0, rank] += 1
    if is_region:
        path[OUTPUT_RANK, 0] = out
        tally.output[out] += 1
        tally.transitions[layer + 1, rank, out] += 1
    else:
        path[OPEN, layer + 1] = 1
    path[RANK, layer + 1] = rank
    path[NUMBER, layer + 1] = path[ISSUED, 0]
    path[ISSUED, 0] += 1
    return True
