# One word each: `make demo` and `make test` are all a newcomer needs; both set up first.
.DEFAULT_GOAL := help
.PHONY: help setup system demo dev console pictures test shapes check fix docs bench chaos soak clean

VENV := .venv
BIN  := $(VENV)/bin
DONE := $(VENV)/.setup-done
AGAINST_VENV := .venv-langgraph-dev
AGAINST_DONE := $(AGAINST_VENV)/.setup-done
# A file at a time in each of three processes for two cores, since much of a test is waiting, in the order of tests/conftest.py.
SPREAD := -n $(shell expr $$(getconf _NPROCESSORS_ONLN) '*' 3 / 2 '|' 1) --maxprocesses 8 --dist loadfile --no-loadscope-reorder
JS   := tests/js/node_modules/.package-lock.json

# The console is built where Node is; without it everything else works.
BUILT    := src/treadle/console/index.html
PACKAGES := console/node_modules/.package-lock.json
SOURCES  := console/index.html console/vite.config.ts $(shell find console/src -type f ! -name '*.test.ts*')
NODE     := $(shell node -e 'const [a, b] = process.versions.node.split("."); if (a > 20 || (a == 20 && b >= 19)) console.log("yes")' 2>/dev/null)

# Nothing a developer has in the environment may make a test or a demo talk to a tracing service.
export LANGSMITH_TRACING := false
export LANGCHAIN_TRACING_V2 := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(DONE)  ## a virtual environment in .venv with everything, and the console; does nothing the second time
	@$(if $(NODE),$(MAKE) -s $(BUILT) || echo "the web console could not be built (see above); all else works",\
		echo "no Node 20.19 or newer: the web console is not built; all else works")

$(DONE): pyproject.toml scripts/find_python.sh
	@echo "setting up $(VENV); this takes about half a minute the first time"
	@test -x $(BIN)/python || { python=$$(sh scripts/find_python.sh) && "$$python" -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

$(BUILT): $(SOURCES) $(PACKAGES)
	@echo "building the web console"
	cd console && npm run --silent build -- --logLevel=warn
	@touch $@

# Exact versions stand in package.json; a lock file would name the address they were downloaded from.
$(PACKAGES) $(JS): %/node_modules/.package-lock.json: %/package.json
	@npm --version >/dev/null || { echo "$* needs Node 20.19 or newer and its npm"; exit 1; }
	@echo "installing what $* needs"
	cd $* && npm install --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

system:  ## what tests use of the system (databases, proxies, chromium), where apt is and we are root; else what is missing
	@bash scripts/system.sh

demo: setup  ## an agent's run survives the SIGKILL of its server, before your eyes
	$(BIN)/treadle demo

dev: setup  ## the demo's project under `treadle dev`, restarted when a file changes
	$(BIN)/treadle dev --config src/treadle/demo/langgraph.json

console: setup $(PACKAGES)  ## the console's sources at 127.0.0.1:5173/console/, over the server at TREADLE_URL (default: that of make dev)
	cd console && npm run dev

pictures: setup $(PACKAGES)  ## docs/console/*.png anew, from a real server in a real browser
	cd console && npm run --silent pictures

test: setup system $(JS)  ## every test; ARGS="-k name" selects
	$(BIN)/python -m pytest $(SPREAD) $(ARGS)

shapes: setup system $(JS)  ## every test on SQLite, on PostgreSQL, and on PostgreSQL with Redis
	$(BIN)/python -m pytest $(SPREAD) --shape all $(ARGS)

check: setup  ## formatting, lint, types, layers, generated files: changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python scripts/unasync.py --check
	$(BIN)/python scripts/docs.py --check
	$(BIN)/python scripts/compatibility.py --check
	$(if $(NODE),cd console && npm run --silent check)

fix: setup  ## what check complains about, as far as a tool can mend it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python scripts/unasync.py
	$(BIN)/python scripts/docs.py
	$(BIN)/python scripts/compatibility.py
	$(if $(NODE),cd console && npm run --silent fix)

docs: setup  ## the generated pages of docs/
	$(BIN)/python scripts/docs.py
	$(BIN)/python scripts/compatibility.py

bench: setup $(if $(AGAINST),$(AGAINST_DONE))  ## the table of speed; AGAINST=langgraph-dev, CLUSTER=1; ARGS="--help"
	PYTHONPATH=tests $(BIN)/python -m benchmarks$(if $(CLUSTER),.clustered) $(if $(AGAINST),--against $(AGAINST)) $(ARGS)

# What treadle is compared with, apart from treadle's own packages. It is run as it is, and never looked into.
$(AGAINST_DONE): scripts/find_python.sh
	@echo "setting up $(AGAINST_VENV)"
	@test -x $(AGAINST_VENV)/bin/python || { python=$$(sh scripts/find_python.sh) && "$$python" -m venv $(AGAINST_VENV); }
	$(AGAINST_VENV)/bin/python -m pip install --quiet 'langgraph-cli[inmem]'
	@touch $@

chaos: setup  ## runs while things are killed, and the check of all that happened; ARGS="--backend all --seed 1"
	PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

soak: setup  ## a steady load, after which memory, descriptors and rows must be back; ARGS="--minutes 10"
	PYTHONPATH=tests $(BIN)/python -m chaos.soak $(ARGS)

clean:  ## removes the virtual environment and what tools left behind
	rm -rf $(VENV) $(AGAINST_VENV) tests/js/node_modules console/node_modules src/treadle/console .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist build
