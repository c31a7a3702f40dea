# Every target makes what it needs: `make demo` and `make test` work on a machine that has Python 3.11+ and make.

VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq install
ARGS ?=

ifndef PYTHON
PYTHON := $(firstword $(foreach p,python3 python3.15 python3.14 python3.13 python3.12 python3.11,\
  $(shell $(p) -c 'import sys; assert sys.version_info >= (3, 11)' >/dev/null 2>&1 && echo $(p))))
endif

WHEEL_VENV := build/wheel-venv
# A worker for each core, at most 4. Later options win: make test ARGS="-n0 --pdb" runs them in this process.
PARALLEL := -n auto --maxprocesses 4 --dist worksteal
TYPED := $(foreach folder,src tests examples benchmarks tools,$(if $(shell find $(folder) -name '*.py' 2>/dev/null),$(folder)))
# These decide, so every branch of theirs is taken by a test.
COVERED := admission/* commands core deadline discipline/* estimate/* heap job pace policy/* stack
# What decides and the shells around it, on clocks that the tests move: what you run while you work on these.
QUICK := $(addprefix tests/,core discipline estimate shells testing unit) \
  $(foreach slow,*_realtime.py test_*benchmark*.py test_versus_*.py,--ignore-glob='*/$(slow)')
comma := ,
empty :=
covered_files := $(subst $(empty) $(empty),$(comma),$(COVERED:%=*/timeouts/%.py))

export NO_MKDOCS_2_WARNING = 1
export PYRIGHT_PYTHON_GLOBAL_NODE = 0
export PYRIGHT_PYTHON_IGNORE_WARNINGS = 1

.DEFAULT_GOAL := help
.PHONY: help demo test quick check lint format types docs wheel test-wheel bench peers mutants clean
.DELETE_ON_ERROR:

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'
	@echo
	@echo '  PYTHON=... chooses the interpreter of $(VENV); ARGS="..." is passed on by demo, test, quick, bench, peers and mutants.'

# ── what users want ──────────────────────────────────────────────────────────────────────────────

demo: $(VENV)/.demo ## See the two stages of a request, on real input
	@$(BIN)/timeouts demo $(ARGS)

test: $(VENV)/.test ## Run the tests (HYPOTHESIS_PROFILE=ci looks harder)
	@$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

quick: $(VENV)/.test ## The tests of what decides and of the shells: under a minute on two cores
	@$(BIN)/python -m pytest $(PARALLEL) $(QUICK) $(ARGS)

# ── what a change must pass ──────────────────────────────────────────────────────────────────────

check: lint types docs test-wheel ## Lint, types, docs, wheel, and the tests against the installed wheel

lint: $(VENV)/.check ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.check ## Let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.check ## mypy and pyright, both strict
	$(BIN)/mypy $(TYPED)
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(VENV)/.docs ## Build the site into site/, strictly
	$(BIN)/mkdocs build --strict --quiet
	@! grep -rnoE '<(script|link|img)[^>]* (src|href)="https?://[^"]*"' site --include='*.html' || \
	  { echo 'make docs: the site must load nothing from elsewhere' >&2; exit 1; }

wheel: $(VENV)/.check ## Build sdist and wheel into dist/
	@rm -rf dist
	@mkdir -p build
	$(BIN)/python -m build >build/build.log 2>&1 || { cat build/build.log; exit 1; }
	@ls dist

# The tests lie beside src/, but nothing puts src/ on the path of this environment: they import what was installed, and
# one of them (TESTED_AS) makes sure of it.
test-wheel: wheel ## Run the tests against the installed wheel, with the coverage bound
	@rm -rf $(WHEEL_VENV) build/.coverage
	@$(BIN)/python -m venv $(WHEEL_VENV)
	@$(WHEEL_VENV)/bin/python -m pip --disable-pip-version-check -qq install --upgrade 'pip>=25.1'
	@$(WHEEL_VENV)/bin/python -m pip --disable-pip-version-check -qq install \
	  "$$(ls dist/*.whl)[demo,serve,testing]" --group test
	env -u PYTHONPATH TESTED_AS=wheel COVERAGE_FILE=build/.coverage \
	  $(WHEEL_VENV)/bin/python -m pytest --cov --cov-report= $(PARALLEL) $(ARGS)
	@printf 'branch coverage of the whole package: '
	@COVERAGE_FILE=build/.coverage $(WHEEL_VENV)/bin/python -m coverage report --format=total
	COVERAGE_FILE=build/.coverage $(WHEEL_VENV)/bin/python -m coverage report --fail-under=100 \
	  --include='$(covered_files)'

# ── now and then ─────────────────────────────────────────────────────────────────────────────────

bench: $(VENV)/.bench ## Measure (ratios within one run; never part of the tests)
	@for script in benchmarks/bench_*.py; do \
	  echo "── $$script"; $(BIN)/python "$$script" $(ARGS) || exit 1; \
	done

peers: $(VENV)/.peers ## Measure process workers against other libraries; takes long (ARGS="--quick")
	@$(BIN)/python benchmarks/versus_peers $(ARGS)

mutants: $(VENV)/.mutants ## Mutation testing of the pure modules
	@$(BIN)/python tools/mutants.py $(ARGS)

clean: ## Remove everything that the targets made
	rm -rf $(VENV) build dist site .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ── environments: a stamp file each, remade when pyproject.toml changes ──────────────────────────

$(VENV)/.made:
	@test -n '$(PYTHON)' || { echo 'make: found no Python 3.11 or newer; try make PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11)' || \
	  { echo 'make: $(PYTHON) is no Python 3.11 or newer' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { echo 'make: $(PYTHON) cannot make environments (no ensurepip); on Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.demo: $(VENV)/.made pyproject.toml
	$(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/.test: $(VENV)/.demo
	$(PIP) --editable '.[demo,serve]' --group test
	@touch $@

$(VENV)/.docs: $(VENV)/.made pyproject.toml
	$(PIP) --group docs
	@touch $@

$(VENV)/.check: $(VENV)/.test
	$(PIP) --group check
	@touch $@

$(VENV)/.bench: $(VENV)/.demo
	$(PIP) --editable '.[demo,serve]' --group bench
	@touch $@

$(VENV)/.peers: $(VENV)/.made pyproject.toml
	$(PIP) --editable . --group peers
	@touch $@

$(VENV)/.mutants: $(VENV)/.test
	$(PIP) --group mutants
	@touch $@
