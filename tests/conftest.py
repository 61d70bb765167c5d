"""Settings of all tests, and what is expensive enough to be made once."""

import numpy as np
import pytest
from hypothesis import settings

import regionenum as rn
from regionenum.network.storage import save_npz
from tests.line import relu_chain

# a test's time says something about the machine, not about the program
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def known(tmp_path_factory):
    """A network of some 100,000 regions in the box (-3, 3), its file, and an uninterrupted run."""
    generator = np.random.default_rng(0)
    network = relu_chain(
        *[(generator.normal(size=s), generator.normal(size=s[0])) for s in ((12, 6), (12, 12), (1, 12))]
    )
    path = tmp_path_factory.mktemp("known") / "net.npz"
    save_npz(network, path)
    return network, path, rn.enumerate_regions(network, rn.Box(-3, 3), record="regions")


@pytest.fixture
def short_steps(monkeypatch):
    """Steps of a thousand tests, however fast the machine is: a run of 100,000 regions has hundreds of them."""
    always = property(lambda self: 1000, lambda self, tests: None)
    monkeypatch.setattr("regionenum.parallel.runner.StepLength.tests", always, raising=False)
