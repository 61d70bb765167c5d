"""Domains as text: one record for each kind, read from configurations (TOML), run directories (JSON) and the command line.

`describe` of a domain writes what `domain_from` reads, so a run directory holds the domain as it was given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeVar, get_args

import msgspec

from regionenum.domain.balls import l1_ball, linf_ball
from regionenum.domain.box import Box
from regionenum.domain.chart import Domain
from regionenum.domain.polytope import Polytope
from regionenum.domain.slice import Slice
from regionenum.domain.whole_space import REFERS_TO, WholeSpace
from regionenum.errors import InputError

_Record = TypeVar("_Record", bound=msgspec.Struct)

Numbers = float | list[Any]
"""A number, or nested lists in the shape of one input."""


class _Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """A record with a key `kind`; `said` are keys that descriptions have for their readers, and nobody needs to write."""

    said: ClassVar[tuple[str, ...]] = ()


class WithinDescription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The box with which another domain is cut."""

    lower: Numbers
    upper: Numbers
    kind: Literal["box"] = "box"

    def build(self) -> Box:
        """The box."""
        return Box(self.lower, self.upper)


class BoxDescription(_Kind, frozen=True, tag="box"):
    """Bounds."""

    lower: Numbers
    upper: Numbers

    def build(self) -> Box:
        """The domain."""
        return Box(self.lower, self.upper)


class WholeSpaceDescription(_Kind, frozen=True, tag="whole_space"):
    """All inputs; what the dimensions refer to is said for the reader of a run directory."""

    said: ClassVar[tuple[str, ...]] = ("dimension",)
    dimension: Literal["rank of the first weight"] = REFERS_TO

    def build(self) -> WholeSpace:
        """The domain."""
        return WholeSpace()


class PolytopeDescription(_Kind, frozen=True, tag="polytope"):
    """The inequalities A x <= b."""

    A: list[list[float]]
    b: list[float]
    within: WithinDescription | None = None

    def build(self) -> Polytope:
        """The domain."""
        return Polytope(self.A, self.b, within=_box(self.within))


class SliceDescription(_Kind, frozen=True, tag="slice"):
    """A slice, given by origin and directions or by the points it goes through."""

    origin: list[Any] | None = None
    directions: list[Any] | None = None
    points: list[Any] | None = None
    within: WithinDescription | None = None

    def build(self) -> Slice:
        """The domain."""
        within = _box(self.within)
        if self.points is not None and self.origin is None and self.directions is None:
            return Slice.through(self.points, within=within)
        if self.points is None and self.origin is not None and self.directions is not None:
            return Slice(self.origin, self.directions, within=within)
        raise InputError("slice: give either `origin` and `directions`, or `points`")


class LinfBallDescription(_Kind, frozen=True, tag="linf_ball"):
    """A ball of the maximum norm."""

    center: Numbers
    radius: float
    within: WithinDescription | None = None

    def build(self) -> Box:
        """The domain."""
        return linf_ball(self.center, self.radius, within=_box(self.within))


class L1BallDescription(_Kind, frozen=True, tag="l1_ball"):
    """A ball of the sum norm."""

    center: Numbers
    radius: float
    within: WithinDescription | None = None

    def build(self) -> Polytope:
        """The domain."""
        return l1_ball(self.center, self.radius, within=_box(self.within))


DomainDescription = (
    BoxDescription
    | WholeSpaceDescription
    | PolytopeDescription
    | SliceDescription
    | LinfBallDescription
    | L1BallDescription
)

KINDS: dict[str, type[_Kind]] = {str(record.__struct_config__.tag): record for record in get_args(DomainDescription)}
"""All kinds of domains, by name."""


class DomainFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file with the table `[domain]` and nothing else."""

    domain: DomainDescription


def domain_from(description: Mapping[str, Any]) -> Domain:
    """The domain that a description describes.

    Parameters
    ----------
    description : of JSON types: the key `kind`, one of `KINDS`, and those of its record

    Raises
    ------
    InputError
        Naming the key that is unknown, missing or of another type; and what the domain itself refuses.
    """
    return converted({"domain": description}, DomainFile).domain.build()


def converted(content: Mapping[str, Any], record: type[_Record], table: str = "") -> _Record:
    """The content of a file as a record that may have a field `domain`, or of one of its tables, whose name is given.

    Raises
    ------
    InputError
        Naming the table and the key that is unknown, missing or of another type.
    """
    try:
        return msgspec.convert(content, record)
    except msgspec.ValidationError as error:
        raise InputError(_sentence(str(error), content, record, table)) from error


def _sentence(message: str, content: Mapping[str, Any], record: type[msgspec.Struct], table: str) -> str:
    """A message of msgspec in the words of a configuration file."""
    what, _, where = message.partition(" - at ")
    inside = where.strip("`").removeprefix("$").removeprefix(".")
    place = ".".join(filter(None, (table, inside)))
    unknown = re.search(r"unknown field `(.*)`", what)
    if unknown:
        keys = record.__struct_fields__ if table else _keys(place, content, record)
        return f"unknown key `{unknown[1]}` in {f'[{place}]' if place else 'the file'}; known keys: {', '.join(keys)}"
    missing = re.search(r"missing required field `(.*)`", what)
    if missing:
        return f"key `{missing[1]}` is missing in {f'[{place}]' if place else 'the file'}; add it"
    invalid = re.search(r"Invalid value ('.*')", what)
    if invalid and place == "domain.kind":
        return f"`{place}`: invalid enum value {invalid[1]}; use one of {', '.join(KINDS)}"
    return f"`{place or 'the file'}`: {what[0].lower()}{what[1:]}"


def _keys(place: str, content: Mapping[str, Any], record: type[msgspec.Struct]) -> list[str]:
    """The keys that a table may have."""
    if place == "domain":
        kind = KINDS[content["domain"]["kind"]]
        return ["kind", *(name for name in kind.__struct_fields__ if name not in kind.said)]
    if place == "domain.within":
        return ["lower", "upper"]
    return list(record.__struct_fields__)


def _box(within: WithinDescription | None) -> Box | None:
    return None if within is None else within.build()
