"""Networks over planes and lines, enumerated, for the tests of polygons and pictures."""

from itertools import pairwise

import numpy as np
from hypothesis import settings

import regionenum as rn
from regionenum.network.layers import Layer, Network
from regionenum.network.units import RELU, Units
from regionenum.results.patterns import Packing
from regionenum.results.schema import fixed_array

BUDGET = settings(max_examples=60, deadline=None)


def relu_network(seed, *sizes):
    """Random ReLU layers, and a last layer without units."""
    rng = np.random.default_rng(seed)
    layers = []
    for k, (n_in, n) in enumerate(pairwise(sizes)):
        weight, bias = rng.standard_normal((n, n_in)) * np.sqrt(2 / n_in), rng.standard_normal(n) / 2
        last = k + 2 == len(sizes)
        layers.append(Layer("head" if last else f"relu{k}", weight, bias, (Units.identity if last else relus)(n)))
    return Network(tuple(layers), sizes[:1])


def relus(n):
    return Units.pointwise(RELU, n)


def enumerated(network, box):
    result = rn.enumerate_regions(network, box, record="regions")
    chart = box.chart(network.input_shape)
    return result, chart, Packing.of(network).unpack(fixed_array(result.regions.column("pattern")))
