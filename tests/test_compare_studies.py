"""The studies of `configs/studies/`, and what the README says of them."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

import regionenum as rn
from regionenum.study.architecture import Activation
from regionenum.study.compare import Plan
from regionenum.study.description import read_study, study_from
from regionenum.study.entries import Made, groups

ROOT = Path(__file__).resolve().parents[1]
STUDIES = {path.stem: path for path in (ROOT / "configs" / "studies").glob("*.toml")}


def sources(study):
    """What the networks of a grid are."""
    return [entry.source for entry in Plan.of(study).entries if isinstance(entry.source, Made)]


def test_there_are_studies():
    assert STUDIES.keys() == {"dimension", "pooling", "patterns", "linear", "acasxu"}
    assert "configs/studies/$(NAME).toml" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("name", STUDIES)
def test_studies_can_be_planned(name, monkeypatch):
    monkeypatch.delenv("REGIONENUM_ACASXU", raising=False)
    plan = Plan.of(read_study(STUDIES[name]))
    assert plan.study.study.name == name
    assert bool(plan.entries) == (name != "acasxu")
    assert len(plan.notes) == (3 if name == "acasxu" else 0)
    if name == "dimension":
        # a training for each seed of each shape
        assert len(groups(plan.entries)) == len(plan.entries) / 4 == 12


def test_six_architectures_of_equal_parameter_count():
    made = sources(read_study(STUDIES["pooling"]))
    assert len({source.architecture for source in made}) == 6
    assert all(abs(source.n_parameters - 500) <= 0.03 * 500 for source in made)
    assert sum(source.architecture.pool == 2 for source in made) == 9


def test_the_study_in_the_readme_is_this_one():
    text = (ROOT / "README.md").read_text()
    (block,) = [block for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if "[study]" in block]
    said = study_from(tomllib.loads(block))
    kept = read_study(STUDIES["pooling"])
    assert msgspec.structs.replace(said, folder=kept.folder) == kept
    # and its output names these architectures
    for source in sources(kept):
        assert re.search(rf"^{source.architecture} +3 +{source.n_parameters} ", text, re.MULTILINE)


def test_linear_networks_have_one_region(tmp_path):
    """Two of the study `linear`, without the training, over a box of all pixels."""
    pytest.importorskip("torch")
    study = read_study(STUDIES["linear"])
    assert study.grid is not None
    alone = {"data": None, "inputs": [1, 8, 8], "outputs": 10, "epochs": 0, "seeds": 1, "activation": Activation.NONE}
    small = {"study": {"name": "x"}, "domain": {"kind": "box", "lower": 0, "upper": 0.1}, "grid": {"inputs": 1}}
    linear = msgspec.structs.replace(
        study,
        grid=msgspec.structs.replace(study.grid, channels=((2,), (2, 2)), **alone),
        domain=study_from(small).domain,
        study=msgspec.structs.replace(study.study, out=str(tmp_path / "out")),
    )
    table = rn.compare(linear)
    assert table["regions"].to_pylist() == table["distinct_maps"].to_pylist() == [1, 1]
