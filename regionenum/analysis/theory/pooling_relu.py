"""Max-pooling beside a ReLU: the patterns of both orders, and the affine maps that both share."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from regionenum.analysis.theory.winners import (
    MOST_STATES,
    Groups,
    Step,
    checked_groups,
    connected_parts,
    consistent_choices,
    in_good_order,
    window_step,
)
from regionenum.errors import InputError


class PoolingOrder(enum.StrEnum):
    """Where a ReLU stands beside max-pooling, and what is counted."""

    RELU_THEN_POOL = "relu then pool"
    POOL_THEN_RELU = "pool then relu"
    MAPS = "maps"


def max_pool_relu(groups: Iterable[Iterable[int]], order: str | PoolingOrder, most_states: int = MOST_STATES) -> int:
    """Regions of max-pooling with a ReLU before or after it, or the different affine maps, which both orders share.

    Parameters
    ----------
    groups : sequences of whole numbers
        The inputs in each window, as for `max_pool`; the ReLU before reads the inputs that some window contains.
    order : "relu then pool", "pool then relu", or "maps"
    most_states : int
        When to give up.

    Returns
    -------
    int
        "pool then relu": winners of all windows, and the signs of the maxima. "relu then pool": signs of all inputs, and
        winners among the positive ones; a window without any is 0 and one candidate, so nothing is chosen there. "maps":
        both are the maxima of the windows' inputs and 0, one more input that all windows share; their regions have
        different maps.

    Raises
    ------
    InputError
        As `max_pool`, and if the order is unknown.

    Examples
    --------
    >>> [max_pool_relu([[0, 1], [2, 3]], order) for order in ("relu then pool", "pool then relu", "maps")]
    [25, 16, 9]
    """
    try:
        wanted = PoolingOrder(order)
    except ValueError as error:
        known = ", ".join(repr(str(each)) for each in PoolingOrder)
        raise InputError(f"max_pool_relu: order is {order!r}; give one of {known}") from error
    count = 1
    for part in connected_parts(checked_groups("max_pool_relu", groups)):
        count *= consistent_choices(_steps(in_good_order(part), wanted), most_states)
    return count


def _steps(groups: Groups, order: PoolingOrder) -> list[Step]:
    """The comparisons of windows that share no element with others; 0 is an element of its own."""
    zero = max(max(group) for group in groups) + 1
    if order is PoolingOrder.MAPS:
        return [window_step([*group, zero]) for group in groups]
    steps: list[Step] = []
    met: set[int] = set()
    for group in groups:
        stars = [alternative[0] for alternative in window_step(group)]
        if order is PoolingOrder.POOL_THEN_RELU:
            together = sum(1 << element for element in group)
            # the largest is positive; or it is negative, and it is the largest
            positive = [[(top, losers | 1 << zero)] for top, losers in stars]
            steps.append([*positive, *([(top, losers), (zero, together)] for top, losers in stars)])
            continue
        for element in group:
            if element not in met:
                steps.append([[(element, 1 << zero)], [(zero, 1 << element)]])
                met.add(element)
        steps.append([*([(top, losers | 1 << zero)] for top, losers in stars), [(zero, sum(1 << e for e in group))]])
    return steps
