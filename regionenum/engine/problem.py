"""What is enumerated: a network over a domain."""

from __future__ import annotations

from dataclasses import dataclass

from regionenum.domain import Chart, Domain
from regionenum.domain.whole_space import seen_by
from regionenum.engine.statistics import Shape
from regionenum.exact.ranks import independent_columns
from regionenum.network.layers import Network


@dataclass(frozen=True, eq=False)
class Problem:
    """A network over a domain; equal to nothing but itself.

    Attributes
    ----------
    network : Network
        Only its unit layers are walked.
    domain : Domain
        As it was given.
    chart : Chart
        The domain's coordinates y (`domain/chart.py`).
    """

    network: Network
    domain: Domain
    chart: Chart

    @classmethod
    def over(cls, network: Network, domain: Domain) -> Problem:
        """The problem of a network over a domain.

        Raises
        ------
        InputError
            If the domain does not fit the network.
        """
        chart = domain.chart(network.input_shape)
        if chart.whole and network.unit_layers:
            first = network.unit_layers[0]
            chart = seen_by(first, chart, independent_columns(first.weight, chart.directions))
        return cls(network, domain, chart)

    @property
    def depth(self) -> int:
        """Number of unit layers."""
        return len(self.network.unit_layers)

    @property
    def dim(self) -> int:
        """Effective dimension of the domain."""
        return self.chart.dim

    @property
    def shape(self) -> Shape:
        """Of its statistics."""
        return Shape.of(self.dim, self.n_units)

    @property
    def n_units(self) -> tuple[int, ...]:
        """Number of units of each unit layer."""
        return tuple(layer.n_out for layer in self.network.unit_layers)
