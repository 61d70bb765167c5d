"""Engines by name."""

from __future__ import annotations

from regionenum.choices import EngineName
from regionenum.engine.interface import Engine
from regionenum.errors import InputError


def engine_by_name(name: str) -> Engine:
    """The engine of a name; imports only that engine.

    Raises
    ------
    InputError
        If the name is not one of `EngineName`.
    """
    match name:
        case EngineName.COMPILED:
            from regionenum.engine.compiled import CompiledEngine

            return CompiledEngine()
        case EngineName.HIGHS:
            from regionenum.engine.reference import HighsEngine

            return HighsEngine()
    raise InputError(f'engine "{name}" is unknown; use one of {", ".join(EngineName)}')
