"""What all plots share: whether matplotlib is there, axes to draw on, files to write. Imported when a plot is asked for."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from regionenum.errors import InputError
from regionenum.files import write_atomically

SIZE = (7.0, 5.6)
"""Width and height of a figure, in inches."""


def check_drawing(path: str | PathLike[str] | None) -> None:
    """Refuse to draw before any work is done.

    Parameters
    ----------
    path : of the picture to be written, if there is one

    Raises
    ------
    InputError
        If matplotlib is missing, or the path does not end like a picture.
    """
    try:
        from matplotlib.backend_bases import FigureCanvasBase
        from matplotlib.figure import Figure  # noqa: F401
    except ImportError as error:
        raise InputError("plots need matplotlib; install it with: pip install 'regionenum[plot]'") from error
    if path is not None:
        known = FigureCanvasBase.get_supported_filetypes()
        if Path(path).suffix[1:].lower() not in known:
            raise InputError(f"{path} does not end like a picture; choose one of .{', .'.join(sorted(known))}")


def axes_for(ax: Any, path: str | PathLike[str] | None) -> Any:
    """The axes that were given, or new ones: of pyplot, or if a file is to be written of a figure of their own."""
    if ax is not None:
        return ax
    if path is None:
        from matplotlib import pyplot

        return pyplot.subplots(figsize=SIZE, layout="constrained")[1]
    from matplotlib.figure import Figure

    # a figure of its own, so that no window system is needed and nothing is left open
    return Figure(figsize=SIZE, layout="constrained").subplots()


def save_figure(ax: Any, path: Path) -> None:
    """Write the figure of some axes, in the format of the file's ending.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    try:
        write_atomically(
            path,
            lambda file: ax.figure.savefig(file, format=path.suffix[1:].lower(), dpi=200, bbox_inches="tight"),
            durable=False,
        )
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose a file in an existing folder") from error
