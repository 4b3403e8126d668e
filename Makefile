# Everything works on a fresh machine that has only Python 3.11 or newer and make.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help train test test-slow lint articles bench bench-sweep doctor-report wheel clean

help:  ## say what there is to make
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fit needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[dev]'
	@# On all processors, where pip has one; some packages hold files for other Pythons.
	@$(BIN)/python -m compileall -qq -j 0 .venv src || true
	@touch $@

train: .venv/installed  ## install, then run the main job
	$(BIN)/python -m fit.train model=mlp_gelu data=xy_square

test: .venv/installed  ## install, then run every test but the slow ones
	$(BIN)/python -m pytest -m "not slow"

test-slow: .venv/installed  ## Ray, kills, the wheel, the doctor's whole table
	$(BIN)/python -m pytest -m slow --dist=load

lint: .venv/installed  ## ruff check, ruff format --check, mypy --strict over src
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

articles: .venv/installed  ## run every attempt of the four articles and compare with what they claim
	$(BIN)/python benchmarks/articles.py

bench: .venv/installed  ## time fit against the articles' own loops, plain Lightning, JAX and scikit-learn, as ratios
	$(BIN)/python -c 'import jax' 2>/dev/null || $(BIN)/pip install --quiet --disable-pip-version-check jax
	$(BIN)/python benchmarks/kernel.py
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/regressor.py
	$(BIN)/python benchmarks/predict.py

bench-sweep: .venv/installed  ## time sweeps against plain Lightning with Hydra's basic launcher
	$(BIN)/python benchmarks/sweep.py

doctor-report: .venv/installed  ## diagnose and cure every case of the doctor's table: recall, precision, cure rate
	$(BIN)/python tests/doctor/report.py

wheel: .venv/installed  ## build dist/*.whl, configurations included
	$(BIN)/python -m build --wheel --outdir dist .

clean:  ## remove what was built and measured; outputs/runs and outputs/sweeps stay
	rm -rf .venv build dist outputs/articles outputs/bench .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
