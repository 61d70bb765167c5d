"""Load an ONNX file: read it, lower it, and compare the result with onnx's reference evaluator.

No torch, and nothing of the file is executed: its operators are looked up by name, and its numbers are read as numbers.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from regionenum.errors import InputError
from regionenum.network.from_onnx.call import MOST_ENTRIES
from regionenum.network.from_onnx.data import WIDER, shown, type_name
from regionenum.network.from_onnx.file import read_model
from regionenum.network.from_onnx.graph import Model
from regionenum.network.from_onnx.lower import lower
from regionenum.network.from_onnx.verify import compare
from regionenum.network.layers import Network

log = logging.getLogger(__name__)


def load_onnx(path: str | os.PathLike[str], input_shape: Sequence[int] | None = None) -> Network:
    """The network that an ONNX file computes, with a batch of one.

    Weights are converted to float64, which is exact; consecutive affine operations and batch normalisations are folded
    in float64. A final ArgMax becomes a maximum over the outputs, and the network's output is that maximum.

    Parameters
    ----------
    path : the file, of opset 7 or later; external data may lie in its folder and below
    input_shape : without the batch axis; for files that leave sizes open

    Raises
    ------
    InputError
        If the file is malformed, an operator is not supported, or the network disagrees with onnx's reference
        evaluator by more than rounding explains.
    """
    path = Path(path)
    model = read_model(path)
    try:
        lowered = lower(model, _input_shape(model, input_shape))
        network = lowered.network
        difference = compare(network, model, lowered.nodes, lowered.constants)
    except InputError as error:
        raise InputError(f"`{path}`: {error}") from error
    except MemoryError as error:
        raise InputError(f"`{path}`: the model needs more memory than there is; load a smaller one") from error
    if difference is not None:
        text = "loaded %d layers from %s: largest difference to onnx's reference %.2g"
        log.info(text, len(network.layers), path, difference)
    return network


def _input_shape(model: Model, given: Sequence[int] | None) -> tuple[int, ...]:
    """The shape of one input, from the file and from what the caller says."""
    where = f"the input `{shown(model.input)}`"
    if model.input_type not in WIDER:
        raise InputError(f"{where} holds {type_name(model.input_type)} values; supported: float16, float32 and float64")
    text = tuple("?" if size is None else size for size in model.input_dims)
    if len(text) < 2:
        raise InputError(
            f"{where} has shape {text} without a batch axis; export the model with one, for example (1, 5)"
        )
    batch, *sizes = model.input_dims
    if batch not in (None, -1, 0, 1):
        raise InputError(f"{where} has shape {text}, a fixed batch of {batch}; export the model with a batch of 1")
    if given is not None:
        if len(given) != len(sizes) or any(s not in (None, g) for s, g in zip(sizes, given, strict=True)):
            raise InputError(f"{where} has shape {text}, to which input_shape {tuple(given)} does not fit")
        sizes = list(given)
    shape = tuple(int(size) for size in sizes if size is not None)
    if len(shape) < len(sizes):
        raise InputError(f"{where} has shape {text}, which leaves sizes open; give input_shape, without the batch axis")
    if min(shape) < 1 or np.prod(shape, dtype=object) > MOST_ENTRIES:
        raise InputError(f"{where} has shape {text}; supported: sizes from 1 on, and {MOST_ENTRIES} values at most")
    return shape
