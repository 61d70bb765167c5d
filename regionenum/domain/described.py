"""Domains from their descriptions."""

from __future__ import annotations

from typing import Any

from regionenum.domain.box import Box
from regionenum.domain.chart import Domain
from regionenum.domain.polytope import Polytope
from regionenum.domain.slice import Slice
from regionenum.domain.whole import WholeSpace
from regionenum.errors import InputError

KINDS = ("box", "whole_space", "polytope", "slice")


def domain_from(description: dict[str, Any]) -> Domain:
    """The domain that `describe` described."""
    match description.get("kind"):
        case "box":
            return _box(description)
        case "whole_space":
            return WholeSpace()
        case "polytope":
            # without inequalities the list does not say how many columns it would have
            A = description["A"]
            return Polytope(A, description["b"], within=_within(description))
        case "slice":
            return Slice(description["origin"], description["directions"], within=_within(description))
    supported = ", ".join(map(repr, KINDS))
    raise InputError(f"domain: unknown kind {description.get('kind')!r}; supported: {supported}")


def _box(description: dict[str, Any]) -> Box:
    return Box(description["lower"], description["upper"])


def _within(description: dict[str, Any]) -> Box | None:
    within = description["within"]
    return None if within is None else _box(within)
