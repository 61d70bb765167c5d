"""Domains: the part of the input space that is enumerated, with coordinates of its own.

A domain of effective dimension d is the image of the unit cube, of a polytope in it, or of all of R^d, under an affine
chart (`chart.py`). Cells, witnesses and dimensions are measured in the chart's coordinates.
"""

from regionenum.domain.balls import l1_ball, linf_ball
from regionenum.domain.box import Box
from regionenum.domain.chart import Chart, Domain
from regionenum.domain.description import domain_from
from regionenum.domain.half_spaces import HalfSpaces
from regionenum.domain.polytope import Polytope
from regionenum.domain.slice import Slice
from regionenum.domain.whole_space import WholeSpace

__all__ = [
    "Box",
    "Chart",
    "Domain",
    "HalfSpaces",
    "Polytope",
    "Slice",
    "WholeSpace",
    "domain_from",
    "l1_ball",
    "linf_ball",
]
