"""Loading files of torch.export.save, and modules from a factory with a state_dict."""

from __future__ import annotations

import json
import pickle
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from regionenum.errors import InputError
from regionenum.network.from_torch.factory import load_factory
from regionenum.network.from_torch.load import load_program
from regionenum.network.load import load
from tests.torch_cases import AFFINE, MOVEMENT, UNITS
from tests.torch_models import Function, batch_norm
from tests.torch_networks import NETWORKS, Cnn

torch.set_num_threads(1)


def saved(module: nn.Module, x: torch.Tensor, path: Path, *, decomposed: bool = False, **options: Any) -> Path:
    program = torch.export.export(module.eval(), (x,), strict=False, **options)
    if decomposed:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch's own, about its trees
            program = program.run_decompositions()
    torch.export.save(program, path)
    return path


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    **{k: (AFFINE | MOVEMENT | UNITS)[k] for k in (
        "Linear", "Conv2d {'padding': 'same', 'dilation': 2}", "BatchNorm2d", "AdaptiveAvgPool2d", "einsum", "split",
        "index with a mask", "pad with a value", "where with a number", "Hardsigmoid", "clamp_min", "max over an axis",
        "MaxPool2d {}", "AdaptiveMaxPool2d", "PixelShuffle", "abs in place", "repeat_interleave by a tensor",
    )},
    **{name: case[:2] for name, case in NETWORKS.items()},
}  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", CASES)
def test_a_program_is_its_module(tmp_path: Path, case: str, dtype: torch.dtype) -> None:
    make, shape = CASES[case]
    torch.manual_seed(0)
    module, x = make().to(dtype).eval(), torch.ones(1, *shape, dtype=dtype)
    network = load_program(saved(module, x, tmp_path / "a.pt2"))
    assert network.input_shape == shape
    assert network.hash == load(module, x).hash


def test_constants_and_conversions_follow_the_precision_of_the_program(tmp_path: Path) -> None:
    def function(m: Any, x: torch.Tensor) -> torch.Tensor:
        return m.fc(x).to(torch.float32) + torch.full((3,), 0.1, dtype=torch.float32)

    torch.manual_seed(0)
    module, x = Function(function, fc=nn.Linear(4, 3)), torch.ones(1, 4)
    network = load_program(saved(module, x, tmp_path / "a.pt2"))
    expected = module.fc.double()(x.double()) + 0.1
    np.testing.assert_allclose(network.forward(x.numpy()), expected.detach().numpy(), rtol=1e-14)
    with pytest.raises(InputError, match=r"converts to torch\.float16, which is not affine"):
        load_program(saved(Function(lambda x: x.to(torch.float16)), x, tmp_path / "b.pt2"))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("decomposed", [False, True])
def test_dynamic_batches_and_decompositions(tmp_path: Path, batch: int, decomposed: bool) -> None:
    class Reshaping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(1, 2, 2), batch_norm(nn.BatchNorm2d(2))
            self.fc = nn.Linear(8, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.relu(self.norm(self.conv(x)))
            return self.fc(y.view(x.shape[0], -1)) * 0.1

    torch.manual_seed(0)
    module = Reshaping().eval()
    options = {"dynamic_shapes": ({0: torch.export.Dim.AUTO},)} if batch > 1 else {}
    path = saved(module, torch.ones(batch, 1, 3, 3), tmp_path / "a.pt2", decomposed=decomposed, **options)
    network, expected = load_program(path), load(module, torch.ones(1, 1, 3, 3))
    points = np.random.default_rng(0).normal(size=(5, 9))
    np.testing.assert_allclose(network.forward(points), expected.forward(points), rtol=1e-12)
    assert network.layers[0].name == expected.layers[0].name == "relu"


# Files that are refused -----------------------------------------------------------------------------------------------


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None], extra: dict[str, bytes] | None = None) -> Path:
    """The file with every member changed; None leaves one out."""
    with zipfile.ZipFile(path) as file:
        members = {name: change(name, file.read(name)) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, content in {**members, **(extra or {})}.items():
            if content is not None:
                file.writestr(name, content)
    return path


def edited(change: Callable[[dict[str, Any]], None], member: str = "models/model.json") -> Callable[[Path], Path]:
    """The file with changed JSON."""

    def apply(name: str, content: bytes) -> bytes:
        if not name.endswith(member):
            return content
        data = json.loads(content)
        change(data)
        return json.dumps(data).encode()

    return lambda path: rewritten(path, apply)


def first_node(key: str, value: Any) -> Callable[[Path], Path]:
    return edited(lambda model: model["graph_module"]["graph"]["nodes"][0].update({key: value}))


def without(part: str) -> Callable[[Path], Path]:
    return lambda path: rewritten(path, lambda name, content: None if part in name else content)


def truncated(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def shortened_weights(path: Path) -> Path:
    return rewritten(path, lambda name, content: content[:8] if "/weights/weight_" in name else content)


def text(path: Path) -> Path:
    path.write_text("not a program")
    return path


def missing(path: Path) -> Path:
    path.unlink()
    return path


def directory(path: Path) -> Path:
    path.unlink()
    path.mkdir()
    return path


SAVE = "save the program again"
CHANGED = "is damaged or was changed by hand"
BAD_FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (missing, "cannot be read (No such file or directory); give the path of a .pt2 file"),
    "directory": (directory, "cannot be read (Is a directory); give the path of a .pt2 file"),
    "text": (text, f"is not a file of torch.export.save, or is damaged; {SAVE}"),
    "truncated": (truncated, f"is not a file of torch.export.save, or is damaged; {SAVE}"),
    "weights": (shortened_weights, f"{CHANGED} (RuntimeError: setStorage: "),
    "no model": (without("models/"), "holds 0 programs; give a file that torch.export.save wrote"),
    "no weights": (without("/weights/weight_0"), f"{CHANGED} (KeyError: "),
    "no list": (without("weights_config"), "lacks its list of weights; save it again with torch 2.9 or later"),
    "version": (
        edited(lambda model: model["schema_version"].update(major=99)),
        "has version 99 of the format, and 8 is read; save it again with a torch that regionenum knows",
    ),
    "no graph": (edited(lambda model: model.pop("graph_module")), f"{CHANGED} (KeyError: 'graph_module')"),
    "pickled weight": (
        edited(lambda config: config["config"]["0.weight"].update(use_pickle=True), "weights_config.json"),
        "holds `0.weight` as a pickled object, which could run code; save a program of plain tensors",
    ),
    "python": (
        first_node("target", "torch.hub.load"),
        "the program calls `torch.hub.load`, which is not supported; use operations of torch itself",
    ),
    "builtin": (first_node("target", "_operator.attrgetter"), "the program calls `_operator.attrgetter`, which"),
    "from_file": (first_node("target", "torch.ops.aten.from_file.default"), "the program calls `torch.ops.aten.from_f"),
    "no such operation": (first_node("target", "torch.ops.aten.nothing.default"), "the program calls `torch.ops.aten.n"),
    "unknown node": (
        first_node("inputs", [{"name": "input", "arg": {"as_tensor": {"name": "nobody"}}, "kind": 1}]),
        f"{CHANGED} (KeyError: 'nobody')",
    ),
    "unknown argument": (
        first_node("inputs", [{"name": "input", "arg": {"as_graph": {}}, "kind": 1}]),
        "the program has an argument of kind as_graph, which is not supported; use plain tensors",
    ),
    "older": (
        lambda path: rewritten(path, lambda name, content: content, {"serialized_exported_program.json": b"{}"}),
        "was saved in an older format of torch.export; save it again with torch 2.9 or later",
    ),
    "byte order": (
        lambda path: rewritten(path, lambda name, content: b"big" if name.endswith("byteorder") else content),
        "was saved on a machine with another byte order; save it again on this kind of machine",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FILES)
def test_files_that_cannot_be_read(tmp_path: Path, case: str) -> None:
    spoil, sentence = BAD_FILES[case]
    path = spoil(saved(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), torch.ones(1, 3), tmp_path / "a.pt2"))
    with pytest.raises(InputError) as caught:
        load_program(path)
    assert str(caught.value).startswith(f"`{path}`: {sentence}")
    assert "\n" not in str(caught.value)


def test_nothing_in_a_file_is_unpickled(tmp_path: Path) -> None:
    """The pickled example in the file would write another file if it were loaded."""

    class Trap:
        def __reduce__(self) -> Any:
            return (Path.write_text, (tmp_path / "trap", "sprung"))

    path = saved(nn.Linear(3, 2), torch.ones(1, 3), tmp_path / "a.pt2")
    rewritten(path, lambda name, content: pickle.dumps(Trap()) if "sample_inputs" in name else content)
    assert load_program(path).n_out == 2
    assert not (tmp_path / "trap").exists()


class Two(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x + y


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("n", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.n += 1
        return torch.relu(x)


def test_programs_that_are_no_networks(tmp_path: Path) -> None:
    path = tmp_path / "a.pt2"

    def refused() -> str:
        with pytest.raises(InputError) as caught:
            load_program(path)
        return str(caught.value).removeprefix(f"`{path}`: ")

    torch.export.save(torch.export.export(Two(), (torch.ones(1, 2), torch.ones(1, 2)), strict=False), path)
    assert refused() == "the program takes 2 inputs; supported: one input tensor"
    saved(nn.Linear(3, 2), torch.ones(4, 3), path)
    assert refused() == (
        "the program was exported for batches of 4 samples; export it with an example of one sample, or with a dynamic "
        "batch axis"
    )
    saved(Counting(), torch.ones(1, 3), path, decomposed=True)
    assert refused() == "the program changes a buffer of the module; the forward pass must leave it as it is"
    saved(Counting(), torch.ones(1, 3), path)
    assert refused() == "`add_` (add_) changes a buffer of the module; the forward pass must leave it as it is"
    saved(nn.Sequential(nn.Linear(3, 2), nn.GELU()), torch.ones(1, 3), path)
    assert refused() == "`1` (GELU) is not piecewise affine; use ReLU or LeakyReLU instead"
    saved(Function(lambda x: (x, 2 * x)), torch.ones(1, 3), path)
    assert refused() == "the module returns 2 tensors; supported: one output tensor"
    saved(Function(lambda x: x + 1), torch.ones(1, 3, dtype=torch.int64), path)
    assert refused() == "the program takes torch.int64; supported: real numbers"


# Factories ------------------------------------------------------------------------------------------------------------

FACTORIES = """
import torch
from torch import nn

def make():
    return nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.ReLU(), nn.Linear(4, 2))

def needs(n): return nn.Linear(n, n)
def number(): return 3
def tanh(): return nn.Tanh()
value = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_models.py").write_text(FACTORIES)
    (tmp_path / "my_broken.py").write_text("raise ValueError('no\\nluck')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_models", raising=False)
    return tmp_path


def test_a_factory_with_and_without_weights(folder: Path) -> None:
    before, state = list(sys.path), torch.get_rng_state()
    network = load_factory("my_models:make", None, (3,))
    assert network.hash == load_factory("my_models:make", None, (3,)).hash
    assert (sys.path, network.input_shape) == (before, (3,))
    assert torch.equal(torch.get_rng_state(), state)
    module = sys.modules["my_models"].make()
    torch.save(module.state_dict(), folder / "weights.pt")
    assert (
        load_factory("my_models:make", folder / "weights.pt", (3,)).hash == load(module.eval(), torch.ones(1, 3)).hash
    )


def tensors(path: Path) -> None:
    torch.save(nn.Linear(3, 2).state_dict(), path)


def whole_module(path: Path) -> None:
    torch.save(Cnn(), path)


def checkpoint(path: Path) -> None:
    torch.save({"state_dict": nn.Linear(3, 2).state_dict(), "epoch": 3}, path)


def cut(path: Path) -> None:
    tensors(path)
    path.write_bytes(path.read_bytes()[:200])


def nothing(path: Path) -> None:
    pass


BAD_FACTORIES: dict[str, tuple[str, Callable[[Path], None] | None, str]] = {
    "form": ("make", None, "`make` is not of the form package.module:function; write for example "),
    "module": (
        "my_absent:make", None,
        "`my_absent:make` cannot be imported (No module named 'my_absent'); install it, or start in the folder that "
        "holds it",
    ),
    "broken": ("my_broken:make", None, "`my_broken:make` cannot be imported (ValueError: no luck); mend the module"),
    "function": (
        "my_models:other", None,
        "`my_models:other` has no such function; give the name of a function in `my_models` that makes the module",
    ),
    "value": ("my_models:value", None, "`my_models:value` is a int, no function; give the name of a function in "),
    "arguments": (
        "my_models:needs", None,
        "`my_models:needs` fails when it is called without arguments (needs() missing 1 required positional argument: "
        "'n'); mend the function",
    ),
    "result": ("my_models:number", None, "`my_models:number` gives a int; it must return a torch.nn.Module"),
    "operation": ("my_models:tanh", None, "`tanh` (Tanh) is not piecewise affine; use Hardtanh instead"),
    "keys": (
        "my_models:make", tensors,
        '`weights.pt` does not fit the module (Error(s) in loading state_dict for Sequential: Missing key(s) in ',
    ),
    "module in the file": ("my_models:make", whole_module, "`weights.pt` holds more than tensors, which could run code"),
    "checkpoint": (
        "my_models:make", checkpoint,
        "`weights.pt` holds no state_dict of tensors; write it with torch.save(model.state_dict(), path)",
    ),
    "damaged": ("my_models:make", cut, "`weights.pt` is no file of torch.save, or is damaged ("),
    "absent": (
        "my_models:make", nothing,
        "`weights.pt` cannot be read (No such file or directory); give a file of torch.save",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FACTORIES)
def test_factories_that_fail(folder: Path, case: str) -> None:
    spec, write, sentence = BAD_FACTORIES[case]
    if write is not None:
        write(Path("weights.pt"))
    with pytest.raises(InputError) as caught:
        load_factory(spec, None if write is None else Path("weights.pt"), (3,))
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(), (0,), (3, -1)])
def test_shapes_are_positive(folder: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="give the positive sizes of one input"):
        load_factory("my_models:make", None, shape)
