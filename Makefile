# make run    set up, execute every lecture, write a report      make lab        open JupyterLab on the lectures
# make test   set up, run all tests                              make notebooks  re-execute and save the lectures
# make lock   resolve the exact versions again                   make doctor     what is here, what is missing
# make browser  a hand in a real browser on every lecture and page (needs Chromium; minutes)
# make slurm  batches and training on a SLURM of two nodes on this machine (needs SLURM and munge; minutes)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
K2C := $(BIN)/k2c
# Not what a reader keeps beside them, such as students' notebooks.
OURS := src tests notebooks
NBVAL := --nbval --nbval-current-env --nbval-cell-timeout=900 --nbval-sanitize-with=tests/notebooks/sanitize.cfg

.PHONY: run test browser slurm lab notebooks doctor lock format clean

run: $(READY)
	@$(K2C) run

# Three workers for two cores, since one of them waits for a process most of the time. Each takes a file of tests or a
# notebook after the other, the notebooks first: they take longest.
test: $(READY)
	$(BIN)/ruff check $(OURS)
	$(BIN)/ruff format --check $(OURS)
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(NBVAL) notebooks tests

browser: $(READY)
	$(BIN)/python -m pytest -m browser -n 2 --dist loadfile $(AGAIN) tests/browser

slurm: $(READY)
	$(BIN)/python -m pytest -m slurm -n 0 tests/clusters

lab: $(READY)
	@$(K2C) lab

notebooks: $(READY)
	@$(K2C) notebooks

doctor: $(READY)
	@$(K2C) doctor

format: $(READY)
	@$(BIN)/ruff format $(OURS)
	@$(BIN)/ruff check --fix $(OURS)

# Everything in .venv, nothing global. The mark is written last, so a set-up that was interrupted starts again.
$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Kernels to Clinic needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing or broken: on Debian and Ubuntu, install python3-venv."; rm -rf $(VENV); exit 1; }
	@echo "Setting up $(VENV) (once; a few minutes, torch is large) ..."
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c requirements.lock -e '.[dev]'
	@# On all cores, as pip does on one for more than a minute; a package may hold files that no Python compiles.
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@touch $@

# Versions stay as they are unless asked otherwise: make lock UPGRADE=--upgrade, or UPGRADE="--upgrade-package numpy".
lock: $(READY)
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-annotate \
		--custom-compile-command "make lock" $(UPGRADE) pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache
