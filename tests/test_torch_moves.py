"""Torch operations that move entries, alone and inside networks."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from regionenum.network.load import load
from tests.torch_cases import MOVEMENT
from tests.torch_models import (
    Function,
    check_affine,
    points,
    seeded,
    torch_outputs,
)

MODULES = {
    "Flatten": nn.Flatten(),
    "Unflatten": nn.Unflatten(1, (1, 2)),
    "Identity": nn.Identity(),
    "Dropout": nn.Dropout(0.9),
    "Dropout2d": nn.Dropout2d(0.9),
    "ZeroPad2d": nn.ZeroPad2d((1, 0, 2, -1)),
    "ConstantPad2d": nn.ConstantPad2d(1, 3.5),
    "reflection": nn.ReflectionPad2d(1),
    "replication": nn.ReplicationPad2d(1),
    "view": Function(lambda x: x.view(x.shape[0], -1)),
    "reshape": Function(lambda x: x.reshape(1, 3, 8)),
    "squeeze": Function(lambda x: x[:, :1].squeeze(1).unsqueeze(-1).squeeze()),
    "permute": Function(lambda x: x.permute(0, 3, 1, 2).contiguous()),
    "transpose": Function(lambda x: x.transpose(1, -1).flatten(2)),
    "slice": Function(lambda x: x[:, 1, ::2, 1:].flip(-1)),
    "narrow": Function(lambda x: torch.narrow(x, 2, 1, 2).clone()),
    "expand": Function(lambda x: x[:, :1].expand(-1, 4, -1, -1).repeat(1, 1, 2, 1)),
    "dropout": Function(lambda x: F.dropout(x, 0.5, training=False).double()),
}


@pytest.mark.parametrize("case", MODULES)
def test_movement_is_exact(case):
    module = MODULES[case].eval()
    network = load(module, torch.ones(1, 2, 3, 4, dtype=torch.float64))
    x = points((2, 3, 4))
    np.testing.assert_array_equal(network.forward(x.numpy()), torch_outputs(module, x))
    assert network.unit_layers == ()
    if case in ("Flatten", "Identity", "Dropout", "Dropout2d", "view", "reshape", "dropout", "Unflatten"):
        assert network.layers == ()


@pytest.mark.parametrize("case", MOVEMENT)
def test_operations_that_move_entries(case: str) -> None:
    make, shape = MOVEMENT[case]
    check_affine(seeded(make), shape)
