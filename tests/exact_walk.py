"""An enumeration by the predicates of `regionenum.exact` alone: each decision is a question to them. Slow and exact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from regionenum.domain import Domain
from regionenum.engine.interface import Problem
from regionenum.exact.cone import Cone, Forms
from regionenum.exact.domains import ExactDomain
from regionenum.exact.dyadic import Row, dot
from regionenum.exact.predicates import Outcome, Side, interior, rank, side
from regionenum.exact.rows import OPEN, PulledBack
from regionenum.network.layers import Network
from regionenum.network.units import MAXIMUM
from tests.exact_oracle import RankFacts

Cells = dict[tuple[int, ...], int]
"""Pieces of all units so far -> rank."""


@dataclass
class ExactWalk:
    """All cells of a network over a domain, layer by layer.

    Attributes
    ----------
    cells : {pattern: rank} after each unit layer
    children : {pattern: children} of the domain, and of the cells after each layer
    asked : how often each answer was given
    """

    network: Network
    domain: Domain
    verify: bool = False
    cells: list[Cells] = field(default_factory=list)
    children: list[Counter[tuple[int, ...]]] = field(default_factory=list)
    asked: Counter[Side] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        chart = Problem.over(self.network, self.domain).chart
        self.pulled = PulledBack(self.network, ExactDomain.of(self.domain, chart))
        depth = self.pulled.depth
        self.cells = [{} for _ in range(depth)]
        self.children = [Counter() for _ in range(depth)]
        n_cuts, n_units = self.pulled.starts(depth)
        sides, winners = np.full(n_cuts, OPEN, np.int8), np.full(n_units, OPEN, np.int16)
        root = self.pulled.cone(0, sides[:0], winners[:0])
        interior(root)
        self._enter(0, sides, winners, root, ())

    def facts(self) -> list[dict[int, RankFacts]]:
        """As the exact oracle gives them."""
        found = []
        for k, cells in enumerate(self.cells):
            by_rank: dict[int, list[int]] = {}
            for pattern, r in cells.items():
                by_rank.setdefault(r, []).append(self.children[k + 1][pattern] if k + 1 < len(self.cells) else 0)
            found.append({r: RankFacts(len(n), sum(n), max(n), n.count(1)) for r, n in sorted(by_rank.items())})
        return found

    def _side(self, cone: Cone, form: Row) -> Outcome:
        outcome = side(cone, form)
        self.asked[outcome.side] += 1
        if self.verify:
            assert outcome.holds(cone, form)
        return outcome

    def _enter(self, k: int, sides: np.ndarray, winners: np.ndarray, cone: Cone, pattern: tuple[int, ...]) -> None:
        """All cells of layer k in a cell of the layer before."""
        cut_at, unit_at = self.pulled.starts(k)
        layer = self.network.unit_layers[k]
        cuts = np.cumsum([0, *np.where(layer.units.function_of == MAXIMUM, 0, layer.units.n_pieces - 1)]).tolist()
        for part in self._units(k, 0, cuts, (sides[:cut_at], winners[:unit_at]), [], cone):
            chosen, cell = part
            inner, won = sides.copy(), winners.copy()
            for u, piece in enumerate(chosen):
                if layer.units.function_of[u] == MAXIMUM:
                    won[unit_at + u] = piece
                else:
                    inner[cut_at + cuts[u] : cut_at + cuts[u + 1]] = np.arange(cuts[u + 1] - cuts[u]) < piece
            name = pattern + tuple(chosen)
            assert name not in self.cells[k]
            self.cells[k][name] = rank(self.pulled.linear(k, inner, won))
            self.children[k][pattern] += 1
            if k + 1 < self.pulled.depth:
                self._enter(k + 1, inner, won, self._again(k + 1, inner, won, cell), name)

    def _again(self, k: int, sides: np.ndarray, winners: np.ndarray, cell: Cone) -> Cone:
        """The cone of all decisions, made afresh; what was found on the way lies in it."""
        cut_at, unit_at = self.pulled.starts(k)
        cone = self.pulled.cone(k - 1, sides[:cut_at], winners[:unit_at])
        cone.points = [point for point in cell.points if cone.contains(point)]
        assert cone.points
        return cone

    def _units(
        self,
        k: int,
        u: int,
        cuts: list[int],
        before: tuple[np.ndarray, np.ndarray],
        chosen: list[int],
        cone: Cone,
    ) -> Iterator[tuple[list[int], Cone]]:
        units = self.network.unit_layers[k].units
        if u == units.n_units:
            yield chosen, cone
            return
        if units.function_of[u] == MAXIMUM:
            parts = self._winners(k, u, before, cone)
        else:
            parts = self._pieces(k, range(cuts[u], cuts[u + 1]), before, cone)
        for piece, part in parts:
            yield from self._units(k, u + 1, cuts, before, [*chosen, piece], part)

    def _pieces(
        self, k: int, cuts: range, before: tuple[np.ndarray, np.ndarray], cone: Cone
    ) -> Iterator[tuple[int, Cone]]:
        for piece, cut in enumerate(cuts):
            form = self.pulled.cut(k, cut, *before)
            outcome = self._side(cone, form)
            match outcome.side:
                case Side.NEGATIVE | Side.ZERO:
                    yield piece, cone
                    return
                case Side.CUTS:
                    yield piece, _with(cone, [-value for value in form], outcome.below)
                    cone = _with(cone, form, outcome.above)
        yield len(cuts), cone

    def _winners(self, k: int, u: int, before: tuple[np.ndarray, np.ndarray], cone: Cone) -> Iterator[tuple[int, Cone]]:
        size = int(self.network.unit_layers[k].units.n_pieces[u])
        different = [i for i in range(size) if all(any(self.pulled.difference(k, u, i, j, *before)) for j in range(i))]
        for i in different:
            part: Cone | None = cone
            for j in different:
                if i == j or part is None:
                    continue
                form = self.pulled.difference(k, u, i, j, *before)
                outcome = self._side(part, form)
                if outcome.side == Side.NEGATIVE:
                    part = None
                elif outcome.side == Side.CUTS:
                    part = _with(part, form, outcome.above)
            if part is not None:
                yield i, part


def _with(cone: Cone, form: Row, inside: Row | None) -> Cone:
    """The part of a cone where a form is positive, with a point of it."""
    assert inside is not None
    part = Cone(cone.n, [*cone.blocks, Forms.of([form], [(0, 0, 0)])], cone.frame)
    part.points = [inside, *(point for point in cone.points if dot(form, point) > 0 and point is not inside)]
    return part
