"""Options, configurations and models that cannot be: one sentence that names the place and the mend, exit code 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import regionenum as rn
from regionenum.cli.doctor import star_network
from regionenum.network.storage import save_npz
from tests.malformed import sentence_of

OPTIONS: dict[str, tuple[list[str], str]] = {
    "a function without a shape": (["no.such:model"], "`no.such:model` needs an input_shape"),
    "weights for a model that has its own": (["{net}", "--state", "w.pt"], "state `w.pt` is given with a model that"),
    "another input shape": (["{net}", "--input-shape", "1,2"], "takes inputs of shape (2,), not (1, 2)"),
    "no shape": (["{net}", "--input-shape", "2x2"], "'2x2' is not a shape; give sizes with commas"),
    "a shape with a zero": (["{net}", "--input-shape", "2,0"], "'2,0' has a size below 1"),
}


@pytest.mark.parametrize("case", OPTIONS.values(), ids=list(OPTIONS))
def test_options_of_a_model(capsys: pytest.CaptureFixture[str], tmp_path: Path, case: tuple[list[str], str]) -> None:
    arguments, says = case
    save_npz(star_network(), tmp_path / "net.npz")
    given = [argument.replace("{net}", str(tmp_path / "net.npz")) for argument in arguments]
    assert says in sentence_of(capsys, "count", *given, "--box", "-1", "1")


BOX = '\n[domain]\nkind = "box"\nlower = -1\nupper = 1\n'
CONFIGS: dict[str, tuple[str, str]] = {
    "nothing": ("", "key `model` is missing"),
    "half a line": ("model = ", "is not valid TOML"),
    "a key twice": ('model = "a"\nmodel = "b"' + BOX, "is not valid TOML"),
    "an unknown key": ('model = "net.npz"\nmodle = 1' + BOX, "unknown key `modle`"),
    "a model that is a number": ("model = 7" + BOX, "`model`: expected `str`, got `int`"),
    "an input shape that is text": ('model = "net.npz"\ninput_shape = "2"' + BOX, "`input_shape`: expected"),
    "a negative input shape": ('model = "net.npz"\ninput_shape = [-2]' + BOX, "expected `int` >= 1"),
    "a state that is a number": ('model = "net.npz"\nstate = 1' + BOX, "`state`: expected"),
    "a state for an npz": ('model = "net.npz"\nstate = "w.pt"' + BOX, "is given with a model that brings its own"),
    "a decision that is text": ('model = "net.npz"\nargmax = "yes"' + BOX, "`argmax`: expected `bool`, got `str`"),
    "a missing model": ('model = "other.npz"' + BOX, "other.npz` cannot be read (No such file"),
    "a box upside down": ('model = "net.npz"' + BOX.replace("-1", "2"), "lower 2.0 is above upper 1.0"),
    "a box of another shape": ('model = "net.npz"' + BOX.replace("-1", "[-1, -1, -1]"), "has shape (3,)"),
    "a box without an end": ('model = "net.npz"' + BOX.replace("-1", "-inf"), "bounds must be finite"),
    "a ragged box": ('model = "net.npz"' + BOX.replace("-1", "[[-1], [-1, -1]]"), "box"),
    "no domain": ('model = "net.npz"', "key `domain` is missing"),
}


@pytest.mark.parametrize("case", CONFIGS.values(), ids=list(CONFIGS))
def test_configurations(capsys: pytest.CaptureFixture[str], tmp_path: Path, case: tuple[str, str]) -> None:
    text, says = case
    save_npz(star_network(), tmp_path / "net.npz")
    (tmp_path / "c.toml").write_text(text)
    assert says in sentence_of(capsys, "run", str(tmp_path / "c.toml"))


def test_a_configuration_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "c.toml cannot be read" in sentence_of(capsys, "run", str(tmp_path / "c.toml"))


@pytest.mark.parametrize("thing", [None, 3, [1.0], {"weight": 1}, b"net.npz", np.zeros((2, 2))], ids=str)
def test_things_that_are_no_models(thing: Any) -> None:
    with pytest.raises(rn.InputError, match=r"^cannot load a .*; supported: a torch\.nn\.Module") as caught:
        rn.load(thing)
    assert "\n" not in str(caught.value)
