"""Closed forms: how many regions hyperplanes in a known position have.

In *general position* any j <= d of the hyperplanes meet in dimension d - j, and d + 1 of them do not meet. Then the
characteristic polynomial of n of them is the sum over j of (-1)^j C(n, j) t^(d - j), because the intersections are the sets
of at most d hyperplanes (`hyperplanes.py` has the definition; Zaslavsky 1975). R. C. Buck: Partition of space, American
Mathematical Monthly 50 (1943) has the faces of every dimension. No n hyperplanes have more regions, or more faces of any
dimension, than those in general position: an open region survives a small change of the hyperplanes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from regionenum.analysis.theory.arguments import whole, wholes
from regionenum.errors import InputError
from regionenum.network.describe import cells_at_most


def arrangement(dim: int, n: int, central: bool = False) -> int:
    """Regions of n hyperplanes of R^dim in general position: the most that a layer of n ReLUs of `dim` inputs can have.

    C(n, 0) + ... + C(n, dim); if central, which is all hyperplanes pass through 0 (a layer without biases) and are generic
    otherwise, 2 (C(n - 1, 0) + ... + C(n - 1, dim - 1)), and 1 for n = 0.

    Parameters
    ----------
    dim : int
        0 or more.
    n : int
        Number of hyperplanes, 0 or more.
    central : bool
        Whether they all pass through 0.

    Raises
    ------
    InputError
        If dim or n is no whole number of at least 0, or hyperplanes are asked for in dimension 0.

    Notes
    -----
    General position: Zaslavsky 1975, Buck 1943. Central: one of the hyperplanes has two parallel copies, one on each side
    of it; a region is a cone and meets exactly one of the copies, where the other n - 1 hyperplanes have traces in
    general position in dimension dim - 1 (Schläfli 1901, Cover 1965).

    Examples
    --------
    >>> arrangement(2, 4), arrangement(2, 4, central=True)
    (11, 8)
    """
    _hyperplanes("arrangement", dim, n)
    if central:
        return 2 * _choices(n - 1, dim - 1) if n else 1
    return _choices(n, dim)


def _choices(n: int, most: int) -> int:
    """C(n, 0) + ... + C(n, most)."""
    if most >= n:
        return 1 << n
    found = term = 1
    for j in range(most):
        term = term * (n - j) // (j + 1)
        found += term
    return found


def arrangement_faces(dim: int, n: int, face_dim: int) -> int:
    """Faces of one dimension of n hyperplanes of R^dim in general position (Buck 1943).

    C(n, dim - face_dim) flats of that dimension, each cut by the others into `arrangement(face_dim, n - dim + face_dim)`
    faces; regions for face_dim = dim, vertices for face_dim = 0.

    Raises
    ------
    InputError
        If an argument is no whole number of at least 0, or face_dim is larger than dim.

    Examples
    --------
    >>> [arrangement_faces(2, 4, k) for k in range(3)]
    [6, 16, 11]
    """
    _hyperplanes("arrangement_faces", dim, n)
    whole("arrangement_faces", "face_dim", face_dim, 0)
    if face_dim > dim:
        raise InputError(f"arrangement_faces: face_dim is {face_dim} in dimension {dim}; give {dim} or less")
    flats, left = math.comb(n, dim - face_dim), n - dim + face_dim
    return flats * _choices(left, face_dim) if flats else 0


def bounded_arrangement(dim: int, n: int) -> int:
    """Bounded regions of n hyperplanes of R^dim in general position: C(n - 1, dim) (Buck 1943), 0 for n <= dim.

    Raises
    ------
    InputError
        As `arrangement`.
    """
    _hyperplanes("bounded_arrangement", dim, n)
    return math.comb(n - 1, dim) if n else int(dim == 0)


def parallel_arrangement(dim: int, sizes: Iterable[int]) -> int:
    """Regions of families of parallel hyperplanes in R^dim, the families in general position.

    The sum over the sets S of at most dim families of the product of the sizes in S: the most that a layer can have whose
    unit i is a function with sizes[i] breakpoints, or a maximum of sizes[i] + 1 affine functions (Montúfar, Ren, Zhang,
    arXiv 2104.08135; proved for functions in `network/describe.py`). m maxima of k functions: the sum of C(m, j) (k - 1)^j.

    Raises
    ------
    InputError
        If dim, or a size, is no whole number of at least 0.

    Examples
    --------
    >>> parallel_arrangement(2, [3, 3, 3, 3])
    67
    """
    whole("parallel_arrangement", "dim", dim, 0)
    return cells_at_most(np.array(wholes("parallel_arrangement", "sizes", sizes, 0), np.int64), dim)


def _hyperplanes(function: str, dim: Any, n: Any) -> None:
    whole(function, "dim", dim, 0)
    whole(function, "n", n, 0)
    if dim == 0 and n > 0:
        raise InputError(f"{function}: n is {n} in dimension 0, where there are no hyperplanes; give dim 1 or more")


def family(name: str, *sizes: int) -> int:
    """Regions of a named arrangement.

    ==================== ============================================== =====================================================
    name                 hyperplanes                                    regions
    ==================== ============================================== =====================================================
    boolean n            x_i = 0                                        2^n
    braid n              x_i = x_j                                      n!
    type_b n             x_i = x_j, x_i = -x_j, x_i = 0                 2^n n!
    type_d n             x_i = x_j, x_i = -x_j                          2^(n - 1) n! (n >= 2)
    shi n                x_i - x_j in {0, 1}, i < j                     (n + 1)^(n - 1) (Shi 1986)
    catalan n            x_i - x_j in {-1, 0, 1}, i < j                 n! C_n
    linial n             x_i - x_j = 1, i < j                           2^-n sum of C(n, k) (k + 1)^(n - 1) (A007889)
    semiorder n          x_i - x_j in {-1, 1}, i < j                    sum of (-1)^(n - k) S(n, k) k! C_k (A006531)
    path n               x_i = x_(i + 1), n nodes                       2^(n - 1)
    cycle n              x_i = x_(i + 1) around, n >= 3                 2^n - 2
    ladder n             x_i = x_j for the edges of a 2 x n grid        2 7^(n - 1)
    bipartite a, b       x_i = y_j                                      sum of (j!)^2 S(a + 1, j + 1) S(b + 1, j + 1)
    pencil n             n lines of the plane through a point           2 n (n >= 1)
    grid d, n            n parallel hyperplanes for each of d axes      (n + 1)^d
    ==================== ============================================== =====================================================

    C_k are Catalan numbers, S Stirling numbers of the second kind. The deformations of the braid arrangement are in R.
    Stanley: Hyperplane arrangements, interval orders, and trees (PNAS 93, 1996), and Postnikov, Stanley (J. Combin. Theory
    A 91, 2000). Graphs: the regions are the acyclic orientations (Stanley 1973), 2^(n-1) for a tree on n nodes; for the
    complete bipartite graph poly-Bernoulli numbers (A099594). `hyperplane_regions` counts any other arrangement.

    Parameters
    ----------
    name : str
        As in the table.
    sizes : int
        As in the table, each at least 1.

    Raises
    ------
    InputError
        If the name is unknown, or the sizes do not fit it.

    Examples
    --------
    >>> family("shi", 3), family("bipartite", 3, 3)
    (16, 230)
    """
    if name not in _FAMILIES:
        raise InputError(f"family: name is {name!r}; give one of {', '.join(_FAMILIES)}")
    n_sizes, least, formula = _FAMILIES[name]
    return int(formula(*wholes(f"family {name!r}", "sizes", sizes, least, n_sizes)))


def _catalan(n: int) -> int:
    return math.comb(2 * n, n) // (n + 1)


@cache
def _stirling(n: int, k: int) -> int:
    """Partitions of n things into k blocks."""
    if n == 0 or k == 0:
        return int(n == k)
    return k * _stirling(n - 1, k) + _stirling(n - 1, k - 1)


def _semiorder(n: int) -> int:
    return sum((-1) ** (n - k) * _stirling(n, k) * math.factorial(k) * _catalan(k) for k in range(1, n + 1))


def _bipartite(a: int, b: int) -> int:
    return sum(math.factorial(j) ** 2 * _stirling(a + 1, j + 1) * _stirling(b + 1, j + 1) for j in range(min(a, b) + 1))


_FAMILIES: dict[str, tuple[int, int, Any]] = {
    "boolean": (1, 1, lambda n: 2**n),
    "braid": (1, 1, math.factorial),
    "type_b": (1, 1, lambda n: 2**n * math.factorial(n)),
    "type_d": (1, 2, lambda n: 2 ** (n - 1) * math.factorial(n)),
    "shi": (1, 1, lambda n: (n + 1) ** (n - 1)),
    "catalan": (1, 1, lambda n: math.factorial(n) * _catalan(n)),
    "linial": (1, 1, lambda n: sum(math.comb(n, k) * (k + 1) ** (n - 1) for k in range(n + 1)) // 2**n),
    "semiorder": (1, 1, _semiorder),
    "path": (1, 1, lambda n: 2 ** (n - 1)),
    "cycle": (1, 3, lambda n: 2**n - 2),
    "ladder": (1, 1, lambda n: 2 * 7 ** (n - 1)),
    "bipartite": (2, 1, _bipartite),
    "pencil": (1, 1, lambda n: 2 * n),
    "grid": (2, 1, lambda d, n: (n + 1) ** d),
}
"""By name: how many sizes, the least that a size can be, and the number of regions."""
