"""What tests of domains have in common."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, settings

from regionenum.domain import Domain
from regionenum.engine.interface import Problem, Record
from regionenum.engine.reference import HighsEngine
from regionenum.network.layers import Network
from tests.exploring import ENGINES, Found, assert_witnesses, explore, same_statistics
from tests.line import relu_chain

BUDGET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
EVERY_ENGINE = pytest.mark.parametrize("engine", ENGINES)
MOST = 120
"""Regions that the reference engine can afford in a random test."""


def assert_engines_agree(network: Network, domain: Domain, most: int | None = None) -> Found:
    """Both engines find the same cells with the same ranks, and their witnesses are what they should be."""
    problem = Problem.over(network, domain)
    compiled = explore(ENGINES["compiled"](), problem, Record.TREE)
    if most is not None:
        assume(compiled.regions <= most)
    reference = explore(HighsEngine(), problem, Record.TREE)
    for depth in range(problem.depth):
        assert compiled.layer(depth) == reference.layer(depth)
    assert same_statistics(compiled.statistics, reference.statistics)
    assert_witnesses(problem, compiled)
    assert_witnesses(problem, reference)
    return compiled


def count(network: Network, domain: Domain, engine: str = "compiled") -> int:
    return explore(ENGINES[engine](), Problem.over(network, domain)).regions


def torch_mlp(n_in: int, widths: tuple[int, ...]) -> Network:
    """torch's default initialisation with seed 0, drawn in float32 as torch does by default, then taken as float64."""
    torch = pytest.importorskip("torch")
    from regionenum.network.load import load

    torch.manual_seed(0)
    layers, n = [], n_in
    for width in widths:
        layers += [torch.nn.Linear(n, width, dtype=torch.float32), torch.nn.ReLU()]
        n = width
    layers.append(torch.nn.Linear(n, 1, dtype=torch.float32))
    return load(torch.nn.Sequential(*layers).double().eval(), torch.zeros(1, n_in, dtype=torch.float64))


def random_relu(seed: int, *sizes: int) -> Network:
    """Gaussian weights and biases: generic."""
    rng = np.random.default_rng(seed)
    maps = [(rng.normal(size=(n_out, n_in)), rng.normal(size=n_out)) for n_in, n_out in itertools.pairwise(sizes)]
    return relu_chain(*maps, (np.eye(sizes[-1]), np.zeros(sizes[-1])))
