"""Malformed files of other kinds than ONNX: one sentence that names the place and the mend, exit code 2, no traceback."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regionenum.cli.doctor import star_network
from regionenum.network.storage import save_npz
from tests.malformed import sentence_of

Build = Callable[[Path], Any]


def npz_of(**changes: Any) -> Build:
    def build(folder: Path) -> bytes:
        save_npz(star_network(), folder / "star.npz")
        with np.load(folder / "star.npz") as stored:
            arrays = dict(stored) | changes
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        return buffer.getvalue()

    return build


def npz_claiming(size: int) -> Build:
    """An array of so many values in its header, and none in its body."""

    def build(folder: Path) -> bytes:
        header, buffer = io.BytesIO(), io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (size,)})
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("header.npy", header.getvalue())
        return buffer.getvalue()

    return build


FILES: dict[str, tuple[str, Build, str]] = {
    "an empty npz": ("a.npz", lambda _: b"", "is not a network file"),
    "a zip of something else": ("a.npz", npz_of(header=np.zeros(3)), "is not a network file"),
    "half an npz": ("a.npz", lambda f: npz_of()(f)[:100], "is damaged or incomplete"),
    "an npz with NaN": ("a.npz", npz_of(**{"0.bias": np.full(2, np.nan)}), "is damaged or incomplete"),
    "an npz with other weights": ("a.npz", npz_of(**{"0.bias": np.ones(2)}), "`"),
    "an npz that claims too much": ("a.npz", npz_claiming(10**12), "is damaged or incomplete"),
    "a pickle": ("a.pkl", lambda _: b"\x80\x04N.", "is a pickle, which is never opened"),
    "a checkpoint": ("a.pth", lambda _: b"", "holds weights without the model, or code"),
    "TorchScript": ("a.pt", lambda _: b"", "give package.module:function that makes the model"),
    "safetensors": ("a.safetensors", lambda _: b"", "holds weights without the model; load them into the module"),
    "a Keras file": ("a.h5", lambda _: b"", "convert it to .onnx"),
    "no suffix": ("model", lambda _: b"", "unknown kind of file; supported: a torch.nn.Module with an example_input"),
}


@pytest.mark.parametrize("case", FILES.values(), ids=list(FILES))
def test_other_files(capsys: pytest.CaptureFixture[str], tmp_path: Path, case: tuple[str, Build, str]) -> None:
    name, build, says = case
    path = tmp_path / name
    path.write_bytes(build(tmp_path))
    said = sentence_of(capsys, "count", str(path), "--box", "-1", "1")
    assert says in said
    assert str(path) in said


@pytest.mark.parametrize("suffix", ["npz", "onnx"])
def test_missing_files_and_folders(capsys: pytest.CaptureFixture[str], tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    assert "cannot be read (No such file" in sentence_of(capsys, "count", str(path), "--box", "-1", "1")
    path.mkdir()
    assert "cannot be read (Is a directory)" in sentence_of(capsys, "count", str(path), "--box", "-1", "1")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"hello"])
def test_torch_programs(capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "a.pt2"
    path.write_bytes(content)
    assert str(path) in sentence_of(capsys, "count", str(path), "--box", "-1", "1")
