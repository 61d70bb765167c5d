"""Families of small networks that are hard for floating point, for `tests/test_hard_networks.py` and `benchmarks/fuzz.py`.

A family makes a network and a domain from a random generator. All stay so small that the exact oracle needs
milliseconds. Where weights are "small" they are multiples of 1/2, so that products and sums are exact and degenerate
cases really occur; `gaussian` and `rounded` are the opposite.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from regionenum.domain import Box, Domain, Polytope, Slice, WholeSpace
from regionenum.network.layers import Network
from regionenum.network.units import ABSOLUTE, IDENTITY, MAXIMUM, RELU, PiecewiseLinear, Units, leaky_relu
from tests import line

Case = tuple[Network, Domain]
Family = Callable[[np.random.Generator], Case]
Map = tuple[np.ndarray, np.ndarray]
"""Weight and bias."""

HARDTANH = PiecewiseLinear((-1.0, 1.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 1.0))
FUNCTIONS = (RELU, leaky_relu(0.25), leaky_relu(0.01), HARDTANH, ABSOLUTE, IDENTITY)

FAMILIES: dict[str, Family] = {}


def family(make: Family) -> Family:
    """Enter a family into the table, under its function's name."""
    FAMILIES[make.__name__] = make
    return make


def case_of(name: str, *seed: int) -> Case:
    """The case of a family that belongs to a seed. New families change no others but `mixed`."""
    return FAMILIES[name](np.random.default_rng([zlib.crc32(name.encode()), *seed]))


@st.composite
def hard_cases(draw: Any, families: Sequence[str] = tuple(FAMILIES)) -> tuple[str, int, Network, Domain]:
    """Family, seed, network and domain. Numbers come from the seed: drawn one by one they would hardly ever be hard."""
    name = draw(st.sampled_from(list(families) or list(FAMILIES)))
    seed = draw(st.integers(0, 2**32 - 1))
    return name, seed, *case_of(name, seed)


# ---------------------------------------------------------------------------------------------------------------------
# Parts


def chain(*layers: tuple[Map, Units | None]) -> Network:
    """A network of affine maps and units; None is the identity, and for the last layer only. There is no -0.0 in it."""
    return line.chain(*((np.ascontiguousarray(w + 0.0), b + 0.0, units) for (w, b), units in layers))


def relu_layers(*maps: Map) -> Network:
    """A ReLU after each map, the last too."""
    return chain(*((m, Units.pointwise(RELU, len(m[1]))) for m in maps))


def small(rng: np.random.Generator, n_out: int, n_in: int) -> Map:
    """Multiples of 1/2."""
    return rng.integers(-4, 5, (n_out, n_in)) / 2.0, rng.integers(-4, 5, n_out) / 2.0


def gaussians(rng: np.random.Generator, n_out: int, n_in: int) -> Map:
    """Weights of which no product is exact."""
    return rng.standard_normal((n_out, n_in)), rng.standard_normal(n_out) * rng.choice([0.0, 0.3, 1.0])


def some_units(rng: np.random.Generator, n_rows: int) -> Units:
    """ReLUs, other functions, maxima over groups that may overlap, or both."""
    kind = rng.choice(["relu", "functions", "maxima", "both"], p=[0.4, 0.25, 0.15, 0.2])
    if kind == "relu":
        return Units.pointwise(RELU, n_rows)
    function_of: list[int] = []
    groups: list[np.ndarray] = []
    if kind in ("functions", "both"):
        function_of += rng.integers(0, len(FUNCTIONS), n_rows).tolist()
        groups += [np.array([row]) for row in range(n_rows)]
    if kind in ("maxima", "both"):
        for _ in range(rng.integers(1, 3)):
            function_of.append(MAXIMUM)
            groups.append(rng.permutation(n_rows)[: rng.integers(2, 5)])
    indptr = np.cumsum([0, *map(len, groups)])
    units = Units(FUNCTIONS, np.array(function_of, np.int64), indptr, np.concatenate(groups).astype(np.int64))
    return Units.pointwise(RELU, n_rows) if units.is_identity else units


def tiny(rng: np.random.Generator, least: int, most: int) -> float:
    """A power of two between 2^-most and 2^-least, of either sign."""
    return float(rng.choice([-1.0, 1.0]) * 2.0 ** -rng.integers(least, most + 1))


def some_box(rng: np.random.Generator, n_in: int) -> Box:
    """Dyadic bounds around or beside 0; one coordinate may be fixed."""
    if rng.random() < 0.4:
        return Box(np.full(n_in, rng.choice([-1.0, 0.0])), np.ones(n_in))
    lower = rng.integers(-6, 1, n_in) / 2.0
    width = rng.integers(1, 13, n_in) / 2.0
    if n_in > 1 and rng.random() < 0.2:
        width[rng.integers(n_in)] = 0.0
    return Box(lower, lower + width)


def somewhere(rng: np.random.Generator, n_in: int) -> Domain:
    """A box, or the whole space."""
    return WholeSpace() if rng.random() < 0.3 else some_box(rng, n_in)


def point_in(rng: np.random.Generator, box: Box) -> np.ndarray:
    """A point of a box with few binary digits, often on its sides or in a corner."""
    lower, upper = np.asarray(box.lower), np.asarray(box.upper)
    return np.asarray(lower + (upper - lower) * rng.choice([0.0, 0.25, 0.5, 0.625, 1.0], len(lower)))


def through(normals: np.ndarray, point: np.ndarray) -> Map:
    """Hyperplanes through a point; their constants are rounded once or a few times if they are not exact."""
    return normals, -(normals @ point)


def deeper(rng: np.random.Generator, first: Map) -> Network:
    """One layer, or two, or three, the later ones small."""
    layers = [(first, some_units(rng, len(first[1])))]
    for _ in range(rng.integers(0, 3)):
        n_in = layers[-1][1].n_units
        m = small(rng, int(rng.integers(1, 4)), n_in)
        layers.append((m, some_units(rng, len(m[1]))))
    return chain(*layers)


def changed(network: Network, change: Callable[[int, np.ndarray, np.ndarray], Map]) -> Network:
    """The same units on affine maps that were changed, one layer after the other."""
    return chain(
        *(
            (change(k, np.array(layer.weight), layer.bias.copy()), None if layer.units.is_identity else layer.units)
            for k, layer in enumerate(network.layers)
        )
    )


# ---------------------------------------------------------------------------------------------------------------------
# Families


@family
def integers(rng: np.random.Generator) -> Case:
    """Multiples of 1/2, every kind of unit; dead, equal and proportional rows come by themselves."""
    n_in = int(rng.integers(1, 5))
    return deeper(rng, small(rng, int(rng.integers(2, 6 if n_in < 4 else 4)), n_in)), somewhere(rng, n_in)


@family
def perturbed(rng: np.random.Generator) -> Case:
    """Such networks with some entries off by 2^-10 to 2^-52."""
    network, domain = integers(rng)
    share = rng.choice([0.1, 0.4])

    def nudge(_: int, w: np.ndarray, b: np.ndarray) -> Map:
        for array in (w, b):
            for index in np.argwhere(rng.random(array.shape) < share):
                array[tuple(index)] += tiny(rng, 10, 52)
        return w, b

    return changed(network, nudge), domain


def _pencil(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, Domain]:
    """Normals, the point that all hyperplanes go through, and a domain that has it."""
    d = int(rng.integers(2, 4))
    n = int(rng.integers(3, 6 if d == 2 else 5))
    normals = rng.integers(-3, 4, (n, d)).astype(float)
    if d == 3 and rng.random() < 0.5:
        # all planes have a line in common
        normals = rng.integers(-3, 4, (n, 2)) @ rng.integers(-2, 3, (2, 3)).astype(float)
    domain = somewhere(rng, d)
    point = point_in(rng, domain) if isinstance(domain, Box) else rng.integers(-4, 5, d) / 4.0
    return normals, point, domain


@family
def pencils(rng: np.random.Generator) -> Case:
    """Lines and planes through one point or line, also on the border of the box."""
    normals, point, domain = _pencil(rng)
    return deeper(rng, through(normals, point)), domain


@family
def near_pencils(rng: np.random.Generator) -> Case:
    """Pencils in which hyperplanes miss the point a little, or hyperplanes through the point that are nearly one."""
    w, point, domain = _pencil(rng)
    kind = rng.choice(["off", "turned", "both"])
    moved = rng.permutation(len(w))[: rng.integers(1, 3)]
    if kind != "off":
        for k in moved:
            w[k] = w[rng.integers(len(w))]
            w[k, rng.integers(w.shape[1])] += tiny(rng, 18, 30)
    w, b = through(w, point)
    if kind != "turned":
        for k in moved:
            b[k] += tiny(rng, 18, 52)
    return deeper(rng, (w, b)), domain


@family
def scales(rng: np.random.Generator) -> Case:
    """Neurons in units of 2^-200 to 2^200 each; the next layer's weights compensate them, most of the time."""
    n_in, most = int(rng.integers(1, 4)), int(rng.choice([20, 60, 200]))
    network = relu_layers(*(small(rng, 3, n) for n in (n_in, 3, 3)))
    undo = np.zeros(n_in)
    compensate = rng.random() < 0.7

    def scaled(_: int, w: np.ndarray, b: np.ndarray) -> Map:
        nonlocal undo
        power = rng.integers(-most, most + 1, len(b)).astype(float)
        w, b = np.ldexp(w, (power[:, None] - undo).astype(int)), np.ldexp(b, power.astype(int))
        undo = power if compensate else power * rng.integers(0, 2, len(b))
        return w, b

    return changed(network, scaled), some_box(rng, n_in)


@family
def far_boxes(rng: np.random.Generator) -> Case:
    """Boxes of 1e-300 to 1e300, and boxes far from 0, with hyperplanes through their points, up to rounding."""
    d = int(rng.integers(1, 4))
    if rng.random() < 0.5:
        width = 10.0 ** rng.integers(-300, 300)
        box = Box(np.full(d, -width), np.full(d, width))
        later = 10.0 ** rng.integers(-3, 4) / width if rng.random() < 0.5 and width > 1e-290 else 1.0
    else:
        centre = rng.choice([2.0**51, -(2.0**51), 2.0**40, 1e9, 1e15], d) + rng.integers(-3, 4, d)
        box, later = Box(centre, centre + rng.integers(1, 4, d)), 1.0
    lower, upper = np.asarray(box.lower), np.asarray(box.upper)
    w, b = np.zeros((3, d)), np.zeros(3)
    for k in range(3):
        w[k] = rng.integers(-2, 3, d)
        point = lower + (upper - lower) * rng.choice([0.25, 0.5, 0.75, 1 / 3], d)
        b[k] = -(w[k] @ point)
    v, c = small(rng, 2, 3)
    return relu_layers((w, b), (v * later, c)), box


@family
def cancelling(rng: np.random.Generator) -> Case:
    """Large constants that a later layer takes away again."""
    n_in, n = int(rng.integers(1, 4)), int(rng.integers(2, 4))
    w, b = small(rng, n, n_in) if rng.random() < 0.6 else gaussians(rng, n, n_in)
    b = b + 2.0 ** rng.integers(10, 60) * rng.choice([1.0, 1.0, 3.0], n)
    if rng.random() < 0.3:
        w = w * 2.0 ** rng.integers(-20, 20)
    v, c = small(rng, 3, n)
    # each row is a difference, whose constant is nearly taken away by the bias
    c = np.where(rng.random(3) < 0.6, -(v @ b) + rng.integers(-3, 4, 3) / 4.0, c)
    last = small(rng, 2, 3)
    return relu_layers((w, b), (v, c), last), some_box(rng, n_in)


@family
def parallel(rng: np.random.Generator) -> Case:
    """Rows that are nearly parallel, to a factor, and pass through points of the box."""
    d, n = int(rng.integers(2, 4)), int(rng.integers(2, 5))
    box = some_box(rng, d)
    row = rng.integers(-3, 4, d).astype(float)
    w = np.array([row + tiny(rng, 15, 52) * rng.integers(-1, 2, d) for _ in range(n)])
    b = np.array([-(a @ point_in(rng, box)) for a in w])
    factor = rng.choice([1.0, -1.0, 0.5, 3.0, -0.1], n)
    domain: Domain = WholeSpace() if rng.random() < 0.25 else box
    return deeper(rng, (w * factor[:, None], b * factor)), domain


@family
def slabs(rng: np.random.Generator) -> Case:
    """Slabs of width 2^-20 to 2^-40, into which a second layer looks with a lens."""
    d = int(rng.integers(1, 4))
    box = some_box(rng, d)
    row, other = rng.integers(-2, 3, (2, d)).astype(float)
    width = abs(tiny(rng, 20, 40))
    c = -(row @ point_in(rng, box))
    sign = rng.choice([-1.0, 1.0])
    w = np.array([row, sign * row, other])
    b = np.array([c, sign * (c + width), -(other @ point_in(rng, box))])
    v, offset = small(rng, 2, 3)
    if rng.random() < 0.5:
        v[:, :2] /= width
    return relu_layers((w, b), (v, offset)), box


@family
def vanishing(rng: np.random.Generator) -> Case:
    """Deep networks in which slopes nearly cancel, layer by layer."""
    n_in, depth = int(rng.integers(1, 3)), int(rng.integers(3, 6))
    maps, n = [], n_in
    for _ in range(depth):
        size = int(rng.integers(1, 4))
        w = rng.choice([-1.0, 0.0, 1.0, 1.0], (size, n))
        w += np.array([[tiny(rng, 10, 53) for _ in range(n)] for _ in range(size)]) * (rng.random((size, n)) < 0.5)
        if rng.random() < 0.3:
            w *= 2.0 ** rng.integers(-30, 30)
        maps.append((w, rng.integers(-2, 3, size) / 2.0 * (rng.random() < 0.7)))
        n = size
    return relu_layers(*maps), some_box(rng, n_in)


@family
def maxima(rng: np.random.Generator) -> Case:
    """Maxima over groups with ties, near-ties and candidates that never win."""
    d, n = int(rng.integers(1, 4)), int(rng.integers(3, 6))
    w, b = small(rng, n, d)
    for k in range(1, n):
        if rng.random() < 0.5:
            other = int(rng.integers(k))
            w[k], b[k] = w[other], b[other]
            if rng.random() < 0.6:
                w[k, rng.integers(d)] += tiny(rng, 15, 52)
            if rng.random() < 0.6:
                b[k] += tiny(rng, 15, 52)
    groups = [rng.permutation(n)[: rng.integers(2, 5)] for _ in range(rng.integers(1, 4))]
    layers: list[tuple[Map, Units | None]] = []
    if rng.random() < 0.5:
        # after a ReLU whole groups are 0
        layers = [((w, b), Units.pointwise(RELU, n))]
        w, b = np.eye(n), np.zeros(n)
    layers.append(((w, b), Units.maxima(groups)))
    m = small(rng, 2, len(groups))
    layers.append((m, some_units(rng, 2)))
    return chain(*layers), somewhere(rng, d)


@family
def corners(rng: np.random.Generator) -> Case:
    """Polytopes with a corner cut off or left over, which is tiny, and wedges; hyperplanes near by."""
    d = int(rng.integers(2, 4))
    sign = rng.choice([-1.0, 1.0], d)
    kind = rng.choice(["cut off", "left over", "wedge"])
    small_one = abs(tiny(rng, 10, 40)) if kind == "cut off" else abs(tiny(rng, 8, 22))
    if kind == "cut off":
        normals, levels = sign[None, :], np.array([d - small_one])
    elif kind == "left over":
        normals, levels = -sign[None, :], np.array([small_one - d])
    else:
        turned = sign.copy()
        turned[0] *= 1.0 - small_one
        normals, levels = np.array([sign, -turned]), np.array([0.0, small_one * rng.integers(0, 3)])
    corner = sign * (kind != "wedge")
    rows = rng.integers(-2, 3, (3, d)).astype(float)
    w, b = through(rows, corner)
    b = b + np.array([small_one * rng.integers(-2, 3) / 4.0 for _ in range(3)])
    return relu_layers((w, b), small(rng, 2, 3)), Polytope(normals, levels, within=Box(-1.0, 1.0))


@family
def slices(rng: np.random.Generator) -> Case:
    """Slices of one to three dimensions through two to five inputs, in a box or not."""
    n_in = int(rng.integers(2, 6))
    k = int(rng.integers(1, min(n_in, 3) + 1))
    numbers = small if rng.random() < 0.5 else gaussians
    while True:
        directions, _ = numbers(rng, k, n_in)
        if np.linalg.matrix_rank(directions) == k:
            break
    origin = rng.choice([-0.5, 0.0, 0.25, 0.1], n_in)
    within = None if rng.random() < 0.3 else Box(np.full(n_in, -1.0), np.ones(n_in))
    first = numbers(rng, 3, n_in)
    if rng.random() < 0.5:
        first = through(first[0], origin)
    return deeper(rng, first), Slice(origin, directions, within=within)


@family
def gaussian(rng: np.random.Generator) -> Case:
    """What is generic: random float64 numbers, no product of which is exact."""
    n_in = int(rng.integers(1, 5))
    n = [5, 5, 4, 3][n_in - 1]
    sizes = [n_in, *[n] * rng.integers(2, 4)]
    layers: list[tuple[Map, Units | None]] = []
    for k in range(len(sizes) - 1):
        n_before = layers[-1][1].n_units if layers and layers[-1][1] else n_in
        m = gaussians(rng, sizes[k + 1], n_before)
        layers.append((m, some_units(rng, sizes[k + 1])))
    return chain(*layers), somewhere(rng, n_in)


@family
def rounded(rng: np.random.Generator) -> Case:
    """Gaussian weights in which rows coincide, meet or are proportional, but for rounding."""
    d = int(rng.integers(1, 4))
    w, b = gaussians(rng, 4, d)
    point = rng.uniform(-1.0, 1.0, d)
    for k in range(1, 4):
        kind = rng.choice(["as it is", "multiple", "through", "sum"])
        if kind == "multiple":
            factor = rng.choice([0.1, -3.0, 1 / 3, 0.7])
            w[k], b[k] = factor * w[k - 1], factor * b[k - 1]
        elif kind == "through":
            b[k] = -(w[k] @ point)
        elif kind == "sum":
            w[k], b[k] = 0.3 * w[: k + 1].sum(axis=0), 0.3 * b[: k + 1].sum()
    v, c = gaussians(rng, 3, 4)
    at = np.maximum(w @ point + b, 0.0)
    c = np.where(rng.random(3) < 0.6, -(v @ at), c)
    v[2] = np.where(rng.random() < 0.5, 0.1 * v[1], v[2])
    domain: Domain = Box(np.full(d, -1.0), np.ones(d)) if rng.random() < 0.8 else WholeSpace()
    return relu_layers((w, b), (v, c)), domain


@family
def near_vertices(rng: np.random.Generator) -> Case:
    """Hyperplanes past corners of the box, or past points where others meet, by 2^-18 to 2^-50."""
    d = int(rng.integers(1, 4))
    box = Box(np.full(d, rng.choice([-1.0, 0.0])), np.ones(d))
    point = point_in(rng, box)
    w = rng.integers(-2, 3, (3, d)).astype(float)
    b = -(w @ point)
    for k in range(3):
        if rng.random() < 0.7:
            w[k] = np.where(rng.random(d) < 0.3, w[k] * abs(tiny(rng, 5, 30)), w[k])
            b[k] = -(w[k] @ point) + rng.integers(-1, 2) * abs(tiny(rng, 18, 50))
    units = some_units(rng, 3)
    v, c = small(rng, 2, units.n_units)
    z = units.apply((w @ point + b)[None, :])[0]
    c = np.where(rng.random(2) < 0.7, -(v @ z) + rng.integers(-1, 2, 2) * abs(tiny(rng, 18, 50)), c)
    return chain(((w, b), units), ((v, c), some_units(rng, 2))), box


@family
def shallow(rng: np.random.Generator) -> Case:
    """Hyperplanes at a small angle to a side of the box, so that a small error in height is a large one along the side.

    They pass a corner at a small height; others, parallel to sides or not, of the same layer or of the next, pass it at
    about the distance at which the first meet the side.
    """
    d, n = int(rng.integers(2, 4)), int(rng.integers(2, 4))
    box = Box(np.full(d, rng.choice([-1.0, 0.0])), np.ones(d))
    lower, upper = np.asarray(box.lower), np.asarray(box.upper)
    corner = np.where(rng.random(d) < 0.5, lower, upper)
    slope, height = abs(tiny(rng, 5, 25)), tiny(rng, 25, 50) if rng.random() < 0.4 else tiny(rng, 29, 36)
    w = np.where(rng.random((n, 1)) < 0.7, np.eye(d)[rng.integers(0, d, n)], rng.integers(-2, 3, (n, d)))
    w[0] = slope * rng.integers(-1, 2, d)
    w[0, -1] = rng.choice([-1.0, 1.0])
    b = -(w @ corner)
    b[0] += height
    reach = abs(height) / slope * rng.choice([1.0, 1.0, 0.5, 0.25])
    beyond = np.array([-1.0, 0.0, 0.0, 0.5, 1.0, 2.0])
    if rng.random() < 0.5:
        b[1:] += reach * rng.choice(beyond, n - 1)
        return relu_layers((w, b)) if rng.random() < 0.5 else deeper(rng, (w, b)), box
    units = Units.each([RELU, *(RELU if rng.random() < 0.3 else IDENTITY for _ in range(n - 1))])
    v = np.where(rng.random((2, 1)) < 0.7, np.eye(n)[rng.integers(0, n, 2)], rng.integers(-2, 3, (2, n)))
    c = -(v @ units.apply((w @ corner + b)[None, :])[0]) + reach * rng.choice(beyond, 2) * rng.choice([-1.0, 1.0])
    return chain(((w, b), units), ((v, c), Units.pointwise(RELU, 2))), box


@family
def bias_free(rng: np.random.Generator) -> Case:
    """No biases: every hyperplane of every layer meets the apex."""
    n_in = int(rng.integers(1, 4))
    numbers = small if rng.random() < 0.6 else gaussians
    layers: list[tuple[Map, Units | None]] = []
    n = n_in
    for _ in range(rng.integers(1, 4)):
        w, b = numbers(rng, int(rng.integers(2, 5)), n)
        units = Units.maxima([rng.permutation(len(b))[: rng.integers(2, 4)] for _ in range(2)])
        units = Units.pointwise(rng.choice(np.array([RELU, ABSOLUTE], object)), len(b)) if rng.random() < 0.7 else units
        layers.append(((w, np.zeros(len(b))), units))
        n = units.n_units
    return chain(*layers), somewhere(rng, n_in)


@family
def zoom(rng: np.random.Generator) -> Case:
    """Deep networks on a line or in the plane, each layer of which looks at a part of the last one's values."""
    n_in, depth = int(rng.integers(1, 3)), int(rng.integers(3, 6))
    power = int(rng.integers(2, 12))
    maps, n = [], n_in
    for _ in range(depth):
        w = rng.integers(-2, 3, (2, n)) * 2.0 ** rng.integers(0, power, (2, 1))
        centre = rng.integers(0, 17, n) / 16.0
        maps.append((w, -(w @ centre) + rng.integers(-1, 2, 2) / 4.0))
        n = 2
    return relu_layers(*maps), some_box(rng, n_in)


@family
def whole_parallel(rng: np.random.Generator) -> Case:
    """In the whole space, hyperplanes that meet far away or near by, and both."""
    d, n = int(rng.integers(1, 4)), int(rng.integers(2, 5))
    w = rng.integers(-2, 3, (n, d)).astype(float)
    for k in range(1, n):
        if rng.random() < 0.6:
            w[k] = rng.choice([1.0, -1.0, 2.0]) * w[k - 1]
            w[k, rng.integers(d)] += tiny(rng, 15, 45)
    b = rng.integers(-3, 4, n) * 2.0 ** rng.integers(-30, 31, n)
    return deeper(rng, (w, b)), WholeSpace()


@family
def mixed(rng: np.random.Generator) -> Case:
    """A network of another family, some rows of which are in other units and some numbers of which are off a little."""
    others = [make for name, make in FAMILIES.items() if name != "mixed"]
    network, domain = others[rng.integers(len(others))](rng)
    most = int(rng.choice([5, 40]))

    def change(k: int, w: np.ndarray, b: np.ndarray) -> Map:
        power = rng.integers(-most, most + 1, len(b)) * (rng.random(len(b)) < 0.5)
        if k + 1 < len(network.layers) or network.layers[k].units.is_identity:
            # beyond maxima and breakpoints a row's unit matters, so that this is another network, but no harder one
            w, b = np.ldexp(w, power[:, None]), np.ldexp(b, power)
        for array in (w, b):
            for index in np.argwhere(rng.random(array.shape) < 0.1):
                array[tuple(index)] += tiny(rng, 20, 52)
        return w, b

    return changed(network, change), domain
