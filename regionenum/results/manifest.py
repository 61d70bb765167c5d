"""The manifest of a run directory: what it holds, and how far it got."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from regionenum.choices import Record
from regionenum.engine.interface import Counters, Problem, Statistics
from regionenum.errors import InputError
from regionenum.files import write_atomically
from regionenum.network.units import Ints
from regionenum.results.schema import FORMAT_VERSION

MANIFEST = "manifest.json"
NETWORK = "network.npz"
PARTS = "parts"
PROGRESS = "progress.jsonl"


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One committed Parquet file in the folder of parts."""

    name: str
    rows: int
    bytes: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of `manifest.json`.

    Attributes
    ----------
    format : format version of the directory
    network : content hash of the network
    domain : description of the domain
    statistics : name of the statistic (`engine/statistics.py`) -> its counts, over everything committed: of a table its
        rows, of what has more axes a list of [index, .., count] for the counts that are not 0
    parts : the committed parts
    frontier : file that holds what is left to explore, as of this commit; empty when nothing is, or the engine cannot
        go on from the middle
    witnesses : whether recorded cells have a witness
    attempt : how often the run was started or resumed; part of the names of files, so that what a dead attempt left
        behind is never taken for this one's
    stopped : why the last attempt ended before the tree was exhausted, as far as it could say
    failed : the error that ended the last attempt
    """

    format: int
    network: str
    domain: dict[str, Any]
    record: Record
    engine: str
    exact: bool
    complete: bool
    seconds: float
    statistics: dict[str, list[Any]]
    counters: Counters
    parts: tuple[Part, ...] = ()
    frontier: str = ""
    attempt: int = 1
    stopped: str = ""
    witnesses: bool = True
    failed: str = ""

    def write(self, directory: Path) -> None:
        """Replace the manifest of a directory."""
        text = msgspec.json.format(msgspec.json.encode(self), indent=1)
        write_atomically(directory / MANIFEST, lambda file: file.write(text))

    @classmethod
    def read(cls, directory: Path) -> Manifest:
        """The manifest of a directory.

        Raises
        ------
        InputError
            If there is none, it is not the JSON it should be, or it has another format version.
        """
        path = directory / MANIFEST
        if not path.is_file():
            raise InputError(f"{directory} is not a run directory: it has no {MANIFEST}")
        try:
            content = json.loads(path.read_bytes())
        except ValueError as error:
            raise InputError(f"{path} is not valid JSON ({error}); restore it from a copy") from error
        version = content.get("format") if isinstance(content, dict) else None
        if version != FORMAT_VERSION:
            raise InputError(
                f"{path}: format version {version}, but this release reads version {FORMAT_VERSION}; use the release "
                "it was written with"
            )
        try:
            return msgspec.convert(content, cls)
        except msgspec.ValidationError as error:
            raise InputError(f"{path} is not a manifest: {error}; restore it from a copy") from error


def statistics_to_lists(statistics: Statistics) -> dict[str, list[Any]]:
    """The arrays as lists; see `Manifest.statistics`."""
    return {f.name: _to_list(getattr(statistics, f.name)) for f in fields(statistics)}


def _to_list(array: Ints) -> list[Any]:
    if array.ndim < 3:
        return list(array.tolist())
    places = np.argwhere(array)
    entries: list[Any] = np.column_stack([places, array[tuple(places.T)]]).tolist()
    return entries


def statistics_from_lists(lists: dict[str, list[Any]], problem: Problem, place: Path) -> Statistics:
    """The inverse of `statistics_to_lists`.

    Raises
    ------
    InputError
        If something does not fit the problem.
    """
    found = Statistics.zeros(problem.shape)
    names = {f.name for f in fields(found)}
    if lists.keys() != names:
        raise InputError(f"{place}: statistics are {sorted(lists)}, expected {sorted(names)}; restore it from a copy")
    for name, values in lists.items():
        array = getattr(found, name)
        try:
            if array.ndim < 3:
                given = np.array(values)
                if given.shape != array.shape or given.dtype.kind != "i":
                    raise ValueError
                array[...] = given
            for *at, count in values if array.ndim == 3 else ():
                if len(at) != 3 or min(at) < 0 or not all(isinstance(value, int) for value in (*at, count)):
                    raise ValueError
                array[tuple(at)] = count
        except (ValueError, IndexError, TypeError, OverflowError) as error:
            raise InputError(
                f"{place}: statistic `{name}` does not have shape {array.shape}; restore it from a copy"
            ) from error
    return found
