"""The doctor: all is well, or it says what is broken."""

import os
import re

from regionenum.cli import doctor, main


def test_doctor(capsys, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "5 regions and 3 distinct maps with both engines" in out
    assert "SLURM_JOB_ID=77" in out
    assert "FAILED" not in out


def test_doctor_reports_what_is_broken(capsys, monkeypatch):
    def broken():
        raise RuntimeError("cannot load MPI library")

    monkeypatch.setattr(doctor, "_self_test", broken)
    assert main(["doctor"]) == 1
    assert re.search(r"self-test\s+FAILED\s+RuntimeError: cannot load MPI library", capsys.readouterr().out)


def test_doctor_survives_an_mpi_that_does_not_load(monkeypatch, tmp_path):
    (tmp_path / "mpi4py").mkdir()
    (tmp_path / "mpi4py" / "__init__.py").write_text("")
    (tmp_path / "mpi4py" / "MPI.py").write_text("raise RuntimeError('cannot load MPI library')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path) + os.pathsep + os.environ.get("PYTHONPATH", ""))
    monkeypatch.setattr(doctor, "version", lambda name: "4.0")
    check = doctor._mpi()
    assert not check.ok
    assert check.detail == "mpi4py 4.0 finds no working MPI library: RuntimeError: cannot load MPI library"


def test_doctor_names_a_cache_that_cannot_be_written(monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    ok, detail = doctor._cache()
    assert not ok
    assert "set REGIONENUM_CACHE_DIR" in detail
