"""The networks of a study, one `Entry` each, in the order of its table; and who takes which of them.

Networks that differ by their epoch only are one training, looked at several times; they form a group and are never
given to two parts. Part i of n has the groups i, i + n, ... (counted from 1).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from regionenum.errors import InputError
from regionenum.network.load import is_factory
from regionenum.study.architecture import Architecture, fitted, n_parameters
from regionenum.study.description import Given, Study, several, window

SHAPES: dict[str, tuple[tuple[int, ...], int]] = {
    "iris": ((4,), 3),
    "wine": ((13,), 3),
    "cancer": ((30,), 2),
    "digits": ((64,), 10),
}
"""Shape of one input, and number of classes, of each data set."""

IMAGES = {"digits": (1, 8, 8)}
"""Shape of one input for convolutions."""


_READ_WITH = ("file", "state", "input_shape", "relu_after_pooling", "argmax")
"""What a given network depends on; the rest are labels."""


@dataclass(frozen=True)
class Made:
    """A network that the study makes.

    Attributes
    ----------
    architecture : with its final sizes
    input_shape, n_out : inputs and outputs
    data : what it is trained on, or None
    seed : of its weights, and of the order of the samples
    epoch : how far it is trained
    asked : the number of parameters that it was scaled to, if any
    """

    architecture: Architecture
    input_shape: tuple[int, ...]
    n_out: int
    data: str | None
    seed: int
    epoch: int
    asked: int | None

    @property
    def n_parameters(self) -> int:
        """Weights and biases."""
        return n_parameters(self.architecture, self.input_shape, self.n_out)

    @property
    def name(self) -> str:
        """For folders: what it is, with seed and epoch at the end."""
        said = [self.data, None if self.asked is None else f"p{self.asked}", str(self.architecture), f"s{self.seed}"]
        return "-".join([part for part in said if part] + ([f"e{self.epoch}"] if self.data else []))


@dataclass(frozen=True)
class Entry:
    """One network of a study: one run, and one row of the table.

    Attributes
    ----------
    study : the study it belongs to
    source : what the network is, or where it is read
    name : for people
    """

    study: Study
    source: Made | Given
    name: str

    @cached_property
    def key(self) -> str:
        """Name and a hash of all that the run depends on: of the network, the domain, and what is recorded."""
        study = self.study
        said: dict[str, Any] = {"domain": study.domain, "record": str(study.study.record), "exact": study.study.exact}
        return f"{self.name}-{_digest(said | self._network())}"

    @cached_property
    def network_key(self) -> str:
        """Name and a hash of all that the network depends on."""
        return f"{self.name}-{_digest(self._network())}"

    def _network(self) -> dict[str, Any]:
        if isinstance(self.source, Given):
            return {name: getattr(self.source, name) for name in _READ_WITH}
        made = {name: value for name, value in vars(self.source).items() if name not in ("architecture", "asked")}
        trained = {"train": self.study.train} if self.source.epoch else {}
        return {"architecture": vars(self.source.architecture), **made, **trained}

    @property
    def training(self) -> object:
        """Equal for the networks of one training."""
        if isinstance(self.source, Given):
            return self.key
        return self.source.architecture, self.source.data, self.source.seed, self.source.asked

    @property
    def data(self) -> str | None:
        """The data set that the network is measured with."""
        return self.source.data

    @property
    def run(self) -> Path:
        """The run directory."""
        return self.study.out / "runs" / self.key


def entries(study: Study) -> list[Entry]:
    """All networks of a study, in order; given ones first.

    Raises
    ------
    InputError
        If an architecture cannot be built, or two networks have one name.
    """
    found = [Entry(study, given, _given_name(given)) for given in study.network]
    found += [Entry(study, made, made.name) for made in _made(study)]
    names: set[str] = set()
    for entry in found:
        if entry.name in names:
            raise InputError(
                f"two networks are called {entry.name}; "
                + (
                    "give one of them another `name`"
                    if isinstance(entry.source, Given)
                    else "two shapes in `grid.widths` or `grid.channels` come to the same sizes: leave one out"
                )
            )
        names.add(entry.name)
    return found


def _made(study: Study) -> Iterator[Made]:
    grid = study.grid
    if grid is None:
        return
    seeds = list(range(grid.seeds)) if isinstance(grid.seeds, int) else grid.seeds
    for data, asked in itertools.product(several(grid.data), several(grid.parameters)):
        for architecture in _architectures(study):
            if data is None:
                shape, n_out = tuple(several(grid.inputs)), grid.outputs or 1
            else:
                shape, n_out = SHAPES[data]
                if architecture.channels:
                    # what has no images is refused by name
                    shape = IMAGES.get(data, shape)
            if asked is not None:
                architecture = fitted(architecture, shape, n_out, asked)
            # refused now if it cannot be built
            n_parameters(architecture, shape, n_out)
            for seed, epoch in itertools.product(seeds, several(grid.epochs)):
                yield Made(architecture, shape, n_out, data, seed, epoch, asked)


def _architectures(study: Study) -> Iterator[Architecture]:
    grid = study.grid
    assert grid is not None
    every = (grid.channels, grid.widths, several(grid.activation), several(grid.pooling), several(grid.order))
    seen = set()
    for channels, widths, activation, pooling, order in itertools.product(*every):
        found = Architecture(tuple(channels), tuple(widths), activation, window(pooling), order, grid.kernel)
        # the order of one thing is no difference
        same = found if found.pool > 1 and str(found.activation) != "none" else found.with_order()
        if same not in seen:
            seen.add(same)
            yield same


def _given_name(given: Given) -> str:
    return given.name or (given.file.replace(":", ".") if is_factory(given.file) else Path(given.file).stem)


def given_path(study: Study, given: Given) -> str:
    """Where a given network is: a path, relative ones from the study's folder on, or package.module:function."""
    if is_factory(given.file):
        return given.file
    path = os.path.expanduser(os.path.expandvars(given.file))
    return path if path.startswith("$") else str(Path(study.folder) / path)


def present(study: Study, found: list[Entry]) -> tuple[list[Entry], list[str]]:
    """The networks that are there, and a sentence for each that is not and may be skipped.

    Raises
    ------
    InputError
        Naming the first file that is not there, where files may not be missing.
    """
    there, notes = [], []
    for entry in found:
        path = given_path(study, entry.source) if isinstance(entry.source, Given) else ""
        if not path or is_factory(path) or Path(path).is_file() or (entry.run / "manifest.json").is_file():
            there.append(entry)
            continue
        place = f"network {entry.name}: there is no file {path}{' (the variable is not set)' if path.startswith('$') else ''}"
        if study.study.missing == "refuse":
            raise InputError(f'{place}; give its path, or say missing = "skip" in [study]')
        notes.append(f"{place}; it is skipped")
    return there, notes


def groups(found: list[Entry]) -> list[list[Entry]]:
    """The networks, those of one training together; of each training the epochs in ascending order."""
    by_training: dict[object, list[Entry]] = {}
    for entry in found:
        by_training.setdefault(entry.training, []).append(entry)
    return [sorted(group, key=lambda entry: entry.source.epoch or 0) for group in by_training.values()]


@dataclass(frozen=True)
class Part:
    """The groups `index`, `index + of`, ...

    Raises
    ------
    InputError
        If there is no such part.
    """

    index: int = 1
    of: int = 1

    def __post_init__(self) -> None:
        if self.of < 1:
            raise InputError(f"--of {self.of}: give the number of parts, at least 1")
        if not 1 <= self.index <= self.of:
            raise InputError(f"--index {self.index}: there is no such part of {self.of}; give one from 1 to {self.of}")

    def take(self, all_groups: list[list[Entry]]) -> list[list[Entry]]:
        """What is in this part."""
        return all_groups[self.index - 1 :: self.of]


def part_from(index: int | None, of: int | None, environment: dict[str, str]) -> Part:
    """The part that the options name, or else the task of a Slurm array.

    The tasks of `--array=A-B` are the parts 1, 2, ..., whatever A is; with `of`, as for `--array=3` of 8, the number of
    the task is the number of the part.

    Raises
    ------
    InputError
        If there is no such part, or one number is missing.
    """
    task = environment.get("SLURM_ARRAY_TASK_ID", "")
    if index is not None and of is None:
        raise InputError(f"--index {index}: of how many parts? Give --of N too")
    if index is not None and of is not None:
        return Part(index, of)
    if not task.isdecimal():
        if of is not None:
            raise InputError(f"--of {of}: which part? Give --index I too, or submit a Slurm array")
        return Part()
    if of is not None:
        return Part(int(task), of)
    first = int(environment.get("SLURM_ARRAY_TASK_MIN", task))
    step = int(environment.get("SLURM_ARRAY_TASK_STEP", "1") or 1)
    count = int(environment.get("SLURM_ARRAY_TASK_COUNT", "1"))
    return Part((int(task) - first) // step + 1, count)


def _digest(said: dict[str, Any]) -> str:
    text = json.dumps(msgspec.to_builtins(said), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
