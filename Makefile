# Everything a developer does. Needs Python 3.11 or newer and a network to the package index; uses uv when it is there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA := ./data
PROCESSES ?= 2

.PHONY: help setup run quick test check format docs conformance bench clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' $(MAKEFILE_LIST)

# One stamp per set of extras, inside the virtual environment: installing again happens only when pyproject.toml changed.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12"; exit 1; }
	@if command -v uv >/dev/null 2>&1; then uv venv --quiet --seed --python $(PYTHON) $(VENV); else $(PYTHON) -m venv $(VENV); fi

$(VENV)/.installed-%: pyproject.toml | $(BIN)/python
	@echo "Installing caldav-server [$(subst +,$(comma),$*)]"
	@if command -v uv >/dev/null 2>&1; then uv pip install --quiet --python $(BIN)/python -e '.[$(subst +,$(comma),$*)]'; \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(subst +,$(comma),$*)]'; fi
	@touch $@

comma := ,
RUN := $(VENV)/.installed-fast
TEST := $(VENV)/.installed-fast+test
CHECK := $(VENV)/.installed-fast+test+check
CONFORMANCE := $(VENV)/.installed-fast+test+conformance
BENCH := $(VENV)/.installed-fast+test+bench

# Each process takes half of the tests and, when it is done, some of what the others still have.
PYTEST := $(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal
FOLDERS := testing protocol storage caldav_server conformance_tests
SMOKE := $(addprefix conformance_tests/,rfc4918/test_objects.py rfc4791/test_query.py rfc6578/test_sync.py)

setup: $(CHECK) ## a virtual environment with everything for development

run: $(RUN) ## the server on http://127.0.0.1:8008, with SQLite under ./data
	@mkdir -p $(DATA)
	@$(BIN)/caldav-server migrate
	@exec $(BIN)/caldav-server serve

quick: $(TEST) ## for the loop at the desk: the quick tests on SQLite, and a few of those over HTTP
	$(PYTEST) -m "not long and not slow" --database sqlite $(filter-out conformance_tests,$(FOLDERS)) $(SMOKE)

test: $(TEST) ## all tests, on SQLite and on a real PostgreSQL
	$(PYTEST)

check: $(CHECK) ## format, lint, types, import contracts, generated documents, sizes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.docs --check
	$(BIN)/python -m tools.sizes

format: $(CHECK) ## puts the sources in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(TEST) ## the documents that are generated from the code
	$(BIN)/python -m tools.docs

conformance: $(CONFORMANCE) ## the long forms too: every case of the oracles, client programs, fault tests, every corpus file
	@mkdir -p .conformance
	TEST_LENGTH=long $(BIN)/python -m pytest -m "long or not long" $(FOLDERS) --compliance .conformance/run.json --corpus-report .conformance/corpus.json

bench: $(BENCH) ## speed, as ratios to peers and to the floor of the HTTP library
	$(BIN)/python -m conformance_tests.bench

clean: ## removes the virtual environment and caches; data stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
