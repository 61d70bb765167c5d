"""Configuration files of `regionenum run`.

model = "net.npz"            # relative to this file; .npz, .onnx, .pt2, or "package.module:function"

[domain]
kind = "box"
lower = -1                   # a number, or nested lists in the shape of one input
upper = 1

[domain]                     # other kinds, `within` being a box or left out
kind = "whole_space"

[domain]
kind = "polytope"            # A x <= b
A = [[1, 1], [1, -1]]
b = [1, 0.5]
within = {lower = -1, upper = 1}

[domain]
kind = "slice"               # origin + combinations of directions; or points = [...] to go through
origin = [0, 0.5]
directions = [[1, 1]]
within = {lower = -1, upper = 1}

[domain]
kind = "linf_ball"           # or "l1_ball"
center = [0, 0.5]            # a number, or in the shape of one input
radius = 0.25
within = {lower = -1, upper = 1}

record = "regions"           # these above [domain] in a real file, as TOML wants it
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from regionenum.choices import EngineName, Record
from regionenum.domain import Domain
from regionenum.domain.description import DomainDescription, DomainFile, converted
from regionenum.errors import InputError
from regionenum.network.load import is_factory

_Table = TypeVar("_Table", bound=msgspec.Struct)


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A configuration; `model` and `state` are resolved against the file's folder, `out` against the working directory.

    Attributes
    ----------
    state, input_shape, relu_after_pooling, argmax : see `regionenum.cli.model`
    workers : worker processes, or "auto"; under MPI the ranks are the workers
    time_limit, commit_seconds : seconds until the run stops, and between two commits at most
    """

    model: str
    domain: DomainDescription
    record: Record = Record.NONE
    exact: bool = True
    witnesses: bool = True
    engine: EngineName = EngineName.COMPILED
    out: str | None = None
    workers: Annotated[int, msgspec.Meta(ge=1)] | Literal["auto"] = 1
    time_limit: Annotated[float, msgspec.Meta(ge=0)] | None = None
    max_regions: Annotated[int, msgspec.Meta(ge=1)] | None = None
    commit_seconds: Annotated[float, msgspec.Meta(ge=0)] | None = None
    state: str | None = None
    input_shape: list[Annotated[int, msgspec.Meta(ge=1)]] | None = None
    relu_after_pooling: bool = False
    argmax: bool = False


def read_config(path: str | Path, overrides: list[str] | None = None) -> Config:
    """The configuration in a TOML file, with `key=value` overrides applied.

    Raises
    ------
    InputError
        Naming the file and the key: no such file, not TOML, an unknown or missing key, a value of the wrong type.
    """
    path = Path(path)
    content = _toml(path)
    for text in overrides or []:
        _apply(content, text)
    config = _converted(content, Config, path)
    here = {"model": config.model} | ({} if config.state is None else {"state": config.state})
    resolved = {key: value if is_factory(value) else str(path.parent / value) for key, value in here.items()}
    return msgspec.structs.replace(config, **resolved)


def read_domain(path: str | Path) -> Domain:
    """The domain in a TOML file that has the table `[domain]` and nothing else.

    Raises
    ------
    InputError
        As for `read_config`, and what the domain itself refuses.
    """
    path = Path(path)
    return _converted(_toml(path), DomainFile, path).domain.build()


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give the path of a TOML file") from error
    # TOMLDecodeError and UnicodeDecodeError are ValueErrors
    except ValueError as error:
        raise InputError(f"{path} is not valid TOML: {error}") from error


def _converted(content: dict[str, Any], kind: type[_Table], path: Path) -> _Table:
    try:
        return converted(content, kind)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def override(text: str, example: str = "domain.lower=-1") -> tuple[str, Any]:
    """Key and value of one `--set KEY=VALUE`; the value is TOML, and what is not is a word, so that a shell needs no quotes.

    Raises
    ------
    InputError
        If there is no key, or an empty one.
    """
    key, equals, value = text.partition("=")
    if not equals or not all(key.strip().split(".")):
        raise InputError(f"--set {text}: give KEY=VALUE, for example --set {example}")
    return key.strip(), _value(value.strip())


def _apply(content: dict[str, Any], text: str) -> None:
    key, value = override(text)
    names = key.split(".")
    table = content
    for name in names[:-1]:
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            raise InputError(f"--set {text}: `{name}` is a value, not a table; set it without the part after the dot")
        table = inner
    table[names[-1]] = value


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if parsed.keys() == {"value"} else text
