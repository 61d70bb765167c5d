"""How many consistent outcomes a list of comparisons has: an exact counter without linear programs.

A *step* has alternatives; an alternative says of some elements that they are larger than others ("5 is larger than 3 and
4"). A choice of one alternative for each step is consistent if numbers exist that satisfy all it says, which is if and only
if its digraph (larger -> smaller) has no circle: without one, number the elements from the bottom up. So the consistent
choices of winners of a max-pooling layer are its regions: each is an open set, and distinct choices are disjoint.

The counter goes through the steps once and keeps, of all choices so far, only what later steps can see: which of the elements
that still come up are known to be larger than which others (the transitive closure of the digraph, restricted to them).
Choices that agree in that have equally many continuations and are counted together. For windows that slide over an array this
is a transfer matrix whose states are partial orders of the entries at the edge, found as they come up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from regionenum.analysis.theory.arguments import wholes
from regionenum.errors import InputError

Star: TypeAlias = tuple[int, int]
"""An element, and as a set of bits the elements that it is larger than."""

Step: TypeAlias = Sequence[Sequence[Star]]
"""The alternatives of a step."""

State: TypeAlias = tuple[int, tuple[Star, ...]]
"""Elements that cannot be larger than anything any more, as bits, and what is below each other element that is above some:
transitively closed, elements increasing."""

Groups: TypeAlias = tuple[tuple[int, ...], ...]
"""Windows: the elements in each."""

MOST_STATES = 50_000
"""Partial orders that are kept at a time, at most, unless the caller says otherwise: some ten seconds for each step then."""


def consistent_choices(steps: Sequence[Step], most_states: int = MOST_STATES) -> int:
    """The number of consistent choices of one alternative for each step.

    Raises
    ------
    InputError
        If more than `most_states` partial orders have to be kept at a time.
    """
    states: dict[State, int] = {(0, ()): 1}
    for step, (live, wins) in zip(steps, _later(steps), strict=True):
        fresh: defaultdict[State, int] = defaultdict(int)
        for (hopeless, order), count in states.items():
            for alternative in step:
                if any(hopeless >> top & 1 for top, _ in alternative):
                    continue
                below = with_stars(dict(order), alternative)
                if below is not None:
                    fresh[_seen(hopeless, below, live, wins)] += count
        states = fresh
        if len(states) > most_states:
            raise InputError(
                f"counting these comparisons needs more than {most_states:,} partial orders at a time; give fewer or smaller "
                "windows, or count the regions with enumerate_regions"
            )
    return sum(states.values())


def with_stars(below: dict[int, int], stars: Iterable[Star]) -> dict[int, int] | None:
    """The order `below` (changed) with more comparisons, closed; None if that makes a circle."""
    for top, losers in stars:
        gained = losers
        for element, smaller in below.items():
            if losers >> element & 1:
                gained |= smaller
        if gained >> top & 1:
            return None
        if not gained:
            continue
        for element, smaller in below.items():
            if smaller >> top & 1:
                below[element] = smaller | gained
        below[top] = below.get(top, 0) | gained
    return below


def _later(steps: Sequence[Step]) -> list[tuple[int, dict[int, list[int]]]]:
    """After each step: the elements that later ones mention, and for each the sets that it can be said to be larger than."""
    found: list[tuple[int, dict[int, list[int]]]] = []
    live, wins = 0, defaultdict[int, list[int]](list)
    for step in reversed(steps):
        found.append((live, {element: list(losers) for element, losers in wins.items()}))
        for alternative in step:
            for top, losers in alternative:
                live |= losers | 1 << top
                wins[top].append(losers)
    return found[::-1]


def _seen(hopeless: int, below: dict[int, int], live: int, wins: dict[int, list[int]]) -> State:
    """What later steps can see of an order.

    Elements that do not come up again are left out. An element is hopeless if each time that it might be said to be larger
    than others something above it is among them. What is above it need not be known then: no choice will make it larger
    than anything, and what is below it already is below all that is above it.
    """
    hopeless &= live
    kept = {e: smaller & live & ~hopeless for e, smaller in below.items() if live >> e & 1}
    while True:
        kept = {e: smaller for e, smaller in kept.items() if smaller}
        above: dict[int, int] = {}
        for element, smaller in kept.items():
            while smaller:
                low = smaller & -smaller
                above[low.bit_length() - 1] = above.get(low.bit_length() - 1, 0) | 1 << element
                smaller ^= low
        fresh = 0
        for element, larger in above.items():
            if all(losers & larger for losers in wins.get(element, ())):
                fresh |= 1 << element
        if not fresh:
            return hopeless, tuple(sorted(kept.items()))
        hopeless |= fresh
        kept = {e: smaller & ~hopeless for e, smaller in kept.items()}


def window_step(group: Sequence[int]) -> Step:
    """The step in which one element of a window is larger than all others of it."""
    together = sum(1 << element for element in group)
    return [[(element, together & ~(1 << element))] for element in group]


def max_pool(groups: Iterable[Iterable[int]], most_states: int = MOST_STATES) -> int:
    """The number of regions of maxima over groups of free inputs, exactly: any windows, overlapping as they like.

    Groups without common elements are independent, so counts of connected parts are multiplied; each part is counted by
    comparisons (`winners.py`), in the order given or in a greedy one, whichever keeps fewer elements in play.

    Parameters
    ----------
    groups : sequences of whole numbers
        The inputs in each window, by number; none empty. An input that occurs twice in a window occurs once.
    most_states : int
        When to give up.

    Returns
    -------
    int
        The number of patterns (winners of all windows) that occur on an open set: the regions of the layer on any
        domain around 0, and more generally around a point where all inputs are equal.

    Raises
    ------
    InputError
        If a group is empty or holds anything but whole numbers, or the counter would need more than `most_states` states.

    Examples
    --------
    >>> max_pool([[0, 1], [1, 2], [2, 0]])  # orders of three numbers by their pairs
    6
    """
    count = 1
    known: dict[Groups, int] = {}
    for part in connected_parts(checked_groups("max_pool", groups)):
        named = _renumbered(in_good_order(part))
        if named not in known:
            known[named] = consistent_choices([window_step(group) for group in named], most_states)
        count *= known[named]
    return count


def checked_groups(function: str, groups: Iterable[Iterable[Any]]) -> Groups:
    """Groups as tuples without repetitions.

    Raises
    ------
    InputError
        If one is empty, or holds anything but whole numbers.
    """
    found = []
    for w, group in enumerate(groups):
        elements = tuple(dict.fromkeys(wholes(function, f"groups[{w}]", group, 0)))
        if not elements:
            raise InputError(f"{function}: groups[{w}] is empty; give each window one input or more")
        found.append(elements)
    return tuple(found)


def connected_parts(groups: Groups) -> Iterator[Groups]:
    """The groups, divided so that groups of different parts have no element in common."""
    parts: list[tuple[set[int], list[int]]] = []
    for w, group in enumerate(groups):
        elements, numbers = set(group), [w]
        apart = []
        for part in parts:
            if part[0].isdisjoint(elements):
                apart.append(part)
            else:
                elements, numbers = elements | part[0], part[1] + numbers
        parts = [*apart, (elements, numbers)]
    for _, numbers in parts:
        yield tuple(groups[w] for w in sorted(numbers))


def in_good_order(groups: Groups) -> Groups:
    """The groups as they are, or reordered greedily, whichever has fewer elements in play at the worst moment."""
    return min((groups, _greedy(groups)), key=_width)


def _greedy(groups: Groups) -> Groups:
    """At each step the window after which the fewest elements remain that were met and will be met again."""
    waiting = list(range(len(groups)))
    uses: dict[int, int] = defaultdict(int)
    for group in groups:
        for element in group:
            uses[element] += 1
    met: set[int] = set()
    order = []
    while waiting:
        # what a window adds to the elements in play, and takes away from them
        chosen = min(waiting, key=lambda w: sum((uses[e] > 1) - (e in met) for e in groups[w]))
        waiting.remove(chosen)
        order.append(groups[chosen])
        met |= set(groups[chosen])
        for element in groups[chosen]:
            uses[element] -= 1
    return tuple(order)


def _width(groups: Groups) -> int:
    """The largest number of elements that were met and will be met again."""
    last = {element: w for w, group in enumerate(groups) for element in group}
    met: set[int] = set()
    widest = 0
    for w, group in enumerate(groups):
        met = {element for element in met | set(group) if last[element] > w}
        widest = max(widest, len(met))
    return widest


def _renumbered(groups: Groups) -> Groups:
    """The same groups with elements numbered as they come up, so that equal shapes are equal."""
    number: dict[int, int] = {}
    return tuple(tuple(number.setdefault(element, len(number)) for element in group) for group in groups)
