"""Counting cells: their ranks, and the children of the cells of the layer before."""

from __future__ import annotations

from regionenum.engine.counters import DOUBTFUL_RANKS
from regionenum.engine.policy import kernel
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
    OPEN,
    RANK,
    UNSPLIT,
)


@kernel
def close_cells(tally, level):
    """Add up the children of the present cells of `level` (0: the domain) and deeper: no more will come."""
    path, statistics = tally.path, tally.statistics
    for k in range(path.shape[1] - 1, level - 1, -1):
        if path[OPEN, k]:
            rank, n = path[RANK, k], path[CHILDREN_SO_FAR, k]
            statistics[CHILDREN, k, rank] += n
            statistics[MAX_CHILDREN, k, rank] = max(statistics[MAX_CHILDREN, k, rank], n)
            if n == 1:
                statistics[UNSPLIT, k, rank] += 1
            path[OPEN, k] = 0
            path[CHILDREN_SO_FAR, k] = 0


@kernel
def count_cell(at, units, images, ranks, tally, questions, layer):
    """The present path has arrived at a cell of `layer`: find its rank and count it; False if the rank has to be asked for.

    Depth first, the cells below the layer's last cell are all done by now.
    """
    path = tally.path
    rank, doubtful = layer_rank(at, units, images, ranks, layer, path[RANK, layer])
    if doubtful > 0:
        if asks(questions):
            answer = answer_about(questions, OF_A_RANK, 0, layer, 0, 0)
            if answer == NO_ANSWER:
                ask(questions, OF_A_RANK, 0, layer, 0, 0, rank)
                return False
            rank = answer
            use_up(questions, OF_A_RANK, tally.counters)
        else:
            tally.counters[DOUBTFUL_RANKS] += doubtful
    close_cells(tally, layer + 1)
    path[CHILDREN_SO_FAR, layer] += 1
    tally.statistics[CELLS, layer + 1, rank] += 1
    path[OPEN, layer + 1] = 1
    path[RANK, layer + 1] = rank
    path[NUMBER, layer + 1] = path[ISSUED, 0]
    path[ISSUED, 0] += 1
    return True
