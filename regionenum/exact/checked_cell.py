"""Open cells as a checker knows them: by generators where these are few, by linear programs elsewhere.

Both answer the same questions, exactly: which sign has a form in the cell, has a part of the cell a point?
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from regionenum.exact.cone import Cone, EmptyConeError, Forms, Label
from regionenum.exact.domains import ExactDomain
from regionenum.exact.dyadic import Row, primitive
from regionenum.exact.generators import Generators
from regionenum.exact.predicates import Hint, Side, interior, side

MOST_GENERATORS = 160
"""Generators from which linear programs take over."""

MOST_COORDINATES = 8
"""Coordinates of a domain up to which generators are tried."""


class CheckedCell:
    """A cell of a domain: the points where some forms are positive.

    Parameters
    ----------
    domain : ExactDomain
    forms, labels : beside those of the domain
    generators : of the closed cell, if they are few
    """

    def __init__(
        self, domain: ExactDomain, forms: Sequence[Row], labels: Sequence[Label], generators: Generators | None
    ) -> None:
        self.domain, self.generators = domain, generators
        self._forms, self._labels = list(forms), list(labels)

    @classmethod
    def of(cls, domain: ExactDomain, most: int = MOST_GENERATORS) -> CheckedCell:
        """The domain itself.

        Raises
        ------
        EmptyConeError
            If it has no interior.
        """
        cell = cls(domain, [], [], None)
        interior(cell.cone)
        generators: Generators | None = None
        if most and domain.dim <= MOST_COORDINATES:
            generators = Generators.everything(domain.dim + 1)
            for block in domain.blocks:
                for i in range(len(block)):
                    generators = generators and generators.part(block.row(i), 1)
                    if generators is not None and len(generators) > most:
                        return cell
        return cls(domain, [], [], generators)

    @cached_property
    def cone(self) -> Cone:
        """The cell for linear programs."""
        return Cone(self.domain.dim + 1, [*self.domain.blocks, Forms(self._forms, self._labels)], self.domain.frame)

    def signs(self, forms: Sequence[Row], hints: Sequence[Row] = ()) -> list[int | None]:
        """For each form, none of which is 0, its sign in the cell; None if it has both.

        Raises
        ------
        EmptyConeError
            If the cell is empty; where generators are known it is not.
        """
        if self.generators is not None:
            return self.generators.signs(forms)
        return [self._sign(form, hints) for form in forms]

    def _sign(self, form: Row, hints: Sequence[Row]) -> int | None:
        form = primitive(form)
        for known in self._forms:
            # rows that are proportional cut once
            if form == known:
                return 1
            if all(a == -b for a, b in zip(form, known, strict=True)):
                return -1
        match side(self.cone, form, Hint(points=hints)).side:
            case Side.NEGATIVE:
                return -1
            case Side.POSITIVE:
                return 1
        return None

    def part(self, form: Row, label: Label) -> CheckedCell | None:
        """The part where a form is positive; None if it is known to be empty."""
        form = primitive(form)
        generators = self.generators
        if generators is not None:
            generators = generators.part(form, 1)
            if generators is None:
                return None
            if len(generators) > MOST_GENERATORS:
                generators = None
        return CheckedCell(self.domain, [*self._forms, form], [*self._labels, label], generators)

    def inside(self, hints: Sequence[Row] = ()) -> Row | None:
        """A point of the cell; None if it is empty."""
        if self.generators is not None:
            return self.generators.interior()
        try:
            return interior(self.cone, Hint(points=hints))
        except EmptyConeError:
            return None

    def contains(self, point: Row) -> bool:
        """Whether a point is in it."""
        return self.cone.contains(point)
