"""`regionenum certify`: honest runs pass, and every change of one is found, with the place."""

import json
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import regionenum as rn
from regionenum.certification import certify
from regionenum.choices import Record
from regionenum.cli import main
from regionenum.domain import Box, Domain, Polytope, Slice, WholeSpace
from regionenum.engine import questions
from regionenum.engine.interface import Cells, Problem, Statistics
from regionenum.errors import InputError
from regionenum.exact import predicates
from regionenum.exact.checker import Checker
from regionenum.exact.claim import Claim, RefutedError, Rows
from regionenum.exact.domains import ExactDomain
from regionenum.exact.predicates import Side
from regionenum.network.layers import Network
from regionenum.network.storage import load_npz, save_npz
from regionenum.network.units import RELU, Units
from regionenum.results.claimed import claim_of
from regionenum.results.manifest import Manifest, statistics_to_lists
from regionenum.results.schema import Layout
from tests.exact_forms import read_examples
from tests.line import LineEngine, chain, relu_chain
from tests.runs import edit, parts
from tests.test_schema import BOX, NET

DATA = Path(__file__).parent / "data"
EXAMPLES = {
    e.name: e for e in [*read_examples(DATA / "near_degenerate.json"), *read_examples(DATA / "found_hard.json")]
}
WRONG_IN_FLOATS = [
    "B2 conditioning: three concurrent lines, two at an angle of 2^-26",
    "C4 constant row: norm compared with a bound on the cube, d=2",
    "2.more_eps2^-52/5",
    "3.more_s60/110",
    "3.s30/17",
    "49 5.whole_eps/2",
    "8.concurrent_3d_2^-24/9",
    "8.concurrent_whole2d_2^-26/79",
]
WRONG = [name for name in EXAMPLES if name in WRONG_IN_FLOATS or name == "5.whole_eps/2"]


def random_chain(seed, *widths):
    generator = np.random.default_rng(seed)
    shapes = pairwise(widths)
    return relu_chain(*[(generator.normal(size=(m, n)), generator.normal(size=m)) for n, m in shapes])


def pooled(seed=0):
    """ReLU, then maxima of windows that overlap, then ReLU: windows are 0 on open sets."""
    w = np.random.default_rng(seed).integers(-3, 4, (4, 2)).astype(float)
    groups = Units.maxima([[0, 1, 2], [1, 2, 3], [3]])
    relu = Units.pointwise(RELU, 4)
    last = ([[1.0, -1, 1], [2.0, 1, -1]], [-1.0, 0], Units.pointwise(RELU, 2))
    return chain((w, [1.0, 0, -1, 0], relu), (np.eye(4), np.zeros(4), groups), last)


def duplicates():
    """Rows that are equal, proportional, 0, and constant at the breakpoint."""
    return relu_chain(
        ([[1.0, 2], [1, 2], [-2, -4], [0, 0], [3, -1]], [1.0, 1, -2, 0, 0]),
        ([[1.0, 1, 0, 5, 1], [0, 0, 0, 1, 0], [1, -1, 0, 0, 0]], [-3.0, 0, 0]),
        ([[1.0, 1, 1]], [0.0]),
    )


HONEST: dict[str, tuple[Network, Domain]] = {
    "box": (random_chain(0, 2, 6, 5, 1), Box(-1, 1)),
    "box of four": (random_chain(1, 4, 4, 3, 1), Box(-1, 1)),
    "fixed input": (random_chain(2, 3, 6, 4, 1), Box([-1, 0.5, -1], [1, 0.5, 1])),
    "rounded width": (random_chain(3, 2, 5, 4, 1), Box(-0.1, 1e17)),
    "whole": (random_chain(4, 2, 5, 4, 1), WholeSpace()),
    "whole, of smaller rank": (random_chain(5, 5, 2, 4, 3, 1), WholeSpace()),
    "polytope": (random_chain(6, 2, 6, 4, 1), Polytope(np.array([[1.0, 1], [-1, 2], [0, -1]]), [1.0, 1, 1])),
    "polytope in a box": (random_chain(7, 2, 6, 4, 1), Polytope([[1.0, 1]], [0.3], within=Box(-1, 1))),
    "slice": (random_chain(8, 4, 6, 4, 1), Slice([0.1] * 4, [[1, 0.3, 0, 1], [0, 1, -1, 0.7]], within=Box(-1, 1))),
    "slice, whole": (random_chain(9, 4, 5, 3, 1), Slice([0.1] * 4, [[1, 0.3, 0, 1], [0, 1, -1, 0.7]])),
    "maxima": (chain((np.eye(3), [0, 0.5, 0], Units.maxima([[0, 1, 2], [2, 0]]))), Box(-1, 1)),
    "pooling ties": (pooled(), Box(-2, 2)),
    "pooling ties, whole": (pooled(1), WholeSpace()),
    "duplicates": (duplicates(), Box(-3, 3)),
    "no units": (chain(([[1.0, 2]], [0.5], None)), Box(-1, 1)),
}


def recorded(folder, network, domain, record="regions", **options):
    rn.enumerate_regions(network, domain, record=record, out=folder, **options)
    return folder


def checked(claim, domain, network, most, chosen=None):
    """Check a claim by generators, or by linear programs alone."""
    chart = Problem.over(network, domain).chart
    checker = Checker(claim, ExactDomain.of(domain, chart, network.input_shape), chosen, most)
    claim.check_patterns()
    claim.check_tree()
    for _ in checker.check(checker.root()):
        pass
    claim.check_statistics(checker.domain.dim)
    return checker.work


@pytest.mark.parametrize("most", [160, 0], ids=["generators", "programs"])
@pytest.mark.parametrize("name", HONEST)
def test_honest_runs_pass(name, most):
    network, domain = HONEST[name]
    found = rn.enumerate_regions(network, domain, record="tree")
    work = checked(claim_of(found.findings), domain, network, most)
    assert work.regions == found.count
    assert work.witnesses == len(found.cells) + found.count * bool(found.layers)


@pytest.mark.parametrize("most", [160, 0], ids=["generators", "programs"])
@pytest.mark.parametrize("name", list(EXAMPLES)[::3])
def test_honest_runs_of_hard_networks_pass(name, most):
    example = EXAMPLES[name]
    found = rn.enumerate_regions(example.network, example.domain, record="tree")
    assert checked(claim_of(found.findings), example.domain, example.network, most).regions == example.truth["count"]


@pytest.mark.parametrize("most", [160, 0], ids=["generators", "programs"])
@pytest.mark.parametrize("name", WRONG)
def test_wrong_runs_in_floating_point_do_not(name, most):
    example = EXAMPLES[name]
    found = rn.enumerate_regions(example.network, example.domain, record="regions", exact=False)
    assert found.count != example.truth["count"]
    with pytest.raises(RefutedError, match="region"):
        checked(claim_of(found.findings), example.domain, example.network, most)


def test_an_engine_that_answers_wrongly_is_found(monkeypatch):
    """One that says that nothing cuts that floating point is in doubt about."""
    example = EXAMPLES["2.more_eps2^-28/13"]
    assert checked(
        claim_of(rn.enumerate_regions(example.network, example.domain, record="regions").findings),
        example.domain,
        example.network,
        160,
    )
    honest = predicates.side

    def sabotaged(cone, form, hint=None):
        found = honest(cone, form, hint)
        return replace(found, side=Side.NEGATIVE) if found.side == Side.CUTS else found

    monkeypatch.setattr(questions, "side", sabotaged)
    found = rn.enumerate_regions(example.network, example.domain, record="regions")
    assert found.count < example.truth["count"]
    with pytest.raises(RefutedError, match="cuts the cell, and the regions on one side are missing"):
        checked(claim_of(found.findings), example.domain, example.network, 160)


# Changed runs ----------------------------------------------------------------------------------------------------------------

PLANE = random_chain(0, 2, 6, 5, 1)
SQUARE = Box(-1, 1)


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return recorded(tmp_path_factory.mktemp("honest") / "run", PLANE, SQUARE)


@pytest.fixture
def run(honest, tmp_path):
    shutil.copytree(honest, tmp_path / "run")
    return tmp_path / "run"


def rewrite(run, change):
    """Change the recorded rows, and the manifest so that it agrees with them."""
    found = rn.open_run(run)
    claim, problem = claim_of(found.findings), found.findings.subject.problem
    rows = claim.regions
    # the last rank is that of the output
    pieces, ranks, witness = change(
        rows.pieces.copy(), np.column_stack([rows.ranks, rows.output_rank]), rows.witness.copy()
    )
    ranks, outputs = ranks[:, :-1], ranks[:, -1]
    n = len(pieces)
    cells = Cells(
        np.full(n, problem.depth - 1, np.int16),
        np.arange(n),
        np.zeros(n, np.int64),
        pieces,
        ranks,
        outputs,
        np.zeros((n, 0)),
    )
    inside = np.isfinite(witness).all(axis=1)
    path = parts(run)[0]
    pq.write_table(Layout.of(problem).table(cells, witness, Record.REGIONS, inside), path)
    counts = Claim(claim.network, Rows(pieces, ranks, outputs, witness), {}).counted(problem.dim)

    def agree(manifest):
        manifest["parts"] = [{"name": path.name, "rows": n, "bytes": path.stat().st_size}]
        manifest["statistics"] = statistics_to_lists(Statistics(**counts))

    edit(run, agree)


def refuted(run, sentence):
    """The sentence is the same, however many processes look."""
    with pytest.raises(RefutedError, match=sentence) as caught:
        certify(run)
    assert "\n" not in str(caught.value)
    with pytest.raises(RefutedError) as again:
        certify(run, workers=2)
    assert str(again.value) == str(caught.value)
    return True


def test_the_honest_run(run, capsys):
    found = certify(run)
    assert found.regions == found.work.regions == rn.open_run(run).count
    assert certify(run, workers=2).work == found.work
    assert main(["certify", str(run)]) == 0
    assert capsys.readouterr().out.startswith(
        f"certified: {found.regions} regions, complete; {found.work.proofs:,} proofs"
    )


def test_a_region_dropped(run):
    rewrite(run, lambda *rows: [a[np.arange(len(a)) != 7] for a in rows])
    assert refuted(
        run, r"layer `layers.\d` cuts the cell, and the regions on one side are missing, for example near the input"
    )


def test_a_region_duplicated(run):
    n = rn.open_run(run).count
    rewrite(run, lambda *rows: [np.concatenate([a, a[3:4]]) for a in rows])
    assert refuted(run, f"it lists {n + 1} rows, but counts {n} cells")
    edit(
        run,
        lambda manifest: manifest["statistics"]["cells"][-1].__setitem__(0, manifest["statistics"]["cells"][-1][0] + 1),
    )
    assert refuted(run, f"regions 3 and {n} have one pattern")


def free_pattern(pieces, i, change):
    """Change the pattern of region i to one that no region has."""
    known = {row.tobytes() for row in pieces}
    for u in range(pieces.shape[1]):
        moved = pieces[i].copy()
        change(moved, u)
        if moved.tobytes() not in known:
            return moved
    raise AssertionError("all patterns are taken")


def test_a_sign_flipped(run):
    def flip(pieces, ranks, witness):
        pieces[5] = free_pattern(pieces, 5, lambda row, u: row.__setitem__(u, 1 - row[u]))
        return pieces, ranks, witness

    rewrite(run, flip)
    assert refuted(run, "region")


def test_a_region_moved_to_another_pattern(run):
    def move(pieces, ranks, witness):
        pieces[5] = free_pattern(pieces, 5, lambda row, u: row.__setitem__(slice(None), 1 - row))
        return pieces, ranks, witness

    rewrite(run, move)
    assert refuted(run, "region")


def test_two_regions_with_their_patterns_exchanged(run):
    """As patterns nothing has changed; it is the witnesses that are wrong."""

    def exchange(pieces, ranks, witness):
        pieces[[2, 9]] = pieces[[9, 2]]
        return pieces, ranks, witness

    rewrite(run, exchange)
    assert refuted(run, r"region (2|9)(: its witness is outside of its cell, by unit \d of layer|: its rank after)")


def test_a_witness_outside(run):
    def move(pieces, ranks, witness):
        witness[4] = witness[11]
        return pieces, ranks, witness

    rewrite(run, move)
    assert refuted(run, r"region 4: its witness is outside of its cell, by unit \d of layer")


def test_a_witness_outside_of_the_domain(run):
    def move(pieces, ranks, witness):
        witness[4, 1] = 1.5
        return pieces, ranks, witness

    rewrite(run, move)
    assert refuted(run, "region 4: its witness is outside of the domain, constraint 3")


@pytest.mark.parametrize(
    ("x", "where"),
    [([0.0, 0.5], "of its cell, by unit 0 of layer `layers.0`"), ([0.5, 1.0], "of the domain, constraint 3")],
)
def test_a_witness_on_a_boundary(tmp_path, x, where):
    network = relu_chain(([[1.0, 0], [1, 1]], [0.0, 5]), ([[1.0, 1]], [0]))
    run = recorded(tmp_path / "run", network, SQUARE)

    def move(pieces, ranks, witness):
        witness[0] = x
        return pieces, ranks, witness

    certify(run)
    rewrite(run, move)
    assert refuted(run, f"region 0: its witness is on the boundary {where}")


def test_a_witness_left_out_is_found_again(run):
    def forget(pieces, ranks, witness):
        witness[4] = np.nan
        return pieces, ranks, witness

    rewrite(run, forget)
    assert certify(run).work.found == 1


@pytest.mark.parametrize("has_witness", [True, False])
def test_an_empty_region_added(run, has_witness):
    def add(pieces, ranks, witness):
        more = free_pattern(pieces, 5, lambda row, u: row.__setitem__(u, 1 - row[u]))
        point = witness[5:6] if has_witness else np.full((1, 2), np.nan)
        return (
            np.concatenate([pieces, more[None]]),
            np.concatenate([ranks, ranks[5:6]]),
            np.concatenate([witness, point]),
        )

    rewrite(run, add)
    assert refuted(run, r"region.* does not cut the cell: there is no such region")


def test_a_subtree_left_out(run):
    def prune(pieces, ranks, witness):
        kept = (pieces[:, :6] != pieces[0, :6]).any(axis=1)
        assert 1 < (~kept).sum() < len(kept)
        return pieces[kept], ranks[kept], witness[kept]

    rewrite(run, prune)
    assert refuted(run, r"unit \d of layer `layers.0` cuts the cell, and the regions on one side are missing")


def test_a_rank_changed(run):
    def lower(pieces, ranks, witness):
        ranks[3, 1] = 1 if ranks[3, 1] != 1 else 2
        return pieces, ranks, witness

    rewrite(run, lower)
    assert refuted(run, r"region 3: its rank after layer `layers.1` is \d, not \d")


def test_a_rank_of_the_output_that_is_changed(run):
    def lower(pieces, ranks, witness):
        ranks[3, -1] = 1 - ranks[3, -1]
        return pieces, ranks, witness

    rewrite(run, lower)
    assert refuted(run, r"region 3: the rank of the network's map is \d, not \d")


@pytest.mark.parametrize("name", ["cells", "children", "max_children", "unsplit"])
def test_a_statistic_changed(run, name):
    """Two numbers, so that the sums are right."""

    def change(manifest):
        row = manifest["statistics"][name][1]
        row[2], row[1] = row[2] - 1, row[1] + 1

    edit(run, change)
    assert refuted(run, rf"statistic `{name}` of layer `layers.0`, dimension 1, is \d+, but the regions say \d+")


def test_the_regions_by_the_rank_of_the_output_changed(run):
    def change(manifest):
        row = manifest["statistics"]["output"]
        row[0], row[1] = row[0] + 1, row[1] - 1

    edit(run, change)
    assert refuted(run, r"statistic `output` of dimension 0, is \d+, but the regions say \d+")


@pytest.mark.parametrize("name", ["transitions", "spread", "cutting"])
def test_a_distribution_changed(run, name):
    edit(run, lambda manifest: manifest["statistics"][name][-1].__setitem__(3, manifest["statistics"][name][-1][3] + 1))
    assert refuted(run, rf"statistic `{name}` of layer `.*`, dimension \d, entry \d+, is \d+, but the regions say \d+")


def test_a_part_truncated(run):
    part = parts(run)[0]
    part.write_bytes(part.read_bytes()[:-9])
    assert refuted(run, "is truncated or not Parquet")


def test_a_part_removed(run):
    parts(run)[0].unlink()
    assert refuted(run, "is listed in the manifest but missing")


def test_another_network(run):
    """First one weight is another in its last bit; then the rows have another order, and the manifest agrees with that."""
    network = load_npz(run / "network.npz")
    first = network.layers[0]
    weight = first.weight.copy()
    weight[0, 0] = np.nextafter(weight[0, 0], 9.0)
    other = replace(network, layers=(replace(first, weight=weight), *network.layers[1:]))
    save_npz(other, run / "network.npz")
    assert refuted(run, "but the manifest names")
    weight = weight[::-1].copy()
    other = replace(network, layers=(replace(first, weight=weight), *network.layers[1:]))
    save_npz(other, run / "network.npz")
    edit(run, lambda manifest: manifest.update(network=other.hash))
    assert refuted(run, "region")


@pytest.mark.parametrize("bound", [0.5, 8.0])
def test_another_domain(run, bound):
    edit(run, lambda manifest: manifest["domain"].update(upper=bound))
    assert refuted(run, "region")


def test_a_winner_changed(tmp_path):
    network, domain = HONEST["maxima"]
    run = recorded(tmp_path / "run", network, domain)

    def change(pieces, ranks, witness):
        known = {row.tobytes() for row in pieces}
        for i, row in enumerate(pieces):
            for winner in range(3):
                moved = np.array([winner, row[1]], pieces.dtype)
                if moved.tobytes() not in known:
                    pieces[i] = moved
                    return pieces, ranks, witness
        raise AssertionError("all patterns are taken")

    rewrite(run, change)
    assert refuted(run, "region.*(candidate|witness)")


def test_a_tie_won_by_the_higher_candidate(tmp_path):
    run = recorded(tmp_path / "run", chain(([[1.0], [1.0], [0.0]], [0, 0, 0], Units.maxima([[0, 1, 2]]))), SQUARE)
    certify(run)

    def change(pieces, ranks, witness):
        pieces[pieces == 0] = 1
        return pieces, ranks, witness

    rewrite(run, change)
    assert refuted(run, "candidate 1 is the same function as a lower one")


def test_the_upper_piece_at_a_constant_breakpoint(tmp_path):
    run = recorded(tmp_path / "run", relu_chain(([[0.0], [1.0]], [0, 0]), ([[1.0, 1]], [0])), SQUARE)
    certify(run)

    def change(pieces, ranks, witness):
        pieces[:, 0] = 1
        return pieces, ranks, witness

    rewrite(run, change)
    assert refuted(run, "is 0 all over the cell, so the lower piece is right")


def test_a_tree_with_another_parent(tmp_path):
    run = recorded(tmp_path / "run", NET, BOX, "tree", engine=LineEngine())
    assert certify(run).regions == 5
    path = parts(run)[0]
    table = pq.read_table(path)
    parent = table.column("parent").to_numpy().copy()
    parent[-1] = 0
    changed = table.set_column(2, table.schema.field("parent"), [parent])
    pq.write_table(changed.replace_schema_metadata(table.schema.metadata), path)
    assert refuted(run, r"row \d of the tree: its parent 0 is not the cell that it lies in")


# What is refused, and what is said -------------------------------------------------------------------------------------------


def test_runs_that_cannot_be_certified(tmp_path, capsys):
    recorded(tmp_path / "none", PLANE, SQUARE, "none")
    with pytest.raises(InputError, match=r'regions were not recorded .* enumerate with record="regions"'):
        certify(tmp_path / "none")
    recorded(tmp_path / "part", PLANE, SQUARE)
    edit(tmp_path / "part", lambda manifest: manifest.update(complete=False))
    assert main(["certify", str(tmp_path / "part")]) == 2
    assert "incomplete" in capsys.readouterr().err
    assert main(["certify", str(tmp_path / "nowhere")]) == 2
    assert "is not a run directory" in capsys.readouterr().err


def test_a_failure_on_the_command_line(run, capsys):
    edit(run, lambda manifest: manifest["domain"].update(upper=2.0))
    assert main(["certify", str(run), "--json"]) == 1
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert answer["certified"] is False
    assert said.err == f"regionenum: not certified: {answer['reason']}\n"


def test_a_sample(run, capsys):
    n = rn.open_run(run).count
    assert main(["certify", str(run), "--sample", "3", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["certified"], said["sampled"], said["regions"], said["work"]["regions"]) == (False, 3, n, 3)
    assert certify(run, sample=3).sentence.startswith(f"sampled: 3 of {n} regions exist")
    assert certify(run, sample=10**6).sentence.startswith(f"certified: {n} regions, complete")
    with pytest.raises(InputError, match="sample is 0"):
        certify(run, sample=0)
    with pytest.raises(InputError, match="seed is -1"):
        certify(run, sample=3, seed=-1)


def test_a_sample_sees_what_is_missing_beside_its_paths(run):
    rewrite(run, lambda *rows: [a[np.arange(len(a)) != 7] for a in rows])
    n = rn.open_run(run).count
    for seed in range(3):
        with pytest.raises(RefutedError, match="are missing"):
            certify(run, sample=n - 1, seed=seed)


def test_a_sample_can_be_drawn_again(run, capsys):
    rewrite(run, lambda *rows: [a[np.arange(len(a)) != 7] for a in rows])

    def said(seed):
        code = main(["certify", str(run), "--sample", "2", "--seed", str(seed), "--json"])
        return code, [v for k, v in json.loads(capsys.readouterr().out).items() if k != "seconds"]

    found = [said(seed) for seed in range(20)]
    assert found == [said(seed) for seed in range(20)]
    assert {code for code, _ in found} == {0, 1}, "some samples pass by what is missing, some do not"


def test_manifests_are_read_before_anything_else(run):
    (run / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        Manifest.read(run)
    assert main(["certify", str(run)]) == 2
