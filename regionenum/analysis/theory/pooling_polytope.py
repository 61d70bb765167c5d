"""The pooling polytope: the sum of the simplices of all windows, whose vertices are the regions of max-pooling.

Let the simplex of a window W be the convex hull of the unit vectors e_i, i in W, and P the Minkowski sum over the windows.
The largest value of a linear function x on P is the sum of the windows' maxima of x: P is the Newton polytope of the layer,
and its normal fan is the fan of the layer's regions (arXiv 2209.14978; P is a generalised permutohedron, A. Postnikov,
Permutohedra, associahedra, and beyond, 2009).

Faces. A linear function x is largest on the sum of the faces conv(e_i : i in B_w), where B_w are the elements of W that have
the window's largest value. So the faces are the choices of non-empty B_w in W that occur together: those for which
"equal inside B_w, larger than the rest of W" is satisfiable, which is if and only if no circle of equalities and comparisons
contains a comparison. Different choices are different faces, because a face of a sum is a sum of faces in one way only. The
dimension of a face is the sum, over the connected parts of the hypergraph of all B_w, of their sizes less one: differences
of unit vectors e_i - e_j with i, j in one B_w span it.

Facets. A generalised permutohedron has only facets with directions 1_J (it is cut out of its affine hull by bounds on
sums over subsets J). J can be taken inside one connected part C of the windows, where it is unique, because 1_C is constant
on P: then B_w is the part of W in J, or W if there is none, and J is a facet if that face has one dimension less than P.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from regionenum.analysis.theory.winners import Groups, checked_groups, connected_parts, window_step, with_stars
from regionenum.errors import InputError

MOST_SUBSETS = 2**20
"""Subsets of the inputs of a connected part that `facets` looks through, at most."""


@dataclass(frozen=True)
class Facet:
    """The facet on which the sum of x_i over i in `inputs` is `value`; on all of P it is at most that.

    Attributes
    ----------
    inputs : tuple of int
        J, increasing.
    value : int
        The number of windows that meet J.
    """

    inputs: tuple[int, ...]
    value: int


class PoolingPolytope:
    """The sum of the simplices of windows, exactly; for small cases.

    Parameters
    ----------
    groups : sequences of whole numbers
        The inputs in each window, none empty: `windows_1d` and `windows_2d` give those of a pooling.

    Raises
    ------
    InputError
        If there is no group, one is empty, or one holds anything but whole numbers.

    Examples
    --------
    >>> polytope = PoolingPolytope([[0, 1, 2], [1, 2, 3]])
    >>> polytope.dim, polytope.f_vector, len(polytope.facets)
    (3, (7, 11, 6, 1), 6)
    >>> polytope.vertices[0]
    (1, 1, 0, 0)
    """

    def __init__(self, groups: Iterable[Iterable[int]]) -> None:
        self.groups: Groups = checked_groups("PoolingPolytope", groups)
        if not self.groups:
            raise InputError("PoolingPolytope: groups is empty; give one window or more")

    @cached_property
    def _parts(self) -> tuple[Groups, ...]:
        return tuple(connected_parts(self.groups))

    @property
    def dim(self) -> int:
        """Dimension: inputs that some window contains, less the number of connected parts."""
        return _dimension(self.groups)

    @cached_property
    def winners(self) -> tuple[tuple[int, ...], ...]:
        """The regions: the input that wins each window, in the order of the windows; as many as `max_pool(groups)`."""
        return tuple(_winners(self.groups, 0, {}))

    @cached_property
    def vertices(self) -> tuple[tuple[int, ...], ...]:
        """The vertices, one for each region: how many windows each of the inputs 0, 1, ... wins."""
        n = 1 + max(max(group) for group in self.groups)
        return tuple(tuple(won.count(i) for i in range(n)) for won in self.winners)

    @cached_property
    def f_vector(self) -> tuple[int, ...]:
        """Faces of dimension 0, 1, ..., dim; the last is 1, the polytope itself.

        Faces of independent parts are products. Within a part, choices of the B_w that later windows cannot tell apart are
        counted together, as in `winners.py`. The time grows with 2^k for windows of k inputs.
        """
        product = [1]
        for part in self._parts:
            product = _times(product, _faces(part))
        return tuple(product)

    @cached_property
    def facets(self) -> tuple[Facet, ...]:
        """All facets, by the subsets J of the connected parts.

        Raises
        ------
        InputError
            If a connected part has more than 20 inputs.
        """
        return tuple(facet for part in self._parts for facet in self._facets_of(part))

    def _facets_of(self, part: Groups) -> Iterator[Facet]:
        inputs = sorted({i for group in part for i in group})
        if 2 ** len(inputs) > MOST_SUBSETS:
            raise InputError(
                f"PoolingPolytope: facets of {len(inputs)} connected inputs would take 2^{len(inputs)} subsets; give windows "
                "that connect 20 or fewer, or use pooling_facets_1d"
            )
        wanted = _dimension(part) - 1
        for size in range(1, len(inputs)):
            for chosen in combinations(inputs, size):
                inside = set(chosen)
                meets = [tuple(i for i in group if i in inside) for group in part]
                if _dimension([met or group for met, group in zip(meets, part, strict=True)]) == wanted:
                    yield Facet(chosen, sum(bool(met) for met in meets))


def _dimension(groups: Sequence[tuple[int, ...]]) -> int:
    """The number of inputs less the number of connected parts."""
    parent: dict[int, int] = {}

    def root(i: int) -> int:
        while parent.setdefault(i, i) != i:
            i = parent[i]
        return i

    joined = 0
    for group in groups:
        for i in group[1:]:
            a, b = root(group[0]), root(i)
            if a != b:
                parent[a] = b
                joined += 1
    return joined


def _winners(groups: Groups, w: int, below: dict[int, int]) -> Iterator[tuple[int, ...]]:
    """Consistent winners of the windows from w on, in lexicographic order of their positions."""
    if w == len(groups):
        yield ()
        return
    for (star,) in window_step(groups[w]):
        after = with_stars(dict(below), [star])
        if after is not None:
            for rest in _winners(groups, w + 1, after):
                yield (star[0], *rest)


_State = tuple[tuple[int, int, int], ...]
"""Elements of later windows that are equal to or above others: (element, its equals as bits, what is below)."""


def _faces(groups: Groups) -> list[int]:
    """Faces of connected windows by dimension."""
    states: dict[_State, list[int]] = {(): [1]}
    live = 0
    later = []
    for group in reversed(groups):
        later.append(live)
        live |= sum(1 << i for i in group)
    for group, seen in zip(groups, reversed(later), strict=True):
        fresh: defaultdict[_State, list[int]] = defaultdict(list)
        for state, counts in states.items():
            for size in range(1, len(group) + 1):
                for best in combinations(group, size):
                    found = _joined(state, best, sum(1 << i for i in group), seen)
                    if found is not None:
                        joined, after = found
                        fresh[after] = _plus(fresh[after], [0] * joined + counts)
        states = fresh
    total: list[int] = []
    for counts in states.values():
        total = _plus(total, counts)
    return total


def _joined(state: _State, best: tuple[int, ...], group: int, seen: int) -> tuple[int, _State] | None:
    """The state in which the elements of `best` are equal and above the others of the group, as `seen` by later windows.

    Returns how many classes of equal elements became one, less one, beside it; None if there is a circle.
    """
    equal = {element: same for element, same, _ in state}
    below = {element: smaller for element, _, smaller in state}
    together = 0
    classes = set()
    gained = 0
    for i in best:
        same = equal.get(i, 1 << i)
        classes.add(same)
        together |= same
    top = sum(1 << i for i in best)
    for element in range((together | group).bit_length()):
        if (together | (group & ~top)) >> element & 1:
            gained |= below.get(element, 0)
            if (group & ~top) >> element & 1:
                gained |= equal.get(element, 1 << element)
    if gained & together:
        return None
    everything = {*equal, *(e for e in range((together | group).bit_length()) if (together | group) >> e & 1)}
    after = []
    for element in sorted(everything):
        same, smaller = equal.get(element, 1 << element), below.get(element, 0)
        if together >> element & 1:
            same, smaller = together, smaller | gained
        if smaller & together:
            smaller |= together | gained
        same, smaller = same & seen, smaller & seen
        if seen >> element & 1 and (smaller or same != 1 << element):
            after.append((element, same, smaller))
    return len(classes) - 1, tuple(after)


def _plus(a: list[int], b: list[int]) -> list[int]:
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    return [value + (shorter[k] if k < len(shorter) else 0) for k, value in enumerate(longer)]


def _times(a: list[int], b: list[int]) -> list[int]:
    found = [0] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            found[i + j] += x * y
    return found
