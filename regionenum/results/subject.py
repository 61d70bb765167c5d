"""What a run is about: two runs with one subject can go on with each other's work."""

from __future__ import annotations

from dataclasses import dataclass

from regionenum.choices import Record
from regionenum.domain import Domain
from regionenum.engine.interface import Problem
from regionenum.network.layers import Network


@dataclass(frozen=True, eq=False)
class Subject:
    """What is enumerated, with what, and how much of it is kept.

    Attributes
    ----------
    problem : the network over the domain
    record : what is kept of the cells
    engine : name of the engine
    exact : whether every decision is certain: by rigorous bounds on rounding errors, or made in exact arithmetic
    witnesses : whether recorded cells have a witness
    """

    problem: Problem
    record: Record
    engine: str
    exact: bool = False
    witnesses: bool = True

    @property
    def domain(self) -> Domain:
        """The domain, as it was given."""
        return self.problem.domain

    @property
    def network(self) -> Network:
        """The network."""
        return self.problem.network
