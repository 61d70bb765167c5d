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

record = "regions"           # these above [domain] in a real file, as TOML wants it
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from regionenum.domain import Box, Domain, Polytope, Slice, WholeSpace
from regionenum.errors import InputError
from regionenum.network.load import is_factory

_Table = TypeVar("_Table", bound=msgspec.Struct)


class BoxConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="box"):
    """The table `[domain]` of a box, its bounds numbers or nested lists in the shape of one input."""

    lower: float | list[Any]
    upper: float | list[Any]

    def build(self) -> Domain:
        """The domain."""
        return Box(self.lower, self.upper)


class WithinConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The box in another domain: its bounds."""

    lower: float | list[Any]
    upper: float | list[Any]

    def build(self) -> Box:
        """The box."""
        return Box(self.lower, self.upper)


def _box(within: WithinConfig | None) -> Box | None:
    return None if within is None else within.build()


class WholeSpaceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="whole_space"):
    """The table `[domain]` of the whole space."""

    def build(self) -> Domain:
        """The domain."""
        return WholeSpace()


class PolytopeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="polytope"):
    """The table `[domain]` of a polytope A x <= b."""

    A: list[list[float]]
    b: list[float]
    within: WithinConfig | None = None

    def build(self) -> Domain:
        """The domain."""
        return Polytope(self.A, self.b, within=_box(self.within))


class SliceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="slice"):
    """The table `[domain]` of a slice, given by origin and directions or by the points it goes through."""

    origin: list[Any] | None = None
    directions: list[Any] | None = None
    points: list[Any] | None = None
    within: WithinConfig | None = None

    def build(self) -> Domain:
        """The domain."""
        within = _box(self.within)
        if self.points is not None and self.origin is None and self.directions is None:
            return Slice.through(self.points, within=within)
        if self.points is None and self.origin is not None and self.directions is not None:
            return Slice(self.origin, self.directions, within=within)
        raise InputError("slice: give either `origin` and `directions`, or `points`")


DomainConfig = BoxConfig | WholeSpaceConfig | PolytopeConfig | SliceConfig
KINDS: dict[str, type[msgspec.Struct]] = {
    "box": BoxConfig,
    "whole_space": WholeSpaceConfig,
    "polytope": PolytopeConfig,
    "slice": SliceConfig,
}


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
    content = _toml(path)
    for override in overrides or []:
        _apply(content, override)
    config = _converted(content, Config, path)
    here = {"model": config.model} | ({} if config.state is None else {"state": config.state})
    resolved = {key: value if is_factory(value) else str(path.parent / value) for key, value in here.items()}
    return msgspec.structs.replace(config, **resolved)


class _DomainFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    domain: DomainConfig


def read_domain(path: str | Path) -> Domain:
    """The domain in a TOML file that has the table `[domain]` and nothing else.

    Raises
    ------
    InputError
        As for `read_config`, and what the domain itself refuses.
    """
    path = Path(path)
    return _converted(_toml(path), _DomainFile, path).domain.build()


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
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {_sentence(str(error), content, kind)}") from error


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


def _sentence(message: str, content: dict[str, Any], kind: type[msgspec.Struct]) -> str:
    """A message of msgspec in the words of a configuration file."""
    what, _, where = message.partition(" - at ")
    place = where.strip("`").removeprefix("$").removeprefix(".")
    unknown = re.search(r"unknown field `(.*)`", what)
    if unknown:
        tables: dict[str, type[msgspec.Struct]] = {"": kind, "domain.within": WithinConfig}
        if place == "domain":
            tables["domain"] = KINDS[content["domain"]["kind"]]
        known = list(tables[place].__struct_fields__)
        if place == "domain":
            known.insert(0, "kind")
        table = f"[{place}]" if place else "the file"
        return f"unknown key `{unknown[1]}` in {table}; known keys: {', '.join(known)}"
    missing = re.search(r"missing required field `(.*)`", what)
    if missing:
        return f"key `{missing[1]}` is missing in {f'[{place}]' if place else 'the file'}; add it"
    invalid = re.search(r"Invalid value ('.*')", what)
    if invalid and place == "domain.kind":
        return f"`{place}`: invalid enum value {invalid[1]}; use one of {', '.join(KINDS)}"
    return f"`{place or 'the file'}`: {what[0].lower()}{what[1:]}"
