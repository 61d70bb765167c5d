"""Configuration files of `regionenum run`.

model = "net.npz"            # relative to this file; .npz, .onnx, .pt2, or "package.module:function"

[domain]
kind = "box"
lower = -1                   # a number, or nested lists in the shape of one input
upper = 1

record = "regions"           # these above [domain] in a real file, as TOML wants it
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from regionenum.domain import Box, Domain
from regionenum.errors import InputError
from regionenum.network.load import is_factory


class DomainConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[domain]`: a box, its bounds numbers or nested lists in the shape of one input."""

    kind: Literal["box"]
    lower: float | list[Any]
    upper: float | list[Any]

    def build(self) -> Domain:
        """The domain."""
        return Box(self.lower, self.upper)


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A configuration; `model` and `state` are resolved against the file's folder, `out` against the working directory.

    Attributes
    ----------
    state, input_shape, relu_after_pooling, argmax : see `regionenum.cli.model`
    workers : worker processes, or "auto"; under MPI the ranks are the workers
    time_limit, commit_seconds : seconds until the run stops, and between two commits at most
    """

    model: str
    domain: DomainConfig
    record: Literal["none", "regions", "tree"] = "none"
    exact: bool = False
    engine: Literal["compiled", "highs"] = "compiled"
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
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give the path of a TOML file") from error
    # TOMLDecodeError and UnicodeDecodeError are ValueErrors
    except ValueError as error:
        raise InputError(f"{path} is not valid TOML: {error}") from error
    for override in overrides or []:
        _apply(content, override)
    try:
        config = msgspec.convert(content, Config)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {_sentence(str(error))}") from error
    here = {"model": config.model} | ({} if config.state is None else {"state": config.state})
    resolved = {key: value if is_factory(value) else str(path.parent / value) for key, value in here.items()}
    return msgspec.structs.replace(config, **resolved)


def _apply(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        raise InputError(f"--set {override}: give KEY=VALUE, for example --set domain.lower=-1")
    table = content
    for name in names[:-1]:
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            raise InputError(
                f"--set {override}: `{name}` is a value, not a table; set it without the part after the dot"
            )
        table = inner
    table[names[-1]] = _value(text.strip())


def _value(text: str) -> Any:
    """A TOML value; what is not one is a word, so that a shell needs no nested quotes."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if parsed.keys() == {"value"} else text


def _sentence(message: str) -> str:
    """A message of msgspec in the words of a configuration file."""
    what, _, where = message.partition(" - at ")
    place = where.strip("`").removeprefix("$").removeprefix(".")
    unknown = re.search(r"unknown field `(.*)`", what)
    if unknown:
        known = DomainConfig.__struct_fields__ if place == "domain" else Config.__struct_fields__
        table = f"[{place}]" if place else "the file"
        return f"unknown key `{unknown[1]}` in {table}; known keys: {', '.join(known)}"
    missing = re.search(r"missing required field `(.*)`", what)
    if missing:
        return f"key `{missing[1]}` is missing in {f'[{place}]' if place else 'the file'}; add it"
    return f"`{place or 'the file'}`: {what[0].lower()}{what[1:]}"
