"""From an exported torch graph to a `Network`.

The graph is read in order. A node that does not depend on the input is a constant and is simply run, in float64. The
others form a chain; its current value is one `Affine` over the outputs of the last layer of units. An affine operation
composes with it; a non-linear one closes it into a `Layer`, and the chain goes on from the identity.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.fx.node import map_arg

from regionenum.errors import InputError
from regionenum.network.affine import Affine
from regionenum.network.layers import Layer, Network
from regionenum.network.torch_ops import ACTIVATION, OPERATIONS, SUPPORTED, Call
from regionenum.network.units import Units


def lower(program: Any) -> Network:
    """The network of a `torch.export.ExportedProgram` in float64, with one input whose batch axis has size 1.

    Raises
    ------
    InputError
        If an operation is not supported, a value is used twice, or a weight is not finite.
    """
    return _Lowering(program).network()


class _Lowering:
    """The state of one pass over the graph."""

    def __init__(self, program: Any) -> None:
        self.program = program
        self.constants: dict[Any, Any] = {}  # node -> value, for the nodes that do not depend on the input
        self.activations: set[Any] = set()  # the nodes that do
        self.layers: list[Layer] = []
        self.current = Affine.identity(0)
        self.affine_name = "output"
        self.input_shape: tuple[int, ...] = ()

    def network(self) -> Network:
        inputs = {spec.arg.name: spec for spec in self.program.graph_signature.input_specs}
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                self._placeholder(node, inputs[node.name])
            elif node.op == "output":
                self._output(node)
            elif node.op == "call_function" and _is_aten(node) and not _is_check(node):
                self._call(node)
            elif not _is_check(node):
                raise _unsupported(node)
        return Network(tuple(self.layers), self.input_shape)

    def _placeholder(self, node: Any, spec: Any) -> None:
        if spec.kind.name == "USER_INPUT":
            self._require_one_use(node, "the input")
            self.input_shape = tuple(node.meta["val"].shape[1:])
            self.current = Affine.identity(math.prod(self.input_shape))
            self.activations.add(node)
            return
        stored = self.program.state_dict
        tensor = stored[spec.target] if spec.target in stored else self.program.constants[spec.target]
        if node.users and tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise InputError(
                f"parameter `{spec.target}` contains NaN or an infinite value; retrain the model or mend the value"
            )
        self.constants[node] = tensor

    def _output(self, node: Any) -> None:
        outputs = node.args[0]
        if len(outputs) != 1:
            raise InputError(f"the module returns {len(outputs)} tensors; supported: one output tensor")
        if outputs[0] not in self.activations:
            raise InputError("the module's output does not depend on its input; there is nothing to enumerate")
        if not self.current.is_identity:
            n_rows = self.current.n_rows
            self.layers.append(self.current.layer(self._unique(self.affine_name), Units.identity(n_rows)))

    def _call(self, node: Any) -> None:
        sources = [source for source in node.all_input_nodes if source in self.activations]
        if not sources:
            self._constant(node)
            return
        name = node.target.overloadpacket.__name__
        # An in-place operation is like its namesake: the graph refers to its result, and aliases would be second uses.
        lowering = OPERATIONS.get(name) or OPERATIONS.get(name.removesuffix("_"))
        if lowering is None:
            raise _unsupported(node)
        args = self._arguments(node)
        if sum(value is ACTIVATION for value in args.values()) != 1:
            raise InputError(f"{_where(node)} combines activations with each other; supported: a plain chain of layers")
        value = node.meta["val"]  # a tuple only for pooling with indices, which is refused by name
        if isinstance(value, torch.Tensor) and value.dtype != torch.float64:
            raise InputError(f"{_where(node)} converts to {value.dtype}, which is not affine; remove the conversion")
        shape_in, shape_out = tuple(sources[0].meta["val"].shape), tuple(getattr(value, "shape", ()))
        result = lowering(Call(_where(node), node.target, args, self.current, shape_in, shape_out))
        if isinstance(result, Units):
            self.layers.append(self.current.layer(self._unique(_layer_name(node)), result))
            self.current = Affine.identity(result.n_units)
        else:
            self.current = result
            self.affine_name = _layer_name(node)
        self._require_one_use(node, f"the output of {_where(node)}")
        self.activations.add(node)

    def _arguments(self, node: Any) -> dict[str, Any]:
        """The arguments by their names in the operation's schema, defaults filled in."""
        arguments = node.target._schema.arguments
        args = {a.name: a.default_value for a in arguments if a.has_default_value()}
        args |= {a.name: value for a, value in zip(arguments, node.args, strict=False)} | node.kwargs
        return {key: map_arg(value, self._value) for key, value in args.items()}

    def _value(self, node: Any) -> Any:
        return ACTIVATION if node in self.activations else self.constants[node]

    def _constant(self, node: Any) -> None:
        if torch.Tag.nondeterministic_seeded in node.target.tags:
            raise InputError(f"{_where(node)} draws random numbers; a network must be a function of its input alone")
        if node.target._schema.is_mutable and any(n.op == "placeholder" for n in node.all_input_nodes):
            raise InputError(f"{_where(node)} changes a buffer of the module; the forward pass must leave it as it is")
        args, kwargs = map_arg(node.args, self._value), map_arg(node.kwargs, self._value)
        self.constants[node] = node.target(*args, **kwargs)

    def _require_one_use(self, node: Any, where: str) -> None:
        users = [user for user in node.users if not _is_check(user)]
        if len(users) > 1:
            names = " and ".join(_where(user) for user in users[:2])
            raise InputError(
                f"{where} is used more than once, by {names}; skip connections are not supported yet, use a plain chain"
            )

    def _unique(self, name: str) -> str:
        taken = {layer.name for layer in self.layers}
        return next(n for n in (name, *(f"{name}@{k}" for k in range(1, len(taken) + 1))) if n not in taken)


def _is_aten(node: Any) -> bool:
    return isinstance(node.target, torch._ops.OpOverload)


def _is_check(node: Any) -> bool:
    """Whether the node only states what the exporter has verified (the dtype of a tensor)."""
    return node.op == "call_function" and node.target is torch.ops.aten._assert_tensor_metadata.default


def _module(node: Any) -> tuple[str, str]:
    """Path and class name of the innermost module that the node belongs to."""
    stack = node.meta.get("nn_module_stack") or {"": ("", "")}
    path, kind = list(stack.values())[-1]
    return path, kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"


def _layer_name(node: Any) -> str:
    """The module path for torch's own modules; for a function called in a user's forward pass, path.function."""
    path, kind = _module(node)
    if path and kind.startswith("torch.nn."):
        return path
    return f"{path}.{node.name}" if path else node.name


def _where(node: Any) -> str:
    """A node as an error names it: "`features.3` (GELU)", or "`block.gelu` (gelu)" for a function."""
    if node.op == "output":
        return "the module's output"
    _, kind = _module(node)
    operation = getattr(getattr(node.target, "overloadpacket", node.target), "__name__", str(node.target))
    return f"`{_layer_name(node)}` ({kind.rsplit('.', 1)[-1] if kind.startswith('torch.nn.') else operation})"


def _unsupported(node: Any) -> InputError:
    return InputError(f"{_where(node)} is not supported; supported: {SUPPORTED}")
