"""What a stopped run needs to go on, as bytes: subtrees, half-counted cells and the number of the next task.

The bytes are written beside the manifest, which lists them together with the statistics and the recorded parts they
belong to (`results/writer.py`): frontier and results are committed together or not at all. They do not depend on the
number of workers or on who ran what.
"""

from __future__ import annotations

import zlib

import msgspec

from regionenum.engine.interface import OpenCell
from regionenum.errors import InputError
from regionenum.parallel.ledger import Ledger
from regionenum.parallel.subtree_codec import EncodedSubtree

VERSION = 4


class _Journal(msgspec.Struct, array_like=True, frozen=True):
    version: int
    next_task: int
    subtrees: list[EncodedSubtree]
    open_cells: list[OpenCell]


def encode(ledger: Ledger) -> bytes:
    """The books as bytes; subtrees in flight are written as waiting."""
    journal = _Journal(VERSION, ledger.next_task, ledger.unfinished(), ledger.open_cells())
    return zlib.compress(msgspec.msgpack.encode(journal), 1)


def decode(content: bytes, place: object) -> Ledger:
    """The books again.

    Raises
    ------
    InputError
        Naming `place`, if these are not such bytes or are of another version.
    """
    try:
        raw = zlib.decompress(content)
        version = msgspec.msgpack.decode(raw)[0]
        if version != VERSION:
            raise InputError(f"{place}: frontier version {version}, but this release reads version {VERSION}")
        journal = msgspec.msgpack.decode(raw, type=_Journal)
    except (zlib.error, msgspec.DecodeError, IndexError, TypeError) as error:
        raise InputError(f"{place} is not a frontier of a run ({error}); restore it from a copy") from error
    return Ledger.of(journal.subtrees, journal.open_cells, journal.next_task)
