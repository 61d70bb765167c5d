"""Comparing what was read from an ONNX file with onnx's reference evaluator."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import helper
from onnx.reference.op_run import OpRun

from regionenum.errors import first_line
from regionenum.network import verify
from regionenum.network.from_onnx.fold import evaluator
from regionenum.network.from_onnx.graph import Model, Node
from regionenum.network.layers import Network
from regionenum.network.units import Floats

log = logging.getLogger(__name__)

N_RANDOM = 8

_FAILURES = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RuntimeError, AssertionError)
"""What the evaluator raises on models that it cannot run."""


class BatchNormalization(OpRun):  # type: ignore[misc]
    """In place of onnx's own, which takes the statistics of the batch before opset 14."""

    op_domain = ""

    def _run(self, x: Any, scale: Any, shift: Any, mean: Any, variance: Any, epsilon: float = 1e-5, **_: Any) -> Any:
        shape = (-1, *[1] * (x.ndim - 2))
        scale, shift, mean, variance = (v.reshape(shape) for v in (scale, shift, mean, variance))
        return (((x - mean) / np.sqrt(variance + np.float32(epsilon)) * scale + shift).astype(x.dtype),)


class MaxPool(OpRun):  # type: ignore[misc]
    """In place of onnx's own, which misreads paddings: the maximum over shifted images, as the definition says."""

    op_domain = ""

    def _run(self, x: Any, kernel_shape: Any = None, ceil_mode: Any = 0, **given: Any) -> Any:
        dim = len(kernel_shape)
        strides, dilations = (given.get(name) or [1] * dim for name in ("strides", "dilations"))
        pads = given.get("pads") or [0] * 2 * dim
        reach = [d * (k - 1) + 1 for d, k in zip(dilations, kernel_shape, strict=True)]
        out = []
        for k, size in enumerate(x.shape[2:]):
            steps = size + pads[k] + pads[k + dim] - reach[k]
            n = (-(-steps // strides[k]) if ceil_mode else steps // strides[k]) + 1
            out.append(n - ((n - 1) * strides[k] >= size + pads[k]) if ceil_mode else n)
        # room for the last window, wherever it ends
        ends = [n * s + r for n, s, r in zip(out, strides, reach, strict=True)]
        image = np.pad(x, [(0, 0), (0, 0), *zip(pads[:dim], ends, strict=True)], constant_values=-np.inf)
        shifted = []
        for offset in np.ndindex(*kernel_shape):
            first = [o * d for o, d in zip(offset, dilations, strict=True)]
            steps = zip(first, out, strides, strict=True)
            every: list[Any] = [slice(start, start + (n - 1) * s + 1, s) for start, n, s in steps]
            shifted.append(image[(slice(None), slice(None), *every)])
        return (np.max(shifted, axis=0),)


def _misjudged(node: Node) -> bool:
    """Whether onnx 1.17 and 1.23 are known to run this node wrongly, or not at all; the tests ask onnxruntime."""
    attributes = node.attributes
    if node.op == "ConvTranspose":
        return attributes["group"] != 1 or "output_shape" in attributes
    return node.op in ("Resize", "Upsample") or bool(node.op == "AveragePool" and attributes.get("ceil_mode"))


def compare(network: Network, model: Model, nodes: Sequence[Node], constants: Mapping[str, np.ndarray]) -> float | None:
    """The largest difference to onnx's reference evaluator, at zero and at random inputs.

    nodes : those that depend on the input; constants : what they read besides

    Returns
    -------
    float | None
        None if the evaluator cannot run the model, which is logged as a warning.

    Raises
    ------
    InputError
        If the difference is larger than rounding explains.
    """
    misjudged = [node.where for node in nodes if _misjudged(node)]
    if misjudged:
        log.warning("not compared with onnx's reference evaluator, which is unreliable for %s", misjudged[0])
        return None
    dtype = helper.tensor_dtype_to_np_dtype(model.input_type)
    x = verify.points(network.input_shape, N_RANDOM).astype(dtype)
    flat = x.reshape(len(x), -1).astype(np.float64)
    ours = network.forward(flat)
    try:
        theirs = _reference(model, nodes, constants, x)
    except _FAILURES as error:
        text = "not compared with onnx's reference evaluator, which does not run the model (%s: %s)"
        log.warning(text, type(error).__name__, first_line(error))
        return None
    verify.same_shape(ours, theirs, "the file", "onnx's reference evaluator")
    errors = verify.rounding(network, flat)
    # where the type overflows on the way, even a finite result says nothing about the network
    told = np.isfinite(theirs) & (10.0 * errors < float(np.finfo(dtype).max))
    if not told.any():
        log.warning("not compared with onnx's reference evaluator, whose numbers overflow on this model")
        return None
    tolerance = verify.FACTOR * float(np.finfo(dtype).eps) * errors[told]
    return verify.largest_difference(ours[told], theirs[told], tolerance, "the file", "onnx's reference evaluator")


def _reference(model: Model, nodes: Sequence[Node], constants: Mapping[str, np.ndarray], x: np.ndarray) -> Floats:
    """The outputs of the nodes, point by point; a decision at the end gives its maximum."""
    output, program = model.output, list(nodes)
    decides = bool(program) and program[-1].op == "ArgMax"
    if decides:
        output = program.pop().inputs[0]
    read = {name for node in program for name in node.inputs}
    arrays = {name: array for name, array in constants.items() if name in read}
    runner = evaluator(program, [model.input], [output], model.opset, arrays, [BatchNormalization, MaxPool])
    with np.errstate(all="ignore"):
        found = [runner.run(None, {model.input: point[None]})[0].astype(np.float64).reshape(-1) for point in x]
    return np.stack([[y.max()] if decides else y for y in found])
