from pathlib import Path

import pytest

from regionenum.choices import EngineName, Record
from regionenum.cli.config import Config, read_config
from regionenum.domain import Box
from regionenum.domain.description import BoxDescription
from regionenum.engine.by_name import engine_by_name
from regionenum.errors import InputError

GOOD = """
model = "nets/a.npz"
record = "tree"
[domain]
kind = "box"
lower = -1
upper = [1.5, 2]
"""


@pytest.fixture
def config_file(tmp_path):
    def write(text):
        path = tmp_path / "c.toml"
        path.write_text(text)
        return path

    return write


def test_a_configuration(config_file, tmp_path):
    config = read_config(config_file(GOOD))
    assert config == Config(
        model=str(tmp_path / "nets/a.npz"),
        domain=config.domain,
        record=Record.TREE,
        exact=True,
        engine=EngineName.COMPILED,
        out=None,
    )
    box = config.domain.build()
    assert isinstance(box, Box)
    assert box.describe() == {"kind": "box", "lower": -1.0, "upper": [1.5, 2.0]}


def test_an_absolute_model_stays_where_it_is(config_file):
    assert read_config(config_file(GOOD), ["model=/nets/b.npz"]).model == "/nets/b.npz"


def test_overrides_are_toml_values_or_words(config_file):
    overrides = ["domain.lower=-2.5", "domain.upper=[[1, 2]]", "record=regions", 'engine="highs"', "out=runs/a b"]
    config = read_config(config_file(GOOD), overrides)
    assert isinstance(config.domain, BoxDescription)
    assert (config.domain.lower, config.domain.upper) == (-2.5, [[1, 2]])
    assert (config.record, config.engine, config.out) == ("regions", "highs", "runs/a b")
    limits = read_config(config_file(GOOD), ["workers=auto", "time_limit=60", "max_regions=9", "commit_seconds=0.5"])
    assert (limits.workers, limits.time_limit, limits.max_regions, limits.commit_seconds) == ("auto", 60.0, 9, 0.5)
    assert read_config(config_file('model = "a"'), ["domain.kind=box", "domain.lower=0", "domain.upper=1"]).domain


@pytest.mark.parametrize(
    ("text", "overrides", "sentence"),
    [
        (GOOD + "uper = 1", [], r"unknown key `uper` in \[domain\]; known keys: kind, lower, upper"),
        ("modell = 1\n" + GOOD, [], "unknown key `modell` in the file; known keys: model, domain, record"),
        (GOOD, ["domain.hi=1"], r"unknown key `hi` in \[domain\]"),
        (GOOD, ["model=1"], "`model`: expected `str`, got `int`"),
        (GOOD, ["domain.lower=true"], r"`domain.lower`: expected `float \| array`, got `bool`"),
        (GOOD, ["domain.lower=low"], r"`domain.lower`: expected `float \| array`, got `str`"),
        (GOOD, ["exact=1"], "`exact`: expected `bool`, got `int`"),
        (GOOD, ["record=all"], "`record`: invalid enum value 'all'"),
        (GOOD, ["engine=fast"], "`engine`: invalid enum value 'fast'"),
        (GOOD, ["domain.kind=ball"], "`domain.kind`: invalid enum value 'ball'"),
        ('model = "a"', [], "key `domain` is missing in the file"),
        ('model = "a"\n[domain]\nkind = "box"\nlower = 1', [], r"key `upper` is missing in \[domain\]"),
        ("model = ", [], "is not valid TOML"),
        (GOOD, ["workers=0"], "`workers`: expected `int` >= 1"),
        (GOOD, ["workers=many"], "`workers`: invalid enum value 'many'"),
        (GOOD, ["time_limit=-1"], "`time_limit`: expected `float` >= 0.0"),
        (GOOD, ["max_regions=0"], "`max_regions`: expected `int` >= 1"),
        (GOOD, ["record"], "give KEY=VALUE"),
        (GOOD, ["domain.=1"], "give KEY=VALUE"),
        (GOOD, ["model.x=1"], "`model` is a value, not a table"),
    ],
)
def test_what_is_refused(config_file, text, overrides, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        read_config(config_file(text), overrides)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"none.toml cannot be read \(No such file or directory\)"):
        read_config(tmp_path / "none.toml")


def test_bytes_that_are_not_text(tmp_path):
    path = Path(tmp_path / "c.toml")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not valid TOML"):
        read_config(path)


@pytest.mark.parametrize("name", EngineName)
def test_every_name_of_an_engine_makes_that_engine(name):
    assert engine_by_name(str(name)).name == name
