"""Max-pooling: how many regions it has (Escobar, Gallardo, González-Anaya, González, Montúfar, Morales: Enumeration of
max-pooling responses with generalized permutohedra, arXiv 2209.14978).

A region of a max-pooling layer is a choice of a winner for each window that occurs: a vertex of the sum of the windows'
simplices (`pooling_polytope.py`). All are cones around the inputs that are equal everywhere, so a domain around such a point
has them all. Channels do not share inputs and multiply counts. Padding is minus infinity and never wins, as in torch.

Windows of one axis
-------------------
Let W_w = [l_w, r_w] be intervals with l and r non-decreasing, as those of a pooling of any size, stride and padding are.
Winners i_1, ..., i_m are consistent if and only if for each w

- i_w in W_(w+1): i_(w+1) is i_w, or lies beyond r_w;
- i_w not in W_(w+1): i_(w+1) is any element of W_(w+1).

Necessary: a winner other than i_w that beats i_w cannot lie in W_w. Sufficient: by the rule winners never go back, so that
the distinct ones j_1 < j_2 < ... win in runs of windows. Let neighbours be ordered as the change from j_t to j_(t+1), at w,
says: if j_t lies in W_(w+1) the new one is larger; if j_(t+1) lies in W_w it is smaller; both cannot be. This orders a
path, so there are numbers that obey it; all other inputs are smaller still. Now let j_t win in W_w and j_u, u > t, be
another winner in W_w. Then j_(t+1), ..., j_u all lie in W_w, left of r_w and thus of the right end of every later window,
so that none of these changes is of the first kind; and each is of the second, as the windows in question contain both. So
j_t > j_(t+1) > ... > j_u. For u < t it is the same with left ends. Counting these walks takes a number of additions
proportional to the connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flint import fmpz_poly

from regionenum.analysis.theory.arguments import whole, wholes
from regionenum.analysis.theory.winners import MOST_STATES, Groups, max_pool
from regionenum.errors import InputError


def max_pool_1d(n: int, k: int, s: int | None = None, padding: int = 0) -> int:
    """Regions of max-pooling over one axis, exactly, for every size: the transfer walk above.

    Parameters
    ----------
    n : int
        Inputs.
    k : int
        Inputs in a window.
    s : int, optional
        Stride; k by default, as in torch.
    padding : int
        Minus infinities on each side, at most k / 2, as in torch.

    Returns
    -------
    int
        For m = floor((n + 2 padding - k) / s) + 1 windows, which is `MaxPool1d(k, s, padding)` on n inputs of one channel.

    Raises
    ------
    InputError
        If a number is no whole number, n, k or s is below 1, the padding is negative or above k / 2, or no window fits.

    Examples
    --------
    >>> max_pool_1d(9, 3, 1), max_pool_1d(10, 3, 1, padding=1)
    (409, 1429)
    """
    windows = windows_1d(n, k, s, padding)
    return _walks([(window[0], window[-1]) for window in windows])


def _walks(intervals: Sequence[tuple[int, int]]) -> int:
    """Consistent winners of intervals whose left and right ends do not decrease, by the rule above."""
    left, right = intervals[0]
    ways = [1] * (right - left + 1)
    for next_left, next_right in intervals[1:]:
        total = sum(ways)
        gone = sum(ways[: next_left - left])
        stay = ways[next_left - left :]
        fresh = [total] * (next_right - max(right, next_left - 1))
        ways = [*(gone + count for count in stay), *fresh]
        left, right = next_left, next_right
    return sum(ways)


def windows_1d(n: int, k: int, s: int | None = None, padding: int = 0) -> Groups:
    """The inputs in each window of a pooling over one axis. Parameters and errors are those of `max_pool_1d`."""
    name = "max_pool_1d"
    n, k, padding = whole(name, "n", n, 1), whole(name, "k", k, 1), whole(name, "padding", padding, 0)
    stride = k if s is None else whole(name, "s", s, 1)
    return windows_2d((1, n), (1, k), (1, stride), (0, padding), function=name)


def windows_2d(
    shape: Sequence[int],
    kernel: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    *,
    function: str = "max_pool_2d",
) -> Groups:
    """The inputs in each window of a pooling over two axes, row * columns + column; windows row by row.

    Parameters and errors are those of `max_pool_2d`; `function` is who complains.
    """
    sizes = wholes(function, "shape", shape, 1, 2)
    kernels = _pair(function, "kernel", kernel, 1)
    strides = kernels if stride is None else _pair(function, "stride", stride, 1)
    paddings = _pair(function, "padding", padding, 0)
    axes = []
    for size, k, s, p in zip(sizes, kernels, strides, paddings, strict=True):
        if 2 * p > k:
            raise InputError(f"{function}: padding is {p} for windows of {k}; give at most half of a window, {k // 2}")
        if size + 2 * p < k:
            raise InputError(
                f"{function}: windows of {k} do not fit {size} inputs with padding {p}; "
                f"give windows of {size + 2 * p} or less"
            )
        starts = range(-p, size + p - k + 1, s)
        axes.append([[i for i in range(start, start + k) if 0 <= i < size] for start in starts])
    return tuple(tuple(i * sizes[1] + j for i in rows for j in columns) for rows in axes[0] for columns in axes[1])


def _pair(function: str, name: str, value: Any, least: int) -> tuple[int, ...]:
    return wholes(function, name, (value, value) if hasattr(value, "__index__") else value, least, 2)


def max_pool_2d(
    shape: Sequence[int],
    kernel: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    most_states: int = MOST_STATES,
) -> int:
    """Regions of max-pooling over two axes, exactly, as long as one of them is short.

    Windows are taken along the longer axis, and orders of the inputs at the edge are counted together (`winners.py`). With
    2 x 2 windows and stride 1, 5 x 100 inputs took 26 s, and 7 x 60 some minutes.

    Parameters
    ----------
    shape : (rows, columns)
    kernel, stride, padding : int or pairs
        As `MaxPool2d` of torch has them; the stride is the kernel by default.
    most_states : int
        When to give up.

    Raises
    ------
    InputError
        If a number is not as it should be, no window fits, or the counter would need more than `most_states` states.

    Notes
    -----
    Windows of full height, kernel (rows, k): the order within a column is free, and columns are blocks of `rows` inputs that
    enter and leave together, so there are as many regions as those of `max_pool_1d(rows * columns, rows * k, rows * s)`.

    Examples
    --------
    >>> max_pool_2d((3, 11), 2, 1), max_pool_2d((8, 8), 2) == 4**16
    (16870539234, True)
    """
    groups = windows_2d(shape, kernel, stride, padding)
    rows, columns = wholes("max_pool_2d", "shape", shape, 1, 2)
    if columns > rows:  # along the longer axis: sort windows by their columns first
        groups = tuple(sorted(groups, key=lambda group: (group[0] % columns, group[0])))
    return max_pool(groups, most_states)


# Closed forms and recurrences ----------------------------------------------------------------------------------------------


def max_pool_1d_recurrence(m: int, k: int, s: int) -> int:
    """Regions of m windows of size k with stride s >= k / 2, by recurrence.

    With overlap r = k - s: a(m) = k^m for r <= 1, and a(m) = k a(m - 1) - r (r - 1) a(m - 2), a(0) = 1, a(1) = k, for
    2 <= r <= s.

    Parameters
    ----------
    m : int
        Windows, 0 or more.
    k, s : int
        1 or more, with k <= 2 s.

    Raises
    ------
    InputError
        If an argument is not as it should be.

    Notes
    -----
    For k <= 2 s an input lies in at most two windows, so only neighbours constrain each other. Of the k a(m - 1) choices of
    m - 1 consistent winners and any last one, those are not consistent where the last two winners are different elements of
    the overlap: r - 1 last ones for each of the r elements that window m - 1 may have won with. Every one of these r lies
    beyond window m - 2 (as k <= 2 s), where it is as free as an element can be that is new: a(m - 2) choices go with it
    (arXiv 2209.14978).

    Examples
    --------
    >>> [max_pool_1d_recurrence(m, 4, 2) for m in range(5)]
    [1, 4, 14, 48, 164]
    """
    name = "max_pool_1d_recurrence"
    m, k, s = whole(name, "m", m, 0), whole(name, "k", k, 1), whole(name, "s", s, 1)
    if k > 2 * s:
        raise InputError(f"{name}: k is {k} and s is {s}; give s of at least k / 2, or use max_pool_1d")
    overlap = max(k - s, 0)
    before, count = 0, 1
    for _ in range(m):
        before, count = count, k * count - overlap * (overlap - 1) * before
    return count


def max_pool_1d_generating_function(k: int) -> tuple[list[int], list[int]]:
    """The generating function of the regions of m windows of size k with stride 1: sum of a(m) x^m = p(x) / q(x).

    Returns
    -------
    (p, q)
        Coefficients of x^0, x^1, ... without common factor, q(0) = 1: a(m) obeys the linear recurrence that q spells.

    Raises
    ------
    InputError
        If k is no whole number of at least 1.

    Notes
    -----
    Let f(m, o) be the continuations by m windows after a winner at place o of its window (0 is the place that leaves). By
    the rule of the module, f(m, 0) = a(m), f(m, o) = f(m - 1, o - 1) + f(m - 1, k - 1) for o > 0, f(0, o) = 1, and a(m + 1)
    is the sum of f(m, o) over all o. Write A and G for the generating functions of a(m) and f(m, k - 1), E_o = 1 + ... +
    x^(o - 1) and S_o = x E_o. The sum over m of f(m, o) x^m is S_o G + x^o A + E_o; at o = k - 1 it is G. With Z = E_1 +
    ... + E_(k - 1) this gives

        G = (x^(k-1) A + E_(k-1)) / (1 - S_(k-1)),    (A - 1) / x = x Z G + E_k A + Z,

    and so A = ((1 + x Z) (1 - S_(k-1)) + x^2 Z E_(k-1)) / ((1 - S_k) (1 - S_(k-1)) - x^(k+1) Z). (arXiv 2209.14978 has the
    generating function for s = 1 too; this derivation is independent of it.)

    Examples
    --------
    >>> max_pool_1d_generating_function(2)
    ([1], [1, -2])
    """
    whole("max_pool_1d_generating_function", "k", k, 1)
    x = fmpz_poly([0, 1])
    e = [fmpz_poly([1] * o) for o in range(k + 1)]  # E_0 = 0, ..., E_k
    z = sum(e[1:k], fmpz_poly([]))
    free = 1 - x * e[k - 1]
    p = (1 + x * z) * free + x * x * z * e[k - 1]
    q = (1 - x * e[k]) * free - x ** (k + 1) * z
    common = p.gcd(q)
    p, q = p // common, q // common
    sign = int(q[0])  # 1 or -1: q(0) was 1
    return [sign * int(value) for value in p.coeffs()], [sign * int(value) for value in q.coeffs()]


def series(p: Sequence[int], q: Sequence[int], n: int) -> list[int]:
    """The first n coefficients of p(x) / q(x), for q(0) = 1.

    Examples
    --------
    >>> series(*max_pool_1d_generating_function(3), 6)
    [1, 3, 7, 16, 36, 81]
    """
    found: list[int] = []
    for m in range(n):
        before = sum(value * found[m - j] for j, value in enumerate(q[1 : m + 1], 1))
        found.append((p[m] if m < len(p) else 0) - before)
    return found


def max_pool_3_by_n(n: int) -> int:
    """Regions of 2 x 2 windows with stride 1 on 3 x n inputs: a(n) = 13 a(n-1) - 31 a(n-2) + 20 a(n-3) - 4 a(n-4).

    a(2) = 14, a(3) = 150, a(4) = 1536, a(5) = 15594 (arXiv 2209.14978). `max_pool_2d((3, n), 2, 1)` agrees.

    Raises
    ------
    InputError
        If n is no whole number of at least 2.

    Examples
    --------
    >>> max_pool_3_by_n(11)
    16870539234
    """
    whole("max_pool_3_by_n", "n", n, 2)
    found = [14, 150, 1536, 15594]
    while len(found) < n - 1:
        found.append(13 * found[-1] - 31 * found[-2] + 20 * found[-3] - 4 * found[-4])
    return found[n - 2]


def pooling_facets_1d(m: int, k: int, s: int) -> int:
    """Facets of the pooling polytope of m windows of size k with stride s: m k for s >= k - 1, else (m - 1) (s + 2) + k.

    Parameters
    ----------
    m, k, s : int
        1 or more. For k = 1 the polytope is a point, and has none.

    Raises
    ------
    InputError
        If an argument is no whole number of at least 1.

    Notes
    -----
    arXiv 2209.14978. `PoolingPolytope.facets` lists them for given windows, by their directions.

    Examples
    --------
    >>> pooling_facets_1d(4, 3, 1), pooling_facets_1d(4, 5, 1)
    (12, 14)
    """
    name = "pooling_facets_1d"
    m, k, s = whole(name, "m", m, 1), whole(name, "k", k, 1), whole(name, "s", s, 1)
    if k == 1:
        return 0
    return m * k if s >= k - 1 else (m - 1) * (s + 2) + k
