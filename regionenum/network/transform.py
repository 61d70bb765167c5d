"""Changes to a network that users ask for: a pooling before its activation, the decision of a classifier.

The loader keeps a model as it is; these functions return another network, with a note that says so.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import scipy.sparse as sp

from regionenum.errors import InputError
from regionenum.network.affine import Affine
from regionenum.network.chain import unique
from regionenum.network.layers import Layer, Network
from regionenum.network.units import IDENTITY, MAXIMUM, Ints, PiecewiseLinear, Units


def relu_after_pooling(network: Network) -> Network:
    """The network with each maximum before the non-decreasing function that feeds it: max f(z_j) = f(max z_j).

    Where a layer of pointwise units is followed by a layer that only selects their outputs (one weight 1 in each row, no
    bias) and takes maxima over groups with the same non-decreasing function, the maxima are taken first. The network
    computes the same function, cut into other regions: mostly fewer (MaxPool2d(2) on 4 x 4 inputs has 1,185,921 after a
    ReLU and 4,096 before it), though not always. Units that no maximum reads are gone. Layers of
    any other kind are left as they are.

    Returns
    -------
    The changed network, with a note for each pair of layers; the same network if there is none.
    """
    layers, notes = list(network.layers), list(network.notes)
    k = 0
    while k < len(layers) - 1:
        first, second = layers[k : k + 2]
        swapped = _swapped(first, second)
        if swapped is None:
            k += 1
            continue
        layers[k : k + 2] = swapped
        notes.append(f"`{second.name}` is taken before `{first.name}`: the same function, cut into other regions")
        # the maximum may now follow another layer of pointwise units
        k = max(k - 1, 0)
    return replace(network, layers=tuple(layers), notes=tuple(notes)) if len(notes) > len(network.notes) else network


def with_decision(network: Network) -> Network:
    """The network followed by one maximum over all its outputs, named "argmax".

    Its regions are those of the network, each split by the largest output: the decision regions of a classifier. The
    last piece of a pattern is the class. A last layer without units is fused with the maximum.

    Raises
    ------
    InputError
        If the network has one output.
    """
    n_out = network.n_out
    if n_out < 2:
        raise InputError(f"the network has {n_out} output; a decision needs two outputs or more")
    units = Units.maxima([np.arange(n_out)])
    *before, last = network.layers or (None,)
    if last is not None and last.units.is_identity:
        name = unique("argmax", before)
        layers = (*before, replace(last, name=name, units=units))
    else:
        name = unique("argmax", network.layers)
        layers = (*network.layers, Affine.identity(n_out).layer(name, units))
    note = f"`{name}` is added: a last unit that takes the largest of the {n_out} outputs"
    return replace(network, layers=layers, notes=(*network.notes, note))


def _swapped(first: Layer, second: Layer) -> tuple[Layer, Layer] | None:
    """The two layers with the maxima first, or None if they are not a pair of this kind."""
    sources = _selection(second)
    units, groups = first.units, second.units
    maxima = groups.function_of == MAXIMUM
    if sources is None or not maxima.any() or np.any(units.function_of == MAXIMUM):
        return None
    if any(groups.functions[k] != IDENTITY for k in np.unique(groups.function_of[~maxima])):
        return None
    # Equal functions may be listed twice.
    index = {f: k for k, f in reversed(list(enumerate(units.functions)))}
    function_of = np.array([index[f] for f in units.functions], np.int64)[units.function_of]
    read = sources[groups.rows]
    functions = function_of[read]
    function_of_unit = functions[groups.indptr[:-1]]
    if np.any(functions != np.repeat(function_of_unit, np.diff(groups.indptr))):
        return None
    used = [units.functions[k] for k in np.unique(function_of_unit)]
    if all(f == IDENTITY for f in used) or not all(map(_is_nondecreasing, used)):
        return None
    row_of = units.rows[units.indptr[:-1]]
    pooled = Units(groups.functions, groups.function_of, groups.indptr, row_of[read])
    n = groups.n_units
    pointwise = Units(units.functions, function_of_unit, np.arange(n + 1), np.arange(n))
    return replace(first, name=second.name, units=pooled), Affine.identity(n).layer(first.name, pointwise)


def _selection(layer: Layer) -> Ints | None:
    """(n_rows,) the input that each row passes on, or None if the rows do anything else."""
    weight = sp.csr_array(layer.weight, copy=True)
    weight.sum_duplicates()
    weight.eliminate_zeros()
    if layer.bias.any() or np.any(np.diff(weight.indptr) != 1) or np.any(weight.data != 1.0):
        return None
    return np.asarray(weight.indices, np.int64)


def _is_nondecreasing(f: PiecewiseLinear) -> bool:
    """Whether f is, exactly: slopes are not negative, and f does not fall at a breakpoint where rounding left a step."""
    slopes, intercepts = (list(map(Fraction, values)) for values in (f.slopes, f.intercepts))
    at = [[slopes[k + i] * Fraction(b) + intercepts[k + i] for i in (0, 1)] for k, b in enumerate(f.breakpoints)]
    return min(slopes) >= 0 and all(left <= right for left, right in at)
