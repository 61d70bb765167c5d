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
    domain : the domain as it was given
    record : what is kept of the cells
    engine : name of the engine
    """

    problem: Problem
    domain: Domain
    record: Record
    engine: str

    @property
    def network(self) -> Network:
        """The network."""
        return self.problem.network
