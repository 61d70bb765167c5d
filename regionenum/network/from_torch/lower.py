"""From an exported torch graph to a `Network`.

The graph is read in order. A node that does not depend on the input is a constant and is simply run, in float64. The
others are values of a `Chain`; what a later node still reads is passed on whenever a layer is closed.
"""

from __future__ import annotations

from functools import partial
from operator import getitem
from typing import Any

import torch
from torch.fx.node import map_arg

from regionenum.errors import InputError
from regionenum.network.chain import Chain, Value
from regionenum.network.from_torch.call import Call, Indices
from regionenum.network.from_torch.graph import (
    Program,
    is_arithmetic,
    is_aten,
    is_size,
    layer_name,
    leading_to,
    operation,
    refuse_hidden_writes,
    where,
    writes_in_place,
)
from regionenum.network.from_torch.operations import OPERATIONS, SUPPORTED
from regionenum.network.from_torch.refused import REASONS
from regionenum.network.layers import Network


def lower(program: Program) -> Network:
    """The network of a program in float64, whose input has a batch axis of size 1.

    Raises
    ------
    InputError
        If an operation is not supported, or a weight is not finite.
    """
    return _Lowering(program).network()


class _Lowering:
    """The state of one pass over the graph."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.chain = Chain(program.input_shape)
        self.results: dict[Any, Any] = {}
        """What every node gives that is still to be read: values, tensors, numbers, or tuples of these."""
        nodes = list(program.graph.nodes)
        self.place = {node: k for k, node in enumerate(nodes)}
        self.shapes: dict[Any, tuple[int, ...]] = {}
        """Of all tensors, also of those that are read no more."""
        self.activations = self._activations(nodes)
        # What is written into a constant may be read under another name.
        ends = {n for n in nodes if n.op == "output" or (writes_in_place(n) and n not in self.activations)}
        needed = leading_to(program.graph, ends)
        self.read = [n for n in nodes if n in needed]
        readers = {n for n in self.read if not is_size(n)}
        self.last_use = {n: max((self.place[user] for user in n.users if user in readers), default=-1) for n in nodes}
        self.memory = {s.tensor.untyped_storage().data_ptr() for s in program.stored.values()}

    def _activations(self, nodes: list[Any]) -> set[Any]:
        """The nodes that depend on the input."""
        found: set[Any] = set()
        for node in nodes:
            is_input = node.op == "placeholder" and node.name not in self.program.stored
            if is_input or (not is_size(node) and any(source in found for source in node.all_input_nodes)):
                found.add(node)
        return found

    def network(self) -> Network:
        refuse_hidden_writes(self.program, self.activations)
        for node in self.read:
            if node.op == "placeholder":
                self._keep(node, self._placeholder(node))
            elif node.op == "output":
                return self._network(node)
            else:
                self._keep(node, self._result(node))
        raise AssertionError("a graph ends with its output")

    def _placeholder(self, node: Any) -> Any:
        if node.name not in self.program.stored:
            return self.chain.input
        stored = self.program.stored[node.name]
        if node.users and stored.tensor.is_floating_point() and not torch.isfinite(stored.tensor).all():
            raise InputError(
                f"parameter `{stored.path}` contains NaN or an infinite value; retrain the model or mend the value"
            )
        return stored.tensor

    def _network(self, node: Any) -> Network:
        outputs = node.args[0]
        if len(outputs) != 1:
            raise InputError(f"the module returns {len(outputs)} tensors; supported: one output tensor")
        output = self.results[outputs[0]]
        if isinstance(output, Indices):
            raise _indices(output)
        if not isinstance(output, Value):
            raise InputError("the module's output does not depend on its input; there is nothing to enumerate")
        is_input = outputs[0].op == "placeholder"
        return self.chain.network(output, "output" if is_input else layer_name(outputs[0]))

    def _result(self, node: Any) -> Any:
        if node.target is getitem:
            return self.results[node.args[0]][node.args[1]]
        if node.op == "get_attr":
            return None  # a part of the graph, for an operation that is refused
        if is_arithmetic(node):
            return node.target(*map_arg(node.args, self.results.__getitem__))
        if node.op != "call_function" or not is_aten(node):
            raise _unsupported(node)
        if is_size(node):
            like = torch.empty(self.shapes[node.args[0]], dtype=torch.float64)
            return node.target(like, *map_arg(node.args[1:], self.results.__getitem__), **node.kwargs)
        args = self._arguments(node)
        return self._call(node, args) if node in self.activations else self._constant(node)

    def _arguments(self, node: Any) -> dict[str, Any]:
        """The arguments by their names in the operation's schema, defaults filled in."""
        arguments = node.target._schema.arguments
        args = {a.name: a.default_value for a in arguments if a.has_default_value()}
        args |= {a.name: value for a, value in zip(arguments, node.args, strict=False)} | node.kwargs
        return {key: map_arg(value, self.results.__getitem__) for key, value in args.items()}

    def _constant(self, node: Any) -> Any:
        if torch.Tag.nondeterministic_seeded in node.target.tags:
            raise _random(node)
        args, kwargs = (map_arg(given, self.results.__getitem__) for given in (node.args, node.kwargs))
        written = [
            value
            for argument, value in zip(node.target._schema.arguments, args, strict=False)
            if argument.alias_info is not None and argument.alias_info.is_write
        ]
        if any(isinstance(t, torch.Tensor) and t.untyped_storage().data_ptr() in self.memory for t in written):
            raise InputError(f"{where(node)} changes a buffer of the module; the forward pass must leave it as it is")
        return node.target(*args, **kwargs)

    def _call(self, node: Any, args: dict[str, Any]) -> Any:
        # An in-place operation is like its namesake: the graph refers to its result.
        name = operation(node)
        name = name if name in OPERATIONS or name in REASONS else name.removesuffix("_")
        for source in node.all_input_nodes:
            if isinstance(self.results[source], Indices):
                raise _indices(self.results[source])
        if name in REASONS:
            raise InputError(f"{where(node)} {REASONS[name]}")
        if name not in OPERATIONS:
            if torch.Tag.nondeterministic_seeded in node.target.tags:
                raise _random(node)
            raise _unsupported(node)
        if name in ("argmax", "argmin") and any(user.op != "output" for user in node.users):
            raise InputError(f"{where(node)} is not continuous; it can only be the last operation of a network")
        target = node.target
        return OPERATIONS[name](
            Call(where(node), layer_name(node), target, args, self.chain, partial(self._alive, node))
        )

    def _alive(self, node: Any) -> list[Value]:
        """The values that nodes behind this one read."""
        found: list[Value] = []
        for source, result in self.results.items():
            if self.last_use[source] > self.place[node]:
                found += [v for v in (result if isinstance(result, tuple) else [result]) if isinstance(v, Value)]
        return found

    def _keep(self, node: Any, result: Any) -> None:
        """Keep a result, and drop what no node behind this one reads; its values may be void."""
        self.results[node] = result
        if isinstance(result, Value | torch.Tensor):
            self.shapes[node] = tuple(result.shape)
        for source in (node, *node.all_input_nodes):
            if self.last_use[source] <= self.place[node]:
                self.results.pop(source, None)


def _indices(result: Indices) -> InputError:
    return InputError(f"{result.where} returns the winners' indices, which is not supported; use its values alone")


def _random(node: Any) -> InputError:
    return InputError(f"{where(node)} draws random numbers; a network must be a function of its input alone")


def _unsupported(node: Any) -> InputError:
    return InputError(f"{where(node)} is not supported; supported: {SUPPORTED}")
