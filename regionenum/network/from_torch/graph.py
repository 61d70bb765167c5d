"""An exported torch graph as it is read: its nodes, its tensors, and how an error names a node."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx.node import map_arg

from regionenum.errors import InputError


@dataclass(frozen=True)
class Stored:
    """A parameter, buffer or constant of a program."""

    path: str
    tensor: torch.Tensor


@dataclass(frozen=True)
class Program:
    """A graph of ATen operations with one input and one output.

    Attributes
    ----------
    graph : its placeholders are the input and what is stored
    stored : by the name of the placeholder
    input_shape : without the batch axis
    """

    graph: torch.fx.Graph
    stored: Mapping[str, Stored]
    input_shape: tuple[int, ...]

    @classmethod
    def of_export(cls, program: Any, input_shape: tuple[int, ...]) -> Program:
        """What `torch.export.export` gave."""
        tensors = {**program.constants, **program.state_dict}
        specs = program.graph_signature.input_specs
        stored = {s.arg.name: Stored(s.target, tensors[s.target]) for s in specs if s.target is not None}
        return cls(program.graph, stored, input_shape)

    def run(self, x: torch.Tensor) -> dict[torch.fx.Node, Any]:
        """Run the graph, and keep what every node gives; what is stored is left as it is."""
        results: dict[torch.fx.Node, Any] = {}
        writes = any(writes_in_place(node) for node in self.graph.nodes)
        for node in self.graph.nodes:
            if node.op == "placeholder":
                tensor = self.stored[node.name].tensor if node.name in self.stored else x
                results[node] = tensor.clone() if writes else tensor
            elif node.op == "output":
                results[node] = results[node.args[0][0]]
            elif not is_check(node):
                args, kwargs = map_arg(node.args, results.__getitem__), map_arg(node.kwargs, results.__getitem__)
                results[node] = node.target(*args, **kwargs)
        return results

    def __call__(self, x: torch.Tensor) -> Any:
        """The output at the input x (1, *input_shape)."""
        return list(self.run(x).values())[-1]


def is_aten(node: Any) -> bool:
    """Whether the node calls one of torch's own operations."""
    return isinstance(node.target, torch._ops.OpOverload) and node.target.namespace == "aten"


_CHECKS = {"_assert_tensor_metadata", "_assert_scalar", "sym_constrain_range", "sym_constrain_range_for_size"}


def is_check(node: Any) -> bool:
    """Whether the node only states what the exporter has verified (the dtype of a tensor, the range of a size)."""
    return node.op == "call_function" and (is_aten(node) and operation(node) in _CHECKS)


_SHAPE_ALONE = {"sym_size", "zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full"}


def is_size(node: Any) -> bool:
    """Whether the node reads a tensor's shape, and nothing else of it."""
    return node.op == "call_function" and is_aten(node) and operation(node) in _SHAPE_ALONE


ARITHMETIC = {
    *(operator.add, operator.sub, operator.mul, operator.floordiv, operator.truediv, operator.mod, operator.neg),
    *(operator.ge, operator.gt, operator.le, operator.lt, operator.eq, operator.ne, operator.and_, operator.or_),
    *(torch.sym_max, torch.sym_min, torch.sym_not, torch.sym_int, torch.sym_float),
}


def is_arithmetic(node: Any) -> bool:
    """Whether the node computes with sizes."""
    return node.op == "call_function" and node.target in ARITHMETIC


def operation(node: Any) -> str:
    """The operation's name without its overload, for example "add_"."""
    return getattr(getattr(node.target, "overloadpacket", node.target), "__name__", str(node.target))


def _module(node: Any) -> tuple[str, str]:
    """Path and class name of the innermost module that the node belongs to."""
    stack = node.meta.get("nn_module_stack") or {"": ("", "")}
    path, kind = list(stack.values())[-1]
    return path, kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"


def layer_name(node: Any) -> str:
    """The module path for torch's own modules; for a function called in a user's forward pass, path.function."""
    if node.target is operator.getitem:
        return layer_name(node.args[0])
    path, kind = _module(node)
    if path and kind.startswith("torch.nn."):
        return path
    return f"{path}.{node.name}" if path else node.name


def where(node: Any) -> str:
    """A node as an error names it: "`features.3` (GELU)", or "`block.gelu` (gelu)" for a function."""
    if node.op == "output":
        return "the module's output"
    if node.op == "placeholder":
        return "the input"
    _, kind = _module(node)
    return f"`{layer_name(node)}` ({kind.rsplit('.', 1)[-1] if kind.startswith('torch.nn.') else operation(node)})"


def writes_in_place(node: Any) -> bool:
    """Whether the node changes one of its arguments."""
    return is_aten(node) and bool(node.target._schema.is_mutable)


def leading_to(graph: torch.fx.Graph, ends: set[Any]) -> set[Any]:
    """The nodes that these nodes depend on, and these."""
    found: set[Any] = set()
    for node in reversed(list(graph.nodes)):
        if node in ends or any(user in found for user in node.users):
            found.add(node)
    return found


_MOVES_NO_DATA = {"detach_", "squeeze_", "unsqueeze_", "transpose_", "t_", "swapaxes_", "swapdims_"}


def refuse_hidden_writes(program: Program, activations: set[Any]) -> None:
    """Refuse in-place operations that change what another node refers to.

    The graph names the result of an in-place operation, so a tensor written as a whole is read correctly. A write
    through a view changes its base, or other views, under names that were given before. One run shows which tensors
    share memory.

    Raises
    ------
    InputError
        If an operation that writes an activation changes a tensor that is used later under an older name.
    """
    nodes = list(program.graph.nodes)
    writes = [n for n in nodes if n in activations and writes_in_place(n)]
    writes = [n for n in writes if operation(n) not in _MOVES_NO_DATA]
    if not writes:
        return
    results = program.run(torch.ones(1, *program.input_shape, dtype=torch.float64))
    place = {node: k for k, node in enumerate(nodes)}
    sharing: dict[int, list[Any]] = {}
    for node, result in results.items():
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, torch.Tensor) and node.op != "output":
                sharing.setdefault(tensor.untyped_storage().data_ptr(), []).append(node)
    for node in writes:
        for other in sharing[results[node].untyped_storage().data_ptr()]:
            if place[other] < place[node] and any(place[user] > place[node] for user in other.users):
                raise InputError(
                    f"{where(node)} writes in place through a view of {where(other)}, which is used again; "
                    "write it without the in-place operation"
                )
