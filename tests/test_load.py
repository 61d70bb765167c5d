"""The door: kinds of models, and when torch is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from regionenum.errors import InputError
from regionenum.network.load import SUPPORTED as KINDS
from regionenum.network.load import load
from regionenum.network.storage import save_npz


def test_load_paths(tmp_path):
    network = load(nn.Linear(4, 3).eval(), torch.ones(1, 4))
    assert load(network) is network
    save_npz(network, tmp_path / "net.npz")
    assert load(tmp_path / "net.npz").hash == network.hash
    assert load(str(tmp_path / "net.npz")).hash == network.hash
    with pytest.raises(InputError) as caught:
        load("model.xyz")
    assert str(caught.value) == f"`model.xyz`: unknown kind of file; supported: {KINDS}"
    with pytest.raises(InputError) as caught:
        load(lambda x: x)
    assert str(caught.value) == f"cannot load a function; supported: {KINDS}"
    with pytest.raises(InputError) as caught:
        load("missing.npz")
    assert (
        str(caught.value) == "`missing.npz` cannot be read (No such file or directory); give the path of a network file"
    )


def test_torch_is_not_imported_until_a_module_is_loaded():
    code = "import sys, regionenum.network.load as d; d.load(d.Network((), (2,))); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
