"""Read the files that `torch.export.save` writes, without running anything in them.

`torch.export.load` unpickles what a file asks it to, evaluates expressions, and generates Python source from names in
the file; a file from a stranger can run any code that way. Here the graph is read from the file's JSON, node by node:
only torch's ATen operations are known, and tensors are raw bytes. Nothing is unpickled.
"""

from __future__ import annotations

import json
import operator
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from regionenum.errors import InputError
from regionenum.network.from_torch.graph import ARITHMETIC, Program, Stored

SCHEMA = 8
"""The major version of the format that is read, that of torch 2.9 to 2.13."""

# The numbers are part of the format.
_DTYPES = {
    1: torch.uint8, 2: torch.int8, 3: torch.int16, 4: torch.int32, 5: torch.int64, 6: torch.float16, 7: torch.float32,
    8: torch.float64, 12: torch.bool, 13: torch.bfloat16,
}  # fmt: skip

_MEMORY_FORMATS = {
    1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d, 4: torch.preserve_format,
}  # fmt: skip

_FORBIDDEN = {"from_file"}
"""Operations that touch more than memory."""

_PLAIN = {"as_int", "as_ints", "as_float", "as_floats", "as_bool", "as_bools", "as_string", "as_strings"}


@dataclass(frozen=True)
class Archive:
    """The content of a file.

    Attributes
    ----------
    model : the program, as JSON
    tensors : parameters, buffers and constants by path
    """

    model: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]

    @property
    def graph(self) -> Mapping[str, Any]:
        """The nodes and what is known about their results."""
        graph: Mapping[str, Any] = self.model["graph_module"]["graph"]
        return graph

    @property
    def input(self) -> Mapping[str, Any]:
        """Type and sizes of the input."""
        values: Mapping[str, Mapping[str, Any]] = self.graph["tensor_values"]
        return values[self._input_names[0]]

    @property
    def _input_names(self) -> list[str]:
        specs = self.model["graph_module"]["signature"]["input_specs"]
        return [s["user_input"]["arg"]["as_tensor"]["name"] for s in specs if "user_input" in s]

    def check(self) -> None:
        """Refuse programs that are not one function of one tensor."""
        signature = self.model["graph_module"]["signature"]
        inputs = [s["user_input"]["arg"] for s in signature["input_specs"] if "user_input" in s]
        if len(inputs) != 1 or "as_tensor" not in inputs[0]:
            raise InputError(f"the program takes {len(inputs)} inputs; supported: one input tensor")
        if not self.dtype.is_floating_point:
            raise InputError(f"the program takes {self.dtype}; supported: real numbers")
        changed = [s for s in signature["output_specs"] if "user_output" not in s]
        if changed:
            raise InputError("the program changes a buffer of the module; the forward pass must leave it as it is")

    @property
    def dtype(self) -> torch.dtype:
        """The input's precision."""
        return _DTYPES[self.input["dtype"]]

    def input_shape(self) -> tuple[int, ...]:
        """Without the batch axis; sizes that may vary are those of the example with which the program was exported."""
        sizes = self.input["sizes"]
        batch, *shape = [size["as_int"] if "as_int" in size else size["as_expr"]["hint"]["as_int"] for size in sizes]
        if batch != 1 and "as_int" in sizes[0]:
            raise InputError(
                f"the program was exported for batches of {batch} samples; export it with an example of one sample, or "
                "with a dynamic batch axis"
            )
        return tuple(shape)

    def program(self, dtype: torch.dtype) -> Program:
        """The program as a graph, with this precision in place of its own."""
        return _Reader(self, dtype).program()


@contextmanager
def damages_named() -> Iterator[None]:
    """While a file is read: what is not as the format has it is one sentence."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror}); give the path of a .pt2 file") from error
    except zipfile.BadZipFile as error:
        raise InputError("is not a file of torch.export.save, or is damaged; save the program again") from error
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError, EOFError) as error:
        detail = " ".join(str(error).split())[:200]
        raise InputError(
            f"is damaged or was changed by hand ({type(error).__name__}: {detail}); save the program again"
        ) from error


def read_archive(path: Path) -> Archive:
    """Read a file, within `damages_named`.

    Raises
    ------
    InputError
        If it is no file of `torch.export.save`, or holds what could run code.
    """
    with zipfile.ZipFile(path) as file:
        return _archive(file)


def _archive(file: zipfile.ZipFile) -> Archive:
    names = file.namelist()
    models = [name for name in names if re.fullmatch(r"[^/]+/models/[^/]+\.json", name)]
    if "serialized_exported_program.json" in names:
        raise InputError("was saved in an older format of torch.export; save it again with torch 2.9 or later")
    if len(models) != 1:
        raise InputError(f"holds {len(models)} programs; give a file that torch.export.save wrote")
    (model_name,) = models
    root, name = model_name.split("/")[0], model_name.split("/")[-1].removesuffix(".json")
    if file.read(f"{root}/byteorder").decode() != sys.byteorder:
        raise InputError("was saved on a machine with another byte order; save it again on this kind of machine")
    model = json.loads(file.read(model_name))
    if model["schema_version"]["major"] != SCHEMA:
        raise InputError(
            f"has version {model['schema_version']['major']} of the format, and {SCHEMA} is read; save it again with a "
            "torch that regionenum knows"
        )
    tensors: dict[str, torch.Tensor] = {}
    for folder, kind in (("weights", "weights"), ("constants", "constants")):
        config = f"{root}/data/{folder}/{name}_{kind}_config.json"
        if config not in names:
            raise InputError(f"lacks its list of {kind}; save it again with torch 2.9 or later")
        for path, entry in json.loads(file.read(config))["config"].items():
            if entry["use_pickle"] or entry["tensor_meta"] is None:
                raise InputError(
                    f"holds `{path}` as a pickled object, which could run code; save a program of plain tensors"
                )
            tensors[path] = _tensor(file.read(f"{root}/data/{folder}/{entry['path_name']}"), entry["tensor_meta"])
    archive = Archive(model, tensors)
    archive.check()
    return archive


def _tensor(content: bytes, meta: Mapping[str, Any]) -> torch.Tensor:
    sizes, strides = ([n["as_int"] for n in meta[key]] for key in ("sizes", "strides"))
    dtype = _DTYPES[meta["dtype"]]
    if not content:
        return torch.empty(sizes, dtype=dtype)
    flat = torch.frombuffer(bytearray(content), dtype=dtype)
    return flat.as_strided(sizes, strides, meta["storage_offset"]["as_int"]).clone()


class _Reader:
    """One pass over the nodes of a file."""

    def __init__(self, archive: Archive, dtype: torch.dtype) -> None:
        self.archive = archive
        self.dtype = dtype
        self.graph = torch.fx.Graph()
        self.nodes: dict[str, torch.fx.Node] = {}

    def program(self) -> Program:
        stored = {}
        for spec in self.archive.model["graph_module"]["signature"]["input_specs"]:
            ((kind, content),) = spec.items()
            if kind == "user_input":
                name = content["arg"]["as_tensor"]["name"]
            elif kind in ("parameter", "buffer", "tensor_constant"):
                name, path = content["arg"]["name"], content[f"{kind}_name"]
                tensor = self.archive.tensors[path]
                stored[name] = Stored(path, tensor.to(self.dtype) if tensor.is_floating_point() else tensor)
            else:
                raise InputError(f"the program has an input of kind {kind}, which is not supported; use tensors only")
            self.nodes[name] = self.graph.placeholder(name)
        # The graph renames what is no name in Python.
        stored = {self.nodes[name].name: tensor for name, tensor in stored.items()}
        for node in self.archive.graph["nodes"]:
            self._node(node)
        self.graph.output(tuple(self._argument(a) for a in self.archive.graph["outputs"]))
        return Program(self.graph, stored, self.archive.input_shape())

    def _node(self, content: Mapping[str, Any]) -> None:
        outputs = content["outputs"]
        target = _target(content["target"])
        given = content["inputs"]
        args = [self._argument(entry["arg"]) for entry in given if entry["kind"] != 2]
        kwargs = {entry["name"]: self._argument(entry["arg"]) for entry in given if entry["kind"] == 2}
        name = content.get("name") or (_names(outputs) or ["check"])[0]
        node = self.graph.create_node("call_function", target, tuple(args), kwargs, name)
        stack = content["metadata"].get("nn_module_stack")
        if stack:
            entries = (entry.rsplit(",", 2) for entry in stack.split(";"))
            node.meta["nn_module_stack"] = {key: (path, kind) for key, path, kind in entries}
        if len(outputs) == 1 and "as_tensors" not in outputs[0]:
            self.nodes.update(dict.fromkeys(_names(outputs), node))
            return
        for k, output in enumerate(_names(outputs)):
            self.nodes[output] = self.graph.call_function(operator.getitem, (node, k))

    def _argument(self, arg: Mapping[str, Any]) -> Any:
        ((kind, content),) = arg.items()
        if kind in _PLAIN:
            return content
        if kind == "as_none":
            return None
        if kind == "as_tensor":
            return self.nodes[content["name"]]
        if kind == "as_tensors":
            return [self.nodes[tensor["name"]] for tensor in content]
        if kind in ("as_optional_tensors", "as_sym_ints", "as_sym_floats"):
            return [self._argument(a) for a in content]
        if kind in ("as_optional_tensor", "as_sym_int", "as_sym_float", "as_sym_bool"):
            return self._argument(content)
        if kind == "as_name":
            return self.nodes[content]
        if kind == "as_scalar_type":
            dtype = _DTYPES[content]
            return self.dtype if dtype == self.archive.dtype else dtype
        if kind == "as_device":
            return torch.device("cpu")
        if kind == "as_memory_format":
            return _MEMORY_FORMATS[content]
        if kind == "as_layout":
            return None  # strided, like everything here
        raise InputError(f"the program has an argument of kind {kind}, which is not supported; use plain tensors")


def _names(outputs: list[Mapping[str, Any]]) -> list[str]:
    """The names of a node's results."""
    found = []
    for output in outputs:
        ((kind, content),) = output.items()
        if kind == "as_tensors":
            found += [tensor["name"] for tensor in content]
        elif kind == "as_tensor":
            found.append(content["name"])
        elif kind in ("as_sym_int", "as_sym_bool", "as_sym_float"):
            found.append(content["as_name"])
        else:
            raise InputError(f"the program has a result of kind {kind}, which is not supported; use plain tensors")
    return found


def _target(text: str) -> Any:
    """The operation of this name: one of ATen's, or arithmetic with sizes."""
    aten = re.fullmatch(r"torch\.ops\.aten\.(\w+)\.(\w+)", text)
    if aten and aten[1] not in _FORBIDDEN and hasattr(torch.ops.aten, aten[1]):
        packet = getattr(torch.ops.aten, aten[1])
        if isinstance(packet, torch._ops.OpOverloadPacket) and aten[2] in packet.overloads():
            return getattr(packet, aten[2])
    known = {f"_operator.{f.__name__}": f for f in (*ARITHMETIC, operator.getitem)}
    known |= {f"torch.{f.__name__}": f for f in ARITHMETIC}
    if text in known:
        return known[text]
    raise InputError(f"the program calls `{text}`, which is not supported; use operations of torch itself")
