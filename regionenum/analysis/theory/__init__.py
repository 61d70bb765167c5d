"""Closed forms and bounds, to set beside a count: `rn.theory`.

Every function returns exact integers or fractions, says in its docstring where it comes from, and proves what is not in a
source. Counters here use neither linear programs nor floating point, and nothing of the engine.
"""

from regionenum.analysis.theory.arrangements import (
    arrangement,
    arrangement_faces,
    bounded_arrangement,
    family,
    parallel_arrangement,
)
from regionenum.analysis.theory.convolutions import ConvolutionRegions, convolution_layer
from regionenum.analysis.theory.hyperplanes import (
    bounded_hyperplane_regions,
    characteristic_polynomial,
    hyperplane_regions,
)
from regionenum.analysis.theory.linear_convolutions import LinearConv, linear_conv, reachable, root_pattern
from regionenum.analysis.theory.pooling import (
    max_pool_1d,
    max_pool_1d_generating_function,
    max_pool_1d_recurrence,
    max_pool_2d,
    max_pool_3_by_n,
    pooling_facets_1d,
    series,
    windows_1d,
    windows_2d,
)
from regionenum.analysis.theory.pooling_polytope import Facet, PoolingPolytope
from regionenum.analysis.theory.pooling_relu import PoolingOrder, max_pool_relu
from regionenum.analysis.theory.region_bounds import SOURCES, Bound, Bounds, LayerBounds, bounds, reached_by
from regionenum.analysis.theory.winners import max_pool

__all__ = [
    "SOURCES",
    "Bound",
    "Bounds",
    "ConvolutionRegions",
    "Facet",
    "LayerBounds",
    "LinearConv",
    "PoolingOrder",
    "PoolingPolytope",
    "arrangement",
    "arrangement_faces",
    "bounded_arrangement",
    "bounded_hyperplane_regions",
    "bounds",
    "characteristic_polynomial",
    "convolution_layer",
    "family",
    "hyperplane_regions",
    "linear_conv",
    "max_pool",
    "max_pool_1d",
    "max_pool_1d_generating_function",
    "max_pool_1d_recurrence",
    "max_pool_2d",
    "max_pool_3_by_n",
    "max_pool_relu",
    "parallel_arrangement",
    "pooling_facets_1d",
    "reachable",
    "reached_by",
    "root_pattern",
    "series",
    "windows_1d",
    "windows_2d",
]
