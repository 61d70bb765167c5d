# make demo: set everything up, then count the regions of a network trained on real data.
# make test: set everything up, then lint, type check and test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0

.PHONY: demo test lint types check clean

demo: $(VENV)/.ready
	$(BIN)/python -m benchmarks.demo

test: lint types
	$(BIN)/python -m pytest

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready
	$(BIN)/mypy

# The doctor compiles the kernels, once on this machine. torch is installed first and by itself: its exact version selects a CPU build, and later requirements find it satisfied.
$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[torch,benchmarks,test]'
	$(BIN)/regionenum doctor
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
