"""ONNX files: constants, types, sizes, external data, and the comparison with the reference evaluator."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx

import regionenum as rn
from regionenum.cli import main
from regionenum.network.from_onnx import operations as onnx_ops
from regionenum.network.from_onnx.load import load_onnx
from tests.onnx_models import (
    Drawing,
    agrees,
    f32,
    ints,
    model,
    node,
    points,
    runtime,
    save,
)

normal = Drawing(10)


def test_weights_are_read_exactly(tmp_path: Path) -> None:
    w, b = normal(3, 4), normal(3)
    proto = model([node("Gemm", ["x", "w", "b"], "h", transB=1), node("Relu", ["h"])], (1, 4), {"w": w, "b": b})
    (layer,) = load_onnx(save(proto, tmp_path)).layers
    np.testing.assert_array_equal(layer.weight, w.astype(np.float64))
    np.testing.assert_array_equal(layer.bias, b.astype(np.float64))
    assert layer.name == "n_y"


def test_shapes_and_constants_are_computed(tmp_path: Path) -> None:
    """What exporters write for x.view(x.shape[0], -1), and weights that come out of other constants."""
    nodes = [
        node("Shape", ["x"], "shape"),
        node("Constant", [], "zero", value_int=0),
        node("Gather", ["shape", "zero"], "batch", axis=0),
        node("Constant", [], "front", value_ints=[0]),
        node("Unsqueeze", ["batch", "front"], "first"),
        node("Constant", [], "rest", value=onnx.numpy_helper.from_array(ints(-1))),
        node("Concat", ["first", "rest"], "wanted", axis=0),
        node("Reshape", ["x", "wanted"], "flat"),
        node("Transpose", ["w"], "turned"),
        node("Mul", ["turned", "two"], "weight"),
        node("MatMul", ["flat", "weight"], "h"),
        node("ConstantOfShape", ["size"], "ones", value=onnx.numpy_helper.from_array(f32(1.0))),
        node("Add", ["h", "ones"], "c"),
        node("Relu", ["c"]),
    ]
    arrays = {"w": normal(3, 8), "two": f32(2.0), "size": ints(3)}
    agrees(model(nodes, ("n", 2, 4), arrays), tmp_path, (2, 4))


def test_a_decision_is_the_maximum(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], "h"), node("ArgMax", ["h"], axis=1)]
    path = save(model(nodes, (1, 4), {"w": normal(4, 3)}, out_kind=onnx.TensorProto.INT64), tmp_path)
    network = load_onnx(path)
    x = points((4,))
    np.testing.assert_array_equal(network.pattern(x), runtime(path, x))
    assert network.n_out == 1


def test_an_input_that_is_an_initializer_is_a_constant(tmp_path: Path) -> None:
    proto = model([node("MatMul", ["x", "w"], "h"), node("Relu", ["h"])], (1, 4), {"w": normal(4, 6)})
    proto.graph.input.append(onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, (4, 6)))
    agrees(proto, tmp_path, (4,))


def test_nodes_that_the_output_does_not_need_are_not_read(tmp_path: Path) -> None:
    nodes = [node("Relu", ["x"]), node("Sigmoid", ["x"], "unused")]
    assert len(load_onnx(save(model(nodes, (1, 4)), tmp_path)).layers) == 1


@pytest.mark.parametrize("kind", [onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16])
def test_other_precisions(tmp_path: Path, kind: int) -> None:
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    w = normal(4, 6).astype(dtype)
    nodes = [node("MatMul", ["x", "w"], "h"), node("Relu", ["h"], "r"), node("Cast", ["r"], to=onnx.TensorProto.DOUBLE)]
    network = load_onnx(save(model(nodes, (1, 4), {"w": w}, kind=kind, out_kind=onnx.TensorProto.DOUBLE), tmp_path))
    np.testing.assert_array_equal(network.layers[0].weight, w.T.astype(np.float64))


def test_open_sizes_are_given(tmp_path: Path) -> None:
    proto = model([node("GlobalMaxPool", ["x"])], ("n", 2, "h", "w"))
    agrees(proto, tmp_path, (2, 3, 4), input_shape=(2, 3, 4))
    with pytest.raises(rn.InputError, match="leaves sizes open; give input_shape"):
        rn.load(tmp_path / "net.onnx")
    with pytest.raises(rn.InputError, match=r"to which input_shape \(3, 3, 4\) does not fit"):
        rn.load(tmp_path / "net.onnx", input_shape=(3, 3, 4))


def test_external_data_beside_the_model(tmp_path: Path) -> None:
    w = normal(4, 6)
    proto = model([node("MatMul", ["x", "w"], "h"), node("Relu", ["h"])], (1, 4), {"w": w})
    path = tmp_path / "net.onnx"
    onnx.save(proto, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    np.testing.assert_array_equal(load_onnx(path).layers[0].weight, w.T.astype(np.float64))


def test_torch_is_not_imported(tmp_path: Path) -> None:
    path = save(model([node("Relu", ["x"])], (1, 4)), tmp_path)
    code = f"import sys, regionenum as rn; rn.load({str(path)!r}); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_the_reference_cannot_judge_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    options: dict[str, Any] = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    proto = model([node("Resize", ["x", "", "s"], **options)], (1, 1, 2, 2), {"s": f32(1, 1, 2, 2)})
    load_onnx(save(proto, tmp_path))
    assert "not compared with onnx's reference evaluator, which is unreliable for node `n_y` (Resize)" in caplog.text


def test_a_network_that_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(onnx_ops.OPERATIONS, "Relu", onnx_ops.OPERATIONS["Abs"])
    with pytest.raises(rn.InputError, match=r"differs from onnx's reference evaluator by .*; please report the model"):
        load_onnx(save(model([node("Relu", ["x"])], (1, 4)), tmp_path))


def test_a_run_does_not_need_its_model_again(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The run directory holds the network: the ONNX file may be gone when the run is resumed."""
    rng = np.random.default_rng(0)
    arrays = {"w": rng.standard_normal((4, 12)).astype(np.float32), "b": rng.standard_normal(12).astype(np.float32)}
    path = save(model([node("Gemm", ["x", "w", "b"], "h"), node("Relu", ["h"])], (1, 4), arrays), tmp_path)
    assert main(["count", str(path), "--box", "-1", "1", "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)["count"]
    out = tmp_path / "run"
    first = main(
        ["count", str(path), "--box", "-1", "1", "--out", str(out), "--record", "regions", "--time-limit", "0"]
    )
    assert first == 75
    assert json.loads((out / "config.json").read_text())["model"] == str(path)
    path.unlink()
    capsys.readouterr()
    assert main(["resume", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["count"] == whole
