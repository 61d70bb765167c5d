"""Colours of maps of regions: neighbours are found, and differ."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given

from regionenum.analysis.colouring import LIGHT, coloured, neighbours
from regionenum.analysis.polygons import region_polygons
from regionenum.domain import Box
from tests.planes import BUDGET, enumerated, relu_network
from tests.strategies import cases


@pytest.mark.parametrize("sizes", [(2, 12, 12, 3), (1, 12, 3)])
def test_neighbours_differ_in_colour(sizes):
    network, box = relu_network(7, *sizes), Box(-3, 3)
    result, chart, pieces = enumerated(network, box)
    polygons = region_polygons(network, chart, pieces)
    first, second = neighbours(network, chart, pieces, polygons)
    pairs = {frozenset(pair) for pair in zip(first.tolist(), second.tolist(), strict=True)}
    # regions on both sides of a generic hyperplane differ in one unit
    assert all(np.count_nonzero(pieces[a] != pieces[b]) == 1 for a, b in pairs)
    assert len(pairs) >= (result.count - 1 if sizes[0] == 1 else 1.5 * result.count)
    colours = coloured(result.count, (first, second))
    assert all(colours[a] != colours[b] for a, b in pairs)
    assert colours.max() < len(LIGHT)


def touch(a, b):
    """Whether two polygons share more than a point of their boundaries; corners (k, 2) each."""
    for p, q in zip(a, np.roll(a, -1, axis=0), strict=True):
        length = np.linalg.norm(q - p)
        along = (q - p) / length
        across = np.array([-along[1], along[0]])
        for r, s in zip(b, np.roll(b, -1, axis=0), strict=True):
            if max(abs((r - p) @ across), abs((s - p) @ across)) < 1e-10:
                low, high = sorted([(r - p) @ along, (s - p) @ along])
                if min(length, high) - max(0.0, low) > 1e-6:
                    return True
    return False


@BUDGET
@given(cases(max_in=2))
def test_neighbours_are_the_polygons_that_touch(case):
    """Degenerate networks have edges that end in the middle of another region's edge."""
    network, box = case
    result, chart, pieces = enumerated(network, box)
    assume(chart.dim == 2 and result.count <= 30)
    polygons = region_polygons(network, chart, pieces)
    found = {frozenset(pair) for pair in zip(*map(list, neighbours(network, chart, pieces, polygons)), strict=True)}
    corners = [polygons.corners[k, : polygons.size[k]] for k in range(result.count)]
    assert found == {
        frozenset((i, j)) for i, j in combinations(range(result.count), 2) if touch(corners[i], corners[j])
    }


def test_colours_when_there_are_too_few():
    everyone = np.array([(a, b) for a in range(5) for b in range(5) if a != b])
    assert len(set(coloured(5, (everyone[:, 0], everyone[:, 1])).tolist())) == 5
    assert coloured(5, (everyone[:, 0], everyone[:, 1]), 3).max() == 2
