"""Studies that cannot be used as given: one sentence that names the value, the place and the mend."""

import pytest

import regionenum as rn
from regionenum.cli.doctor import star_network
from regionenum.network.storage import save_npz
from regionenum.study.compare import Plan
from regionenum.study.description import study_from
from tests.studies import error_of, tables, write

TRAINED = {"inputs": None, "data": "iris", "pooling": "none"}

REFUSED = {
    "unknown table": ({"grids": {}}, "unknown key `grids` in the file; known tables: study, domain, grid"),
    "unknown key": ({"grid": {"width": [[3]]}}, "unknown key `width` in [grid]; known keys: widths, channels"),
    "unknown key of a study": ({"study": {"worker": 3}}, "unknown key `worker` in [study]; known keys: name, out"),
    "unknown key of a domain": ({"domain": {"middle": 3}}, "unknown key `middle` in [domain]; known keys: kind, lower"),
    "unknown key of a network": ({"network": [{"path": "x"}]}, "unknown key `path` in [network[0]]; known keys: file"),
    "no file": ({"network": [{"name": "x"}]}, "key `file` is missing in [network[0]]; add it"),
    "a table that is a list": ({"grid": [1]}, "`grid`: a table is expected; write [grid]"),
    "networks that are a table": ({"network": {"file": "x"}}, "`network`: a table is expected; write [[network]]"),
    "a name with a slash": ({"study": {"name": "a/b"}}, "`study.name`: 'a/b' is no name of a folder; use letters"),
    "record": ({"study": {"record": "all"}}, "`study.record`: 'all' is unknown; use one of none, regions, tree"),
    "workers": ({"study": {"workers": 0}}, "`study.workers`: expected `int` >= 1"),
    "workers in words": ({"study": {"workers": "many"}}, "`study.workers`: 'many' is unknown; use one of auto"),
    "kind of domain": ({"domain": {"kind": "ball"}}, "`domain.kind`: 'ball' is unknown; use one of box, whole_space"),
    "bounds": ({"domain": {"lower": 2}}, "lower 2.0 is above upper 1.0"),
    "activation": ({"grid": {"activation": ["relu", "gelu"]}}, "`grid.activation`: 'gelu' is unknown; use one of relu"),
    "pooling": ({"grid": {"pooling": ["max1"]}}, '`grid.pooling`: \'max1\' is unknown; use "none", "max2"'),
    "order": ({"grid": {"order": "first"}}, "`grid.order`: 'first' is unknown; use one of activation, pooling"),
    "widths": ({"grid": {"widths": [16, 16]}}, "`grid.widths[0]`: expected `array`, got `int`"),
    "a width of zero": ({"grid": {"widths": [[0]]}}, "`grid.widths[0][0]`: expected `int` >= 1"),
    "no widths": ({"grid": {"widths": []}}, "`grid.widths` is empty; give at least one value"),
    "no seeds": ({"grid": {"seeds": []}}, "`grid.seeds` is empty; give at least one value, or leave it out"),
    "a seed twice": ({"grid": {"seeds": [1, 1]}}, "`grid.seeds`: [1, 1] names a value twice; give each once"),
    "a shape twice": ({"grid": {"widths": [[3], [3]]}}, "`grid.widths`: [[3], [3]] names a value twice"),
    "windows": ({"grid": {"widths": [[3]]}}, "widths [3]: windows of 2 do not fill a layer of 3; use multiples of 2"),
    "data": ({"grid": {"data": "mnist"}}, "`grid.data`: 'mnist' is unknown; use one of iris, wine, cancer, digits"),
    "data and inputs": ({"grid": {"data": "iris"}}, "[grid] needs either `data`, or `inputs` and `outputs`"),
    "neither": ({"grid": {"inputs": None}}, "[grid] needs either `data`, or `inputs` and `outputs`"),
    "outputs": (
        {"grid": TRAINED | {"outputs": 2}},
        "`grid.outputs` = 2 is given with `data`, whose classes are the outputs",
    ),
    "epochs": ({"grid": {"epochs": [0, 5]}}, "`grid.epochs`: 5 epochs need something to train on; give `data`"),
    "parameters": ({"grid": {"parameters": 3}}, "parameters = 3: 4-relu comes no nearer than 4 parameters"),
    "images": ({"grid": {"channels": [[2]]}}, "channels [2]: inputs of shape (1,) are no images"),
    "images of data": ({"grid": TRAINED | {"channels": [[2]]}}, "channels [2]: inputs of shape (4,) are no images"),
    "rate": ({"train": {"rate": 0}}, "`train.rate`: expected `float` > 0.0"),
    "optimiser": ({"train": {"optimiser": "adamw"}}, "`train.optimiser`: 'adamw' is unknown; use one of adam, sgd"),
    "limit": ({"limits": {"max_regions": 0}}, "`limits.max_regions`: expected `int` >= 1"),
    "two files of one name": (
        {"network": [{"file": "x.npz"}, {"file": "y/x.npz"}]},
        "two networks are called x; give one",
    ),
    "a missing file": (
        {"network": [{"file": "none.npz"}]},
        'there is no file none.npz; give its path, or say missing = "skip"',
    ),
    "data of a file": ({"network": [{"file": "x.npz", "data": "moons"}]}, "`network[0].data`: 'moons' is unknown"),
}


def changed(tmp_path, changes):
    """The tables of a good study with some keys replaced; None takes a key away."""
    content = tables(tmp_path / "out", **changes)
    for table in content.values():
        if isinstance(table, dict):
            for key in [key for key, value in table.items() if value is None]:
                del table[key]
    return content


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name, tmp_path):
    changes, message = REFUSED[name]
    content = changed(tmp_path, changes)
    with pytest.raises(rn.InputError) as refused:
        Plan.of(study_from(content))
    assert message in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_what_must_be_there(tmp_path):
    content = tables(tmp_path)
    for table in ("study", "domain"):
        with pytest.raises(rn.InputError, match=rf"table \[{table}\] is missing; add it"):
            study_from({name: value for name, value in content.items() if name != table})
    del content["grid"]
    with pytest.raises(rn.InputError, match=r"there are no networks; give a table \[grid\]"):
        study_from(content)


def test_domains_of_data_need_data(tmp_path):
    content = tables(tmp_path)
    content["domain"] = {"kind": "data_box"}
    with pytest.raises(rn.InputError, match=r"the grid names none; give `grid.data`, or another domain"):
        study_from(content)
    del content["grid"]
    content["network"] = [{"file": "x.npz"}]
    with pytest.raises(rn.InputError, match=r"network\[0\] names none; give its `data`"):
        study_from(content)


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        ({"kind": "data_slice", "samples": [0, 150]}, "`domain.samples`: there is no sample 150 in iris; .* 0 to 149"),
        ({"kind": "data_slice", "samples": [0]}, "`domain.samples`: expected `array` of length >= 2"),
        ({"kind": "data_patch", "free": [4]}, "`domain.free`: 4 is no place in a sample of iris; .* 0 to 3"),
        ({"kind": "data_patch", "free": [1], "sample": -1}, "`domain.sample`: expected `int` >= 0"),
        ({"kind": "data_box", "margins": 1}, r"unknown key `margins` in \[domain\]; known keys: margin"),
    ],
)
def test_samples_that_are_not_there(domain, message, tmp_path):
    pytest.importorskip("sklearn")
    from regionenum.study.domains import domain_of

    content = changed(tmp_path, {"grid": TRAINED})
    content["domain"] = domain
    with pytest.raises(rn.InputError, match=message):
        domain_of(study_from(content), "iris", (4,))


def test_the_command_line(capsys, tmp_path, monkeypatch):
    path = write(tmp_path / "study.toml", tables(tmp_path / "out"))
    assert "none.toml cannot be read (No such file" in error_of(capsys, 2, tmp_path / "none.toml")
    assert "study.toml: unknown key `x` in [grid]" in error_of(capsys, 2, path, "--set", "grid.x=1")
    assert "--set seeds: give KEY=VALUE, for example --set grid.seeds=5" in error_of(capsys, 2, path, "--set", "seeds")
    assert "seeds = 5: give TABLE.KEY, for example grid.seeds" in error_of(capsys, 2, path, "--set", "seeds=5")
    assert "--index 1: of how many parts? Give --of N too" in error_of(capsys, 2, path, "--index", 1)
    assert "--of 3: which part? Give --index I too" in error_of(capsys, 2, path, "--of", 3)
    assert "--index 4: there is no such part of 3" in error_of(capsys, 2, path, "--index", 4, "--of", 3)
    assert "--of 0: give the number of parts" in error_of(capsys, 2, path, "--index", 1, "--of", 0)
    assert "'0' is not a number from 1 on" in error_of(capsys, 2, path, "--workers", 0)
    monkeypatch.setenv("PMI_SIZE", "4")
    assert "was started as 4 ranks (PMI_SIZE), but does not use MPI; give --workers 4" in error_of(capsys, 2, path)
    assert not (tmp_path / "out").exists()
    monkeypatch.delenv("PMI_SIZE")
    path.write_text("[study\n")
    assert "study.toml is not valid TOML" in error_of(capsys, 2, path)


def test_python(tmp_path):
    with pytest.raises(rn.InputError, match=r"the study is an object of type int; give the path of a STUDY\.toml"):
        rn.compare(3)  # type: ignore[arg-type]
    for workers in (0, True, "all"):
        with pytest.raises(rn.InputError, match=rf"workers={workers!r}: give the number of processes"):
            rn.compare(tables(tmp_path), workers=workers)


def test_a_network_that_cannot_be_enumerated_is_named(tmp_path, capsys):
    """The star has two inputs, the domain three; in this process and in another one."""
    save_npz(star_network(), tmp_path / "star.npz")
    content = tables(tmp_path / "out", domain={"lower": [0, 0, 0]})
    content["network"] = [{"file": str(tmp_path / "star.npz")}]
    path = write(tmp_path / "study.toml", content)
    for workers in (1, 2):
        assert "network star: box: lower has shape (3,)" in error_of(capsys, 2, path, "--workers", workers)


@pytest.mark.parametrize(("package", "made"), [("torch", "is made by torch"), ("sklearn", "comes with scikit-learn")])
def test_a_missing_package_is_one_sentence(package, made, tmp_path, monkeypatch):
    import sys

    import regionenum.study.training
    from regionenum.study.training.data import load_data

    # whatever was imported, or read, before is forgotten
    load_data.cache_clear()
    for module in ("train", "modules"):
        monkeypatch.delitem(sys.modules, f"regionenum.study.training.{module}", raising=False)
        monkeypatch.delattr(regionenum.study.training, module, raising=False)
    for module in [name for name in sys.modules if name.startswith("sklearn")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    content = changed(tmp_path, {"grid": TRAINED})
    with pytest.raises(rn.InputError, match=rf"{made}, which is not installed; pip install 'regionenum\[study\]'"):
        rn.compare(content)


def test_damaged_facts_are_named(tmp_path):
    content = tables(tmp_path / "out", grid={"widths": [[2]], "pooling": "none", "seeds": 1})
    rn.compare(content)
    (path,) = (tmp_path / "out" / "networks").glob("*.json")
    path.write_text("{")
    with pytest.raises(rn.InputError, match=r"is damaged \(.*\); delete it, and run the study again"):
        rn.compare(content)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        rn.RunError, match=r"file/out cannot be written \(Not a directory\); give another folder with --out"
    ):
        rn.compare(tables(tmp_path / "file" / "out"))
