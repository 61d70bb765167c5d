import re
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import regionenum as rn
from regionenum.choices import EngineName
from regionenum.cli.doctor import star_network
from regionenum.engine.by_name import engine_by_name
from regionenum.enumeration import Enumeration, Settings, enumerate_regions, follow
from regionenum.exact.residues import PRIMES
from regionenum.parallel.driver import Budget
from regionenum.results.patterns import Packing
from regionenum.results.progress import Progress
from regionenum.results.schema import fixed_array
from tests.affine_maps import affine_maps
from tests.line import LineEngine, relu_chain
from tests.problems import problems
from tests.test_schema import BOX, NET

ONE_STEP = Budget(0.0, 0.0)
"""Tasks end after one step each."""


class Broken(LineEngine):
    """Hands its second batch to `change`, which may raise."""

    def __init__(self, change):
        super().__init__(size=2)
        self.change = change

    def explorer(self, problem, options):
        explorer = super().explorer(problem, options)
        step, batches = explorer.step, []

        def broken(tests):
            batches.append(step(tests))
            if len(batches) == 2:
                self.change(batches[-1])
            return batches[-1]

        explorer.step = broken  # type: ignore[method-assign]
        return explorer


def enumerated(on_progress=None, **settings):
    """Enumerate by tasks of one step."""
    enumeration = Enumeration(NET, BOX, Settings(budget=ONE_STEP, **settings))
    follow(enumeration, on_progress)
    return enumeration.result()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"workers": 0}, "workers=0: give the number of worker processes, at least 1"),
        ({"workers": 2, "engine": "highs"}, 'engine "highs" works in one process only; use workers=1'),
        ({"resume": True}, "resume needs the run directory of the run; give out"),
        ({"time_limit": -1.0}, "time limit -1.0: give a number of seconds, at least 0"),
        ({"max_regions": 0}, "max_regions=0: give a number of regions, at least 1"),
        ({"record": "all"}, 'record="all" is unknown; use one of none, regions, tree'),
        ({"engine": "fast"}, 'engine "fast" is unknown; use one of compiled, highs'),
    ],
)
def test_arguments_that_are_refused(arguments, sentence):
    with pytest.raises(rn.InputError, match=sentence):
        enumerate_regions(NET, BOX, **arguments)


def test_nothing_is_created_when_the_domain_does_not_fit(tmp_path):
    with pytest.raises(rn.InputError, match="single point"):
        enumerate_regions(NET, rn.Box(1, 1), out=tmp_path / "run", engine=LineEngine())
    assert not (tmp_path / "run").exists()


def test_progress_adds_up():
    seen: list[Progress] = []
    result = enumerated(seen.append, engine=LineEngine(size=2))
    assert [p.regions for p in seen] == [2, 4, 5]
    assert seen[-1].cells == (3, 5)
    assert [p.seconds for p in seen] == sorted(p.seconds for p in seen)
    assert 0 < seen[-1].seconds <= result.seconds
    assert seen[-1].rate == pytest.approx(5 / seen[-1].seconds)


@pytest.mark.parametrize("error", [rn.EngineError("gave up"), KeyboardInterrupt()])
def test_an_engine_that_breaks_leaves_an_incomplete_run(tmp_path, error):
    def fail(batch):
        raise error

    with pytest.raises(type(error)):
        enumerated(record="regions", out=tmp_path / "run", engine=Broken(fail))
    result = rn.open_run(tmp_path / "run")
    assert (result.count, result.complete, len(result.regions)) == (2, False, 2)
    assert "incomplete" in repr(result)


def test_a_closed_enumeration_is_an_incomplete_run(tmp_path):
    settings = Settings(record="regions", out=tmp_path / "run", engine=LineEngine(size=2), budget=ONE_STEP)
    enumeration = Enumeration(NET, BOX, settings)
    with closing(enumeration.run()) as moments:
        assert next(moments).regions == 2
    assert (enumeration.result().count, enumeration.result().complete) == (2, False)
    assert rn.open_run(tmp_path / "run").count == 2


def test_a_half_taken_batch_is_not_committed(tmp_path):
    """Rows that break the dictionary: neither they nor their statistics reach the directory."""

    def spoil(batch):
        assert batch.cells is not None
        batch.cells.ranks[:] = 60_000

    with pytest.raises(ValueError, match="above the largest possible ranks"):
        enumerated(record="regions", out=tmp_path / "run", engine=Broken(spoil))
    result = rn.open_run(tmp_path / "run")
    assert not result.complete
    assert result.count == len(result.regions) == 2


@pytest.mark.parametrize("record", ["regions", "tree"])
def test_every_commit_of_the_compiled_engine_is_valid(tmp_path, monkeypatch, record):
    """Small buffers, so that the walk pauses in the middle of cells."""
    monkeypatch.setattr("regionenum.engine.compiled.BUFFER_BYTES", 1000)
    random = np.random.default_rng(3)
    net = relu_chain(*[(random.normal(size=s), random.normal(size=s[0])) for s in ((7, 2), (7, 7), (1, 7))])
    counts: list[int] = []

    def check(progress: Progress) -> None:
        result = rn.open_run(tmp_path / "run")
        assert result.count == progress.regions == len(result.regions)
        counts.append(result.count)

    settings = Settings(record=record, out=tmp_path / "run", budget=ONE_STEP, commit_seconds=0.0)
    run = Enumeration(net, rn.Box(-3, 3), settings)
    follow(run, check)
    result = run.result()
    assert len(counts) > 5
    assert counts == sorted(counts)
    assert result.regions.group_by("pattern").aggregate([]).num_rows == result.count == counts[-1] > 50


def test_without_recording_no_rows_are_kept():
    enumeration = Enumeration(NET, BOX, Settings(engine=LineEngine()))
    assert [p.regions for p in enumeration.run()][-1] == 5
    assert list(enumeration.result().findings.rows.tables()) == []


def patterns_of(result):
    return sorted(result.regions.column("pattern").to_pylist())


@pytest.mark.parametrize("engine", EngineName)
def test_engines_agree_with_the_line_oracle(engine):
    expected = enumerate_regions(NET, BOX, record="tree", engine=LineEngine())
    result = enumerate_regions(NET, BOX, record="tree", engine=engine)
    assert result.engine == engine == engine_by_name(engine).name
    assert result.layers == expected.layers
    assert result.input == expected.input
    assert sorted(result.regions.column("pattern").to_pylist()) == sorted(
        expected.regions.column("pattern").to_pylist()
    )
    assert result.distinct_maps() == expected.distinct_maps()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_random_dyadic_networks_on_a_line(seed):
    random = np.random.default_rng(seed)
    net = relu_chain(
        (random.integers(-2, 3, (4, 1)), random.integers(-2, 3, 4)),
        (random.integers(-2, 3, (3, 4)), random.integers(-2, 3, 3)),
        (random.integers(-2, 3, (1, 3)), [0]),
    )
    expected = enumerate_regions(net, rn.Box(-3, 4), record="regions", engine=LineEngine())
    result = enumerate_regions(net, rn.Box(-3, 4), record="regions", engine="compiled")
    assert result.layers == expected.layers
    assert patterns_of(result) == patterns_of(expected)
    assert result.distinct_maps() == expected.distinct_maps()


@pytest.mark.parametrize("engine", EngineName)
def test_the_star(engine, tmp_path):
    """max(-y, min(0, -x)): 5 regions, 3 maps, in memory and on disk."""
    result = enumerate_regions(star_network(), rn.Box(-1, 1), record="regions", engine=engine, out=tmp_path / "run")
    assert (result.count, result.distinct_maps()) == (5, 3)
    assert rn.open_run(tmp_path / "run").distinct_maps() == 3


KNOWN = [k for k in problems() if k.distinct_maps is not None and not k.large]


@pytest.mark.parametrize("known", KNOWN, ids=lambda k: k.name)
def test_known_numbers_of_distinct_maps(known):
    network, box = known.build()
    result = enumerate_regions(network, box, record="regions")
    assert (result.count, result.distinct_maps()) == (known.regions, known.distinct_maps)


def test_different_residues_are_counted_as_distinct_maps():
    """The digests against the full residue matrices, on some thousand regions."""
    random = np.random.default_rng(1)
    net = relu_chain(*[(random.normal(size=s), random.normal(size=s[0])) for s in ((12, 3), (12, 12), (2, 12))])
    domain = rn.Box(-2, 2)
    result = enumerate_regions(net, domain, record="regions")
    assert result.count > 500
    pieces = Packing.of(net).unpack(fixed_array(result.regions.column("pattern")))
    maps = affine_maps(net, domain.chart((3,)), pieces, PRIMES[0])
    assert result.distinct_maps() == len(np.unique(maps.reshape(len(maps), -1), axis=0))


def test_importing_the_package_is_light():
    code = "import regionenum, sys; print([m for m in ('numba', 'scipy', 'torch', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_enumerating_does_not_import_torch():
    code = (
        "import sys, regionenum as rn; from regionenum.cli.doctor import star_network;"
        "print(rn.enumerate_regions(star_network(), rn.Box(-1, 1), engine='highs').count, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "5 False\n"


def test_the_public_names():
    for name in rn.__all__:
        assert getattr(rn, name) is not None
    assert set(dir(rn)) == set(rn.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = rn.nothing


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"domain": (-1, 1)}, "the domain is an object of type tuple; give a domain, for example"),
        ({"domain": rn.WholeSpace}, "the domain is the class WholeSpace; give a domain, for example"),
        ({"net": "net.npz"}, "the network is an object of type str; give what regionenum.load returns"),
        ({"workers": "auto"}, "workers='auto': give the number of worker processes, at least 1"),
        ({"workers": 1.5}, "workers=1.5: give the number of worker processes, at least 1"),
        ({"workers": True}, "workers=True: give the number of worker processes, at least 1"),
    ],
)
def test_arguments_of_another_kind_are_refused(arguments, sentence):
    with pytest.raises(rn.InputError, match="^" + re.escape(sentence)):
        rn.enumerate_regions(**({"net": NET, "domain": rn.Box(-1, 1)} | arguments))
