"""Compare a loaded network with torch's own forward pass."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch

from regionenum.errors import InputError, first_line
from regionenum.network import verify
from regionenum.network.layers import Network
from regionenum.network.units import Floats, Ints

Forward: TypeAlias = Callable[[torch.Tensor], torch.Tensor]

N_RANDOM = 16

FACTOR = 1e5
"""Tolerance against the float64 copy, in estimated rounding errors; wide, for sums that cancel in the folding."""


@dataclass(frozen=True)
class LoadReport:
    """How closely a loaded network agrees with torch.

    Attributes
    ----------
    n_points : number of inputs compared
    difference : largest absolute difference to the module run in float64
    dtype : the module's own precision
    own_difference : largest absolute difference to the module run in its own precision (where it gives finite values)
    """

    n_points: int
    difference: float
    dtype: str
    own_difference: float

    def __str__(self) -> str:
        return (
            f"largest difference to torch on {self.n_points} inputs {self.difference:.2g} in float64, "
            f"{self.own_difference:.2g} in {self.dtype}"
        )


def compare(network: Network, double: Forward, own: Forward, x: torch.Tensor) -> LoadReport:
    """Compare on the example x (1, *input_shape) and on random inputs of several scales.

    The differences are measured in estimated rounding errors, output by output. The estimate is carried through
    the layers in quadrature; it is no bound, hence the generous factors. A misread layer differs by far more.

    Raises
    ------
    InputError
        If the difference is larger than rounding explains.
    """
    points = _points(x)
    flat = points.double().numpy().reshape(len(points), -1)
    theirs, theirs_own = _run(double, points.double()), _run(own, points)
    ours = network.forward(flat)
    verify.same_shape(ours, theirs, "the module", "torch")
    rounding = verify.rounding(network, flat)
    if not np.issubdtype(theirs.dtype, np.floating):
        return _verify_winners(network, flat, theirs, rounding, str(x.dtype).removeprefix("torch."))
    difference = _difference(ours, theirs, FACTOR * np.finfo(np.float64).eps * rounding, "float64")
    # Half precisions overflow on the large inputs; that says nothing about the network.
    finite = np.isfinite(theirs_own)
    tolerance = verify.FACTOR * torch.finfo(x.dtype).eps * rounding
    name = str(x.dtype).removeprefix("torch.")
    own_difference = _difference(ours[finite], theirs_own[finite], tolerance[finite], name)
    return LoadReport(len(points), difference, name, own_difference)


def _verify_winners(network: Network, x: Floats, theirs: Ints, rounding: Floats, dtype: str) -> LoadReport:
    """Compare the winners of a network that ends with an argmax, except where rounding could decide them.

    The reported differences are by how much the winners that torch names fall short of ours.
    """
    *before, last = network.unit_layers
    for layer in before:
        x = layer.units.apply(layer.preactivations(x))
    z = last.preactivations(x)
    shortfall = np.zeros(theirs.shape)
    for unit, (start, end) in enumerate(itertools.pairwise(last.units.indptr)):
        candidates = z[:, last.units.rows[start:end]]
        named = np.take_along_axis(candidates, theirs[:, [unit]], axis=1)[:, 0]
        shortfall[:, unit] = candidates.max(axis=1) - named
    tolerance = FACTOR * np.finfo(np.float64).eps * rounding
    largest = _difference(shortfall, np.zeros_like(shortfall), tolerance, "float64")
    return LoadReport(len(x), largest, dtype, largest)


def _points(x: torch.Tensor) -> torch.Tensor:
    """The example, and random inputs around zero and around the example, (n_points, *input_shape), in x's dtype."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((N_RANDOM, *x.shape[1:]), generator=generator, dtype=torch.float64)
    unit = float(x.abs().max()) or 1.0
    scale = unit * torch.tensor(verify.SCALES, dtype=torch.float64).repeat(N_RANDOM // len(verify.SCALES))
    centre = torch.arange(N_RANDOM) % 2
    scale, centre = (v.reshape(-1, *[1] * (x.ndim - 1)) for v in (scale.sort().values, centre))
    largest = torch.finfo(x.dtype).max
    return torch.cat([x, (centre * x.double() + scale * noise).clamp(-largest, largest).to(x.dtype)])


def _run(module: Forward, points: torch.Tensor) -> np.ndarray:
    """The module's outputs, one point at a time: the network is the module on a batch of one."""
    try:
        outputs = [module(point[None].clone()) for point in points]
    except RuntimeError as error:
        raise InputError(
            f"the module does not run in {points.dtype} ({first_line(error)}); convert all of it with model.float() or "
            "model.double()"
        ) from error
    return np.stack([(y.double() if y.is_floating_point() else y).reshape(-1).numpy() for y in outputs])


def _difference(ours: Floats, theirs: Floats, tolerance: Floats, precision: str) -> float:
    return verify.largest_difference(ours, theirs, tolerance, "the module", f"torch's {precision} forward pass")
