"""Malformed and hostile ONNX files: one sentence that names the place and the mend, exit code 2, no traceback."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx

import regionenum as rn
from tests.malformed import sentence_of
from tests.onnx_models import (
    model,
    node,
    save,
)

FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
Build = Callable[[Path], Any]

W = np.ones((4, 3), np.float32)
MATMUL, RELU = node("MatMul", ["x", "w"], "h"), node("Relu", ["h"])


def good(**changes: Any) -> Any:
    """relu(x W), with parts replaced."""
    given: dict[str, Any] = {"nodes": [MATMUL, RELU], "shape": (1, 4), "arrays": {"w": W}}
    return model(**(given | changes))


def single(op: str, inputs: str = "x", shape: tuple[Any, ...] = (1, 4), opset: int = 18, **attributes: Any) -> Any:
    """One node; its constants are k0, k1, ..., integers as the attribute `k` says."""
    constants = attributes.pop("k", [])
    arrays = {f"k{i}": np.asarray(value) for i, value in enumerate(constants)}
    return model([node(op, inputs.split(" "), **attributes)], shape, arrays, opset=opset)


def changed(change: Callable[[Any], Any]) -> Any:
    """The good model after a change in place."""
    proto = good()
    change(proto)
    return proto


def tensor(**fields: Any) -> Callable[[Any], Any]:
    """Set fields of the weight tensor."""

    def change(proto: Any) -> None:
        weight = proto.graph.initializer[0]
        for name, value in fields.items():
            weight.ClearField(name)
            if isinstance(value, list):
                getattr(weight, name).extend(value)
            else:
                setattr(weight, name, value)

    return change


def external(location: str, **more: str) -> Any:
    def change(proto: Any) -> None:
        weight = proto.graph.initializer[0]
        weight.ClearField("raw_data")
        weight.data_location = onnx.TensorProto.EXTERNAL
        for key, value in ({"location": location} | more).items():
            entry = weight.external_data.add()
            entry.key, entry.value = key, value

    return changed(change)


def with_function() -> Any:
    proto = model([onnx.helper.make_node("F", ["x"], ["y"], domain="own")], (1, 4))
    function = onnx.helper.make_function("own", "F", ["a"], ["b"], [node("Relu", ["a"], "b")], proto.opset_import)
    proto.functions.append(function)
    proto.opset_import.append(onnx.helper.make_opsetid("own", 1))
    return proto


def with_branch() -> Any:
    value = onnx.helper.make_tensor_value_info("b", FLOAT, None)
    branch = onnx.helper.make_graph([node("Relu", ["x"], "b")], "branch", [], [value])
    return single("If", "k0", k=[True], then_branch=branch, else_branch=branch)


def weight_with(value: float) -> Any:
    w = W.copy()
    w[1, 2] = value
    return good(arrays={"w": w})


def of_input(change: Callable[[Any], Any]) -> Any:
    return changed(lambda proto: change(proto.graph.input[0]))


def sparse(proto: Any) -> None:
    values = onnx.numpy_helper.from_array(np.ones(1, np.float32), "s")
    positions = onnx.numpy_helper.from_array(np.zeros(1, np.int64), "i")
    proto.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(values, positions, [4]))


IMAGE = (1, 2, 4, 4)
ONNX: dict[str, tuple[Build | Any, str]] = {
    "an empty file": (lambda _: b"", "holds no graph of operations"),
    "text": (lambda _: b"hello, I am a model", "is not an ONNX file, or is damaged or incomplete"),
    "a truncated file": (lambda _: good().SerializeToString()[:-20], "is not an ONNX file, or is damaged"),
    "another protobuf": (lambda _: onnx.numpy_helper.from_array(W, "w").SerializeToString(), "`"),
    "no nodes": (changed(lambda p: p.graph.ClearField("node")), "holds no graph of operations"),
    "an old opset": (good(opset=6), "opset 6; export it with opset 7 or later"),
    "a future opset": (good(opset=999), "install a newer onnx"),
    "no opset": (changed(lambda p: p.ClearField("opset_import")), "does not say which opset"),
    "two inputs": (changed(lambda p: p.graph.input.add(name="z")), "2 inputs (`x`, `z`); supported: one input"),
    "no input": (changed(lambda p: p.graph.ClearField("input")), "0 inputs (none)"),
    "two outputs": (changed(lambda p: p.graph.output.add(name="h")), "2 outputs (`y`, `h`); supported: one output"),
    "no output": (changed(lambda p: p.graph.ClearField("output")), "0 outputs (none)"),
    "an output from nowhere": (good(output="z"), "nothing computes the output `z`"),
    "an output that is constant": (good(output="w"), "does not depend on its input"),
    "a sequence as input": (of_input(lambda i: i.type.sequence_type.SetInParent()), "is not a tensor"),
    "an input without a shape": (of_input(lambda i: i.type.tensor_type.ClearField("shape")), "has no shape"),
    "an integer input": (good(kind=INT64), "holds int64 values; supported: float16, float32 and float64"),
    "no batch axis": (good(shape=(4,)), "has shape (4,) without a batch axis"),
    "a fixed batch": (good(shape=(16, 4)), "a fixed batch of 16; export the model with a batch of 1"),
    "an open size": (good(shape=(1, "n")), "leaves sizes open; give input_shape"),
    "a size of zero": (good(shape=(1, 0, 4)), "sizes from 1 on"),
    "a negative size": (good(shape=(1, -4)), "sizes from 1 on"),
    "an enormous input": (good(shape=(1, 10**12)), "16777216 values at most"),
    "NaN in a weight": (weight_with(np.nan), "node `n_h` (MatMul) has a constant `w` with NaN or an infinite value"),
    "infinity in a weight": (weight_with(np.inf), "node `n_h` (MatMul) has a constant `w` with NaN or an infinite"),
    "a short tensor": (changed(tensor(raw_data=b"1234")), "needs 48 bytes, but 4 are stored; the file is damaged"),
    "a tensor without values": (changed(tensor(raw_data=b"", dims=[10**12])), "needs 4000000000000 bytes, but 0"),
    "a tensor that claims too much": (changed(tensor(dims=[10**6, 10**6])), "`w` has shape (1000000, 1000000), which"),
    "sizes that overflow": (changed(tensor(dims=[2**32, 2**32, 2**32])), "which needs 3169126500570573503741"),
    "a negative dimension": (changed(tensor(dims=[-4, -3])), "`w` has a negative size in its shape (-4, -3)"),
    "a tensor of strings": (changed(tensor(data_type=onnx.TensorProto.STRING)), "`w` holds string values"),
    "a tensor of no known type": (changed(tensor(data_type=77)), "`w` holds type 77 values"),
    "data outside of the folder": (external("../weights.bin"), "`../weights.bin`, outside the folder of the model"),
    "data at an absolute path": (external("/etc/passwd"), "`/etc/passwd`, outside the folder of the model"),
    "data in a missing file": (external("weights.bin"), "`weights.bin`, which does not exist; put it there"),
    "data in the folder itself": (external("."), "which does not exist"),
    "data nowhere": (external(""), "outside the folder of the model"),
    "data beyond the end": (external("net.onnx", offset="999999"), "does not hold 48 bytes at offset 999999"),
    "data of another length": (external("net.onnx", length="999"), "needs 48 bytes, but `net.onnx` does not hold 999"),
    "data at no offset": (external("net.onnx", offset="soon"), "external data that cannot be found"),
    "sparse weights": (changed(sparse), "sparse initializers are not supported"),
    "nodes out of order": (good(nodes=[RELU, MATMUL]), "node `n_y` (Relu) reads `h` before it is computed"),
    "a cycle": (
        good(nodes=[node("Add", ["x", "y"], "h"), RELU]),
        "node `n_h` (Add) reads `y` before it is computed; the nodes are not in order, or form a cycle",
    ),
    "a missing initializer": (good(arrays={}), "reads `w`, which is no input, initializer or output of a node"),
    "two nodes with one output": (good(nodes=[MATMUL, MATMUL, RELU]), "the tensor `h` is defined twice"),
    "an initializer that is computed": (good(arrays={"w": W, "h": W}), "the tensor `h` is defined twice"),
    "matrices that do not fit": (good(arrays={"w": W.T}), "tensors of shapes (1, 4) and (3, 4), which do not fit"),
    "a Gemm that does not fit": (
        single("Gemm", "x k0 k1", k=[W, np.ones(5, np.float32)]),
        "n_y` (Gemm) combines tensors",
    ),
    "channels that do not fit": (
        single("Conv", "x k0", IMAGE, k=[np.ones((1, 3, 2, 2), np.float32)]),
        "node `n_y` (Conv) meets a tensor of shape (1, 2, 4, 4) with a weight of shape (1, 3, 2, 2)",
    ),
    "a window larger than the image": (single("MaxPool", shape=IMAGE, kernel_shape=[5, 5]), "a window of 5 pixels"),
    "a window in the padding": (
        single("MaxPool", shape=IMAGE, kernel_shape=[1, 1], pads=[1, 1, 1, 1]),
        "lies entirely in the padding",
    ),
    "pooling with indices": (
        model([node("MaxPool", ["x"], ["y", "i"], kernel_shape=[2, 2])], IMAGE, output="i", out_kind=INT64),
        "second output `i` that is used",
    ),
    "a subgraph": (with_branch(), "(If) has a subgraph; supported: a fixed sequence of operators"),
    "a function": (with_function(), "(F) calls a function of the model"),
    "a foreign operator": (
        model([onnx.helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")], (1, 4)),
        "an operator of the domain `com.microsoft`",
    ),
    "an operator that does not exist": (single("Rleu"), "(Rleu) is no operator of ONNX opset 18"),
    "an operator of a later opset": (single("HardSwish", opset=13), "(HardSwish) is no operator of ONNX opset 13"),
    "a quantised operator": (
        single("QuantizeLinear", "x k0", k=[np.float32(1)]),
        "is quantised, which is not continuous",
    ),
    "a smooth operator": (single("Sigmoid"), "node `n_y` (Sigmoid) is not piecewise affine"),
    "a discontinuous operator": (single("Floor"), "node `n_y` (Floor) is not continuous"),
    "a random operator": (single("RandomNormalLike"), "(RandomNormalLike) draws random numbers"),
    "an operator without a place here": (
        single("Trilu", shape=(1, 4, 4)),
        "(Trilu) is not supported; supported: Abs, Add",
    ),
    "a square": (single("Mul", "x x"), "multiplies values that both depend on the input"),
    "a product of activations": (single("MatMul", "x x", (1, 4, 4)), "multiplies values that both depend on the input"),
    "a quotient": (single("Div", "k0 x", k=[np.float32(1)]), "divides by a value that depends on the input"),
    "division by zero": (single("Div", "x k0", k=[np.zeros(4, np.float32)]), "divides by zero"),
    "dropout in training": (
        single("Dropout", "x k0 k1", k=[np.float32(0.5), True]),
        "drops values at random (training_mode)",
    ),
    "normalisation in training": (
        single("BatchNormalization", "x k0 k0 k0 k0", training_mode=1, k=[np.ones(4, np.float32)]),
        "uses the statistics of the batch",
    ),
    "a negative variance": (
        single("BatchNormalization", "x k0 k0 k0 k1", k=[np.ones(4, np.float32), -np.ones(4, np.float32)]),
        "a variance that is not positive",
    ),
    "an unknown attribute": (single("Relu", alpha=0.5), "(Relu) has an unknown attribute `alpha`"),
    "an attribute of another kind": (single("LeakyRelu", alpha="x"), "(LeakyRelu) has a malformed attribute `alpha`"),
    "an attribute that is missing": (single("Concat"), "(Concat) lacks its attribute `axis`"),
    "too many inputs": (single("Relu", "x x"), "(Relu) has 2 inputs and 1 outputs, which is not valid"),
    "a weight that is an activation": (
        single("Conv", "x x", IMAGE),
        "that depends on the input; it must be a constant",
    ),
    "an index outside": (single("Gather", "x k0", k=[np.array([4])], axis=1), "an index outside 0..3 along axis 1"),
    "an axis outside": (single("Concat", axis=5), "has an axis 5, but its tensor has 2 axes"),
    "a shape of another size": (single("Reshape", "x k0", k=[np.array([16, -1, 3])]), "has another number of entries"),
    "an enormous activation": (
        single("Expand", "x k0", k=[np.array([10**12, 4])]),
        "makes a tensor of shape (10000000",
    ),
    "an enormous padding": (single("Pad", "x k0", k=[np.array([0, 10**12, 0, 0])]), "makes a tensor of shape (1, 1000"),
    "an enormous constant": (
        model([node("ConstantOfShape", ["k"], "c"), node("Add", ["x", "c"])], (1, 4), {"k": np.array([10**12])}),
        "makes a constant of 1000000000000 entries",
    ),
    "an enormous range": (
        model(
            [node("Range", ["a", "b", "c"], "r"), node("Add", ["x", "r"])],
            (1, 4),
            {"a": np.array(0), "b": np.array(10**13), "c": np.array(1)},
        ),
        "makes a constant of 10000000000000 entries",
    ),
    "constants that do not fit": (
        model([node("Add", ["a", "b"], "c"), node("Add", ["x", "c"])], (1, 4), {"a": np.ones(3), "b": np.ones(4)}),
        "node `n_c` (Add) has arguments of shapes [(3,), (4,)], which do not fit",
    ),
    "a convolution without end": (
        single("Conv", "x k0", IMAGE, k=[np.ones((1, 2, 1, 1), np.float32)], pads=[10**6] * 4),
        "has 4000016000016 connections; supported: 134217728 at most",
    ),
    "linear interpolation": (
        single("Resize", "x  k0", IMAGE, mode="linear", k=[np.array([1, 1, 2, 2], np.float32)]),
        "has the mode 'linear'; supported: nearest",
    ),
    "a scale that rounding decides": (
        single("Resize", "x  k0", (1, 1, 1, 10), k=[np.array([1, 1, 1, 0.7], np.float32)]),
        "at which rounding decides about neighbours",
    ),
    "a cast that rounds": (single("Cast", to=onnx.TensorProto.FLOAT16), "converts float to float16, which rounds"),
    "a cast to integers": (single("Cast", to=INT64), "converts float to int64, which rounds and is not continuous"),
    "a decision in the middle": (
        model([node("ArgMax", ["x"], "a", axis=1), node("Cast", ["a"], to=FLOAT)], (1, 4)),
        "(ArgMax) is not continuous; supported: as the last operation",
    ),
    "several decisions": (single("ArgMax", shape=(1, 2, 4), axis=2), "makes several decisions; supported: one"),
    "a name of several lines": (model([node("Tanh", ["x"], "y\n\ny")], (1, 4), output="y\n\ny"), "node `n_y y` (Tanh)"),
}


@pytest.mark.parametrize("case", ONNX.values(), ids=list(ONNX))
def test_onnx_files(capsys: pytest.CaptureFixture[str], tmp_path: Path, case: tuple[Any, str]) -> None:
    build, says = case
    path = tmp_path / "net.onnx"
    if callable(build):
        path.write_bytes(build(tmp_path))
    else:
        path.write_bytes(build.SerializeToString())
    tracemalloc.start()
    try:
        said = sentence_of(capsys, "count", str(path), "--box", "-1", "1")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert says in said
    assert str(path) in said
    assert most < 2**28


def test_onnx_without_its_package(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = save(good(), tmp_path)
    for name in [name for name in sys.modules if name.startswith("regionenum.network.from_onnx.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert "pip install 'regionenum[onnx]'" in sentence_of(capsys, "count", str(path), "--box", "-1", "1")


@pytest.mark.parametrize("seed", range(8))
def test_corrupted_onnx_files(tmp_path: Path, seed: int) -> None:
    """A file with random bytes changed is read or refused, and nothing else happens."""
    rng = np.random.default_rng(seed)
    content = good().SerializeToString()
    for _ in range(25):
        damaged = bytearray(content)
        for position in rng.integers(0, len(damaged), 3):
            damaged[position] = rng.integers(256)
        path = tmp_path / "net.onnx"
        path.write_bytes(damaged)
        refused = None
        try:
            rn.load(path)
        except rn.InputError as error:
            refused = str(error)
        assert refused is None or ("\n" not in refused and str(path) in refused)
