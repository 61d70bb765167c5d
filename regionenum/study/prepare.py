"""The networks of a study on disk: made, trained or read once, with what is known of them beside their regions.

`networks/KEY.npz` is a network, `networks/KEY.json` its facts, written after it: a pair is there when its facts are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec
import numpy as np

from regionenum.errors import InputError, RunError
from regionenum.files import write_atomically
from regionenum.network import transform
from regionenum.network.layers import Network
from regionenum.network.load import is_factory, load
from regionenum.network.storage import load_npz, save_npz
from regionenum.study.description import Given
from regionenum.study.entries import Entry, Made, given_path
from regionenum.study.training.data import Data, load_data


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a network beside its regions.

    Attributes
    ----------
    parameters : weights and biases; None where a given network does not tell
    train_accuracy, test_accuracy : shares of the samples whose largest output is their class, of the network as it is
        enumerated; None without data
    """

    parameters: int | None = None
    train_accuracy: float | None = None
    test_accuracy: float | None = None


def facts_path(entry: Entry) -> Path:
    """Where the facts of a network are."""
    return entry.study.out / "networks" / f"{entry.network_key}.json"


def read_facts(entry: Entry) -> Facts | None:
    """The facts of a network, or None if it was not made yet.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    path = facts_path(entry)
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Facts)
    except msgspec.DecodeError as error:
        raise InputError(f"{path} is damaged ({error}); delete it, and run the study again") from error


def networks_of(group: list[Entry], tick: Callable[[Entry, int], None]) -> None:
    """Make, train or read the networks of one training, all that are not there yet.

    Parameters
    ----------
    group : networks that differ by their epoch only, in ascending order
    tick : called with the network and the number of every epoch that begins; what it raises ends the training, of which
        the networks of earlier epochs are kept

    Raises
    ------
    InputError
        If one cannot be made or read.
    RunError
        If it cannot be written.
    """
    missing = [entry for entry in group if read_facts(entry) is None]
    if not missing:
        return
    if isinstance(missing[0].source, Given):
        for entry in missing:
            _keep(entry, *_read(entry))
        return
    made = [(entry, entry.source) for entry in missing if isinstance(entry.source, Made)]
    # what needs torch is imported when a network is made
    try:
        from regionenum.study.training import train
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise InputError(
            f"network {missing[0].name} is made by torch, which is not installed; pip install 'regionenum[study]'"
        ) from error
    first = made[0][1]
    if first.data is None:
        for entry, source in made:
            _keep(entry, train.random_network(source.architecture, source.input_shape, source.n_out, source.seed))
        return
    options = group[0].study.train
    recipe = train.Recipe(options.batch, options.rate, options.decay, options.optimiser, options.test)
    stages = train.trained_networks(
        first.architecture,
        first.input_shape,
        first.n_out,
        load_data(first.data),
        recipe,
        first.seed,
        [source.epoch for _, source in made],
        lambda epoch: tick(missing[-1], epoch),
    )
    for (entry, _), (_, network) in zip(made, stages, strict=True):
        _keep(entry, network)


def network_of(entry: Entry) -> Network:
    """The network of an entry whose facts are there.

    Raises
    ------
    InputError
        If its file is missing or damaged.
    """
    return load_npz(facts_path(entry).with_suffix(".npz"))


def _read(entry: Entry) -> tuple[Network, Network]:
    """The network to enumerate, and one that has the outputs by which samples are classified."""
    given = entry.source
    assert isinstance(given, Given)
    path = given_path(entry.study, given)
    state = None if given.state is None else str(Path(entry.study.folder) / given.state)
    # a shape is for functions, and for files that leave sizes open
    # a function as text, a file as a path: a file may be called like a function
    network = load(path if is_factory(path) else Path(path), state=state, input_shape=given.input_shape)
    if given.relu_after_pooling:
        network = transform.relu_after_pooling(network)
    return transform.with_decision(network) if given.argmax else network, network


def _keep(entry: Entry, network: Network, outputs: Network | None = None) -> None:
    path, source = facts_path(entry), entry.source
    facts = Facts(source.n_parameters if isinstance(source, Made) else source.parameters or _parameters(network))
    if source.data is not None:
        facts = _measured(facts, entry, outputs or network, load_data(source.data))
    save_npz(network, path.with_suffix(".npz"))
    write_file(path, lambda file: file.write(msgspec.json.encode(facts)))


def write_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file of a study, whole or not at all.

    Raises
    ------
    RunError
        If it cannot be written.
    """
    try:
        write_atomically(path, write)
    except OSError as error:
        raise RunError(
            f"{path} cannot be written ({error.strerror or error}); free space or mend the permissions, then run again"
        ) from error


def _measured(facts: Facts, entry: Entry, network: Network, data: Data) -> Facts:
    if network.n_in != data.x.shape[1]:
        raise InputError(
            f"network {entry.name} takes {network.n_in} values, but samples of {entry.data} have {data.x.shape[1]}; "
            "leave `data` out, or give another"
        )
    right = network.forward(data.x).argmax(axis=1) == data.y
    trained, tested = data.split(entry.study.train.test)
    return msgspec.structs.replace(
        facts, train_accuracy=float(right[trained].mean()), test_accuracy=float(right[tested].mean())
    )


def _parameters(network: Network) -> int | None:
    """Weights and biases of a network of dense layers and known filters; None where weights are shared in other ways."""
    count = 0
    for layer in network.layers:
        if layer.filter is not None:
            count += layer.filter.weight.size + layer.filter.weight.shape[0]
        elif isinstance(layer.weight, np.ndarray):
            count += math.prod(layer.weight.shape) + len(layer.bias)
        else:
            return None
    return count
