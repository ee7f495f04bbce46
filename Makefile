# Everything that a person types is here; what a target needs it installs by itself into .venv.
#
# make test ARGS="-k netstring"   hands ARGS to pytest
# make test ARGS="-n0 --pdb"      in one process, as a debugger wants it
# make test PYTHON=python3.13     makes .venv with that Python (after a `make clean`)
# make fuzz SECONDS=600           fuzzes each target for so long; TARGET=twins one of them
# make mutants MODULE=_scanners   tries the mutants of one module of the core only
# make soak MINUTES=5             soaks each adapter for so long; ADAPTER=trio CONNECTIONS=5000

PYTHON ?=
ARGS ?=
SECONDS = 60
TARGET =
QUICK ?=
MINUTES = 2
MODULE =
CONNECTIONS = 1000
ADAPTER =
PYTHONS = python3 python3.14 python3.13 python3.12 python3.11
# One process a CPU; what is left to do goes to whoever has nothing to do.
PARALLEL = -n auto --maxprocesses 8 --dist worksteal
VENV := .venv
PY := $(VENV)/bin/python

# What pip and pyright would look up on the network only to say that they are not the newest.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help

# One pip at a time in one .venv, under `make -j` too.
.NOTPARALLEL:

SITE := docs/_build/html

.PHONY: help demo test docs lint format types coverage bench fuzz mutants soak build clean venv

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.has-cli  ## see what framer does, in a minute
	@$(PY) docs/examples/demo.py $(ARGS)

test: $(VENV)/.has-tests  ## run the tests
	@$(PY) -m pytest $(PARALLEL) $(ARGS)

# Everything is read anew, for a page that has not changed would not be warned of again.
docs: $(VENV)/.has-docs  ## build the documentation, and check every link in it
	@$(PY) -m sphinx -b html -d docs/_build/doctrees -E -W --keep-going -q docs $(SITE)
	@echo "framer: the documentation is $(CURDIR)/$(SITE)/index.html"
	@echo "        (for the explorer: $(PY) -m http.server -b 127.0.0.1 -d $(SITE) 8000)"

lint: $(VENV)/.has-dev  ## check style and format
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check

format: $(VENV)/.has-dev  ## repair style and format
	@$(PY) -m ruff check --fix
	@$(PY) -m ruff format

# What users see of the types is checked a second time: complete, and with nothing left to infer.
# For that pyright asks the Python that is first on PATH.
types: $(VENV)/.has-dev  ## check types with mypy and pyright
	@$(PY) -m mypy
	@$(PY) -m pyright --pythonpath $(PY)
	@for package in framer framer_adapters; do \
	  said=$$(PATH="$(CURDIR)/$(VENV)/bin:$$PATH" \
	    $(PY) -m pyright --ignoreexternal --verifytypes $$package) || { echo "$$said"; exit 1; }; \
	  echo "$$package: $$(echo "$$said" | grep score)"; \
	done

coverage: $(VENV)/.has-dev  ## hold each module to 100 % of branches from its own tests
	@$(PY) .ci/module_coverage.py $(ARGS)

fuzz: $(VENV)/.has-fuzz  ## look for inputs that break framer, with atheris
	@PYTHONPATH=tests:.ci $(PY) -m fuzz --seconds $(SECONDS) $(TARGET)

mutants: $(VENV)/.has-tests  ## put faults into the core, and see that a test fails (takes hours)
	@PYTHONPATH=tests:.ci $(PY) -m mutation $(MODULE) $(ARGS)

bench: $(VENV)/.has-bench  ## measure speed and memory against others (QUICK=1: in two minutes)
	@PYTHONPATH=tests $(PY) -m bench $(if $(QUICK),--quick) $(ARGS)

soak: $(VENV)/.has-tests  ## put each adapter under load with faults, and count what is left
	@PYTHONPATH=tests $(PY) -m soak --minutes $(MINUTES) --connections $(CONNECTIONS) $(ADAPTER)

build: $(VENV)/.has-dev  ## build the wheel and the sdist, and check them
	@echo "framer: building the wheel and the sdist, twice"
	@$(PY) .ci/build.py
	@$(PY) -m check_wheel_contents dist/*.whl
	@$(PY) -m twine check --strict dist/*

clean:  ## remove all that was made, .venv too
	@rm -rf $(VENV) .nox build dist docs/_build htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv: $(VENV)/.has-dev  ## make .venv with everything in it

# A .venv that was copied or moved here, or whose Python has gone, is no longer one.
$(shell test "$$(cat $(VENV)/.made 2>/dev/null)" = "$(CURDIR)" && test -x $(PY) || rm -f $(VENV)/.made)

# A stamp is touched last, so a half-built .venv has none and is built again.
# Each level holds the one before, so it touches that stamp too.

$(VENV)/.has-cli: pyproject.toml $(VENV)/.made
	@echo "framer: installing framer with the extra 'cli' into $(VENV)"
	@$(PY) -m pip install -qq --editable '.[cli]'
	@touch $@

$(VENV)/.has-tests: pyproject.toml $(VENV)/.made
	@echo "framer: installing framer and what its tests need into $(VENV)"
	@$(PY) -m pip install -qq --editable '.[all]' --group tests
	@touch $(VENV)/.has-cli $@

$(VENV)/.has-docs: pyproject.toml $(VENV)/.made
	@echo "framer: installing framer and what its documentation is made with into $(VENV)"
	@$(PY) -m pip install -qq --editable '.[all]' --group docs
	@touch $(VENV)/.has-cli $@

$(VENV)/.has-bench: pyproject.toml $(VENV)/.made
	@echo "framer: installing framer and those it is measured against into $(VENV)"
	@$(PY) -m pip install -qq --editable '.[all]' --group bench
	@touch $(VENV)/.has-cli $@

$(VENV)/.has-dev: pyproject.toml $(VENV)/.made
	@echo "framer: installing framer and all its tools into $(VENV) (this takes a minute)"
	@$(PY) -m pip install -qq --editable '.[all]' --group dev
	@touch $(VENV)/.has-cli $(VENV)/.has-tests $(VENV)/.has-docs $@

$(VENV)/.has-fuzz: pyproject.toml $(VENV)/.made
	@echo "framer: installing framer, what its tests need and atheris into $(VENV)"
	@$(PY) -m pip install -qq --editable '.[all]' --group fuzz
	@touch $(VENV)/.has-cli $(VENV)/.has-tests $@

# A candidate is tried out, not only looked up:
# it may be too old, lack venv, or be a version manager's stub that starts nothing.
# pip says errors only: what it warns of is the machine's set-up, not ours.
# It is brought up to date because `--group` came with pip 25.1.
$(VENV)/.made:
	@for python in $(or $(PYTHON),$(PYTHONS) \
	    "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.1[1-9]*/bin/python3); do \
	  if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
	      >/dev/null 2>&1; then \
	    echo "framer: making $(VENV) with $$("$$python" --version)"; \
	    "$$python" -m venv --clear $(VENV) && \
	    $(PY) -m pip install -qq --upgrade 'pip>=25.1' && \
	    echo "$(CURDIR)" > $@ && exit 0; \
	    echo "framer: could not make $(VENV) with $$python" >&2; exit 1; \
	  fi; \
	done; \
	echo "framer: found no Python 3.11 or newer that has venv and ensurepip" >&2; \
	echo "        (tried $(or $(PYTHON),$(PYTHONS) and those of pyenv))." >&2; \
	echo "        Install one, or name one: make PYTHON=/path/to/python3" >&2; \
	exit 1
