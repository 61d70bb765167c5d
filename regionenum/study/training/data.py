"""The data sets that networks are trained on, in their own units, with the split into training and test samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from regionenum.errors import InputError
from regionenum.network.units import Floats, Ints

_LOADERS = {"iris": "load_iris", "wine": "load_wine", "cancer": "load_breast_cancer", "digits": "load_digits"}

_PIXELS = 16.0
"""Largest value of a pixel of the digits."""


@dataclass(frozen=True, eq=False)
class Data:
    """A data set, and how to scale it: (x - centre) / scale has entries of order one.

    Attributes
    ----------
    x : (n_samples, n) samples
    y : (n_samples,) classes
    centre, scale : (n,)
    """

    x: Floats
    y: Ints
    centre: Floats
    scale: Floats

    def split(self, test: float) -> tuple[Ints, Ints]:
        """Numbers of the training and of the test samples: every class is split in the same proportion, always alike."""
        drawn = np.random.default_rng(0)
        kept: list[Ints] = []
        for label in np.unique(self.y):
            members = drawn.permutation(np.flatnonzero(self.y == label))
            kept.append(members[: max(1, round(test * len(members)))])
        tested = np.sort(np.concatenate(kept))
        return np.setdiff1d(np.arange(len(self.y)), tested), tested


@cache
def load_data(name: str) -> Data:
    """A data set that comes with scikit-learn.

    Measurements are scaled to mean 0 and deviation 1, column by column; pixels, 0 to 16, to 0 to 1.

    Raises
    ------
    InputError
        If scikit-learn is not installed.
    """
    try:
        from sklearn import datasets
    except ImportError as error:
        raise InputError(
            f"data {name} comes with scikit-learn, which is not installed; pip install 'regionenum[study]'"
        ) from error
    x, y = getattr(datasets, _LOADERS[name])(return_X_y=True)
    x = np.asarray(x, np.float64)
    if name == "digits":
        n = x.shape[1]
        return Data(x, np.asarray(y), np.zeros(n), np.full(n, _PIXELS))
    return Data(x, np.asarray(y), x.mean(axis=0), x.std(axis=0))
