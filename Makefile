# A newcomer needs only `make demo` and `make test`; both run `make setup` first.
.DEFAULT_GOAL := help
.PHONY: help setup system demo dev console pictures test shapes check fix docs bench chaos soak clean

VENV := .venv
BIN  := $(VENV)/bin
DONE := $(VENV)/.setup-done
AGAINST_VENV := .venv-langgraph-dev
AGAINST_DONE := $(AGAINST_VENV)/.setup-done
# Three processes for two cores, because tests mostly wait. Each takes one file at a time, in the order of tests/conftest.py.
SPREAD := -n $(shell expr $$(getconf _NPROCESSORS_ONLN) '*' 3 / 2 '|' 1) --maxprocesses 8 --max-worker-restart 0 --dist loadfile --no-loadscope-reorder
JS   := tests/js/node_modules/.package-lock.json

# The console needs Node to be built; everything else works without it.
BUILT    := src/treadle/console/index.html
PACKAGES := console/node_modules/.package-lock.json
SOURCES  := console/index.html console/vite.config.ts $(shell find console/src -type f ! -name '*.test.ts*')
NODE     := $(shell node -e 'const [a, b] = process.versions.node.split("."); if (a > 20 || (a == 20 && b >= 19)) console.log("yes")' 2>/dev/null)

# Keep tests and demos from sending traces even if the developer's environment enables tracing.
export LANGSMITH_TRACING := false
export LANGCHAIN_TRACING_V2 := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(DONE)  ## create .venv with all dependencies and build the console, if not up to date
	@$(if $(NODE),$(MAKE) -s $(BUILT) || echo "the web console could not be built (see above); everything else works",\
		echo "no Node 20.19 or newer: the web console is not built; everything else works")

$(DONE): pyproject.toml scripts/find_python.sh
	@echo "setting up $(VENV); this takes about half a minute the first time"
	@test -x $(BIN)/python || { python=$$(sh scripts/find_python.sh) && "$$python" -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

$(BUILT): $(SOURCES) $(PACKAGES)
	@echo "building the web console"
	cd console && npm run --silent build -- --logLevel=warn
	@touch $@

# package.json pins exact versions; a lock file would contain download addresses.
$(PACKAGES) $(JS): %/node_modules/.package-lock.json: %/package.json
	@npm --version >/dev/null || { echo "$* needs Node 20.19 or newer and its npm"; exit 1; }
	@echo "installing the packages of $*"
	cd $* && npm install --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

system:  ## install the tests' system packages (databases, proxies, chromium) with apt as root, or list the missing ones
	@bash scripts/system.sh

demo: setup  ## watch an agent's run survive the SIGKILL of its server
	$(BIN)/treadle demo

dev: setup  ## serve the demo project with `treadle dev`, which restarts when a file changes
	$(BIN)/treadle dev --config src/treadle/demo/langgraph.json

console: setup $(PACKAGES)  ## serve the console's sources at 127.0.0.1:5173/console/ for the server at TREADLE_URL (default: that of make dev)
	cd console && npm run dev

pictures: setup $(PACKAGES)  ## redraw docs/console/*.png from a real server in a real browser
	cd console && npm run --silent pictures

test: setup system $(JS)  ## run all tests; ARGS="-k name" selects some
	$(BIN)/python -m pytest $(SPREAD) $(ARGS)

shapes: setup system $(JS)  ## run every test on SQLite, on PostgreSQL, and on PostgreSQL with Redis
	$(BIN)/python -m pytest $(SPREAD) --shape all $(ARGS)

check: setup  ## check format, lint, types, layers, prose and generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python scripts/prose.py
	$(BIN)/python scripts/unasync.py --check
	$(BIN)/python scripts/docs.py --check
	$(BIN)/python scripts/compatibility.py --check
	$(if $(NODE),cd console && npm run --silent check)

fix: setup  ## fix the problems that a tool can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python scripts/unasync.py
	$(BIN)/python scripts/docs.py
	$(BIN)/python scripts/compatibility.py
	$(if $(NODE),cd console && npm run --silent fix)

docs: setup  ## write the generated pages of docs/
	$(BIN)/python scripts/docs.py
	$(BIN)/python scripts/compatibility.py

bench: setup $(if $(AGAINST),$(AGAINST_DONE))  ## run the benchmarks; AGAINST=langgraph-dev, CLUSTER=1; ARGS="--help"
	PYTHONPATH=tests $(BIN)/python -m benchmarks$(if $(CLUSTER),.clustered) $(if $(AGAINST),--against $(AGAINST)) $(ARGS)

# The server that treadle is compared with, in an environment of its own. It is run as a black box.
$(AGAINST_DONE): scripts/find_python.sh
	@echo "setting up $(AGAINST_VENV)"
	@test -x $(AGAINST_VENV)/bin/python || { python=$$(sh scripts/find_python.sh) && "$$python" -m venv $(AGAINST_VENV); }
	$(AGAINST_VENV)/bin/python -m pip install --quiet 'langgraph-cli[inmem]'
	@touch $@

chaos: setup  ## kill processes under load, then check the history; ARGS="--backend all --seed 1"
	PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

soak: setup  ## run a steady load, then check for leaks of memory, descriptors and rows; ARGS="--minutes 10"
	PYTHONPATH=tests $(BIN)/python -m chaos.soak $(ARGS)

clean:  ## remove the virtual environments, node_modules and caches
	rm -rf $(VENV) $(AGAINST_VENV) tests/js/node_modules console/node_modules src/treadle/console .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist build
