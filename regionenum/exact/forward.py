"""A network at one point, in integers: which pieces its units can have there, ties included."""

from __future__ import annotations

from dataclasses import dataclass

from flint import fmpz, fmpz_mat

from regionenum.exact.domains import ExactDomain
from regionenum.exact.dyadic import Dyadic, Integer, Row
from regionenum.exact.rows import ExactLayer, shifted
from regionenum.network.layers import Network
from regionenum.network.units import MAXIMUM


@dataclass(frozen=True)
class LayerAt:
    """The rows of a unit layer at a point.

    Attributes
    ----------
    layer : its number
    z : (n_rows, 1), t times the rows
    choices : for each unit, in ascending order, the pieces whose closed conditions hold at the point
    """

    layer: int
    z: Dyadic
    choices: list[list[int]]


class ExactForward:
    """Evaluates the unit layers of a network at a point v = (s t, t), on pieces that are chosen.

    Values are those of linear forms at v: t times those of the affine functions at s.
    """

    def __init__(self, network: Network, domain: ExactDomain) -> None:
        self._layers = [ExactLayer(layer) for layer in network.unit_layers]
        self._inputs = domain.inputs

    @property
    def depth(self) -> int:
        """Number of unit layers."""
        return len(self._layers)

    def start(self, point: Row) -> LayerAt:
        """The first unit layer, of which there is one."""
        column = fmpz_mat(len(point), 1, [fmpz(v) for v in point])
        return self._entered(0, Dyadic(self._inputs.matrix * column, self._inputs.exponent), point[-1])

    def then(self, at: LayerAt, pieces: list[int], t: Integer) -> LayerAt:
        """The layer after one whose units have these pieces."""
        return self._entered(at.layer + 1, self._outputs(at, pieces, t), t)

    def _entered(self, k: int, inputs: Dyadic, t: Integer) -> LayerAt:
        layer = self._layers[k]
        z = layer.weight @ inputs
        if layer.has_bias:
            z = shifted(z, Dyadic(layer.bias.matrix * fmpz(t), layer.bias.exponent))
        values = z.matrix.entries()
        choices: list[list[int]] = [[] for _ in range(layer.n_units)]
        # all over one power of two
        cuts = layer.cuts
        least = min(z.exponent, cuts.exponent)
        up, level = fmpz(1) << (z.exponent - least), fmpz(t) << (cuts.exponent - least)
        below = [0] * layer.n_units
        tied = [False] * layer.n_units
        for u, row, value in zip(cuts.unit, cuts.row, cuts.value, strict=True):
            difference = values[row] * up - value * level
            below[u] += difference > 0
            tied[u] = tied[u] or difference == 0
        for u, members in enumerate(layer.members):
            if layer.function_of[u] == MAXIMUM:
                best = max(values[row] for row in members)
                choices[u] = [i for i, row in enumerate(members) if values[row] == best]
            else:
                choices[u] = [below[u], below[u] + 1] if tied[u] else [below[u]]
        return LayerAt(k, z, choices)

    def _outputs(self, at: LayerAt, pieces: list[int], t: Integer) -> Dyadic:
        layer, values = self._layers[at.layer], at.z.matrix.entries()
        least = at.z.exponent + min(layer.slope_exponent, 0)
        if layer.has_intercepts:
            least = min(least, layer.intercept_exponent)
        up = fmpz(1) << (at.z.exponent - least)
        steep = fmpz(1) << (at.z.exponent + layer.slope_exponent - least)
        flat = fmpz(t) << (layer.intercept_exponent - least) if layer.has_intercepts else fmpz(0)
        found = []
        for function, members, piece in zip(layer.function_of, layer.members, pieces, strict=True):
            if function == MAXIMUM:
                found.append(values[members[piece]] * up)
            else:
                value = values[members[0]] * (steep * layer.slopes[function][piece])
                found.append(value + flat * layer.intercepts[function][piece])
        return Dyadic(fmpz_mat(len(found), 1, found), least)
