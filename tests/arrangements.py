"""Named hyperplane arrangements as integer rows a.x + b = 0, and boxes that meet all of their regions.

How a box is known to meet every region, exactly:

* Let r be the rank of the normals and S a choice of r coordinates on which they still have rank r. The subspace
  {x : x_i = 0 off S} is a complement of the lineality space, so the arrangement restricted to it has the same regions
  and is essential. Every region of an essential arrangement has a vertex in its closure, so a box with all vertices
  strictly inside meets every region, and so does the box of the same size in all coordinates.
* The vertices are solutions of r x r integer systems, x_i = det(M_i) / det(M). Determinants are computed in floating
  point and rounded, which is exact: Hadamard's bound on them is asserted to stay below 2^40, while the error of an LU
  decomposition of such small matrices is below 2^-40 of that bound.
* A central arrangement has its only vertex at 0: any box around 0 will do.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np

from tests.oracles import pivots

Rows = np.ndarray
"""(n, d + 1) integers: the normal a and the constant b of each hyperplane."""


def rows_of(normals: Iterable[Iterable[int]], constant: int = 0) -> Rows:
    """Rows with one constant."""
    a = np.array([list(normal) for normal in normals], np.int64)
    return np.hstack([a, np.full((len(a), 1), constant, np.int64)])


def determinants(matrices: np.ndarray) -> np.ndarray:
    """Exact determinants of small integer matrices (n, k, k); see the module's note."""
    hadamard = np.prod(np.linalg.norm(matrices.astype(float), axis=2), axis=1)
    assert hadamard.max(initial=0) < 2.0**40, "determinants too large to be rounded safely"
    return np.rint(np.linalg.det(matrices.astype(float))).astype(np.int64)


def subsets(rows: Rows, size: int) -> np.ndarray:
    """All choices of `size` rows, stacked."""
    return rows[np.array(list(itertools.combinations(range(len(rows)), size)), np.int64).reshape(-1, size)]


def half_width(rows: Rows) -> float:
    """Half the width of a box around 0 that meets every region: a power of two beyond all vertices."""
    if not rows[:, -1].any():
        return 1.0
    # Pivot columns: coordinates on which the normals keep their full rank.
    coordinates = pivots(rows[:, :-1].tolist())
    systems = subsets(rows, len(coordinates))
    matrices, constants = systems[:, :, coordinates], -systems[:, :, -1]
    bottom = determinants(matrices)
    reach = 0.0
    for k in range(len(coordinates)):
        replaced = matrices.copy()
        replaced[:, :, k] = constants
        top = determinants(replaced)
        reach = max(reach, float(np.abs(top[bottom != 0] / bottom[bottom != 0]).max(initial=0.0)))
    return float(2.0 ** np.ceil(np.log2(reach + 1.0)))


def _differences(n: int, constants: Iterable[int]) -> Rows:
    """x_i - x_j = c for i < j and the given c."""
    e = np.eye(n, dtype=np.int64)
    return np.vstack(
        [rows_of([e[i] - e[j] for i, j in itertools.combinations(range(n), 2)], constant=-c) for c in constants]
    )


def _graphical(n: int, edges: Iterable[tuple[int, int]]) -> Rows:
    e = np.eye(n, dtype=np.int64)
    return rows_of([e[i] - e[j] for i, j in edges])


def _grid(a: int, b: int) -> Rows:
    right = [(i * b + j, i * b + j + 1) for i in range(a) for j in range(b - 1)]
    down = [(i * b + j, (i + 1) * b + j) for i in range(a - 1) for j in range(b)]
    return _graphical(a * b, right + down)


def _petersen() -> Rows:
    outer = [(i, (i + 1) % 5) for i in range(5)]
    inner = [(5 + i, 5 + (i + 2) % 5) for i in range(5)]
    return _graphical(10, outer + inner + [(i, 5 + i) for i in range(5)])


def _type_d(n: int) -> list[np.ndarray]:
    e = np.eye(n, dtype=np.int64)
    return [e[i] + s * e[j] for i, j in itertools.combinations(range(n), 2) for s in (1, -1)]


def _generic(d: int, n: int, central: bool) -> Rows:
    """Small random integers, drawn until they are generic, which is checked on all minors.

    Generic: any d normals are independent, and no d + 1 hyperplanes have a point in common (if not central).
    """
    rng = np.random.default_rng([d, n])
    for _ in range(1000):
        rows = rng.integers(-9, 10, (n, d + 1))
        rows[:, -1] *= not central
        if not determinants(subsets(rows[:, :-1], d)).all():
            continue
        if central or n == d or determinants(subsets(rows, d + 1)).all():
            return rows
    raise AssertionError("no generic draw")


def _parallel_families(d: int, units: int, k: int) -> Rows:
    """`units` generic directions with k - 1 parallel hyperplanes each, no more of them in a point than must be."""
    rng = np.random.default_rng([d, units, k])
    r = min(d, units)
    for _ in range(1000):
        normals = rng.integers(-9, 10, (units, d))
        constants = np.array([rng.choice(np.arange(-9, 10), k - 1, replace=False) for _ in range(units)])
        rows = np.hstack([np.repeat(normals, k - 1, axis=0), constants.reshape(-1, 1)])
        if any(len(pivots(chosen.tolist())) < r for chosen in subsets(normals, r)):
            continue
        # Hyperplanes of d + 1 different families must not meet in a point.
        families = itertools.combinations(range(units), d + 1)
        picks = [p for f in families for p in itertools.product(*(range(u * (k - 1), (u + 1) * (k - 1)) for u in f))]
        if not picks or determinants(rows[np.array(picks)]).all():
            return rows
    raise AssertionError("no generic draw")


def _numbers(params: str) -> list[int]:
    return [int(part.split("=")[1]) for part in params.split(",")]


def arrangement(family: str, params: str) -> Rows:
    """The arrangement of a row of `arrangements.csv`."""
    kind, _, rest = family.partition(" ")
    if kind == "graphical":
        name = rest.removeprefix("K_")
        if name == "Petersen":
            return _petersen()
        if name.startswith("grid"):
            a, b = map(int, name.removeprefix("grid ").split("x"))
            return _grid(a, b)
        if rest.startswith("K_"):
            a, b = map(int, name.split(","))
            return _graphical(a + b, [(i, a + j) for i in range(a) for j in range(b)])
        shape, n = rest.split(" ")[0], int(rest.split(" ")[1][1:])
        edges = [(i, i + 1) for i in range(n - 1)]
        return _graphical(n, [*edges, (n - 1, 0)] if shape == "cycle" else edges)
    if kind == "pencil":
        return rows_of([(1, 0), (0, 1), (1, 1), (1, -1), (2, 1), (1, 2), (-3, 1)])
    if kind == "cube":
        return np.vstack([rows_of(np.eye(3, dtype=np.int64), c) for c in (-1, 0, 1)])
    if kind == "generic_biased" or kind.startswith("generic_central"):
        d, n = _numbers(params)
        return _generic(d, n, central=kind != "generic_biased")
    if kind.startswith("parallel_families"):
        return _parallel_families(*_numbers(params))
    (n,) = _numbers(params)
    cube = list(itertools.product((0, 1), repeat=n))
    return {
        "braid": lambda: _differences(n, [0]),
        "typeB": lambda: rows_of([*_type_d(n), *np.eye(n, dtype=np.int64)]),
        "typeD": lambda: rows_of(_type_d(n)),
        "Shi": lambda: _differences(n, [0, 1]),
        "Catalan": lambda: _differences(n, [-1, 0, 1]),
        "Linial": lambda: _differences(n, [1]),
        "semiorder": lambda: _differences(n, [-1, 1]),
        "resonance": lambda: rows_of([v for v in cube if any(v)]),
        "threshold": lambda: rows_of([(1, *(2 * np.array(v) - 1)) for v in cube]),
        "boolean": lambda: rows_of(np.eye(n, dtype=np.int64)),
    }[kind]()
