"""From a checked list of ONNX nodes to a `Network`.

The nodes are read in order. One that does not depend on the input is a constant and is run (`fold.py`). The others are
values of a `Chain`; what a later node still reads is passed on whenever a layer is closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto, helper

from regionenum.errors import InputError
from regionenum.network.chain import Chain, Value
from regionenum.network.from_onnx.call import MOST_CONNECTIONS, Call, Input
from regionenum.network.from_onnx.data import WIDER, shown, type_name
from regionenum.network.from_onnx.fold import constants
from regionenum.network.from_onnx.graph import Model, Node
from regionenum.network.from_onnx.operations import OPERATIONS, SUPPORTED, Result
from regionenum.network.from_onnx.refused import REASONS
from regionenum.network.layers import Network
from regionenum.network.units import Units


@dataclass(frozen=True)
class Lowered:
    """A network, and what of the file it was read from.

    Attributes
    ----------
    network : the network
    nodes : the nodes that depend on the input, with explicit attributes where others had to be worked out
    constants : the tensors that do not depend on the input, by name
    """

    network: Network
    nodes: Sequence[Node]
    constants: Mapping[str, np.ndarray]


def lower(model: Model, input_shape: tuple[int, ...]) -> Lowered:
    """The network of a model.

    Parameters
    ----------
    input_shape : without the batch axis

    Raises
    ------
    InputError
        If an operator is not supported, or a number is not finite.
    """
    lowering = _Lowering(model, input_shape)
    network = lowering.network()
    return Lowered(network, lowering.lowered, lowering.constants)


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
            raise call.refuse(REASONS.get(node.op, f"is not supported; supported: {SUPPORTED}"))
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
