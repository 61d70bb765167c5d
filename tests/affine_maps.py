"""The full residue matrices of the affine maps of cells, of which `exact/maps.py` takes digests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from regionenum.domain import Chart
from regionenum.exact.maps import ModularNetwork
from regionenum.network.layers import Network
from regionenum.network.units import Ints


def affine_maps(network: Network, chart: Chart, pieces: npt.NDArray[np.uint16], prime: int) -> Ints:
    """Residues (n, n_out, d + 1) of y -> A y + b on the cells with these patterns: the columns of A, then b.

    pieces : (n, sum of n_units) pieces of the units of all unit layers
    """
    basis = np.eye(chart.dim + 1, dtype=np.int64)
    maps = np.empty((len(pieces), network.n_out, chart.dim + 1), np.int64)
    for rows, outputs in ModularNetwork.modulo(prime, network, chart).outputs(pieces, basis):
        maps[rows] = outputs.transpose(1, 2, 0)
    return maps
