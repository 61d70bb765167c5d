"""What a stopped run needs to go on, as bytes: subtrees, half-counted cells and the number of the next task.

The bytes are written beside the manifest, which lists them together with the statistics and the recorded parts they belong
to (`results/writer.py`): frontier and results are committed together or not at all. They do not depend on the number of
workers or on who ran what.
"""

from __future__ import annotations

import zlib

import msgspec
import numpy as np

from regionenum.engine.interface import OpenCell, Subtree
from regionenum.errors import InputError
from regionenum.parallel.ledger import Ledger

VERSION = 1


class _Subtree(msgspec.Struct, array_like=True, frozen=True):
    layer: int
    sides: bytes
    winners: bytes
    n_before: tuple[int, int]
    witness: bytes
    parent: int


class _OpenCell(msgspec.Struct, array_like=True, frozen=True):
    name: bytes
    level: int
    rank: int
    children: int


class _Journal(msgspec.Struct, array_like=True, frozen=True):
    version: int
    next_task: int
    subtrees: list[_Subtree]
    open_cells: list[_OpenCell]


def encode(ledger: Ledger) -> bytes:
    """The books as bytes; subtrees in flight are written as waiting."""
    subtrees = [
        _Subtree(
            s.layer,
            s.sides.astype("<i1").tobytes(),
            s.winners.astype("<i2").tobytes(),
            s.n_before,
            s.witness.astype("<f8").tobytes(),
            s.parent,
        )
        for s in ledger.subtrees()
    ]
    cells = [_OpenCell(c.name, c.level, c.rank, c.children) for c in ledger.open_cells()]
    return zlib.compress(msgspec.msgpack.encode(_Journal(VERSION, ledger.next_task, subtrees, cells)), 1)


def decode(content: bytes, place: object) -> Ledger:
    """The books again.

    Raises
    ------
    InputError
        Naming `place`, if these are not such bytes or are of another version.
    """
    try:
        journal = msgspec.msgpack.decode(zlib.decompress(content), type=_Journal)
    except (zlib.error, msgspec.DecodeError) as error:
        raise InputError(f"{place} is not a frontier of a run ({error}); restore it from a copy") from error
    if journal.version != VERSION:
        raise InputError(f"{place}: frontier version {journal.version}, but this release reads version {VERSION}")
    subtrees = [
        Subtree(
            s.layer,
            np.frombuffer(s.sides, "<i1").astype(np.int8),
            np.frombuffer(s.winners, "<i2").astype(np.int16),
            s.n_before,
            np.frombuffer(s.witness, "<f8").astype(np.float64),
            s.parent,
        )
        for s in journal.subtrees
    ]
    cells = [OpenCell(c.name, c.level, c.rank, c.children) for c in journal.open_cells]
    return Ledger.of(subtrees, cells, journal.next_task)
