import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def test_the_python_examples_run_as_printed(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    example, domains = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names: dict[str, object] = {}
    exec(example, names)
    counts, first, second, output, *table = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\d+ True \d+", counts)
    assert first.startswith("1 ")
    assert second.startswith("3 ")
    assert re.fullmatch(r"\{(\d: \d+(, )?)+\}", output)
    assert "pattern" in table[0]
    assert (tmp_path / "runs/first/manifest.json").exists()
    exec(domains, names)
    found = list(map(int, capsys.readouterr().out.split()))
    assert len(found) == 4
    assert max(found[1:]) < found[0]
