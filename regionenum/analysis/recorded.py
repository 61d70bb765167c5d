"""The recorded regions of a result, by number: patterns, witnesses, and what of the problem belongs to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from regionenum.engine.interface import Problem
from regionenum.exact.domains import ExactDomain
from regionenum.exact.layer_forms import FormMaker
from regionenum.exact.witnesses import Nearest
from regionenum.network.units import MAXIMUM, Floats, Ints
from regionenum.results.findings import Findings
from regionenum.results.patterns import Bytes, Packing
from regionenum.results.schema import fixed_array

Patterns = npt.NDArray[np.uint16]

_BLOCK_NUMBERS = 1 << 22


@dataclass(frozen=True, eq=False)
class Recorded:
    """Recorded regions, numbered as the rows of `Result.regions`.

    Attributes
    ----------
    problem : Problem
    complete : whether there are no others
    packed : (n, n_bytes) patterns
    ranks : (n, depth)
    witness : (n, n_in) inputs, NaN where there is none
    """

    problem: Problem
    complete: bool
    packed: Bytes
    ranks: npt.NDArray[np.uint16]
    witness: Floats

    @classmethod
    def of(cls, found: Findings) -> Recorded:
        """The regions of a result.

        Raises
        ------
        InputError
            If regions were not recorded.
        """
        table, problem = found.regions, found.subject.problem
        if "witness" in table.column_names:
            witness = fixed_array(table.column("witness"))
        else:
            witness = np.broadcast_to(np.nan, (table.num_rows, problem.network.n_in))
        return cls(
            problem,
            found.totals.complete,
            fixed_array(table.column("pattern")),
            fixed_array(table.column("ranks"))[:, : problem.depth],
            witness,
        )

    def __len__(self) -> int:
        return len(self.packed)

    @cached_property
    def packing(self) -> Packing:
        """How patterns are packed."""
        return Packing.of(self.problem.network)

    def pieces(self, rows: Ints | slice) -> Patterns:
        """(m, n_units) pieces of some regions."""
        return self.packing.unpack(np.ascontiguousarray(self.packed[rows]))

    def blocks(self, numbers_each: int) -> Iterator[slice]:
        """All regions, in blocks for which arrays of so many numbers for each region are small."""
        yield from blocks_of(len(self), numbers_each)

    @cached_property
    def exact(self) -> ExactDomain:
        """The domain in integers."""
        return ExactDomain.of(self.problem.domain, self.problem.chart, self.problem.network.input_shape)

    @cached_property
    def nearest(self) -> Nearest:
        """Which points of the domain inputs stand for."""
        return Nearest(self.exact)

    @cached_property
    def forms(self) -> FormMaker:
        """Forms of layers on regions, in integers."""
        return FormMaker(self.problem.network, self.exact)

    @cached_property
    def is_maximum(self) -> npt.NDArray[np.bool_]:
        """(n_units,) which units are maxima."""
        layers = self.problem.network.unit_layers
        return np.concatenate([np.zeros(0, np.bool_), *(layer.units.function_of == MAXIMUM for layer in layers)])


def blocks_of(n: int, numbers_each: int) -> Iterator[slice]:
    """Blocks of n things, each of which needs so many numbers."""
    size = max(1, _BLOCK_NUMBERS // max(1, numbers_each))
    yield from (slice(start, min(n, start + size)) for start in range(0, n, size))
