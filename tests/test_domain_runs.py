"""Runs over every kind of domain: records, run directories, workers, resuming, the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

import regionenum as rn
from regionenum.cli import main
from regionenum.cli.config import read_config, read_domain
from regionenum.domain import Domain, domain_from
from regionenum.domain import slice as slice_module
from regionenum.domain.redundant import needed
from regionenum.enumeration import Enumeration, Settings, follow
from regionenum.errors import InputError
from regionenum.network.storage import save_npz
from regionenum.parallel.driver import Budget
from regionenum.parallel.stop import Stop
from regionenum.parallel.subtree_codec import decode_subtree
from regionenum.results.patterns import Packing
from regionenum.results.schema import fixed_array
from tests.domains import random_relu
from tests.line import relu_chain

NET = random_relu(6, 3, 8, 7)
PLANE = [[1.0, 0.5, 0.0], [0.0, 1.0, -1.0]]
SMALL = Budget(shortest=0.0, longest=0.0, bundle=1)
DOMAINS: dict[str, Domain] = {
    "box": rn.Box(-1.0, 2.0),
    "whole space": rn.WholeSpace(),
    "polytope": rn.Polytope([[1.0, 1.0, 1.0], [1.0, -2.0, 0.0]], [1.0, 0.5], within=rn.Box(-1.0, 2.0)),
    "polytope alone": rn.Polytope(np.vstack([-np.eye(3), np.ones((1, 3))]), [1.0, 1.0, 1.0, 1.0]),
    "slice": rn.Slice([0.1, 0.2, 0.3], PLANE, within=rn.Box(-1.0, 2.0)),
    "whole slice": rn.Slice([0.1, 0.2, 0.3], PLANE),
    "line": rn.Slice.through([[0.0, 0.0, 0.0], [1.0, -1.0, 0.5]], within=rn.Box(-3.0, 3.0)),
    "l1 ball": rn.l1_ball([0.0, 0.1, 0.0], 1.5, within=rn.Box(-1.0, 1.0)),
    "linf ball": rn.linf_ball([0.0, 0.1, 0.0], 1.5, within=rn.Box(-1.0, 1.0)),
}
EVERY_DOMAIN = pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)


def is_inside(domain, x):
    """Whether inputs (n, 3) are in the domain, by its own definition; within rounding on a slice."""
    box = domain if isinstance(domain, rn.Box) else getattr(domain, "within", None)
    inside = np.ones(len(x), bool)
    if box is not None:
        inside = ((x > np.asarray(box.lower)) & (x < np.asarray(box.upper))).all(axis=1)
    if isinstance(domain, rn.Polytope):
        inside &= (x @ np.asarray(domain.A).T < np.asarray(domain.b)).all(axis=1)
    if isinstance(domain, rn.Slice):
        offset, directions = (x - np.asarray(domain.origin)).T, np.asarray(domain.directions).T
        s = np.linalg.lstsq(directions, offset, rcond=None)[0]
        inside &= np.abs(directions @ s - offset).max(axis=0) <= 1e-12 * (1 + np.abs(x).max(axis=1))
    return inside


def table(result):
    """{pattern: ranks} of the regions."""
    rows = result.regions
    patterns = fixed_array(rows.column("pattern"))
    ranks = fixed_array(rows.column("ranks"))
    return {bytes(p): tuple(r) for p, r in zip(patterns, ranks.tolist(), strict=True)}


@EVERY_DOMAIN
@pytest.mark.parametrize("record", ["regions", "tree"])
def test_witnesses_are_inputs_in_the_domain_with_their_pattern(domain, record):
    result = rn.enumerate_regions(NET, domain, record=record)
    x = fixed_array(result.regions.column("witness"))
    assert len(x) == result.count > 4
    assert is_inside(domain, x).all()
    patterns = Packing.of(NET).unpack(fixed_array(result.regions.column("pattern")))
    assert np.array_equal(NET.pattern(x), patterns)
    assert 0 < result.distinct_maps() <= result.count
    if record == "tree":
        cells = result.cells
        assert is_inside(domain, fixed_array(cells.column("witness"))).all()


@EVERY_DOMAIN
def test_run_directories_workers_and_resuming(domain, tmp_path):
    plain = rn.enumerate_regions(NET, domain, record="regions")
    out = tmp_path / "run"
    begun = Enumeration(NET, domain, Settings(record="regions", out=out, budget=SMALL), Stop(max_regions=1))
    follow(begun)
    assert not begun.result().complete
    assert 0 < begun.result().count < plain.count
    assert not rn.open_run(out).complete
    resumed = rn.enumerate_regions(NET, domain, record="regions", out=out, resume=True)
    assert resumed.complete
    opened = rn.open_run(out)
    assert opened.complete
    assert json.loads(json.dumps(domain.describe())) == opened.domain.describe()
    for other in (resumed, opened):
        assert table(other) == table(plain)
        assert other.layers == plain.layers
        assert other.distinct_maps() == plain.distinct_maps()


@pytest.mark.parametrize("seed", range(3))
def test_a_run_goes_on_where_other_half_spaces_are_kept(tmp_path, monkeypatch, seed):
    """Which sides of a slice are redundant is found in floating point, and not the same on every machine."""
    rng = np.random.default_rng(seed)
    net = relu_chain(
        *[(rng.standard_normal(s), 0.3 * rng.standard_normal(s[0])) for s in ((22, 20), (12, 22), (1, 12))]
    )
    domain = rn.Slice(np.zeros(20), rng.standard_normal((3, 20)), within=rn.Box(-1.0, 1.0))
    plain = rn.enumerate_regions(net, domain, record="regions")
    n_needed = len(domain.chart(net.input_shape).half_spaces)

    def with_one_implied(spaces, centre, lower, upper):
        rows = needed(spaces, centre, lower, upper)
        return np.append(rows, np.setdiff1d(np.arange(len(spaces)), rows)[:1])

    for first, second in ((needed, with_one_implied), (with_one_implied, needed)):
        monkeypatch.setattr(slice_module, "needed", first)
        # cuts of the second layer come behind the constraints: stop where some of them are decided
        for limit in range(20, plain.count, 40):
            out = tmp_path / f"{first.__name__} {limit}"
            begun = Enumeration(net, domain, Settings(record="regions", out=out, budget=SMALL), Stop(max_regions=limit))
            follow(begun)
            if any(decode_subtree(subtree).layer == 1 for subtree in begun._ledger.waiting):
                break
        else:
            raise AssertionError("no run stopped in the second layer")
        assert not begun.result().complete
        monkeypatch.setattr(slice_module, "needed", second)
        resumed = rn.enumerate_regions(net, domain, record="regions", out=out, resume=True)
        assert resumed.complete
        assert table(resumed) == table(plain)
        assert resumed.layers == plain.layers
    monkeypatch.setattr(slice_module, "needed", with_one_implied)
    assert len(domain.chart(net.input_shape).half_spaces) == n_needed + 1


@pytest.mark.parametrize("name", ["whole space", "slice", "l1 ball"])
def test_two_workers_find_the_same(name):
    one, two = (rn.enumerate_regions(NET, DOMAINS[name], record="regions", workers=n) for n in (1, 2))
    assert table(one) == table(two)
    assert one.layers == two.layers


@EVERY_DOMAIN
def test_a_description_makes_the_domain_again(domain):
    text = json.dumps(domain.describe())
    again = domain_from(json.loads(text))
    assert type(again) is type(domain)
    assert json.dumps(again.describe()) == text


def test_another_domain_is_not_resumed(tmp_path):
    out = tmp_path / "run"
    rn.enumerate_regions(NET, rn.WholeSpace(), out=out, max_regions=1)
    with pytest.raises(InputError, match="domain"):
        rn.enumerate_regions(NET, DOMAINS["polytope"], out=out, resume=True)


# The command line and configurations

TABLES = {
    "box": 'kind = "box"\nlower = -1\nupper = 2\n',
    "whole space": 'kind = "whole_space"\n',
    "polytope": 'kind = "polytope"\nA = [[1, 1, 1], [1, -2, 0]]\nb = [1, 0.5]\nwithin = {lower = -1, upper = 2}\n',
    "slice": 'kind = "slice"\norigin = [0.1, 0.2, 0.3]\ndirections = [[1, 0.5, 0], [0, 1, -1]]\n'
    "within = {lower = -1, upper = 2}\n",
    "whole slice": 'kind = "slice"\norigin = [0.1, 0.2, 0.3]\ndirections = [[1, 0.5, 0], [0, 1, -1]]\n',
    "l1 ball": 'kind = "l1_ball"\ncenter = [0, 0.1, 0]\nradius = 1.5\nwithin = {lower = -1, upper = 1}\n',
    "linf ball": 'kind = "linf_ball"\ncenter = [0, 0.1, 0]\nradius = 1.5\nwithin = {lower = -1, upper = 1}\n',
    "line": 'kind = "slice"\npoints = [[0, 0, 0], [1, -1, 0.5]]\nwithin = {lower = -3, upper = 3}\n',
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("domains")
    save_npz(NET, path / "net.npz")
    return path


def printed_count(capsys, *argv):
    assert main([*argv, "--json"]) == 0
    return json.loads(capsys.readouterr().out)["count"]


@pytest.mark.parametrize("name", TABLES)
def test_configurations(capsys, folder, name):
    expected = rn.enumerate_regions(NET, DOMAINS[name]).count
    file = folder / "domain.toml"
    file.write_text("[domain]\n" + TABLES[name])
    assert read_domain(file).describe() == DOMAINS[name].describe()
    assert printed_count(capsys, "count", str(folder / "net.npz"), "--domain", str(file)) == expected
    config = folder / f"{name}.toml"
    config.write_text('model = "net.npz"\n[domain]\n' + TABLES[name])
    out = str(folder / f"run {name}")
    assert main(["run", str(config), "--out", out]) == 0
    capsys.readouterr()
    assert printed_count(capsys, "report", out) == expected


def test_the_options_of_count(capsys, folder):
    net = str(folder / "net.npz")
    assert printed_count(capsys, "count", net, "--whole-space") == rn.enumerate_regions(NET, rn.WholeSpace()).count
    ball = rn.enumerate_regions(NET, rn.linf_ball([-0.5, 0.0, 0.1], 0.75)).count
    assert printed_count(capsys, "count", net, "--ball", "-0.5,0,0.1", "0.75") == ball
    assert printed_count(capsys, "count", "--ball=-0.5,0,0.1", "0.75", net) == ball


@pytest.mark.parametrize(("option", "ball"), [("--ball", rn.linf_ball), ("--l1-ball", rn.l1_ball)])
def test_balls_may_be_cut_with_a_box(capsys, folder, option, ball):
    net, center, corner = str(folder / "net.npz"), [-0.5, 0.0, 0.1], [0.0, 0.25, 0.5]
    options = [option, "-0.5,0,0.1", "0.75"]
    whole = rn.enumerate_regions(NET, ball(center, 0.75)).count
    part = rn.enumerate_regions(NET, ball(center, 0.75, within=rn.Box(-1.0, corner))).count
    assert part < whole
    assert printed_count(capsys, "count", net, *options) == whole
    for argv in ([*options, "--box", "-1", "0,0.25,0.5"], ["--box=-1", "0,0.25,0.5", *options]):
        out = folder / f"run {option} {len(argv)}"
        assert printed_count(capsys, "count", net, *argv, "--out", str(out)) == part
        kept = rn.open_run(out).domain.describe()
        assert kept["kind"] == f"{ball.__name__}"
        assert kept["within"] == {"kind": "box", "lower": -1.0, "upper": corner}
        assert (kept["center"], kept["radius"]) == (center, 0.75)


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([], "one of the arguments --box --whole-space --ball --l1-ball --domain is required"),
        (["--box", "0", "1", "--whole-space"], "argument --whole-space: not allowed with argument --box"),
        (["--ball", "0", "1", "--l1-ball", "0,0,0", "1"], "argument --l1-ball: not allowed with argument --ball"),
        (["--box", "0", "1", "--domain", "x.toml"], "argument --domain: not allowed with argument --box"),
        (["--box", "0", "1", "--ball", "0", "1", "--l1-ball", "0,0,0", "1"], "argument --ball: not allowed with"),
        (["--l1-ball", "0", "1"], "l1_ball: the center is a single number; give one number for each input"),
        (["--box", "5", "6", "--ball", "0", "1"], "linf_ball: the ball and the box do not meet; move the center"),
        (["--ball", "0", "1,2"], "argument --ball: '1,2' is a list; the radius is one number"),
        (["--ball", "0", "-1"], "linf_ball: the radius is -1.0; give a positive number"),
        (["--ball", "0"], "argument --ball: '0' is one value; give the center and the radius"),
        (["--ball", "0", "r"], "argument --ball: 'r' is neither a number nor a comma-separated list of numbers"),
        (
            ["--domain", "none.toml"],
            "none.toml cannot be read (No such file or directory); give the path of a TOML file",
        ),
    ],
)
def test_options_that_are_refused(capsys, folder, argv, sentence):
    assert main(["count", str(folder / "net.npz"), *argv]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"regionenum: error: {sentence}")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            'kind = "ball"',
            "`domain.kind`: invalid enum value 'ball'; use one of box, whole_space, polytope, slice, "
            "linf_ball, l1_ball",
        ),
        ('kind = "l1_ball"\ncenter = [0]', "key `radius` is missing in [domain]; add it"),
        ('kind = "linf_ball"\ncenter = "0"\nradius = 1', "`domain.center`: expected `float | array`, got `str`"),
        (
            'kind = "linf_ball"\ncentre = 0\nradius = 1',
            "unknown key `centre` in [domain]; known keys: kind, center, radius, within",
        ),
        ("lower = 0", "key `kind` is missing in [domain]; add it"),
        ('kind = "whole_space"\nlower = 0', "unknown key `lower` in [domain]; known keys: kind"),
        ('kind = "polytope"\nA = [[1]]', "key `b` is missing in [domain]; add it"),
        ('kind = "polytope"\nA = [1]\nb = [1]', "`domain.A[0]`: expected `array`, got `int`"),
        (
            'kind = "polytope"\nA = [[1]]\nb = [1]\nwithin = {lo = 1}',
            "unknown key `lo` in [domain.within]; known keys: lower, upper",
        ),
        ('kind = "slice"\norigin = [0, 0, 0]', "slice: give either `origin` and `directions`, or `points`"),
        (
            'kind = "slice"\npoints = [[0, 0, 0]]\norigin = [0]',
            "slice: give either `origin` and `directions`, or `points`",
        ),
        (
            'kind = "slice"\ndirection = [1]',
            "unknown key `direction` in [domain]; known keys: kind, origin, directions, points, within",
        ),
    ],
)
def test_configurations_that_are_refused(folder, text, sentence):
    config = folder / "bad.toml"
    config.write_text('model = "net.npz"\n[domain]\n' + text)
    with pytest.raises(InputError) as caught:
        read_config(config).domain.build()
    assert str(caught.value) in (sentence, f"{config}: {sentence}")
