"""Hyperplanes and one-layer convolutions: closed forms, the exact counter, known counts, and the engine."""

import csv
import itertools
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import regionenum as rn
from regionenum.errors import InputError
from regionenum.network.layers import Layer, Network
from regionenum.network.units import RELU, Units
from tests.arrangements import arrangement as named_rows

theory: Any = rn.theory
DATA = Path(__file__).parent / "data"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "groundtruth"


def table(name):
    """A table of known counts: ours, and the one beside the repository where there is one."""
    with (DATA / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    if (SHARED / name).exists():
        with (SHARED / name).open(newline="") as file:
            rows += [row for row in csv.DictReader(file) if row not in rows]
    return rows


ARRANGEMENTS = table("arrangements.csv")


def numbers(params):
    return [int(part.split("=")[1]) for part in params.split(",")]


def closed_form(family, params):
    """The number of regions by a closed form, or None where there is none."""
    kind, _, rest = family.partition(" ")
    if kind == "generic_biased":
        return theory.arrangement(*numbers(params))
    if kind.startswith("generic_central"):
        return theory.arrangement(*numbers(params), central=True)
    if kind.startswith("parallel_families"):
        dim, units, k = numbers(params)
        return theory.parallel_arrangement(dim, [k - 1] * units)
    if kind == "graphical":
        if rest.startswith("K_"):
            return theory.family("bipartite", *map(int, rest[2:].split(",")))
        if rest.startswith("grid 2x"):
            return theory.family("ladder", int(rest[-1]))
        if rest.split(" ")[0] in ("cycle", "path"):
            return theory.family(rest.split(" ")[0], int(rest.split(" ")[1][1:]))
        return None
    if kind == "pencil":
        return theory.family("pencil", 7)
    if kind == "cube":
        return theory.family("grid", 3, 3)
    names = {"typeB": "type_b", "typeD": "type_d"}
    name = names.get(kind, kind.lower())
    return None if name in ("resonance", '"threshold', "threshold") else theory.family(name, *numbers(params))


@pytest.mark.parametrize("row", ARRANGEMENTS, ids=lambda row: f"{row['family']} {row['params']}")
def test_known_arrangements_by_deletion_and_restriction_and_by_formula(row):
    rows = named_rows(row["family"], row["params"]).tolist()
    normals, constants = [r[:-1] for r in rows], [r[-1] for r in rows]
    assert theory.hyperplane_regions(normals, constants) == int(row["regions"])
    formula = closed_form(row["family"], row["params"])
    if formula is not None:
        assert formula == int(row["regions"])


def test_most_known_arrangements_have_a_closed_form():
    without = {row["family"] for row in ARRANGEMENTS if closed_form(row["family"], row["params"]) is None}
    assert len(without) == 4  # resonance, threshold, the 3 x 3 grid, the Petersen graph
    assert sum(closed_form(row["family"], row["params"]) is not None for row in ARRANGEMENTS) >= 45


def test_characteristic_polynomials():
    """Braid: t (t - 1) ... (t - n + 1). Shi: t (t - n)^(n - 1), so (n - 1)^(n - 1) bounded regions. Catalan: n! C_(n - 1)."""
    for n in (2, 3, 4):
        rows = named_rows("braid", f"n={n}")[:, :-1].tolist()
        expected = np.poly1d([1.0])
        for k in range(n):
            expected *= np.poly1d([1.0, -k])
        assert theory.characteristic_polynomial(rows) == expected.coeffs[::-1].astype(int).tolist()
        shi = named_rows("Shi x_i-x_j in{0,1}", f"n={n}").tolist()
        assert theory.bounded_hyperplane_regions([r[:-1] for r in shi], [r[-1] for r in shi]) == (n - 1) ** (n - 1)
        catalan = named_rows("Catalan x_i-x_j in{-1,0,1}", f"n={n}").tolist()
        bounded = theory.bounded_hyperplane_regions([r[:-1] for r in catalan], [r[-1] for r in catalan])
        assert bounded == math.factorial(n) * math.comb(2 * n - 2, n - 1) // n


@pytest.mark.parametrize(("dim", "n"), [*itertools.product((1, 2, 3), (0, 1, 2, 3, 5))])
def test_general_position(dim, n):
    """Faces by their recursion, the Euler relation of R^d, and bounded regions against the exact counter."""
    faces = [theory.arrangement_faces(dim, n, k) for k in range(dim + 1)]
    assert faces[dim] == theory.arrangement(dim, n)
    assert sum((-1) ** k * count for k, count in enumerate(faces)) == (-1) ** dim
    if n == 0:
        return
    # points of the moment curve, and generic constants
    normals = [[t**k for k in range(1, dim + 1)] for t in range(1, n + 1)]
    constants = [t ** (dim + 1) for t in range(1, n + 1)]
    assert theory.hyperplane_regions(normals, constants) == faces[dim]
    assert theory.bounded_arrangement(dim, n) == (
        theory.bounded_hyperplane_regions(normals, constants) if n >= dim else 0
    )
    assert theory.hyperplane_regions([[t**k for k in range(dim)] for t in range(1, n + 1)]) == theory.arrangement(
        dim, n, central=True
    )


small = st.integers(-2, 2)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3).flatmap(
        lambda d: st.lists(st.lists(small, min_size=d + 1, max_size=d + 1), min_size=1, max_size=6)
    )
)
def test_the_engine_counts_the_same_regions(rows):
    """Special position of all kinds: equal, parallel, concurrent hyperplanes, and rows of zeros."""
    weight = np.array(rows, float)
    units = Units.pointwise(RELU, len(rows))
    network = Network((Layer("relu", weight[:, :-1].copy(), weight[:, -1].copy(), units),), (weight.shape[1] - 1,))
    counted = rn.enumerate_regions(network, rn.WholeSpace()).count
    assert theory.hyperplane_regions(weight[:, :-1].tolist(), weight[:, -1].tolist()) == counted


def test_numbers_are_read_exactly():
    """Lines that meet in a point, and would not in float64."""
    third = Fraction(1, 3)
    lines = [[1, 0], [0, 1], [1, 1]]
    assert theory.hyperplane_regions(lines, [-third, -third, -2 * third]) == 6
    assert theory.hyperplane_regions(lines, [-1 / 3, -1 / 3, -2 / 3]) == 6
    assert theory.hyperplane_regions(lines, [-third, -third, -2 / 3]) == 7


CONVOLUTIONS = table("cnn_one_layer.csv")


@pytest.mark.parametrize("row", CONVOLUTIONS, ids=lambda row: ",".join(list(row.values())[:7]))
def test_one_layer_convolutions(row):
    spec = {key: int(value) for key, value in row.items()}
    arguments = ((spec["n1"], spec["n2"]), (spec["f1"], spec["f2"]), spec["d1"], spec["stride"], spec["d0"])
    found = theory.convolution_layer(*arguments)
    assert found.shared == spec["exact_seed5"]
    assert found.locally_connected == spec["xiong_formula"]
    assert found.fully_connected == spec["fc_same_width_max"]
    free = theory.convolution_layer(*arguments, bias=False)
    assert free.shared == spec["exact_biasfree"]
    assert free.shared <= free.fully_connected <= found.fully_connected


def test_the_published_formula_is_wrong_for_shared_weights():
    """3 x 3 inputs, two 2 x 2 filters: 255; another draw of the weights, and one of locally connected ones."""
    found = {theory.convolution_layer((3, 3), (2, 2), 2, seed=seed).shared for seed in range(3)}
    assert found == {255}
    assert theory.convolution_layer((3, 3), (2, 2), 2).locally_connected == 256
    rng = np.random.default_rng(0)
    rows = []
    for i, j in itertools.product((0, 1), repeat=2):
        for _ in range(2):
            normal = np.zeros((3, 3), int)
            normal[i : i + 2, j : j + 2] = rng.integers(1, 10**6, (2, 2))
            rows.append(normal.ravel().tolist())
    assert theory.hyperplane_regions(rows, rng.integers(1, 10**6, 8).tolist()) == 256


REFUSED = [
    (lambda: theory.arrangement(-1, 2), "arrangement: dim is -1; give a whole number, 0 or more"),
    (lambda: theory.arrangement(2, 1.5), "arrangement: n is 1.5; give a whole number, 0 or more"),
    (
        lambda: theory.arrangement(0, 2),
        "arrangement: n is 2 in dimension 0, where there are no hyperplanes; give dim 1 or more",
    ),
    (lambda: theory.arrangement_faces(2, 3, 3), "arrangement_faces: face_dim is 3 in dimension 2; give 2 or less"),
    (lambda: theory.parallel_arrangement(2, 3), "parallel_arrangement: sizes is 3; give a sequence of whole numbers"),
    (lambda: theory.family("coxeter", 3), "family: name is 'coxeter'; give one of boolean, braid, "),
    (lambda: theory.family("bipartite", 3), "family 'bipartite': sizes is (3,); give a sequence of 2 whole numbers"),
    (lambda: theory.family("cycle", 2), "family 'cycle': sizes[0] is 2; give a whole number, 3 or more"),
    (
        lambda: theory.hyperplane_regions([]),
        "characteristic_polynomial: normals has rows of lengths []; give rows of one length",
    ),
    (
        lambda: theory.hyperplane_regions([[1], [1, 2]]),
        "characteristic_polynomial: normals has rows of lengths [1, 2]; ",
    ),
    (
        lambda: theory.hyperplane_regions([[math.nan]]),
        "characteristic_polynomial: normals[0][0] is nan; give a finite number",
    ),
    (
        lambda: theory.hyperplane_regions([[1]], [1, 2]),
        "characteristic_polynomial: 1 normals and 2 constants are given; ",
    ),
    (
        lambda: theory.convolution_layer((3,), (4,), 1),
        "convolution_layer: kernel 4 does not fit size 3; give a kernel of 3 or less",
    ),
    (
        lambda: theory.convolution_layer((30,), (2,), 9),
        "convolution_layer: 9 channels at 29 positions give the formula too many",
    ),
]


@pytest.mark.parametrize(("call", "sentence"), REFUSED, ids=[sentence[:40] for _, sentence in REFUSED])
def test_bad_arguments_are_refused_in_a_sentence(call, sentence):
    with pytest.raises(InputError) as error:
        call()
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)
