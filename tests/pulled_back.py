"""Rows pulled back by decisions, as kernels have them and exactly."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from regionenum.engine.interface import Problem
from regionenum.engine.tables import CUT, UNIT, make_tables
from regionenum.engine.walk.layer_kernel import (
    branch,
    decide,
    make_images,
)
from regionenum.engine.walk.rank_kernel import make_ranks
from regionenum.network.units import PiecewiseLinear
from tests.oracles import fractions

STAIRS = PiecewiseLinear((-1.0, 0.3, 0.7), (1.0, 0.1, -2.0, 0.7), (0.3, -0.6, 0.03, -1.86))


class Prepared(NamedTuple):
    """A problem in tables, with the state that kernels change."""

    tables: object
    images: object
    ranks: object


def prepare(network, domain):
    tables = make_tables(Problem.over(network, domain))
    return Prepared(tables, make_images(tables), make_ranks(tables))


class Exact(NamedTuple):
    """Rows as exact functions constant + normal . z."""

    constants: list[Fraction]
    normals: list[list[Fraction]]


def first_rows(layer, dim, lower, width):
    """Rows of the first layer in the coordinates of the unit cube."""
    constants, normals = [], []
    for w, b in zip(map(fractions, layer.weight), fractions(layer.bias), strict=True):
        normals.append([c * Fraction(width) for c in w])
        constants.append(b + sum(c * Fraction(lower) for c in w))
    return Exact(constants, normals)


def exact_rows(layer, rows, branches):
    """Rows of the next layer, given (row, slope, intercept) of every unit."""
    dim = len(rows.normals[0])
    constants, normals = [], []
    for w, b in zip(map(fractions, layer.weight), fractions(layer.bias), strict=True):
        total, normal = b, [Fraction(0)] * dim
        for c, (row, slope, intercept) in zip(w, branches, strict=True):
            s = Fraction(slope)
            total += c * (s * rows.constants[row] + Fraction(intercept))
            normal = [n + c * s * m for n, m in zip(normal, rows.normals[row], strict=True)]
        constants.append(total)
        normals.append(normal)
    return Exact(constants, normals)


def decided(prepared, layer, sides):
    """Decide all cuts of a layer by chance; returns the exact branches."""
    tables, images = prepared.tables, prepared.images
    for c in range(tables.at[layer, CUT], tables.at[layer + 1, CUT]):
        if tables.cuts.unit[c] >= 0:
            decide(tables.cuts, images.cut_side, images.piece, c, int(sides[c % len(sides)]))
    return [branch(tables.units, images, u) for u in range(tables.at[layer, UNIT], tables.at[layer + 1, UNIT])]
