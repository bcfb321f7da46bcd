# Everything lives in .venv, made on first use from PYTHON and constraints.txt; delete that folder to start afresh.
PYTHON ?= python3
LAB_ARGS ?=
TEST_ARGS ?=

BIN := .venv/bin
# Threads that wait sleep: as in gfdt_tutorial/__init__.py, for kernels that import torch first.
export OMP_WAIT_POLICY ?= PASSIVE
INSTALLED := .venv/.installed
SOURCES := gfdt_tutorial tests conftest.py $(wildcard notebooks/*.py)  # the .ipynb follow from the .py
STRIP := $(BIN)/nbstripout --keep-id --extra-keys metadata.language_info

.PHONY: help lab test test-fast lint sync picture assets benchmarks constraints

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1|/p' Makefile | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

lab: $(INSTALLED)  ## open the lessons in JupyterLab (options: make lab LAB_ARGS=--no-browser)
	PATH="$(CURDIR)/$(BIN):$$PATH" jupyter lab --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb $(LAB_ARGS)

# On all cores; conftest.py says which tests stay together. One at a time, for a debugger: make test-fast TEST_ARGS="-n 0 --pdb".
test: $(INSTALLED)  ## run every test and every lesson
	$(BIN)/python -m pytest -n auto $(TEST_ARGS)

test-fast: $(INSTALLED)  ## run the quick tests, for work on the code
	$(BIN)/python -m pytest -n auto -q -m "not slow and not browser" tests $(TEST_ARGS)

lint: $(INSTALLED)  ## check style, types, the layers of the package, and the notebooks against their .py
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_project.py -k pair
	$(STRIP) --verify notebooks/*.ipynb

# One way and by content: jupytext --sync goes by the clock and can drop an edit of the .py without a word.
sync: $(INSTALLED)  ## refresh each notebook from its .py, without outputs
	@for lesson in notebooks/*.py; do $(BIN)/jupytext --update --to ipynb -o "$${lesson%.py}.ipynb" "$$lesson" || exit 1; done
	@$(STRIP) notebooks/*.ipynb

picture: $(INSTALLED)  ## draw the picture of the README anew (needs Chromium)
	$(BIN)/python -m gfdt_tutorial figure1 --system ornstein-uhlenbeck --out .venv/picture
	cp .venv/picture/figure1.png docs/picture.png

assets: $(INSTALLED)  ## make the learned scores and responses that travel with the package anew (20 min; resumable)
	$(BIN)/python -m gfdt_tutorial assets

benchmarks: $(INSTALLED)  ## measure what the project promises and write docs/benchmarks.json (15 min)
	$(BIN)/python -m gfdt_tutorial bench --json docs/benchmarks.json

# Neither the local build of torch (+cpu) nor the CUDA packages it may have brought are for everyone.
constraints: $(INSTALLED)  ## write the versions now installed to constraints.txt
	@$(BIN)/python -m pip freeze --exclude-editable > .venv/frozen.txt
	@{ sed -n 1p constraints.txt; sed 's/+.*//' .venv/frozen.txt | grep -v '^nvidia-\|^cuda-\|^triton=='; } > .venv/constraints.txt
	@mv .venv/constraints.txt constraints.txt && touch $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@rm -f $@
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found. Install Python 3.11 or newer, or name one: make lab PYTHON=/path/to/python3"; exit 1; }; \
	  $(PYTHON) gfdt_tutorial/core/preflight.py python && echo "Making .venv ..." && \
	  $(PYTHON) -m venv $$($(BIN)/python -c "" 2>/dev/null || echo --clear) .venv; }
	@$(BIN)/python gfdt_tutorial/core/preflight.py torch
	@echo "Installing into .venv (a few minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	@touch $@
