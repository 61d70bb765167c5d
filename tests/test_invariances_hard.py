"""Equivalent networks have equal counts, or, if not exact, a doubt is counted: near-parallel, near-cancelling, thin families.

Nothing here needs a known answer, so networks may be larger than those that the exact oracle judges.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import regionenum as rn
from regionenum.domain import Box, Domain
from regionenum.errors import EngineError
from regionenum.network.layers import Layer, Network
from regionenum.network.units import ABSOLUTE, IDENTITY, MAXIMUM, RELU, Units
from regionenum.result import Result
from tests.hard_networks import Case, case_of, chain, gaussians, relu_layers, small, some_box, tiny
from tests.verdicts import doubts, summary

BUDGET = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
HOMOGENEOUS = (RELU, ABSOLUTE, IDENTITY)
seeds = st.integers(0, 2**32 - 1)


def near_parallel(rng: np.random.Generator) -> Case:
    """Bundles of rows that are the same up to 2^-15 to 2^-52, in different units and of both signs."""
    d = int(rng.integers(2, 5))
    bundles, offsets = (small if rng.random() < 0.5 else gaussians)(rng, 3, d)
    pick = rng.integers(0, 3, 7)
    w = bundles[pick] + np.array([tiny(rng, 15, 52) * rng.integers(-1, 2, d) for _ in pick])
    b = offsets[pick] + np.array([tiny(rng, 15, 52) * rng.integers(-1, 2) for _ in pick])
    factor = rng.choice([1.0, -1.0, 2.0, 0.3], 7)
    return relu_layers((w * factor[:, None], b * factor), small(rng, 4, 7)), some_box(rng, d)


def near_cancelling(rng: np.random.Generator) -> Case:
    """Constants of up to 2^50 that the next layer takes away, all but a little."""
    d = int(rng.integers(2, 5))
    w, b = (small if rng.random() < 0.5 else gaussians)(rng, 4, d)
    large = b + 2.0 ** rng.integers(5, 50) * rng.integers(1, 4, 4)
    v, _ = small(rng, 5, 4)
    c = -(v @ large) + rng.integers(-4, 5, 5) / 4.0
    return relu_layers((w, large), (v, c), small(rng, 4, 5)), some_box(rng, d)


def thin(rng: np.random.Generator) -> Case:
    """Slabs of width 2^-20 to 2^-40, and a layer that reads each through a lens."""
    d = int(rng.integers(2, 4))
    w, b = (small if rng.random() < 0.5 else gaussians)(rng, 3, d)
    width = np.abs([tiny(rng, 20, 40) for _ in range(3)])
    both = np.concatenate([w, -w]), np.concatenate([b, width - b])
    lens, c = small(rng, 4, 6)
    return relu_layers(both, (lens / np.tile(width, 2) ** (rng.random() < 0.5), c)), some_box(rng, d)


LARGE = {make.__name__: make for make in (near_parallel, near_cancelling, thin)}
SMALL = ("near_pencils", "parallel", "cancelling", "slabs", "shallow", "near_vertices", "maxima", "rounded")
EACH_MODE = pytest.mark.parametrize("exact", [True, False], ids=["exact", "believed"])
EVERY_FAMILY = pytest.mark.parametrize("family", [*LARGE, *SMALL])


def made(family: str, seed: int) -> Case:
    """A case of a family of this file, or of `tests/hard_networks.py`."""
    return LARGE[family](np.random.default_rng(seed)) if family in LARGE else case_of(family, seed)


def counted(network: Network, domain: Domain, exact: bool, record: str = "none") -> Result:
    """What is found; without a doubt, if exact."""
    result = rn.enumerate_regions(network, domain, record=record, exact=exact)
    assert not (exact and doubts(result))
    return result


def assert_same_or_doubted(case: Case, other: Case, exact: bool) -> None:
    try:
        first, second = counted(*case, exact), counted(*other, exact)
    except EngineError:
        # float64 alone may be refused
        assert not exact
        return
    assert summary(first) == summary(second) or doubts(first) + doubts(second) > 0


def maps(network: Network) -> Iterator[tuple[Layer, np.ndarray, np.ndarray]]:
    for layer in network.layers:
        yield layer, np.array(layer.weight), layer.bias.copy()


def reordered(network: Network, rng: np.random.Generator) -> Network:
    """Rows and units of every layer in another order; the candidates of a maximum keep theirs."""
    layers = []
    columns = np.arange(network.n_in)
    for layer, w, b in maps(network):
        rows, order = rng.permutation(layer.n_rows), rng.permutation(layer.n_out)
        units = dataclasses.replace(layer.units, rows=np.argsort(rows)[layer.units.rows])
        groups = [units.rows[units.indptr[u] : units.indptr[u + 1]] for u in order]
        indptr = np.cumsum([0, *map(len, groups)])
        units = Units(units.functions, units.function_of[order], indptr, np.concatenate(groups))
        if layer.units.is_identity:
            rows, units, order = np.arange(layer.n_rows), layer.units, np.arange(layer.n_out)
        layers.append(((w[rows][:, columns], b[rows]), units))
        columns = order
    return chain(*layers)


def rescaled(network: Network, rng: np.random.Generator) -> Network:
    """Rows of homogeneous units times powers of two, which the next layer takes back; nothing is rounded."""
    layers = []
    undo = np.zeros(network.n_in, np.int64)
    for k, (layer, w, b) in enumerate(maps(network)):
        units, power = layer.units, rng.integers(-30, 31, layer.n_rows)
        readers = np.diff(units.indptr)
        function = [None if f == MAXIMUM else units.functions[f] for f in units.function_of]
        fixed = [u for u, f in enumerate(function) if f not in HOMOGENEOUS or k + 1 == len(network.layers)]
        for u in fixed:
            power[units.rows[units.indptr[u] : units.indptr[u + 1]]] = 0
        layers.append(((np.ldexp(w, power[:, None] - undo), np.ldexp(b, power)), units))
        undo = np.where(readers == 1, power[units.rows[units.indptr[:-1]]], 0)
    return chain(*layers)


@EACH_MODE
@EVERY_FAMILY
@BUDGET
@given(seed=seeds)
def test_order_of_units(family: str, exact: bool, seed: int) -> None:
    network, domain = made(family, seed)
    assert_same_or_doubted((network, domain), (reordered(network, np.random.default_rng(seed)), domain), exact)


@EACH_MODE
@EVERY_FAMILY
@BUDGET
@given(seed=seeds)
def test_order_of_inputs(family: str, exact: bool, seed: int) -> None:
    network, domain = made(family, seed)
    order = np.random.default_rng(seed).permutation(network.n_in)
    first, *rest = (((w, b), layer.units) for layer, w, b in maps(network))
    (w, b), units = first
    if isinstance(domain, Box):
        lower, upper = (np.broadcast_to(np.asarray(bound), network.n_in) for bound in (domain.lower, domain.upper))
        other: Domain = Box(lower[order], upper[order])
    else:
        other = domain
    assert_same_or_doubted((network, domain), (chain(((w[:, order], b), units), *rest), other), exact)


@EACH_MODE
@EVERY_FAMILY
@BUDGET
@given(seed=seeds)
def test_scale_of_rows(family: str, exact: bool, seed: int) -> None:
    network, domain = made(family, seed)
    assert_same_or_doubted((network, domain), (rescaled(network, np.random.default_rng(seed)), domain), exact)


@EACH_MODE
@EVERY_FAMILY
@BUDGET
@given(seed=seeds)
def test_a_cut_through_the_box(family: str, exact: bool, seed: int) -> None:
    """The patterns of both halves together are those of the box."""
    network, domain = made(family, seed)
    assume(isinstance(domain, Box))
    assert isinstance(domain, Box)
    rng = np.random.default_rng(seed)
    lower, upper = (np.array(np.broadcast_to(bound, network.n_in)) for bound in (domain.lower, domain.upper))
    k = int(rng.choice(np.flatnonzero(lower < upper)))
    middle = lower[k] + (upper[k] - lower[k]) * rng.choice([0.25, 0.5, 0.625])
    left, right = upper.copy(), lower.copy()
    left[k] = right[k] = middle
    boxes = domain, Box(lower, left), Box(right, upper)
    try:
        results = [counted(network, box, exact, "regions") for box in boxes]
    except EngineError:
        assert not exact
        return
    whole, below, above = ({bytes(row) for row in r.regions.column("pattern").to_pylist()} for r in results)
    assert whole == below | above or sum(map(doubts, results)) > 0


@pytest.mark.parametrize("family", LARGE)
def test_families_are_larger_than_the_oracle_likes(family: str) -> None:
    assert max(counted(*made(family, seed), exact=True).count for seed in range(8)) > 15


def test_transformations_change_the_network() -> None:
    network, _ = made("near_parallel", 0)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20, network.n_in))
    for change in (reordered, rescaled):
        other = change(network, rng)
        assert other.hash != network.hash
        # the same function, up to the order and the rounding of its outputs
        np.testing.assert_allclose(np.sort(other.forward(x)), np.sort(network.forward(x)), rtol=1e-9, atol=1e-9)
