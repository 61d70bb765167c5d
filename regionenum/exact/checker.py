"""An independent check of what a run found: that its regions exist, and that there are no others.

The tree of cells is rebuilt from the patterns alone. A *node* is a part C of a cell after the layers so far, and the set S of
recorded regions in it. The root is the domain with all of them, and what is proved is this: every region of the network that
meets C is in S. At a node

1.  a cut on whose side all of S agree is proved not to cut C, or to be 0 all over it (then the lower piece is right);
2.  a maximum that one candidate wins in all of S is proved to be nowhere less than any other on C;
3.  then C is split by the first cut, or the first maximum, on which S disagrees. Of a maximum, candidates that no region of S
    names are proved to win in no open part of C. The parts of C leave out nothing that is open;
4.  if S agrees throughout the layer, C is a cell of it: its rank is computed, and the next layer begins. After the last one, S
    is one region, C is its cell, and its witness is evaluated.

So the regions in S are all there are in C, and by induction those of the root are all there are. Nothing of an engine is used,
and nothing is rounded: forms are rows of integers (`rows.py`), cells are cones (`checked_cell.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np

from regionenum.exact.checked_cell import MOST_GENERATORS, CheckedCell
from regionenum.exact.claim import Claim, RefutedError, Rows
from regionenum.exact.cone import EmptyConeError
from regionenum.exact.domains import ExactDomain
from regionenum.exact.dyadic import Row
from regionenum.exact.layer_forms import FormMaker, LayerForms
from regionenum.exact.witnesses import Nearest, beyond, known
from regionenum.network.units import Ints


@dataclass
class Work:
    """What was proved.

    Attributes
    ----------
    regions : cells of regions that were reached
    cells : cells of all layers, whose ranks were computed
    proofs : forms that were proved to have one sign on a cell, and candidates that were proved to win nowhere
    splits : nodes that were split
    witnesses : points that were evaluated
    found : of these, points that the run did not have, and that were found here
    """

    regions: int = 0
    cells: int = 0
    proofs: int = 0
    splits: int = 0
    witnesses: int = 0
    found: int = 0

    def add(self, other: Work) -> None:
        """Add what was proved elsewhere."""
        for f in fields(self):
            setattr(self, f.name, getattr(self, f.name) + getattr(other, f.name))


@dataclass(frozen=True)
class Node:
    """A part of a cell after the layers before `layer`, and the regions in it.

    Attributes
    ----------
    regions : their rows
    cell : the part
    forms : of the layers so far; those of `layer` only if it was entered
    open_cuts, open_groups : what is not decided yet, if it was entered
    address : which children lead here from the root
    """

    layer: int
    regions: Ints
    cell: CheckedCell
    forms: tuple[LayerForms, ...]
    rank: int
    open_cuts: tuple[int, ...] = ()
    open_groups: tuple[int, ...] = ()
    address: tuple[int, ...] = ()


@dataclass
class Checker:
    """Checks a claim.

    Parameters
    ----------
    claim : Claim
    domain : ExactDomain
    chosen : (n,) bool, the regions whose paths are followed; None for all
    most_generators : of a cell; 0 for linear programs throughout
    """

    claim: Claim
    domain: ExactDomain
    chosen: np.ndarray | None = None
    most_generators: int = MOST_GENERATORS
    work: Work = field(default_factory=Work)

    def __post_init__(self) -> None:
        self._forms = FormMaker(self.claim.network, self.domain)
        self._nearest = Nearest(self.domain)
        self._at = self.claim.unit_at
        self._proving = True

    # The tree ----------------------------------------------------------------------------------------------------------------

    def root(self) -> Node:
        """The domain, and all regions.

        Raises
        ------
        RefutedError
            If there are none.
        """
        if not len(self.claim.regions):
            raise RefutedError("there are no regions, but the domain has an interior")
        cell = CheckedCell.of(self.domain, self.most_generators)
        return Node(0, np.arange(len(self.claim.regions)), cell, (), self.domain.dim)

    def at(self, address: Sequence[int]) -> Node:
        """The node at an address, without any proofs on the way."""
        self._proving = False
        try:
            node = self.root()
            for choice in address:
                node = self.children(node)[choice]
        finally:
            self._proving = True
        return node

    def frontier(self, n: int) -> list[Node]:
        """At least n nodes, or as many as there are, below which everything remains to be checked; in the tree's order.

        Raises
        ------
        RefutedError
        """
        nodes = [self.root()]
        while nodes and len(nodes) < n:
            largest = max(range(len(nodes)), key=lambda i: len(nodes[i].regions))
            if len(nodes[largest].regions) == 1:
                break
            nodes[largest : largest + 1] = self.children(nodes[largest])
        return nodes

    def check(self, node: Node) -> Iterator[int]:
        """Check all below a node; yields the number of regions reached so far, again and again.

        Raises
        ------
        RefutedError
        """
        waiting = [node]
        while waiting:
            before = self.work.regions
            waiting.extend(reversed(self.children(waiting.pop())))
            if self.work.regions != before:
                yield self.work.regions

    def children(self, node: Node) -> list[Node]:
        """One step at a node: its parts, without those in which nothing is chosen; none below a region.

        Raises
        ------
        RefutedError
        """
        if self.chosen is not None and not self.chosen[node.regions].any():
            return []
        try:
            found = self._step(node)
        except EmptyConeError:
            raise RefutedError(f"{self._place(node)}: these patterns are those of an empty cell") from None
        return [
            Node(c.layer, c.regions, c.cell, c.forms, c.rank, c.open_cuts, c.open_groups, (*node.address, i))
            for i, c in enumerate(found)
        ]

    def _step(self, node: Node) -> list[Node]:
        if node.layer == len(self._at) - 1:
            self._region(node)
            return []
        if len(node.forms) == node.layer:
            node = self._entered(node)
        forms = node.forms[-1]
        plan = forms.plan
        pieces = self._pieces(node)
        low, high = pieces.min(axis=0).tolist(), pieces.max(axis=0).tolist()
        open_cuts, agreed = list[int](), list[int]()
        for c in node.open_cuts:
            u, number = plan.cut_unit[c], plan.cut_number[c]
            (agreed if (low[u] > number) == (high[u] > number) else open_cuts).append(c)
        self._prove_cuts(node, agreed, low)
        open_groups = [u for u in node.open_groups if low[u] != high[u]]
        for u in node.open_groups:
            if low[u] == high[u]:
                self._prove_winner(node, u, low[u])
        if open_cuts:
            parts = self._split(node, open_cuts[0], pieces)
            open_cuts = open_cuts[1:]
        elif open_groups:
            parts = self._split_by_winner(node, open_groups[0], pieces)
            open_groups = open_groups[1:]
        else:
            return [self._next_layer(node, forms)]
        self.work.splits += self._proving
        return [
            Node(node.layer, regions, cell, node.forms, node.rank, tuple(open_cuts), tuple(open_groups))
            for regions, cell in parts
        ]

    def _pieces(self, node: Node) -> np.ndarray:
        return self.claim.regions.pieces[node.regions, self._at[node.layer] : self._at[node.layer + 1]]

    def _entered(self, node: Node) -> Node:
        """The forms of the layer; everything is open."""
        forms = self._forms.of(node.layer, self.claim.regions.pieces[node.regions[0]], node.rank)
        return replace(
            node,
            forms=(*node.forms, forms),
            open_cuts=tuple(range(len(forms.cuts))),
            open_groups=tuple(forms.plan.groups),
        )

    # What does not cut -------------------------------------------------------------------------------------------------------

    def _prove_cuts(self, node: Node, cuts: list[int], pieces: list[int]) -> None:
        """Prove that cuts do not cut the node's cell, and are on the sides of these pieces."""
        if not self._proving:
            return
        plan, forms = node.forms[-1].plan, node.forms[-1].cuts
        asked, expected = list[int](), list[int]()
        for c in cuts:
            sign = 1 if pieces[plan.cut_unit[c]] > plan.cut_number[c] else -1
            if any(forms[c]):
                asked.append(c)
                expected.append(sign)
            elif sign > 0:
                raise RefutedError(
                    f"{self._place(node, plan.cut_unit[c])} is 0 all over the cell, so the lower piece is right"
                )
        found = node.cell.signs([forms[c] for c in asked], self._hints(node))
        self.work.proofs += len(asked)
        for c, sign, is_sign in zip(asked, expected, found, strict=True):
            if sign != is_sign:
                form = forms[c] if sign < 0 else [-value for value in forms[c]]
                self._refute_sign(node, plan.cut_unit[c], form, is_sign is None)

    def _prove_winner(self, node: Node, u: int, winner: int) -> None:
        """Prove that no other candidate is larger anywhere in the node's cell."""
        if not self._proving:
            return
        self._check_lowest(node, u, winner)
        others = [i for i in node.forms[-1].candidates[u] if i != winner]
        forms = [node.forms[-1].difference(u, winner, i) for i in others]
        self.work.proofs += len(forms)
        for form, sign in zip(forms, node.cell.signs(forms, self._hints(node)), strict=True):
            if sign != 1:
                self._refute_sign(node, u, [-value for value in form], sign is None)

    def _refute_sign(self, node: Node, u: int, form: Row, cuts: bool) -> None:
        """A form is positive somewhere in the cell, but no region says so."""
        place = self._place(node, u)
        if not cuts:
            raise RefutedError(f"{place} is on the other side all over the cell")
        part = node.cell.part(form, (node.layer, u, 0))
        point = None if part is None else part.inside()
        raise RefutedError(f"{place} cuts the cell, and the regions on one side are missing{self._near(point)}")

    def _check_lowest(self, node: Node, u: int, winner: int) -> None:
        if winner not in node.forms[-1].candidates[u]:
            raise RefutedError(
                f"{self._place(node, u)}: candidate {winner} is the same function as a lower one, which wins"
            )

    def _hints(self, node: Node) -> list[Row]:
        """Points that are likely to be in the cell."""
        if node.cell.generators is not None:
            return []
        found = []
        for i in node.regions[:: max(1, len(node.regions) // 4)][:4].tolist():
            witness = self.claim.regions.witness[i]
            point = self._nearest.point(witness) if known(witness) else None
            if point is not None:
                found.append(point)
        return found

    # What does ---------------------------------------------------------------------------------------------------------------

    def _split(self, node: Node, c: int, pieces: np.ndarray) -> list[tuple[Ints, CheckedCell]]:
        """The parts of a node on the two sides of a cut."""
        plan, form = node.forms[-1].plan, node.forms[-1].cuts[c]
        u, number = plan.cut_unit[c], plan.cut_number[c]
        above = pieces[:, u] > number
        if not any(form):
            raise RefutedError(f"{self._place(node, u)} is 0 all over the cell, but regions differ there")
        found = []
        for sign, regions in ((-1, node.regions[~above]), (1, node.regions[above])):
            cell = node.cell.part([sign * value for value in form], (node.layer, u, number))
            if cell is None:
                raise RefutedError(f"{self._place(node, u, regions)} does not cut the cell: there is no such region")
            found.append((regions, cell))
        return found

    def _split_by_winner(self, node: Node, u: int, pieces: np.ndarray) -> list[tuple[Ints, CheckedCell]]:
        """The parts of a node in which one candidate is the largest."""
        winners = np.unique(pieces[:, u]).tolist()
        for i in winners:
            self._check_lowest(node, u, i)
        if self._proving:
            for i in node.forms[-1].candidates[u]:
                if i not in winners:
                    self._prove_loser(node, u, i, winners)
        found = []
        for i in winners:
            regions = node.regions[pieces[:, u] == i]
            cell = self._where_largest(node, u, i, [k for k in winners if k != i])
            if cell is None:
                raise RefutedError(
                    f"{self._place(node, u, regions)}: candidate {i} wins nowhere: there is no such region"
                )
            found.append((regions, cell))
        return found

    def _where_largest(
        self, node: Node, u: int, i: int, others: Sequence[int], cell: CheckedCell | None = None
    ) -> CheckedCell | None:
        """The part where candidate i exceeds others; None if it is known to be empty."""
        found: CheckedCell | None = cell or node.cell
        for k in others:
            if found is None:
                return None
            found = found.part(node.forms[-1].difference(u, i, k), (node.layer, u, k))
        return found

    def _prove_loser(self, node: Node, u: int, i: int, winners: list[int]) -> None:
        """Prove that candidate i is the largest in no open part of the cell."""
        self.work.proofs += 1
        cell, point = self._where_largest(node, u, i, winners), None
        for others in ([], [k for k in node.forms[-1].candidates[u] if k not in (i, *winners)]):
            cell = self._where_largest(node, u, i, others, cell) if cell else None
            point = cell.inside() if cell else None
            if point is None:
                return
        raise RefutedError(
            f"{self._place(node, u)}: candidate {i} wins in a part of the cell, where regions are missing{self._near(point)}"
        )

    # Cells and regions -------------------------------------------------------------------------------------------------------

    def _next_layer(self, node: Node, forms: LayerForms) -> Node:
        """The node as a cell of its layer."""
        k = node.layer
        pieces = self.claim.regions.pieces[node.regions[0]]
        rank = forms.rank_of(pieces[self._at[k] : self._at[k + 1]].tolist())
        if self._proving:
            self.work.cells += 1
            wrong = np.flatnonzero(self.claim.regions.ranks[node.regions, k] != rank)
            if len(wrong):
                i = int(node.regions[wrong[0]])
                raise RefutedError(
                    f"region {i}: its rank after layer `{self._name(k)}` is {rank}, not {self.claim.regions.ranks[i, k]}"
                )
            row = self.claim.inner[k].get(pieces[: self._at[k + 1]].tobytes())
            if row is not None:
                assert self.claim.tree is not None
                if (
                    self.claim.tree.rows.ranks[row, : k + 1].tolist()
                    != self.claim.regions.ranks[node.regions[0], : k + 1].tolist()
                ):
                    raise RefutedError(
                        f"row {row} of the tree: its ranks are not those of its regions, {rank} at the end"
                    )
                self._check_witness(f"row {row} of the tree", self.claim.tree.rows, row, node)
        return Node(k + 1, node.regions, node.cell, node.forms, rank)

    def _region(self, node: Node) -> None:
        """The end of a path: one region, and its witness."""
        i = int(node.regions[0])
        if not self._proving:
            return
        self.work.regions += 1
        rank, claimed = (
            self._forms.output_rank(self.claim.regions.pieces[i], node.rank),
            self.claim.regions.output_rank[i],
        )
        if claimed != rank:
            raise RefutedError(f"region {i}: the rank of the network's map is {rank}, not {claimed}")
        self._check_witness(f"region {i}", self.claim.regions, i, node)

    def _check_witness(self, name: str, rows: Rows, i: int, node: Node) -> None:
        """Evaluate a witness, or find one."""
        self.work.witnesses += 1
        if not known(rows.witness[i]):
            point = node.cell.inside()
            self.work.found += 1
            if point is None:
                raise RefutedError(f"{name}: its cell is empty")
        else:
            point = self._nearest.point(rows.witness[i])
            if point is None:
                raise RefutedError(f"{name}: its witness is outside of the domain: it leaves an input that is fixed")
        out = beyond(self.domain, point)
        if out is not None:
            where = "outside of" if out[1] else "on the boundary of"
            raise RefutedError(f"{name}: its witness is {where} the domain, constraint {out[0]}")
        for forms in node.forms:
            pieces = rows.pieces[i, self._at[forms.layer] : self._at[forms.layer + 1]].tolist()
            misplaced = forms.misplaced(pieces, point)
            if misplaced is not None:
                unit = self.claim.unit_of(forms.layer, misplaced.unit)
                raise RefutedError(f"{name}: its witness is {misplaced.where} of its cell, by {unit}")

    # Words -------------------------------------------------------------------------------------------------------------------

    def _name(self, layer: int) -> str:
        return self.claim.network.unit_layers[layer].name

    def _place(self, node: Node, u: int | None = None, regions: Ints | None = None) -> str:
        rows = node.regions if regions is None else regions
        among = f"region {rows[0]}" if len(rows) == 1 else f"region {rows[0]} and {len(rows) - 1:,} others"
        if u is None:
            return among
        return f"{among}: {self.claim.unit_of(node.layer, u)}"

    def _near(self, point: Row | None) -> str:
        """An input near a point, in words."""
        if point is None:
            return ""
        x = self.domain.to_input(point)
        shown = ", ".join(f"{value:.6g}" for value in x[:8].tolist())
        return f", for example near the input [{shown}{', ...' if len(x) > 8 else ''}]"
