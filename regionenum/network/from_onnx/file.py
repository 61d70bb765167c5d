"""An ONNX file as a checked list of nodes: what it computes is for `lower.py`, that it is well-formed for this one.

Every node is held against the schema of its operator in the file's opset: known attributes of the right kinds, defaults
filled in, as many inputs as it takes. So the lowering can read them without looking twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from regionenum.errors import InputError
from regionenum.network.from_onnx.data import array_of, shown
from regionenum.network.from_onnx.graph import Model, Node

FIRST_OPSET = 7
"""The opset since which binary operators broadcast as NumPy does."""

STANDARD = ("", "ai.onnx")


def read_model(path: Path) -> Model:
    """Read and check a file.

    Raises
    ------
    InputError
        If it cannot be read, is no ONNX model, or one that is malformed or beyond what is supported.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"`{path}` cannot be read ({error.strerror}); give the path of an ONNX file") from error
    try:
        proto = onnx.load_model_from_string(content)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"`{path}` is not an ONNX file, or is damaged or incomplete; export the model again"
        ) from error
    if not proto.HasField("graph") or not proto.graph.node:
        raise InputError(f"`{path}` holds no graph of operations; export the model again")
    try:
        return _Reading(proto, path.parent).model()
    except InputError as error:
        raise InputError(f"`{path}`: {error}") from error


class _Reading:
    def __init__(self, proto: Any, folder: Path) -> None:
        self.graph, self.folder = proto.graph, folder
        self.functions = {(function.domain, function.name) for function in proto.functions}
        self.opset = _opset(proto)

    def model(self) -> Model:
        graph = self.graph
        if graph.sparse_initializer:
            raise InputError("sparse initializers are not supported; store them as dense tensors")
        stored = {tensor.name: tensor for tensor in graph.initializer}
        inputs = [value for value in graph.input if value.name not in stored]
        for values, kind in ((inputs, "input"), (list(graph.output), "output")):
            if len(values) != 1:
                names = ", ".join(f"`{shown(value.name)}`" for value in values[:8]) or "none"
                raise InputError(
                    f"the model has {len(values)} {kind}s ({names}{', ...' if len(values) > 8 else ''}); "
                    f"supported: one {kind}"
                )
        input_type, dims = _tensor_type(inputs[0])
        self._check_names([value.name for value in inputs])
        nodes = self._needed(graph.output[0].name)
        read = {name for node in nodes for name in node.input} | {graph.output[0].name}
        initializers = {name: array_of(stored[name], self.folder) for name in stored if name in read}
        self._check_order(nodes, {inputs[0].name, *stored})
        if graph.output[0].name not in {inputs[0].name, *initializers, *(name for n in nodes for name in n.output)}:
            raise InputError(f"nothing computes the output `{shown(graph.output[0].name)}`; export the model again")
        return Model(
            inputs[0].name,
            input_type,
            dims,
            graph.output[0].name,
            initializers,
            tuple(self._node(node) for node in nodes),
            self.opset,
        )

    def _check_names(self, inputs: list[str]) -> None:
        """Every tensor has one origin."""
        seen = set(inputs)
        given = [t.name for t in self.graph.initializer] + [name for n in self.graph.node for name in n.output if name]
        for name in given:
            if name in seen:
                raise InputError(f"the tensor `{shown(name)}` is defined twice; every name may have one origin only")
            seen.add(name)

    def _needed(self, output: str) -> list[Any]:
        """The nodes that the output depends on, in the file's order."""
        producer = {name: k for k, node in enumerate(self.graph.node) for name in node.output if name}
        waiting, found = [output], set()
        while waiting:
            k = producer.get(waiting.pop())
            if k is not None and k not in found:
                found.add(k)
                waiting += [name for name in self.graph.node[k].input if name]
        return [self.graph.node[k] for k in sorted(found)]

    def _check_order(self, nodes: list[Any], known: set[str]) -> None:
        later = {name for node in nodes for name in node.output if name}
        for node in nodes:
            for name in node.input:
                if name and name not in known:
                    why = (
                        " before it is computed; the nodes are not in order, or form a cycle"
                        if name in later
                        else ", which is no input, initializer or output of a node; export the model again"
                    )
                    raise InputError(f"{_where(node)} reads `{shown(name)}`{why}")
            known.update(name for name in node.output if name)

    def _node(self, proto: Any) -> Node:
        where = _where(proto)
        if (proto.domain, proto.op_type) in self.functions:
            raise InputError(f"{where} calls a function of the model, which is not supported; inline it in the export")
        if proto.domain not in STANDARD:
            raise InputError(
                f"{where} is an operator of the domain `{shown(proto.domain)}`; supported: standard ONNX operators"
            )
        for attribute in proto.attribute:
            if attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
                raise InputError(
                    f"{where} has a subgraph; supported: a fixed sequence of operators, without control flow"
                )
        try:
            schema = onnx.defs.get_schema(proto.op_type, self.opset, "")
        # the others where the name is not even UTF-8
        except (onnx.defs.SchemaError, TypeError, UnicodeDecodeError) as error:
            raise InputError(f"{where} is no operator of ONNX opset {self.opset}; export the model again") from error
        if not schema.min_input <= len(proto.input) <= schema.max_input or not proto.output:
            raise InputError(
                f"{where} has {len(proto.input)} inputs and {len(proto.output)} outputs, which is not valid"
            )
        return Node(
            proto.op_type,
            shown(proto.name or proto.output[0]),
            tuple(proto.input),
            tuple(proto.output),
            self._attributes(proto, schema, where),
            schema.since_version,
            proto,
        )

    def _attributes(self, proto: Any, schema: Any, where: str) -> dict[str, Any]:
        known = schema.attributes
        values = {
            name: _plain(attribute.default_value, onnx.helper.get_attribute_value(attribute.default_value))
            for name, attribute in known.items()
            if attribute.default_value.type
        }
        given = set()
        for attribute in proto.attribute:
            name = attribute.name
            if name not in known:
                raise InputError(f"{where} has an unknown attribute `{shown(name)}`; export the model again")
            if attribute.ref_attr_name or attribute.type != known[name].type.value or name in given:
                raise InputError(f"{where} has a malformed attribute `{name}`; export the model again")
            given.add(name)
            if attribute.type == onnx.AttributeProto.TENSOR:
                values[name] = array_of(attribute.t, self.folder)
            else:
                values[name] = _plain(attribute, onnx.helper.get_attribute_value(attribute))
        for name, attribute in known.items():
            if attribute.required and name not in values:
                raise InputError(f"{where} lacks its attribute `{name}`; export the model again")
        return values


def _plain(attribute: Any, value: Any) -> Any:
    """Attribute values as Python's own: text as str, lists as tuples."""
    if attribute.type == onnx.AttributeProto.STRING:
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return tuple(value) if attribute.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS) else value


def _where(proto: Any) -> str:
    name = proto.name or next(iter(proto.output), "")
    return f"node `{shown(name)}` ({shown(proto.op_type)})"


def _opset(proto: Any) -> int:
    versions = [entry.version for entry in proto.opset_import if entry.domain in STANDARD]
    newest = onnx.defs.onnx_opset_version()
    if not versions:
        raise InputError("the model does not say which opset it is written in; export the model again")
    opset = int(max(versions))
    if opset < FIRST_OPSET:
        raise InputError(f"the model is written in opset {opset}; export it with opset {FIRST_OPSET} or later")
    if opset > newest:
        raise InputError(
            f"the model is written in opset {opset}, and the installed onnx {onnx.__version__} knows {newest} at most; "
            "install a newer onnx, or export the model with an older opset"
        )
    return opset


def _tensor_type(value: Any) -> tuple[int, tuple[int | None, ...]]:
    """Element type and sizes of a graph input."""
    where = f"the input `{shown(value.name)}`"
    if value.type.WhichOneof("value") != "tensor_type":
        raise InputError(f"{where} is not a tensor; supported: one tensor")
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        raise InputError(f"{where} has no shape; export the model with a fixed input shape")
    dims = tuple(d.dim_value if d.WhichOneof("value") == "dim_value" else None for d in tensor.shape.dim)
    return int(tensor.elem_type), dims
