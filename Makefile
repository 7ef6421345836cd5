# Every target sets up what it needs by itself; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
MODULES := $(shell find backprop -name '*.py')
PAGES := $(shell find book -type f -not -path '*/__pycache__/*')

# Matrices are small here: a second thread costs more than it brings, and the cores are busy already.
export OMP_NUM_THREADS := 1

.DEFAULT_GOAL := help
.PHONY: help book exercises grade test check clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

book: _build/book.stamp  ## build the exercises and the site, and print where to open it
	@echo "Open file://$(CURDIR)/_build/html/index.html"

exercises: _build/exercises.stamp  ## build exercises/ (students) and source/ (instructors) from solutions/

grade: _build/exercises.stamp  ## grade what is in submitted/: make grade ASSIGNMENT=scalar_chain_rule
	@$(BIN)/python -m grader grade $(or $(ASSIGNMENT),$(error say which: make grade ASSIGNMENT=scalar_chain_rule)) $(OPTIONS)

test: $(READY) book  ## lint, then every test
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -n auto --dist loadfile

check:  ## exactly what CI runs: every test, none skipped
	CI=true $(MAKE) test

clean:  ## remove everything that is built, .venv too
	rm -rf .venv _build source *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

_build/exercises.stamp: $(READY) $(wildcard solutions/*.py grader/*.py) $(MODULES)
	$(BIN)/python -m grader build
	touch $@

_build/book.stamp: _config.yml _toc.yml $(PAGES) _build/exercises.stamp
	$(BIN)/jupyter-book build . -W -n --keep-going
	touch $@
