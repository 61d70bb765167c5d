"""Tensors of an ONNX file as arrays, without trusting what the file claims about them.

Nothing is allocated before the bytes are known to be there: a tensor that claims a size has to bring its content.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from regionenum.errors import InputError

TYPED = {
    TensorProto.FLOAT: "float_data",
    TensorProto.DOUBLE: "double_data",
    TensorProto.INT64: "int64_data",
    **dict.fromkeys(
        [
            *(TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.BOOL),
            *(TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.UINT8, TensorProto.UINT16),
        ],
        "int32_data",
    ),
}
"""The field that holds the values of each type that is read, where they are not raw bytes."""


WIDER = {
    TensorProto.FLOAT16: (TensorProto.FLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE),
    TensorProto.FLOAT: (TensorProto.FLOAT, TensorProto.DOUBLE),
    TensorProto.DOUBLE: (TensorProto.DOUBLE,),
}
"""The types that hold every number of a type: casting to them changes nothing."""


def shown(name: str | bytes) -> str:
    """A name from a file, fit for a sentence: one line, not too long. Names that are not UTF-8 arrive as bytes."""
    line = " ".join((name if isinstance(name, str) else name.decode("utf-8", "replace")).split())
    return line if len(line) <= 80 else line[:77] + "..."


def type_name(number: int) -> str:
    """The name of an element type."""
    known = number in TensorProto.DataType.values()
    return TensorProto.DataType.Name(number).lower() if known else f"type {number}"


def array_of(tensor: Any, folder: Path) -> np.ndarray:
    """The values of a tensor; bfloat16 becomes float32, which is exact.

    Parameters
    ----------
    tensor : onnx.TensorProto
    folder : that of the model, the only place where external data may lie

    Raises
    ------
    InputError
        If the type is not read, the size is impossible, or the content is missing or does not have that size.
    """
    where = f"tensor `{shown(tensor.name)}`"
    if tensor.data_type not in TYPED:
        raise InputError(
            f"{where} holds {type_name(tensor.data_type)} values, which are not supported; store it as float32 or int64"
        )
    if any(size < 0 for size in tensor.dims):
        raise InputError(f"{where} has a negative size in its shape {tuple(tensor.dims)}; write the file again")
    if tensor.HasField("segment"):
        raise InputError(f"{where} is stored in segments, which is not supported; write the file again")
    size = math.prod(tensor.dims)
    bytes_needed = size * np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type)).itemsize
    if tensor.data_location == TensorProto.EXTERNAL:
        raw = _external(tensor, folder, where, bytes_needed)
        tensor = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims, raw_data=raw)
    elif tensor.HasField("raw_data"):
        _require(len(tensor.raw_data), bytes_needed, "bytes", where, tensor)
    else:
        _require(len(getattr(tensor, TYPED[tensor.data_type])), size, "values", where, tensor)
    array = np.asarray(numpy_helper.to_array(tensor))
    return array.astype(np.float32) if tensor.data_type == TensorProto.BFLOAT16 else array


def _require(found: int, needed: int, unit: str, where: str, tensor: Any) -> None:
    if found != needed:
        raise InputError(
            f"{where} has shape {tuple(tensor.dims)}, which needs {needed} {unit}, but {found} are stored; the file is "
            "damaged or incomplete, write it again"
        )


def _external(tensor: Any, folder: Path, where: str, n_bytes: int) -> bytes:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    try:
        path = (folder / location).resolve()
        inside = bool(location) and path.is_relative_to(folder.resolve())
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", n_bytes))
    except (ValueError, OSError) as error:
        raise InputError(f"{where} has external data that cannot be found ({error}); write the file again") from error
    if not inside:
        raise InputError(
            f"{where} has external data in `{shown(location)}`, outside the folder of the model; put it beside the model"
        )
    if not path.is_file():
        raise InputError(f"{where} has external data in `{shown(location)}`, which does not exist; put it there")
    if length != n_bytes or offset < 0 or offset + length > path.stat().st_size:
        raise InputError(
            f"{where} has shape {tuple(tensor.dims)} and needs {n_bytes} bytes, but `{shown(location)}` does not hold "
            f"{length} bytes at offset {offset} for it; the file is damaged or incomplete, write it again"
        )
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(length)
    except OSError as error:
        raise InputError(f"{where}: `{shown(location)}` cannot be read ({error.strerror}); make it readable") from error
