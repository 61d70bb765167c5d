"""The forms of one layer on one cell: what can cut it, who can win, which rank the map has, and where a point is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from flint import fmpz_mat, nmod_mat

from regionenum.exact.cone import Cone
from regionenum.exact.domains import ExactDomain
from regionenum.exact.dyadic import Row
from regionenum.exact.predicates import rank as rank_of_rows
from regionenum.exact.rows import OPEN, PulledBack
from regionenum.network.layers import Layer, Network
from regionenum.network.units import MAXIMUM

_PRIME = 2**31 - 1


class LayerPlan:
    """The cuts and maxima of a layer, by the numbers of units in it.

    Attributes
    ----------
    functions, members : of each unit its function, or MAXIMUM, and the rows that it reads
    cut_unit, cut_number : of each breakpoint of each unit, in order
    groups : the maxima of more than one row
    """

    def __init__(self, layer: Layer) -> None:
        units = layer.units
        self.functions: list[int] = units.function_of.tolist()
        self.members: list[list[int]] = [units.rows[a:b].tolist() for a, b in pairwise(units.indptr)]
        self.slopes = [function.slopes for function in units.functions]
        self.cut_unit, self.cut_number, self.groups = list[int](), list[int](), list[int]()
        for u, function in enumerate(self.functions):
            if function != MAXIMUM:
                n = len(units.functions[function].breakpoints)
                self.cut_unit += [u] * n
                self.cut_number += range(n)
            elif len(self.members[u]) > 1:
                self.groups.append(u)


class Misplaced(NamedTuple):
    """Why a point is not in a cell: a unit, and where the point is."""

    unit: int
    where: str


@dataclass(frozen=True)
class LayerForms:
    """The forms of a layer on a cell of the layer before.

    Attributes
    ----------
    rows : all rows of the layer, over one power of two
    cuts : rows minus breakpoints, each over some power of two
    candidates : for each maximum, by unit, the lowest candidate of each function
    rank : of the map to the outputs of the layer before, or more
    """

    layer: int
    plan: LayerPlan
    rows: list[Row]
    cuts: list[Row]
    candidates: dict[int, list[int]]
    rank: int

    def difference(self, u: int, first: int, second: int) -> Row:
        """Candidate `first` of a maximum minus another."""
        members = self.plan.members[u]
        return [a - b for a, b in zip(self.rows[members[first]], self.rows[members[second]], strict=True)]

    def rank_of(self, pieces: list[int]) -> int:
        """Rank of the map to the outputs of the layer, on a cell of these pieces.

        Modulo a prime it is at most that; it is no more than the rank of the map to the layer before.
        """
        plan, used = self.plan, dict[int, None]()
        for function, members, piece in zip(plan.functions, plan.members, pieces, strict=True):
            if function == MAXIMUM:
                used[members[piece]] = None
            elif plan.slopes[function][piece]:
                used[members[0]] = None
        reduced = self._residues
        rows = [i for i in used if reduced[i] is not None]
        most = min(len(rows), self.rank)
        # a few rows are likely to do
        for some in (rows[: 2 * most], rows):
            entries = [value for i in some for value in reduced[i] or ()]
            if not most or int(nmod_mat(len(some), len(entries) // len(some), entries, _PRIME).rank()) == most:
                return most
        return int(fmpz_mat([self.rows[i][:-1] for i in rows]).rank())

    @cached_property
    def _residues(self) -> list[list[int] | None]:
        """The linear parts of the rows modulo a prime; None where they are 0."""
        return [[int(value % _PRIME) for value in row[:-1]] if any(row[:-1]) else None for row in self.rows]

    @cached_property
    def _cut_matrix(self) -> fmpz_mat:
        return fmpz_mat(self.cuts)

    def misplaced(self, pieces: list[int], point: Row) -> Misplaced | None:
        """The first unit by which a point is not strictly where the pieces say; None if it is.

        A cut that is 0 all over the cell, and candidates that are one function, have to be decided as is laid down: the lower
        piece, the lower candidate.
        """
        plan, column = self.plan, fmpz_mat(len(point), 1, point)
        values = (self._cut_matrix * column).entries() if self.cuts else []
        sides = [pieces[u] > number for u, number in zip(plan.cut_unit, plan.cut_number, strict=True)]
        if [value > 0 for value in values] == sides and all(values):
            values = []
        for c, value in enumerate(values):
            u = plan.cut_unit[c]
            above = pieces[u] > plan.cut_number[c]
            if (value > 0) != above or (value == 0 and any(self.cuts[c])):
                return Misplaced(u, "outside" if value else "on the boundary")
        for u in plan.groups:
            values = (fmpz_mat([self.rows[row] for row in plan.members[u]]) * column).entries()
            best = values[pieces[u]]
            if pieces[u] not in self.candidates[u]:
                return Misplaced(u, "outside")
            for k in self.candidates[u]:
                if k != pieces[u] and values[k] >= best:
                    return Misplaced(u, "outside" if values[k] > best else "on the boundary")
        return None


class FormMaker:
    """Makes the forms of the layers of a network over a domain, from pieces."""

    def __init__(self, network: Network, domain: ExactDomain) -> None:
        self._ends_in_units = len(network.layers) == len(network.unit_layers)
        self._pulled = PulledBack(network, domain)
        self.plans = [LayerPlan(layer) for layer in network.unit_layers]
        first = np.cumsum([0, *(len(plan.functions) for plan in self.plans)]).tolist()
        of_cut, number, groups = list[int](), list[int](), list[int]()
        for start, plan in zip(first, self.plans, strict=False):
            of_cut += [start + u for u in plan.cut_unit]
            number += plan.cut_number
            groups += [start + u for u in plan.groups]
        self._of_cut, self._number = np.array(of_cut, np.int64), np.array(number, np.int64)
        self._is_group = np.zeros(first[-1], np.bool_)
        self._is_group[groups] = True

    def of(self, layer: int, pieces: npt.NDArray[Any], rank: int) -> LayerForms:
        """The forms of a layer on the cell of the pieces of all units before."""
        plan = self.plans[layer]
        sides, winners = self._decisions(layer, pieces)
        rows = self._pulled.rows(layer, sides, winners).matrix.tolist()
        cuts = self._pulled.cuts(layer, sides, winners)
        candidates = {}
        for u in plan.groups:
            first: dict[tuple[Any, ...], int] = {}
            for i, row in enumerate(plan.members[u]):
                first.setdefault(tuple(rows[row]), i)
            candidates[u] = list(first.values())
        return LayerForms(layer, plan, rows, cuts, candidates, rank)

    def cone(self, pieces: npt.NDArray[Any]) -> Cone:
        """The cone over a region with these pieces."""
        depth = len(self.plans)
        return self._pulled.cone(depth - 1, *self._decisions(depth, pieces))

    def _decisions(self, layer: int, pieces: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Sides and winners of the layers before one."""
        n_cuts, n_units = self._pulled.starts(layer)
        sides = (pieces[self._of_cut[:n_cuts]] > self._number[:n_cuts]).astype(np.int8)
        winners = np.where(self._is_group[:n_units], pieces[:n_units].astype(np.int64), OPEN).astype(np.int16)
        return sides, winners

    def output_rank(self, pieces: npt.NDArray[Any], rank: int) -> int:
        """Rank of the network's own map on a region of these pieces, where that to its last units has a rank."""
        if self._ends_in_units:
            return rank
        depth = len(self.plans)
        rows = self._pulled.rows(depth, *self._decisions(depth, pieces)).matrix.tolist()
        return rank_of_rows([row[:-1] for row in rows], rank)
