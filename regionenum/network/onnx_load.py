"""Load an ONNX file: read it, lower it node by node, and compare the result with onnx's reference evaluator.

No torch, and nothing of the file is executed: its operators are looked up by name, and its numbers are read as numbers.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

from regionenum.errors import InputError
from regionenum.network.chain import Chain, Value
from regionenum.network.layers import Network
from regionenum.network.onnx_data import shown, type_name
from regionenum.network.onnx_file import Model, Node, read_model
from regionenum.network.onnx_fold import constants
from regionenum.network.onnx_judge import compare
from regionenum.network.onnx_node import MOST_CONNECTIONS, MOST_ENTRIES, Call, Input
from regionenum.network.onnx_ops import OPERATIONS, Result, refusal
from regionenum.network.units import Units

log = logging.getLogger(__name__)

WIDER = {
    TensorProto.FLOAT16: (TensorProto.FLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE),
    TensorProto.FLOAT: (TensorProto.FLOAT, TensorProto.DOUBLE),
    TensorProto.DOUBLE: (TensorProto.DOUBLE,),
}
"""The types that hold every number of a type: casting to them changes nothing."""


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
        lowering = _Lowering(model, _input_shape(model, input_shape))
        network = lowering.network()
        difference = compare(network, model, lowering.lowered, lowering.constants)
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


class _Lowering:
    """The state of one pass over the nodes.

    Attributes
    ----------
    values, constants : the tensors that depend on the input, and those that do not
    types : element types of the values
    lowered : the nodes that depend on the input
    """

    def __init__(self, model: Model, input_shape: tuple[int, ...]) -> None:
        self.model, self.chain = model, Chain(input_shape)
        self.values: dict[str, Value] = {model.input: self.chain.input}
        self.constants = dict(model.initializers)
        self.types: dict[str, int] = {model.input: model.input_type}
        self.last_use = {name: k for k, node in enumerate(model.nodes) for name in node.inputs if name}
        self.last_use[model.output] = len(model.nodes)
        self.lowered: list[Node] = []
        self.entries = 0

    def network(self) -> Network:
        """Lower all nodes."""
        for k, node in enumerate(self.model.nodes):
            if any(name in self.values for name in node.inputs):
                self._lower(k, node)
            else:
                inputs = [self.constants[name] if name else None for name in node.inputs]
                for name, array in zip(
                    [n for n in node.outputs if n], constants(node, inputs, self.model.opset), strict=True
                ):
                    self._count(array.size)
                    self.constants[name] = array
        if self.model.output not in self.values:
            raise InputError("the model's output does not depend on its input; there is nothing to enumerate")
        last = self.lowered[-1].label if self.lowered else "output"
        return self.chain.network(self.values[self.model.output], last)

    def _lower(self, k: int, node: Node) -> None:
        inputs: list[Input] = [self.values.get(name, self.constants.get(name)) for name in node.inputs]
        kind = next(self.types[name] for name in node.inputs if name in self.types)

        def close(value: Value, units: Units, shape: Sequence[int]) -> Value:
            keep = [v for name, v in self.values.items() if self.last_use.get(name, -1) > k]
            self._count(units.n_units)
            return self.chain.close(node.label, value, units, shape, keep)

        call = Call(node, inputs, kind != TensorProto.DOUBLE, close)
        self._require_place(call, k)
        result: Result
        if node.op in ("Cast", "CastLike"):
            result, kind = call.x, self._cast(call, kind)
        elif node.op in OPERATIONS:
            result = OPERATIONS[node.op](call)
        else:
            raise refusal(call)
        results = result if isinstance(result, list) else [result]
        for j, name in enumerate(node.outputs):
            if j >= len(results) and name in self.last_use:
                raise call.refuse(
                    f"has a second output `{shown(name)}` that is used; supported: the first output alone"
                )
        for name, tensor in zip(node.outputs, results, strict=False):
            if isinstance(tensor, Value):
                self._count(tensor.affine.n_rows)
                self.values[name], self.types[name] = tensor, kind
            else:
                self.constants[name] = tensor
        self.lowered.append(node.restated(call.explicit) if call.explicit else node)
        # what no later node reads is not carried along
        for name in [name for name in self.values if self.last_use.get(name, -1) <= k]:
            del self.values[name]

    def _require_place(self, call: Call, k: int) -> None:
        """ArgMax is a decision at the end, and jumps anywhere else."""
        if call.node.op == "ArgMax" and (k + 1 < len(self.model.nodes) or call.node.outputs[0] != self.model.output):
            raise call.refuse("is not continuous; supported: as the last operation of the model")

    def _cast(self, call: Call, kind: int) -> int:
        target = call.node.attributes.get("to")
        if target is None:
            name = call.node.inputs[1]
            known = self.types.get(name)
            target = helper.np_dtype_to_tensor_dtype(self.constants[name].dtype) if known is None else known
        if target not in WIDER[kind]:
            raise call.refuse(
                f"converts {type_name(kind)} to {type_name(target)}, which rounds and is not continuous; remove the "
                "conversion"
            )
        return int(target)

    def _count(self, entries: int) -> None:
        self.entries += entries
        if self.entries > MOST_CONNECTIONS:
            raise InputError(
                f"the model's tensors have more than {MOST_CONNECTIONS} entries together; load a smaller one"
            )
