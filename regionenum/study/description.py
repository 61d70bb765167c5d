"""Studies as text: what a STUDY.toml may say, and a `Study` made of it.

[study]
name = "pooling"
out = "runs/pooling"         # relative to the working directory; runs/NAME if left out
record = "none"              # "regions" counts distinct maps too; "tree"
exact = true
workers = 1                  # or "auto"
missing = "refuse"           # or "skip": what to do with given files that are not there

[domain]                     # as in run configurations (`cli/config.py`), or one made of the data:
kind = "data_box"            # the smallest box that holds all samples, widened by `margin` times its sides
margin = 0.0

[domain]
kind = "data_slice"          # through these samples, in the box of the data
samples = [0, 50, 100]

[domain]
kind = "data_patch"          # one sample, of which these values are free between their least and largest in the data
sample = 0
free = [27, 28, 35, 36]

[grid]                       # every list is crossed with every other; one value needs no brackets
data = ["iris", "wine"]      # or: inputs = 2 or [1, 8, 8], outputs = 3, of networks that are not trained
widths = [[16, 16], [24, 12]]
channels = [[4], [4, 8]]     # convolutions before them, with kernel = 3
activation = ["relu", "leaky_relu", "hardtanh", "relu6", "abs", "none"]
pooling = ["none", "max2", "max3"]
order = ["activation", "pooling"]   # what comes first, where there are both
parameters = [500, 1000]     # widths and channels are scaled to the nearest number of parameters
seeds = [0, 1, 2]            # or a number of seeds
epochs = [0, 10, 100]        # the same training, looked at after so many

[train]
batch = 32                   # 0: all samples in every step
rate = 0.01
decay = 0.0
optimiser = "adam"           # or "sgd"
test = 0.25                  # share of the samples that are kept for the test

[limits]                     # of each network; one that reaches a limit has lower bounds in the table
time_limit = 600
max_regions = 10_000_000

[[network]]                  # given networks, with or without a grid
file = "$ACASXU/net_1_1.onnx"  # relative to the study's file; variables of the environment are filled in
name = "acas-1-1"
architecture = "6x50-relu"   # networks with one architecture are averaged over
state = "..."                # and input_shape, relu_after_pooling, argmax as in run configurations
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from regionenum.choices import Record
from regionenum.domain.description import KINDS, DomainDescription, DomainFile, converted
from regionenum.errors import InputError
from regionenum.study.architecture import Activation, Order

_Table = TypeVar("_Table", bound=msgspec.Struct)

DATA = ("iris", "wine", "cancer", "digits")
"""Data sets, all of scikit-learn."""

_Positive = Annotated[int, msgspec.Meta(ge=1)]
_Natural = Annotated[int, msgspec.Meta(ge=0)]


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_POOLING = re.compile(r"none|max([2-9]|[1-9][0-9]+)")


class DataBox(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="data_box", tag_field="kind"):
    """The smallest box that holds all samples, widened on both sides by `margin` times its sides."""

    margin: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class DataSlice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="data_slice", tag_field="kind"):
    """The slice through some samples, in the box of the data widened by `margin`."""

    samples: Annotated[list[_Natural], msgspec.Meta(min_length=2)]
    margin: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class DataPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="data_patch", tag_field="kind"):
    """One sample, of which the values at the places `free` may be anything between their least and largest in the data."""

    free: Annotated[list[_Natural], msgspec.Meta(min_length=1)]
    sample: _Natural = 0


DataDomain = DataBox | DataSlice | DataPatch

DATA_KINDS: dict[str, type[msgspec.Struct]] = {"data_box": DataBox, "data_slice": DataSlice, "data_patch": DataPatch}


class StudyTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[study]`."""

    name: str
    out: str | None = None
    record: Record = Record.NONE
    exact: bool = True
    workers: _Positive | Literal["auto"] = 1
    missing: Literal["refuse", "skip"] = "refuse"


class Grid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[grid]`."""

    widths: tuple[tuple[_Positive, ...], ...] = ((),)
    channels: tuple[tuple[_Positive, ...], ...] = ((),)
    kernel: _Positive = 3
    activation: Activation | list[Activation] = Activation.RELU
    pooling: str | list[str] = "none"
    order: Order | list[Order] = Order.ACTIVATION
    parameters: _Positive | list[_Positive] | None = None
    data: str | list[str] | None = None
    inputs: _Positive | list[_Positive] | None = None
    outputs: _Positive | None = None
    seeds: _Positive | list[_Natural] = 1
    epochs: _Natural | list[_Natural] = 0


class Training(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[train]`."""

    batch: _Natural = 32
    rate: Annotated[float, msgspec.Meta(gt=0)] = 0.01
    decay: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    optimiser: Literal["adam", "sgd"] = "adam"
    test: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.25


class NetworkLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[limits]`: what ends the enumeration of one network before its end."""

    time_limit: Annotated[float, msgspec.Meta(gt=0)] | None = None
    max_regions: _Positive | None = None


class Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table `[[network]]`: a model file, or package.module:function."""

    file: str
    name: str | None = None
    architecture: str | None = None
    state: str | None = None
    input_shape: list[_Positive] | None = None
    relu_after_pooling: bool = False
    argmax: bool = False
    data: str | None = None
    seed: _Natural | None = None
    epoch: _Natural | None = None
    parameters: _Positive | None = None


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """A study: many networks over one domain.

    Attributes
    ----------
    study, grid, train, limits, network : the tables of the file
    domain : description of the domain, or of one made of the data
    folder : where relative paths of given files begin
    """

    study: StudyTable
    domain: DomainDescription | DataDomain
    grid: Grid | None = None
    train: Training = Training()
    limits: NetworkLimits = NetworkLimits()
    network: tuple[Given, ...] = ()
    folder: str = "."

    @property
    def out(self) -> Path:
        """The folder of runs, tables and report."""
        return Path(self.study.out or f"runs/{self.study.name}")


_CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("grid", "activation"): tuple(Activation),
    ("grid", "order"): tuple(Order),
    ("grid", "data"): DATA,
    ("study", "record"): tuple(Record),
    ("study", "missing"): ("refuse", "skip"),
    ("study", "workers"): ("auto",),
    ("train", "optimiser"): ("adam", "sgd"),
}
"""What may be said in words."""

_TABLES = ("study", "domain", "grid", "train", "limits", "network")


def read_study(path: str | Path, change: list[tuple[str, Any]] | None = None) -> Study:
    """The study in a TOML file.

    Parameters
    ----------
    path : of the file
    change : (key with dots, value) pairs that are set before it is checked

    Raises
    ------
    InputError
        Naming file, table and key.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give the path of a TOML file") from error
    # TOMLDecodeError and UnicodeDecodeError are ValueErrors
    except ValueError as error:
        raise InputError(f"{path} is not valid TOML: {error}") from error
    try:
        for key, value in change or []:
            _set(content, key, value)
        return study_from(content, path.parent)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def study_from(content: Mapping[str, Any], folder: str | Path = ".") -> Study:
    """The study that tables describe; see the head of this module.

    Raises
    ------
    InputError
        Naming the table and the key that is unknown, missing, or of another type, and what does not go together.
    """
    for table, value in content.items():
        if table not in _TABLES:
            raise InputError(f"unknown key `{table}` in the file; known tables: {', '.join(_TABLES)}")
        if not isinstance(value, list if table == "network" else Mapping):
            written = "[[network]]" if table == "network" else f"[{table}]"
            raise InputError(f"`{table}`: a table is expected; write {written} and its keys below")
    for table in ("study", "domain"):
        if table not in content:
            raise InputError(f"table [{table}] is missing; add it")
    for (table, key), choices in _CHOICES.items():
        for value in several(content.get(table, {}).get(key, [])):
            if isinstance(value, str) and value not in choices:
                raise InputError(f"`{table}.{key}`: {value!r} is unknown; use one of {', '.join(choices)}")
    network = tuple(converted(entry, Given, f"network[{k}]") for k, entry in enumerate(content.get("network", ())))
    study = Study(
        study=converted(content["study"], StudyTable, "study"),
        domain=_domain(content["domain"]),
        grid=converted(content["grid"], Grid, "grid") if "grid" in content else None,
        train=converted(content.get("train", {}), Training, "train"),
        limits=converted(content.get("limits", {}), NetworkLimits, "limits"),
        network=network,
        folder=str(folder),
    )
    _check(study)
    return study


def _domain(table: Mapping[str, Any]) -> DomainDescription | DataDomain:
    kind = table.get("kind")
    if isinstance(kind, str) and kind in DATA_KINDS:
        return converted(table, DATA_KINDS[kind], "domain")  # type: ignore[return-value]
    if isinstance(kind, str) and kind not in KINDS:
        raise InputError(f"`domain.kind`: {kind!r} is unknown; use one of {', '.join([*KINDS, *DATA_KINDS])}")
    return converted({"domain": table}, DomainFile).domain


def _check(study: Study) -> None:
    """Refuse what does not go together."""
    _check_names(study)
    if not isinstance(study.domain, DataDomain):
        study.domain.build()
    grid = study.grid
    if grid is None and not study.network:
        raise InputError("there are no networks; give a table [grid], or tables [[network]]")
    if grid is None:
        return
    for name in ("widths", "channels", "activation", "pooling", "order", "parameters", "data", "seeds", "epochs"):
        values = getattr(grid, name)
        if isinstance(values, list | tuple):
            if not values:
                raise InputError(f"`grid.{name}` is empty; give at least one value, or leave it out")
            if len(set(values)) < len(values):
                raise InputError(f"`grid.{name}`: {_shown(values)} names a value twice; give each once")
    for pooling in several(grid.pooling):
        if not _POOLING.fullmatch(pooling):
            raise InputError(f'`grid.pooling`: {pooling!r} is unknown; use "none", "max2", "max3" and so on')
    if (grid.data is None) == (grid.inputs is None):
        raise InputError(
            "[grid] needs either `data`, or `inputs` and `outputs` of networks that are not trained; give one of them"
        )
    if grid.data is not None and grid.outputs is not None:
        raise InputError(
            f"`grid.outputs` = {grid.outputs} is given with `data`, whose classes are the outputs; leave it out"
        )
    if grid.inputs == []:
        raise InputError("`grid.inputs` is empty; give a number of inputs, or the shape of an image")
    trained = [epoch for epoch in several(grid.epochs) if epoch]
    if grid.data is None and trained:
        raise InputError(f"`grid.epochs`: {trained[0]} epochs need something to train on; give `data`, or 0 epochs")
    if grid.data is None and isinstance(study.domain, DataDomain):
        raise InputError("[domain] is made of the data, but the grid names none; give `grid.data`, or another domain")


def _check_names(study: Study) -> None:
    named = [("study.name", study.study.name), *((f"network[{k}].name", g.name) for k, g in enumerate(study.network))]
    for place, name in named:
        if name is not None and not _NAME.fullmatch(name):
            raise InputError(f"`{place}`: {name!r} is no name of a folder; use letters, digits, dots, _ and -")
    for k, given in enumerate(study.network):
        if given.data is not None and given.data not in DATA:
            raise InputError(f"`network[{k}].data`: {given.data!r} is unknown; use one of {', '.join(DATA)}")
        if given.data is None and isinstance(study.domain, DataDomain):
            raise InputError(f"[domain] is made of the data, but network[{k}] names none; give its `data`")


def _shown(values: Any) -> str:
    return str([list(value) if isinstance(value, tuple) else value for value in values])


def several(values: Any) -> list[Any]:
    """One value or a list of them, as a list."""
    return list(values) if isinstance(values, list | tuple) else [values]


def window(pooling: str) -> int:
    """The size of a window.

    >>> window("none"), window("max2")
    (1, 2)
    """
    return 1 if pooling == "none" else int(pooling.removeprefix("max"))


def _set(content: dict[str, Any], key: str, value: Any) -> None:
    names = key.split(".")
    if len(names) != 2 or not all(names) or names[0] == "network":
        raise InputError(f"{key} = {value!r}: give TABLE.KEY, for example grid.seeds")
    table = content.setdefault(names[0], {})
    if not isinstance(table, dict):
        raise InputError(f"{key} = {value!r}: `{names[0]}` is not a table")
    table[names[1]] = value
