"""The exact oracle against known answers, closed forms and rational subdivision: it must be right before it judges."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regionenum.domain import Box, Domain, Polytope, Slice, WholeSpace
from regionenum.engine.interface import Problem
from regionenum.network.layers import Layer, Network
from regionenum.network.units import RELU, Units
from tests.exact_cones import Cone, rank
from tests.exact_forms import (
    Example,
    describe_domain,
    describe_network,
    domain_from,
    exact_form,
    network_from,
    read_examples,
    write_examples,
)
from tests.exact_oracle import ExactLayer, Maximum, NoInteriorError, Space, TooManyCellsError, Truth, enumerate_exactly
from tests.oracles import dense, exact_cells, exact_pattern, fractions, pivots
from tests.problems import Known, problems
from tests.strategies import cases


def number_of_inputs(known: Known) -> int:
    """Of a pooling or a convolution, from its name: building one needs torch; 0 for the rest."""
    shape = re.search(r" on \(?([\d, ]+)\)?$", known.name) or re.search(r"^convolution[a-z ]* ([\dx]+),", known.name)
    return math.prod(int(n) for n in re.findall(r"\d+", shape[1])) if shape else 0


SMALL = [
    known
    for known in problems()
    if known.regions <= (400 if known.name.startswith("golden") else 60) and number_of_inputs(known) <= 6
]


def true_of(network: Network, domain: Domain) -> Truth:
    return enumerate_exactly(*exact_form(network, domain))


def arranged(rows: list[list[float]], domain: Domain) -> int:
    """Regions of one ReLU for each hyperplane a.x + b, given as (a, b)."""
    matrix = np.array(rows, float)
    layer = Layer("relu", np.ascontiguousarray(matrix[:, :-1]), matrix[:, -1].copy(), Units.pointwise(RELU, len(rows)))
    return true_of(Network((layer,), (layer.n_in,)), domain).count


@pytest.mark.parametrize("known", SMALL, ids=lambda known: known.name)
def test_known_answers(known: Known) -> None:
    network, box = known.build()
    truth = true_of(network, box)
    assert truth.count == known.regions
    for k, facts in enumerate(known.layers):
        assert {r: f.regions for r, f in truth.layers[k].items()} == facts.ranks
        if k == 0:
            continue
        # known children are grouped by the rank of the map to the pre-activations: see tests/test_groundtruth.py
        weight_rank = len(pivots([fractions(row) for row in dense(network.unit_layers[k].weight)]))
        by_rank: dict[int, dict[str, int]] = {}
        for r, f in truth.layers[k - 1].items():
            total = by_rank.setdefault(
                min(r, weight_rank), {"parents": 0, "children": 0, "max_children": 0, "unsplit": 0}
            )
            total["parents"] += f.regions
            total["children"] += f.children
            total["max_children"] = max(total["max_children"], f.max_children)
            total["unsplit"] += f.unsplit
        assert by_rank == facts.parents


def test_the_table_has_every_family() -> None:
    assert {known.name.split(" ")[0].split("(")[0] for known in SMALL} >= {
        "golden",
        "arrangement",
        "convolution",
        "ReLU",
        "MaxPool1d",
        "MaxPool2d",
    }


@settings(max_examples=60)
@given(cases(max_in=2, max_units=6))
def test_rational_subdivision(case: tuple[Network, Box]) -> None:
    """Pattern by pattern and rank by rank, in one and two dimensions."""
    truth = true_of(*case)
    cells, statistics = exact_cells(Problem.over(*case))
    assert truth.cells == cells
    for k, layer in enumerate(truth.layers, start=1):
        for r in range(statistics.cells.shape[1]):
            expected = tuple(
                int(table[k, r])
                for table in (statistics.cells, statistics.children, statistics.max_children, statistics.unsplit)
            )
            found = layer.get(r)
            assert expected == (
                (found.regions, found.children, found.max_children, found.unsplit) if found else (0, 0, 0, 0)
            )


@settings(max_examples=30)
@given(cases(max_in=2, max_units=5))
def test_rational_subdivision_of_the_whole_plane(case: tuple[Network, Box]) -> None:
    network, _ = case
    if network.layers[0].units.n_units and len(pivots([fractions(r) for r in dense(network.layers[0].weight)])) == 2:
        assert true_of(network, WholeSpace()).cells == exact_cells(Problem.over(network, WholeSpace()))[0]


@settings(max_examples=30)
@given(cases(max_in=4, max_layers=2, max_units=4), st.integers(0, 2**32 - 1))
def test_patterns_met_by_sampling_are_cells(case: tuple[Network, Box], seed: int) -> None:
    """In any dimension: the exact pattern of almost every point is a cell's, and there are no more cells than found."""
    network, box = case
    problem = Problem.over(network, box)
    truth = true_of(network, box)
    points = np.random.default_rng(seed).random((30, problem.dim))
    assert {exact_pattern(problem, y) for y in points} <= set(truth.cells[-1])


def test_hyperplanes_in_general_position() -> None:
    """sum_(j <= d) C(n, j) regions of n hyperplanes of R^d on the moment curve, which is the count in a box around all."""
    for d, n in ((1, 6), (2, 7), (3, 6), (4, 6)):
        rows = [[float(t**k) for k in range(1, d + 1)] + [1.0] for t in range(1, n + 1)]
        assert arranged(rows, WholeSpace()) == sum(math.comb(n, j) for j in range(d + 1))


def test_pencils_and_parallels() -> None:
    lines = [[math.cos(k), math.sin(k), 0.0] for k in range(5)]
    assert arranged(lines, WholeSpace()) == arranged(lines, Box(-1.0, 1.0)) == 10
    assert arranged([[*row, 0.0] for row in lines], WholeSpace()) == 10
    parallel = [[1.0, 1.0, float(k)] for k in range(5)]
    assert arranged(parallel, WholeSpace()) == 6
    assert arranged(parallel, Box([0.0, -10.0], [0.0, 10.0])) == 6
    # a hyperplane that holds a side of the box, or touches a corner, does not cut it
    assert arranged([[1.0, 0.0, -1.0], [1.0, 1.0, -2.0], [1.0, 1.0, -2.0 + 2.0**-52]], Box(0.0, 1.0)) == 2


def test_domains() -> None:
    """Coordinate hyperplanes x_i = 0 in polytopes and slices of R^3."""
    axes = np.eye(3, 4).tolist()
    octahedron = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)], float)
    assert arranged(axes, Polytope(octahedron, np.ones(8), within=Box(-1.0, 1.0))) == 8
    assert arranged(axes, Polytope(octahedron, np.ones(8))) == 8
    corner = Polytope([[1.0, 1.0, 1.0]], [-3.0 + 2.0**-40], within=Box(-1.0, 1.0))
    assert arranged([*axes, [1.0, 0.0, 0.0, 1.0 - 2.0**-41]], corner) == 2
    plane = [0.5, 0.25, -1.0], [[1.0, 1.0, 1.0], [0.0, 1.0, 2.0]]
    assert arranged(axes, Slice(*plane)) == 7
    assert arranged(axes, Slice(*plane, within=Box(-0.25, 2.0))) == 1 + 1 + 1 + 1
    assert arranged(axes, Slice([0.0, 0.0, 0.0], [1.0, 1.0, 0.0], within=Box(-1.0, 1.0))) == 2
    with pytest.raises(NoInteriorError):
        enumerate_exactly([], Space.polytope([[1, 1]], [0], ([0, 0], [1, 1])))


def test_winners_of_equal_candidates() -> None:
    """Equal candidates are one, the first; a tie of more on a lower-dimensional set makes no region."""
    group = [ExactLayer([[1, 0], [0, 1], [1, 0], [-1, -1]], [0] * 4, [Maximum([2, 0, 1, 3])])]
    truth = enumerate_exactly(group, Space.whole(2))
    assert set(truth.cells[-1]) == {(0,), (2,), (3,)}


def test_a_breakpoint_belongs_to_the_lower_piece() -> None:
    layer = Layer("relu", np.array([[0.0], [1.0]]), np.array([0.0, 0.0]), Units.pointwise(RELU, 2))
    assert set(true_of(Network((layer,), (1,)), Box(-1.0, 1.0)).cells[-1]) == {(0, 0), (0, 1)}


def test_ranks_by_elimination() -> None:
    assert rank([]) == rank([(0, 0)]) == 0
    assert rank([(2, 4), (3, 6)]) == 1
    assert rank([(2, 4, 1), (3, 6, 1), (5, 10, 2)]) == 2
    assert rank([(2**300, 1), (2**600 + 1, 2**300)]) == 2


def test_more_cells_than_allowed() -> None:
    layer = ExactLayer([[1], [1], [1]], [0, 1, 2], [Maximum([k]) for k in range(3)])
    hats = ExactLayer([[1]] * 3, [0, 1, 2], exact_form(*line())[0][0].units)
    assert enumerate_exactly([layer], Space.whole(1), max_cells=1).count == 1
    with pytest.raises(TooManyCellsError):
        enumerate_exactly([hats], Space.whole(1), max_cells=3)


def line() -> tuple[Network, Box]:
    layer = Layer("relu", np.ones((3, 1)), np.arange(3.0), Units.pointwise(RELU, 3))
    return Network((layer,), (1,)), Box(-5.0, 5.0)


def test_rays_of_a_cube() -> None:
    """The square has four corners, and a cut through two of them makes triangles."""
    cone = Cone.everything(3)
    for form in ((0, 0, 1), (1, 0, 0), (-1, 0, 1), (0, 1, 0), (0, -1, 1)):
        found = cone.sides(form)[1]
        assert found is not None
        cone = found
    assert not cone.lines
    assert {point for point, _ in cone.rays} == {(0, 0, 1), (1, 0, 1), (0, 1, 1), (1, 1, 1)}
    below, above = cone.sides((1, -1, 0))
    assert below is not None
    assert above is not None
    assert {point for point, _ in below.rays} == {(0, 0, 1), (0, 1, 1), (1, 1, 1)}
    assert cone.sides((1, 1, 0)) == (None, cone)
    assert cone.sides((0, 0, 0)) == (cone, None)


@settings(max_examples=25)
@given(cases())
def test_forms_and_files(tmp_path_factory: pytest.TempPathFactory, case: tuple[Network, Box]) -> None:
    """A network written and read again is the same network, number by number."""
    network, box = case
    again = network_from(describe_network(network))
    assert describe_network(again) == describe_network(network)
    assert exact_form(again, box) == exact_form(network, box)
    path = tmp_path_factory.mktemp("forms") / "examples.json"
    write_examples(path, [Example.of("name", "kind", network, box)])
    (read,) = read_examples(path)
    assert read.write() == Example.of("name", "kind", network, box).write()


@pytest.mark.parametrize(
    "domain",
    [
        WholeSpace(),
        Box(-1.0, [1.0, 2.0, 1e300]),
        Polytope([[1.0, 0.1, 0.0]], [0.3], within=Box(-1.0, 1.0)),
        Polytope(np.vstack([np.eye(3), -np.eye(3)]), np.ones(6)),
        Slice([0.0, 0.1, 0.2], [1.0, 2.0, 3.0]),
        Slice([0.0, 0.1, 0.2], [[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]], within=Box(-1.0, 1.0)),
    ],
    ids=lambda domain: type(domain).__name__,
)
def test_domains_are_written_and_read(domain: Domain) -> None:
    form = describe_domain(domain, 3)
    assert describe_domain(domain_from(form), 3) == form
    layer = Layer("last", np.eye(3), np.zeros(3), Units.identity(3))
    _, space = exact_form(Network((layer,), (3,)), domain)
    assert all(isinstance(v, Fraction | int) for row in [*space.inputs, *space.constraints] for v in row)


def test_numbers_that_are_not_floats_are_refused() -> None:
    with pytest.raises(ValueError, match="1/3 is not a float64"):
        domain_from(["box", ["0"], ["1/3"]])
