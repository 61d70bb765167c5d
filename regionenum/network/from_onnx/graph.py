"""An ONNX graph as it is read: its nodes, its constants, and how an error names a node."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes
    ----------
    op, label : the operator, and the node's name (or that of its first output)
    inputs, outputs : names of tensors; an empty name is one that is left out
    attributes : by name, defaults filled in; tensors as arrays
    since : the opset in which the operator took this form
    proto : the onnx.NodeProto
    """

    op: str
    label: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    since: int
    proto: Any

    @property
    def where(self) -> str:
        """How errors name it."""
        return f"node `{self.label}` ({self.op})"

    def restated(self, changed: dict[str, Any]) -> Node:
        """The node with some attributes replaced."""
        proto = onnx.NodeProto()
        proto.CopyFrom(self.proto)
        del proto.attribute[:]
        proto.attribute.extend(a for a in self.proto.attribute if a.name not in changed)
        proto.attribute.extend(onnx.helper.make_attribute(name, value) for name, value in changed.items())
        return replace(self, attributes=self.attributes | changed, proto=proto)


@dataclass(frozen=True)
class Model:
    """A well-formed graph with one input and one output.

    Attributes
    ----------
    input, output : names of tensors
    input_type : the element type of the input
    input_dims : sizes with the batch axis; None where the file gives none
    initializers : constants by name
    nodes : those that the output needs, in an order in which they can be run
    opset : version of the standard operators
    """

    input: str
    input_type: int
    input_dims: tuple[int | None, ...]
    output: str
    initializers: dict[str, np.ndarray]
    nodes: tuple[Node, ...]
    opset: int
