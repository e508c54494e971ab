# One word each: `make demo` and `make test` are all a newcomer needs; both set up first.
.DEFAULT_GOAL := help
.PHONY: help setup demo dev test shapes check fix docs bench chaos soak clean

VENV := .venv
BIN  := $(VENV)/bin
DONE := $(VENV)/.setup-done
JS   := tests/js/node_modules/.package-lock.json

# Nothing a developer has in the environment may make a test or a demo talk to a tracing service.
export LANGSMITH_TRACING := false
export LANGCHAIN_TRACING_V2 := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(DONE)  ## a virtual environment in .venv with everything; does nothing the second time

$(DONE): pyproject.toml scripts/find_python.sh
	@echo "setting up $(VENV); this takes about half a minute the first time"
	@test -x $(BIN)/python || { python=$$(sh scripts/find_python.sh) && "$$python" -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: setup  ## an agent's run survives the SIGKILL of its server, before your eyes
	$(BIN)/treadle demo

dev: setup  ## the demo's project under `treadle dev`, restarted when a file changes
	$(BIN)/treadle dev --config src/treadle/demo/langgraph.json

test: setup $(JS)  ## every test, a file at a time on each core; ARGS="-k name" selects
	$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

shapes: setup $(JS)  ## every test on SQLite, on PostgreSQL, and on PostgreSQL with Redis
	$(BIN)/python -m pytest -n auto --dist loadfile --shape all $(ARGS)

# Exact versions stand in package.json; a lock file would name the address they were downloaded from.
$(JS): tests/js/package.json
	@npm --version >/dev/null || { echo "the tests of the JS SDK need Node 20 or newer and its npm"; exit 1; }
	cd tests/js && npm install --no-package-lock --no-audit --no-fund
	@touch $@

check: setup  ## formatting, lint, types, layers, generated files: changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python scripts/unasync.py --check
	$(BIN)/python scripts/docs.py --check
	$(BIN)/python scripts/compatibility.py --check

fix: setup  ## what check complains about, as far as a tool can mend it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python scripts/unasync.py
	$(BIN)/python scripts/docs.py
	$(BIN)/python scripts/compatibility.py

docs: setup  ## the generated pages of docs/
	$(BIN)/python scripts/docs.py
	$(BIN)/python scripts/compatibility.py

bench: setup  ## speed as ratios to bare LangGraph, one table; CLUSTER=1: a cluster to embedded; ARGS="--help"
	PYTHONPATH=tests $(BIN)/python -m benchmarks$(if $(CLUSTER),.clustered) $(ARGS)

chaos: setup  ## runs while things are killed, and the check of all that happened; ARGS="--backend all --seed 1"
	PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

soak: setup  ## a steady load, after which memory, descriptors and rows must be back; ARGS="--minutes 10"
	PYTHONPATH=tests $(BIN)/python -m chaos.soak $(ARGS)

clean:  ## removes the virtual environment and what tools left behind
	rm -rf $(VENV) tests/js/node_modules .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist build
