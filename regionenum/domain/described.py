"""Domains from their descriptions."""

from __future__ import annotations

from typing import Any

from regionenum.domain.box import Box
from regionenum.domain.chart import Domain
from regionenum.domain.whole import WholeSpace
from regionenum.errors import InputError


def domain_from(description: dict[str, Any]) -> Domain:
    """The domain that `describe` described."""
    match description.get("kind"):
        case "box":
            return Box(description["lower"], description["upper"])
        case "whole_space":
            return WholeSpace()
    raise InputError(f"domain: unknown kind {description.get('kind')!r}; supported: 'box', 'whole_space'")
