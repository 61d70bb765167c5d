"""The domain of a study for one of its networks: as it is described, or made of the data."""

from __future__ import annotations

from regionenum.domain import Box, Domain, Slice
from regionenum.errors import InputError
from regionenum.network.units import Floats
from regionenum.study.description import DataBox, DataDomain, DataPatch, DataSlice, Study
from regionenum.study.training.data import Data, load_data


def domain_of(study: Study, data: str | None, input_shape: tuple[int, ...]) -> Domain:
    """The domain in the inputs of a network.

    Parameters
    ----------
    data : the data set of the network, if any
    input_shape : of one input

    Raises
    ------
    InputError
        If a sample or a value is named that the data do not have, or the domain cannot be built.
    """
    described = study.domain
    if not isinstance(described, DataDomain):
        return described.build()
    assert data is not None
    found = load_data(data)
    if isinstance(described, DataPatch):
        return _patch(described, data, found, input_shape)
    low, high = found.x.min(axis=0), found.x.max(axis=0)
    wider = described.margin * (high - low)
    box = Box(*(bound.reshape(input_shape) for bound in (low - wider, high + wider)))
    if isinstance(described, DataBox):
        return box
    points = [_sample(described, data, found, k).reshape(input_shape) for k in described.samples]
    return Slice.through(points, within=box)


def _patch(described: DataPatch, data: str, found: Data, input_shape: tuple[int, ...]) -> Box:
    sample = _sample(described, data, found, described.sample)
    low, high = sample.copy(), sample.copy()
    for place in described.free:
        if place >= len(sample):
            raise InputError(
                f"`domain.free`: {place} is no place in a sample of {data}; give numbers from 0 to {len(sample) - 1}"
            )
        # of pixels, what any of them may be: some are 0 in all images
        values = found.x if found.scale.min() == found.scale.max() else found.x[:, place]
        low[place], high[place] = values.min(), values.max()
    return Box(low.reshape(input_shape), high.reshape(input_shape))


def _sample(described: DataSlice | DataPatch, data: str, found: Data, k: int) -> Floats:
    if k >= len(found.x):
        key = "samples" if isinstance(described, DataSlice) else "sample"
        raise InputError(f"`domain.{key}`: there is no sample {k} in {data}; give numbers from 0 to {len(found.x) - 1}")
    sample: Floats = found.x[k]
    return sample
