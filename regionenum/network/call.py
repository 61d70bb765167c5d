"""What the operations of the core ask of one that a front end reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from regionenum.errors import InputError
from regionenum.network.chain import Value
from regionenum.network.units import Units


class AnyCall(Protocol):
    """One operation of a model with its arguments, on its way into the chain (`from_torch/call.py`, `from_onnx/call.py`)."""

    def refuse(self, why: str) -> InputError:
        """The error that refuses the operation: a sentence that begins with it and goes on with `why`."""
        ...

    def close(self, value: Value, units: Units, shape: Sequence[int]) -> Value:
        """Close a layer under the operation's name.

        Parameters
        ----------
        value : what the units read
        units : they read the rows of `value`, flattened in row-major order
        shape : of the units' outputs, with the batch axis

        Returns
        -------
        Value
            The units' outputs. All values that no later operation reads are void from now on.
        """
        ...
