"""The engines against each other, and against rational subdivision, on random degenerate networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings

from regionenum.domain import Box
from regionenum.engine.compiled import CompiledEngine
from regionenum.engine.interface import Problem, Record
from regionenum.engine.reference import HighsEngine
from regionenum.network.layers import Layer, Network
from regionenum.network.units import Units
from tests.exploring import ENGINES, Found, assert_witnesses, explore, explore_at_most, same_statistics
from tests.hard_networks import relu_layers
from tests.oracles import Pattern, exact_cells
from tests.strategies import cases

MOST = 150
"""Networks with more regions are left out: the reference engine would take too long."""

BUDGET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

Case = tuple[Network, Box]


@BUDGET
@given(cases())
@example(
    (
        relu_layers(
            (np.array([[1, 0], [0, 1], [0, -1]]), np.zeros(3)),
            (np.array([[1, 0, 0], [1, -1, 1]]), np.zeros(2)),
        ),
        Box(-7.0, 7.0),
    )
)
def test_compiled_is_reference(case: Case) -> None:
    network, box = case
    problem = Problem.over(network, box)
    compiled = explore_at_most(CompiledEngine(), problem, Record.TREE, 3 * MOST)
    assume(compiled is not None)
    assert compiled is not None
    reference = explore(HighsEngine(), problem, Record.TREE)
    for depth in range(problem.depth):
        assert compiled.layer(depth) == reference.layer(depth)
    assert same_statistics(compiled.statistics, reference.statistics)
    assert_witnesses(problem, compiled)
    assert_witnesses(problem, reference)


@pytest.mark.parametrize("engine", ENGINES)
@BUDGET
@given(case=cases(max_in=2, max_units=7))
def test_engines_are_exact_in_two_dimensions(engine: str, case: Case) -> None:
    problem = Problem.over(*case)
    cells, statistics = exact_cells(problem)
    assume(len(cells[-1]) <= MOST)
    found = explore(ENGINES[engine](), problem, Record.TREE)
    starts = np.cumsum(problem.n_units)
    for depth, expected in enumerate(cells):
        assert _last_ranks(found, depth, starts[depth]) == expected
    assert same_statistics(found.statistics, statistics)


@pytest.mark.parametrize("engine", ENGINES)
@BUDGET
@given(case=cases(max_in=1, max_units=8))
def test_engines_are_exact_on_a_line(engine: str, case: Case) -> None:
    problem = Problem.over(*case)
    cells, statistics = exact_cells(problem)
    found = explore(ENGINES[engine](), problem, Record.TREE)
    assert _last_ranks(found, problem.depth - 1, sum(problem.n_units)) == cells[-1]
    assert same_statistics(found.statistics, statistics)


def _last_ranks(found: Found, depth: int, n_units: int) -> dict[Pattern, int]:
    return {pattern[:n_units]: ranks[depth] for pattern, ranks in found.layer(depth).items()}


@pytest.mark.parametrize("engine", ENGINES)
def test_recording_does_not_change_the_statistics(engine: str) -> None:
    rng = np.random.default_rng(3)
    shapes = [(6, 3), (5, 6)]
    network = relu_layers(*((rng.integers(-4, 5, s), rng.integers(-4, 5, s[0])) for s in shapes))
    problem = Problem.over(network, Box(-2.0, 2.0))
    none, regions, tree = (explore(ENGINES[engine](), problem, record) for record in Record)
    assert none.regions > 20
    assert same_statistics(none.statistics, regions.statistics)
    assert same_statistics(none.statistics, tree.statistics)
    assert regions.layer(1) == tree.layer(1)


@pytest.mark.parametrize("engine", ENGINES)
def test_parents_are_cells_of_the_layer_before(engine: str) -> None:
    rng = np.random.default_rng(4)
    shapes = [(4, 2), (4, 4), (3, 4)]
    network = relu_layers(*((rng.integers(-4, 5, s), rng.integers(-4, 5, s[0])) for s in shapes))
    problem = Problem.over(network, Box(-2.0, 2.0))
    cells = explore(ENGINES[engine](), problem, Record.TREE).cells
    assert cells is not None
    starts = np.concatenate([[0], np.cumsum(problem.n_units)])
    row_of = {int(number): k for k, number in enumerate(cells.cell)}
    for k, (layer, parent) in enumerate(zip(cells.layer, cells.parent, strict=True)):
        if layer == 0:
            assert parent == -1
            continue
        row, n = row_of[int(parent)], starts[layer]
        assert cells.layer[row] == layer - 1
        assert np.array_equal(cells.pieces[row, :n], cells.pieces[k, :n])
        assert np.array_equal(cells.ranks[row, :layer], cells.ranks[k, :layer])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_network_without_units_is_one_region(engine: str) -> None:
    last = Layer("last", np.ones((1, 3)), np.zeros(1), Units.identity(1))
    for layers in ((), (last,)):
        problem = Problem.over(Network(layers, (3,)), Box(-1.0, 2.0))
        found = explore(ENGINES[engine](), problem, Record.REGIONS)
        assert found.regions == 1
        assert found.cells is not None
        assert found.cells.layer.tolist() == [-1]
        assert found.cells.parent.tolist() == [-1]


def test_the_stack_does_not_grow_with_the_units() -> None:
    n = 1500
    network = relu_layers((np.ones((n, 1)), np.linspace(5.0, 6.0, n)))
    for engine in (CompiledEngine(), HighsEngine()):
        assert explore(engine, Problem.over(network, Box(0.0, 1.0))).regions == 1
