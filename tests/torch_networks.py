"""Torch networks that branch, share modules, and work in place."""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from tests.torch_models import (
    batch_norm,
)


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 3, 3, padding=1, bias=False),
            batch_norm(nn.BatchNorm2d(3)),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )
        self.block = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 2), nn.LeakyReLU(0.1)), nn.AvgPool2d(2), nn.Dropout())
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        x = torch.flatten(self.block(self.features(x)), 1)
        x = F.relu(x)
        return self.head(F.max_pool1d(x.unsqueeze(1), 1).squeeze(1))


class ResNet(nn.Module):
    """Two basic blocks, the second with a projection, as in torchvision: in-place ReLUs and additions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 1, 2), batch_norm(nn.BatchNorm2d(1))
        self.conv2, self.bn2 = nn.Conv2d(1, 1, 3, padding=1), batch_norm(nn.BatchNorm2d(1))
        self.conv3, self.conv4, self.down = nn.Conv2d(1, 2, 2), nn.Conv2d(2, 2, 1), nn.Conv2d(1, 2, 2)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(x))
        y += x
        x = self.relu(y)
        y = self.conv4(self.relu(self.conv3(x)))
        y += self.down(x)
        return self.fc(self.relu(y).mean((2, 3)))


class DenseNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Sequential(nn.ReLU(), nn.Linear(3 + 2 * k, 2)) for k in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = [x]
        for layer in self.layers:
            found.append(layer(torch.cat(found, 1)))
        return torch.cat(found, 1)


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = nn.Conv1d(1, 1, 3, padding=1), nn.Conv1d(1, 2, 3, padding=1)
        self.pool, self.up = nn.MaxPool1d(2), nn.ConvTranspose1d(2, 1, 2, stride=2)
        self.last = nn.Conv1d(2, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = F.relu(self.down1(x))
        b = F.relu(self.down2(self.pool(a)))
        return F.relu(self.last(torch.cat([a, self.up(b)], 1)))


class Inception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.three = nn.Conv1d(1, 1, 1), nn.Conv1d(1, 1, 3, padding=1)
        self.reduce, self.pool = nn.Conv1d(1, 1, 1), nn.MaxPool1d(3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([F.relu(self.one(x)), F.relu(self.three(F.relu(self.reduce(x)))), self.pool(x)], 1)


class Cells(nn.Module):
    """An S-cell adds what its inputs share, a C-cell takes the largest of shifted copies (neocognitron)."""

    def __init__(self) -> None:
        super().__init__()
        self.excite, self.inhibit = nn.Conv1d(1, 2, 2), nn.Conv1d(1, 2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        s = F.relu(self.excite(x) - self.inhibit(x).abs())
        return torch.maximum(s, torch.roll(s, 1, 2)).amax(1)


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.act = nn.Linear(2, 2), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(3):
            x = x + self.act(self.fc(x))
        return x


class Mixed(nn.Module):
    """In-place ReLU of a tensor that is used before and after, through the same name."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.fc(x)
        before = 2 * y
        after = F.relu_(y)
        return before + after + y


def network_in_network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Conv2d(2, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], list[tuple[str, int]]]] = {
    "ResNet": (ResNet, (1, 3, 3), [("relu", 4), ("relu@1", 4), ("relu@2", 6), ("relu@3", 2), ("fc", 2)]),
    "DenseNet": (DenseNet, (3,), [("layers.0.0", 6), ("layers.1.0", 10), ("layers.2.0", 14), ("cat_3", 9)]),
    "U-Net": (UNet, (1, 4), [("relu", 4), ("pool", 6), ("relu_1", 8), ("relu_2", 4)]),
    "Inception": (Inception, (1, 4), [("relu", 8), ("relu_1", 12), ("relu_2", 12), ("pool", 12), ("cat", 12)]),
    "network in network": (network_in_network, (1, 3, 3), [("1", 8), ("3", 8), ("5", 8), ("7", 2)]),
    "S-cells and C-cells": (Cells, (1, 4), [("abs_1", 10), ("relu", 6), ("maximum", 6), ("amax", 3)]),
    "shared modules": (Shared, (2,), [("act", 4), ("act@1", 4), ("act@2", 4), ("add_2", 2)]),
    "in place, before and after": (Mixed, (3,), [("relu_", 6), ("add_1", 3)]),
}


class Tangled(nn.Module):
    """A random graph: every step reads values of any age."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.seed, self.fc = seed, nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        draw = random.Random(self.seed)
        steps: list[Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = [
            lambda a, b: F.relu(a),
            lambda a, b: draw.choice(list(self.fc))(a),
            lambda a, b: a - 0.5 * b,
            lambda a, b: torch.maximum(a, b),
            lambda a, b: torch.cat([a[:, 2:], b.chunk(2, 1)[0]], 1),
            lambda a, b: torch.stack([a, b.flip(1)], 1).max(1).values,
            lambda a, b: a.view(2, 2).clamp(-1, 0.7).view(1, 4),
            lambda a, b: (a + b).relu_() + a.sum(1, keepdim=True),
            lambda a, b: (a * 1.5).add_(b).abs_(),
            lambda a, b: F.max_pool1d(a.unsqueeze(1), 3, 1, 1).squeeze(1),
        ]
        pool = [x]
        for _ in range(draw.randint(4, 12)):
            pool.append(draw.choice(steps)(draw.choice(pool), draw.choice(pool)))
        return torch.cat(pool[-draw.randint(1, 4) :], 1)
